//! `benchmark`: times of one query over random keys and values.

use std::hint::black_box;
use std::time::Instant;

use attention::{Attention, Inputs, Options, Workspace};
use serde_json::{json, Value};

mod baseline;

use crate::config::{Config, Sources};
use crate::error::{Error, Result};
use crate::format;
use crate::mechanism::{Mechanism, Parameters};
use crate::progress::Progress;

/// Measure mechanisms on random data.
///
/// Runs every combination of --types, --dims and --neighbors: one query of that
/// length, attending to that many keys, after a warm-up of a tenth of the calls.
/// Times do not hold the allocation of the result.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Mechanisms.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "scaled-dot-product,multi-head,hyperbolic",
        value_name = "TYPES"
    )]
    types: Vec<Mechanism>,
    /// Lengths of the query.
    #[arg(long, value_delimiter = ',', default_value = "128,256,512", value_name = "SIZES")]
    dims: Vec<usize>,
    /// Numbers of keys attended to.
    #[arg(long, value_delimiter = ',', default_value = "100,500,1000", value_name = "COUNTS")]
    neighbors: Vec<usize>,
    /// Timed calls of each combination.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    iterations: u32,
    /// Threads of one call [default: one a core].
    #[arg(long, value_name = "N")]
    threads: Option<u32>,
    /// Write the results, and what they were measured on, as JSON.
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
    /// Compare medians with results that --output wrote before.
    #[arg(long, value_name = "FILE")]
    baseline: Option<String>,
    /// Fail with exit code 5 if a median is more than PCT percent slower.
    #[arg(long, value_name = "PCT", requires = "baseline")]
    fail_above: Option<f64>,
    /// Print that JSON instead of the table.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  ruvector-attention benchmark --types linear --dims 64 --neighbors 100,1000
  ruvector-attention benchmark -o before.json
  ruvector-attention benchmark --baseline before.json --fail-above 10";

impl Arguments {
    /// Hands the flags to the configuration.
    pub fn set(&self, sources: &mut Sources) {
        sources.flag("optimization.num_threads", self.threads);
    }
}

/// One combination, ready to run.
struct Case {
    attention: Box<dyn Attention>,
    dim: usize,
    neighbors: usize,
}

/// Milliseconds a call.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Times {
    average: f64,
    min: f64,
    median: f64,
    p95: f64,
}

/// Validates everything, then measures, then prints and writes.
pub fn run(given: &Arguments, config: &Config) -> Result<()> {
    let parameters = Parameters { dropout: 0.0, ..Parameters::of(config)? };
    let cases = cases(given, &parameters)?;
    let baseline = given.baseline.as_deref().map(baseline::Baseline::read).transpose()?;
    if given.fail_above.is_some_and(|limit| !(limit >= 0.0 && limit.is_finite())) {
        return Err(Error::Usage("--fail-above: a number of percent, 0 or more".to_owned()));
    }
    let mut progress = Progress::new("combinations", cases.len());
    let mut measured = Vec::new();
    for case in &cases {
        tracing::debug!("{}, {} numbers, {} keys", case.attention.kind(), case.dim, case.neighbors);
        measured.push((case, measure(case, given.iterations)?));
        progress.reached(measured.len());
    }
    drop(progress);
    let results: Vec<Value> = measured.iter().map(|(case, times)| entry(case, times)).collect();
    let machine = machine(&cases, &parameters);
    let report = json!({ "machine": machine, "iterations": given.iterations, "results": results });
    let text = format!("{report:#}\n");
    if let Some(path) = &given.output {
        format::save(path, text.as_bytes())?;
        tracing::info!("Results saved to {path}");
    }
    format::write_stdout(if given.json { text } else { table(&measured) }.as_bytes())?;
    match baseline {
        Some(baseline) => baseline.judge(&report, given.fail_above),
        None => Ok(()),
    }
}

fn cases(given: &Arguments, parameters: &Parameters) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for mechanism in &given.types {
        for dim in &given.dims {
            for neighbors in &given.neighbors {
                let attention = mechanism.build(*dim, parameters)?;
                if *neighbors == 0 || neighbors.checked_mul(*dim).is_none() {
                    return Err(Error::Usage(format!("--neighbors: {neighbors} is out of range")));
                }
                cases.push(Case { attention, dim: *dim, neighbors: *neighbors });
            }
        }
    }
    Ok(cases)
}

