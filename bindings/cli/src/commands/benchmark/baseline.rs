//! Results of an earlier run, and the verdict on a new one.

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Reason, Result};

/// What `--output` wrote, as far as it is compared.
#[derive(Debug, Deserialize)]
pub struct Baseline {
    machine: Value,
    results: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    dim: usize,
    neighbors: usize,
    median_ms: f64,
}

impl Entry {
    fn name(&self) -> String {
        format!("{}, dim {}, {} keys", self.kind, self.dim, self.neighbors)
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.kind, self.dim, self.neighbors) == (&other.kind, other.dim, other.neighbors)
    }
}

impl Baseline {
    /// From a file, before anything is measured.
    pub fn read(path: &str) -> Result<Self> {
        let fail = |reason| Error::Load { what: "baseline", from: path.to_owned(), reason };
        let bytes = std::fs::read(path).map_err(|error| fail(Reason::Io(error)))?;
        let baseline: Self = serde_json::from_slice(&bytes)
            .map_err(|error| fail(Reason::Content(format!("not results of a benchmark: {error}"))))?;
        match baseline.results.iter().find(|entry| !(entry.median_ms > 0.0 && entry.median_ms.is_finite())) {
            Some(entry) => Err(fail(Reason::Content(format!("{}: no time", entry.name())))),
            None => Ok(baseline),
        }
    }

    /// Says how each median changed; an error if one grew by more than `limit` percent.
    pub fn judge(&self, report: &Value, limit: Option<f64>) -> Result<()> {
        let new: Self = Self::deserialize(report).map_err(|error| Error::Usage(error.to_string()))?;
        if new.machine != self.machine {
            tracing::warn!("the baseline was measured by another version or on another machine");
        }
        let (mut slower, mut compared) = (Vec::new(), 0);
        for entry in &new.results {
            let Some(before) = self.results.iter().find(|before| before.is_same(entry)) else {
                tracing::warn!("{}: not in the baseline", entry.name());
                continue;
            };
            compared += 1;
            let change = (entry.median_ms / before.median_ms - 1.0) * 100.0;
            tracing::info!("{}: {change:+.1} %", entry.name());
            if limit.is_some_and(|limit| change > limit) {
                slower.push(format!("{} by {change:.1} %", entry.name()));
            }
        }
        match (compared, slower.is_empty()) {
            (0, _) => Err(Error::Usage("--baseline: it has none of these combinations".to_owned())),
            (_, true) => Ok(()),
            (_, false) => Err(Error::Slower(format!("slower than the baseline:\n  {}", slower.join("\n  ")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn results(median: f64) -> Value {
        json!({"machine": {}, "results": [{"type": "linear", "dim": 8, "neighbors": 9, "median_ms": median}]})
    }

    fn judge(before: f64, now: f64, limit: Option<f64>) -> Result<()> {
        Baseline::deserialize(&results(before)).unwrap().judge(&results(now), limit)
    }

    #[test]
    fn only_what_is_slower_than_the_limit_fails() {
        assert!(judge(1.0, 1.09, Some(10.0)).is_ok());
        assert!(judge(1.0, 0.5, Some(0.0)).is_ok());
        assert!(judge(1.0, 9.0, None).is_ok());
        let Err(Error::Slower(text)) = judge(1.0, 1.2, Some(10.0)) else { panic!("20 % is more than 10") };
        assert!(text.contains("linear, dim 8, 9 keys by 20.0 %"), "{text}");
        let other = Baseline { machine: json!({}), results: Vec::new() };
        assert!(matches!(other.judge(&results(1.0), Some(1.0)), Err(Error::Usage(_))));
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.json").to_string_lossy().into_owned();
        for text in ["{", "[]", &results(0.0).to_string()] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(Baseline::read(&path), Err(Error::Load { what: "baseline", .. })), "{text}");
        }
    }
}
