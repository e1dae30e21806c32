//! `benchmark`: times of one query over random keys and values.

use std::hint::black_box;
use std::thread::available_parallelism;
use std::time::Instant;

use attention::Attention;
use serde_json::{json, Value};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::format;
use crate::mechanism::{Mechanism, Parameters};

/// Measure mechanisms on random data.
///
/// Every combination of --types, --dims and --neighbors is run: one query of that length, attending to that many keys.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Mechanisms.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "scaled-dot-product,multi-head,hyperbolic"
    )]
    types: Vec<Mechanism>,
    /// Lengths of the query.
    #[arg(long, value_delimiter = ',', default_value = "128,256,512")]
    dims: Vec<usize>,
    /// Numbers of keys attended to.
    #[arg(long, value_delimiter = ',', default_value = "100,500,1000")]
    neighbors: Vec<usize>,
    /// Timed calls of each combination.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    iterations: u32,
    /// Write the results, and what they were measured on, as JSON.
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
    /// Print that JSON instead of the table.
    #[arg(long)]
    json: bool,
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
    let cases = cases(given, &Parameters::of(config)?)?;
    let mut table = header();
    let mut results = Vec::new();
    for case in &cases {
        tracing::debug!("{}, {} numbers, {} keys", case.attention.kind(), case.dim, case.neighbors);
        let times = measure(case, given.iterations)?;
        table += &line(case, &times);
        results.push(entry(case, &times));
    }
    let report = json!({
        "machine": machine(&cases),
        "iterations": given.iterations,
        "results": results,
    });
    let text = format!("{report:#}\n");
    if let Some(path) = &given.output {
        format::save(path, text.as_bytes())?;
        tracing::info!("Results saved to {path}");
    }
    format::write_stdout(if given.json { text.as_bytes() } else { table.as_bytes() })
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
    let call = || case.attention.forward(black_box(&query), black_box(&keys), black_box(&values));
    for _ in 0..(iterations / 10).max(3) {
        black_box(call()?);
    }
    let mut times = Vec::with_capacity(iterations as usize);
    for _ in 0..iterations {
        let start = Instant::now();
        black_box(call()?);
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

fn header() -> String {
    format!(
        "{:<20} {:>5} {:>9} {:>13} {:>18} {:>9} {:>9} {:>9}\n",
        "Type", "Dim", "Neighbors", "Avg Time (ms)", "Throughput (ops/s)", "Min", "Median", "P95"
    )
}

fn line(case: &Case, times: &Times) -> String {
    format!(
        "{:<20} {:>5} {:>9} {:>13.3} {:>18.0} {:>9.3} {:>9.3} {:>9.3}\n",
        case.attention.kind(),
        case.dim,
        case.neighbors,
        times.average,
        1000.0 / times.average,
        times.min,
        times.median,
        times.p95
    )
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

fn machine(cases: &[Case]) -> Value {
    json!({
        "version": attention::version(),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "cpu": cpu(),
        "threads": available_parallelism().map_or(1, usize::from),
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
    fn every_mechanism_accepts_the_random_data() {
        let words = ["--types", "scaled-dot-product,multi-head,hyperbolic,linear,cross,self", "--dims", "8"];
        for case in cases(&given(&words), &parameters()).unwrap() {
            assert!(measure(&case, 2).unwrap().min >= 0.0);
        }
    }
}
