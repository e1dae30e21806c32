//! What the server counts, in Prometheus' text format.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{text, EncodeLabelSet};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// The media type of the text.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of the histograms: 100 µs to 10 s.
const SECONDS: [f64; 16] =
    [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    attention_type: &'static str,
}

/// The counters of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    answered: Family<Answered, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    computed: Family<Kind, Histogram, fn() -> Histogram>,
    /// Open connections.
    pub connections: Gauge,
    /// Connections that were turned away, there were too many.
    pub turned_away: Counter,
    /// Connections whose client sent or read too slowly.
    pub slow: Counter,
    /// Computations not done, for nobody waited for them any more.
    pub abandoned: Counter,
    depth: Gauge,
    all: AtomicU64,
}

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

impl Metrics {
    /// Everything at 0.
    pub fn new(kernel: &'static str) -> Self {
        let make: fn() -> Histogram = histogram;
        let mut metrics = Metrics {
            registry: Registry::with_prefix("ruvector"),
            answered: Family::default(),
            durations: Family::new_with_constructor(make),
            computed: Family::new_with_constructor(make),
            connections: Gauge::default(),
            turned_away: Counter::default(),
            slow: Counter::default(),
            abandoned: Counter::default(),
            depth: Gauge::default(),
            all: AtomicU64::new(0),
        };
        metrics.register(kernel);
        metrics
    }

    fn register(&mut self, kernel: &'static str) {
        let all = &mut self.registry;
        let seconds = || Unit::Seconds;
        all.register("http_requests", "Requests answered", self.answered.clone());
        let about = "From the head of a request to the head of its answer";
        all.register_with_unit("http_request_duration", about, seconds(), self.durations.clone());
        all.register_with_unit("compute", "Time of the core alone", seconds(), self.computed.clone());
        all.register("connections", "Open connections", self.connections.clone());
        all.register(
            "connections_turned_away",
            "Connections that were one too many",
            self.turned_away.clone(),
        );
        all.register("connections_slow", "Connections dropped for a slow client", self.slow.clone());
        let about = "Computations not done because the client was gone";
        all.register("computations_abandoned", about, self.abandoned.clone());
        all.register("computations", "Computations that run or wait", self.depth.clone());
        let build = vec![("version", env!("CARGO_PKG_VERSION")), ("kernel", kernel)];
        all.register("build", "This program", Info::new(build));
    }

    /// Counts an answer.
    pub fn answer(&self, route: &'static str, method: &str, status: u16, took: Duration) {
        // Clients choose the method; the number of series must not be theirs to choose.
        let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
        let method = known.into_iter().find(|name| *name == method).unwrap_or("other");
        self.all.fetch_add(1, Ordering::Relaxed);
        self.answered.get_or_create(&Answered { route, method, status }).inc();
        self.durations.get_or_create(&Route { route }).observe(took.as_secs_f64());
    }

    /// Number of answers of all kinds.
    pub fn answered_in_all(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    /// Counts a computation.
    pub fn computation(&self, attention_type: &'static str, milliseconds: f64) {
        self.computed.get_or_create(&Kind { attention_type }).observe(milliseconds / 1e3);
    }

    /// The text, with the pool's depth of this moment.
    pub fn render(&self, depth: usize) -> Result<String, std::fmt::Error> {
        self.depth.set(i64::try_from(depth).unwrap_or(i64::MAX));
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_rendered() {
        let metrics = Metrics::new("scalar");
        metrics.answer("/attention", "POST", 200, Duration::from_millis(3));
        metrics.answer("/attention", "BREW", 405, Duration::from_millis(3));
        metrics.computation("linear", 0.15);
        metrics.slow.inc();
        let text = metrics.render(4).unwrap();
        for line in [
            r#"ruvector_http_requests_total{route="/attention",method="POST",status="200"} 1"#,
            r#"ruvector_http_requests_total{route="/attention",method="other",status="405"} 1"#,
            r#"ruvector_http_request_duration_seconds_bucket{le="0.005",route="/attention"} 2"#,
            r#"ruvector_compute_seconds_bucket{le="0.0002",attention_type="linear"} 1"#,
            "ruvector_connections_slow_total 1",
            "ruvector_computations 4",
            r#"kernel="scalar""#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