fn measure(case: &Case, iterations: u32) -> Result<Times> {
    let mut random = Random(0x5DEE_CE66);
    let query = random.rows(1, case.dim);
    let keys = random.rows(case.neighbors, case.dim);
    let values = random.rows(case.neighbors, case.dim);
    let (mut workspace, mut out) = (Workspace::new(), vec![0.0; case.dim]);
    let mut call = || {
        let inputs = Inputs::new(black_box(&query), case.dim, black_box(&keys), black_box(&values));
        case.attention.forward_into(&inputs, &Options::default(), &mut workspace, black_box(&mut out))
    };
    for _ in 0..(iterations / 10).max(3) {
        call()?;
    }
    let mut times = Vec::with_capacity(iterations as usize);
    for _ in 0..iterations {
        let start = Instant::now();
        call()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(summary(times))
}

/// The times of at least one call.
fn summary(mut times: Vec<f64>) -> Times {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    let average = times.iter().sum::<f64>() / times.len() as f64;
    Times { average, min: at(0.0), median: at(0.5), p95: at(0.95) }
}

/// The table of the specification, and the spread of the times below it; both fit 80 columns.
fn table(measured: &[(&Case, Times)]) -> String {
    let mut text = format!(
        "{:<18}  {:>5}  {:>9}  {:>13}  {:>18}\n",
        "Type", "Dim", "Neighbors", "Avg Time (ms)", "Throughput (ops/s)"
    );
    let name = |case: &Case| format!("{:<18}  {:>5}  {:>9}", case.attention.kind(), case.dim, case.neighbors);
    for (case, times) in measured {
        let throughput = 1000.0 / times.average;
        text += &format!("{}  {:>13.3}  {throughput:>18.0}\n", name(case), times.average);
    }
    text += &format!(
        "\n{:<18}  {:>5}  {:>9}  {:>10}  {:>11}  {:>10}\n",
        "Type", "Dim", "Neighbors", "Min (ms)", "Median (ms)", "P95 (ms)"
    );
    for (case, Times { min, median, p95, .. }) in measured {
        text += &format!("{}  {min:>10.4}  {median:>11.4}  {p95:>10.4}\n", name(case));
    }
    text
}

fn entry(case: &Case, times: &Times) -> Value {
    json!({
        "type": case.attention.kind(),
        "dim": case.dim,
        "neighbors": case.neighbors,
        "avg_ms": times.average,
        "min_ms": times.min,
        "median_ms": times.median,
        "p95_ms": times.p95,
        "ops_per_s": 1000.0 / times.average,
    })
}

fn machine(cases: &[Case], parameters: &Parameters) -> Value {
    json!({
        "version": attention::version(),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "cpu": cpu(),
        "threads": parameters.threads.count(),
        "kernel": cases.first().map(|case| case.attention.kernel()),
    })
}

/// The processor's name, where the system has a file that tells it.
fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// SplitMix64: the same data on every machine.
struct Random(u64);

impl Random {
    /// A number in [-1, 1).
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    /// Rows whose norm is below 1, so that they are points of the ball of curvature -1 too.
    fn rows(&mut self, rows: usize, dim: usize) -> Vec<f32> {
        let scale = 0.9 / (dim as f32).sqrt();
        (0..rows * dim).map(|_| self.next() * scale).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        benchmark: Arguments,
    }

    fn parameters() -> Parameters {
        Parameters::of(&crate::config::Sources::default().load().unwrap()).unwrap()
    }

    fn given(words: &[&str]) -> Arguments {
        Line::try_parse_from([&["benchmark"], words].concat()).unwrap().benchmark
    }

    #[test]
    fn the_defaults_are_the_specified_ones() {
        let given = given(&[]);
        let types = [Mechanism::ScaledDotProduct, Mechanism::MultiHead, Mechanism::Hyperbolic];
        assert_eq!(given.types, types);
        assert_eq!(given.dims, [128, 256, 512]);
        assert_eq!(given.neighbors, [100, 500, 1000]);
        assert_eq!(given.iterations, 1000);
        assert_eq!(cases(&given, &parameters()).unwrap().len(), 27);
    }

    #[test]
    fn everything_is_validated_before_anything_runs() {
        assert!(matches!(cases(&given(&["--neighbors", "10,0"]), &parameters()), Err(Error::Usage(_))));
        assert!(matches!(cases(&given(&["--dims", "128,12"]), &parameters()), Err(Error::Compute(_))));
        assert!(Line::try_parse_from(["benchmark", "--iterations", "0"]).is_err());
    }

    #[test]
    fn times_are_summed_up() {
        let times = summary((1..=101).rev().map(f64::from).collect());
        assert_eq!(times, Times { average: 51.0, min: 1.0, median: 51.0, p95: 96.0 });
    }

    #[test]
    fn the_table_has_the_specified_columns_and_fits_80() {
        let cases =
            cases(&given(&["--types", "scaled-dot-product", "--dims", "99999"]), &parameters()).unwrap();
        let times = Times { average: 12345.6789, min: 12345.0, median: 12345.0, p95: 12345.0 };
        let text = table(&[(&cases[0], times)]);
        let columns: Vec<&str> =
            text.lines().next().unwrap().split("  ").map(str::trim).filter(|c| !c.is_empty()).collect();
        assert_eq!(columns, ["Type", "Dim", "Neighbors", "Avg Time (ms)", "Throughput (ops/s)"]);
        assert!(text.contains("12345.679") && text.lines().all(|line| line.len() <= 80), "{text}");
    }

    #[test]
    fn every_mechanism_accepts_the_random_data() {
        let words = ["--types", "scaled-dot-product,multi-head,hyperbolic,linear,cross,self", "--dims", "8"];
        for case in cases(&given(&words), &parameters()).unwrap() {
            assert!(measure(&case, 2).unwrap().min >= 0.0);
        }
    }
}
