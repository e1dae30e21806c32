//! `compute`: attention from files to a file.

use std::io::{self, IsTerminal};
use std::time::Instant;

use attention::{Attention, MultiHeadWeights, Options};
use serde_json::json;

mod run;

use crate::config::{Config, Sources};
use crate::error::{Error, Reason, Result};
use crate::format::{self, Choice, Dtype, Format, Tensor, Writer};
use crate::mechanism::{Mechanism, Parameters};

pub use run::{attend, Call, Memory};

/// Attend from queries to keys and values read from files.
///
/// Names end in .f32 or .bin (little-endian float32 without a header), .npy,
/// .safetensors, .json (nested arrays) or .csv; - is stdin or stdout. A
/// safetensors file of several tensors is searched for query, keys, values and
/// mask. A query is as long as --hidden-dim says, else as the second dimension
/// of its file, else as the whole file.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The mechanism [default: attention.default_type, multi-head].
    #[arg(short = 'a', long, value_enum, value_name = "TYPE", hide_possible_values = false)]
    attention_type: Option<Mechanism>,
    /// Queries.
    #[arg(short, long, value_name = "FILE")]
    query: String,
    /// Keys; not for self-attention, which attends over the queries.
    #[arg(short, long, value_name = "FILE")]
    keys: Option<String>,
    /// Values; not for self-attention.
    #[arg(long, value_name = "FILE")]
    values: Option<String>,
    /// Where the result goes [default: stdout; as JSON on a terminal].
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
    /// What - is, and files whose names end otherwise [default: f32].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// What raw input holds: f16, bf16, f32 or f64 [default: f32].
    #[arg(long, value_enum, value_name = "DTYPE", hide_possible_values = true)]
    input_dtype: Option<Dtype>,
    /// Attend to the K keys with the best scores [default: all].
    #[arg(long, value_name = "K")]
    neighbors: Option<usize>,
    /// Heads of multi-head attention [default: 8].
    #[arg(long, value_name = "N")]
    num_heads: Option<u32>,
    /// Length of a query.
    #[arg(long, value_name = "N")]
    hidden_dim: Option<u32>,
    /// c, where hyperbolic attention works in curvature -c.
    #[arg(long, default_value_t = 1.0, value_name = "C")]
    curvature: f64,
    /// Move points outside the ball onto it, for hyperbolic attention.
    #[arg(long)]
    project: bool,
    /// Which keys take part: true and false or 1 and 0; .bin: a byte a key.
    #[arg(long, value_name = "FILE")]
    mask: Option<String>,
    /// Query i of m sees keys j <= i + n - m.
    #[arg(long)]
    causal: bool,
    /// Projections of multi-head attention: safetensors named as in torch.
    #[arg(long, value_name = "FILE")]
    weights: Option<String>,
    /// What stands before the names of the weights, such as "layers.0.".
    #[arg(long, value_name = "PREFIX", default_value = "", requires = "weights")]
    weights_prefix: String,
    /// Compute a training pass that drops weights, drawn from this seed.
    #[arg(long, value_name = "SEED")]
    training: Option<u64>,
    /// Share of the weights that --training drops [default: 0.1].
    #[arg(long, value_name = "P", requires = "training")]
    dropout: Option<f64>,
    /// Threads [default: one a core].
    #[arg(long, value_name = "N")]
    threads: Option<u32>,
    /// Queries computed at a time [default: 64].
    #[arg(long, value_name = "N")]
    batch_size: Option<u32>,
    /// Keys and values larger than this are read piece by piece.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    max_memory: usize,
    /// Print a JSON object about the result, which holds it without --output.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  ruvector-attention compute -a scaled-dot-product -q query.npy -k keys.npy \\
      --values values.npy -o result.npy
  ruvector-attention compute -a self -q rows.csv --causal -o result.csv
  cat query.f32 | ruvector-attention compute -a linear -q - -k k.f32 \\
      --values v.f32 --hidden-dim 64 > result.f32";

impl Arguments {
    /// Hands the flags to the configuration.
    pub fn set(&self, sources: &mut Sources) {
        sources.flag("attention.default_type", self.attention_type.map(Mechanism::name));
        sources.flag("attention.num_heads", self.num_heads);
        sources.flag("attention.hidden_dim", self.hidden_dim);
        sources.flag("attention.dropout", self.dropout);
        sources.flag("optimization.num_threads", self.threads);
        sources.flag("optimization.batch_size", self.batch_size);
    }

    fn check(&self, mechanism: Mechanism) -> Result<()> {
        let usage = |text: &str| Err(Error::Usage(text.to_owned()));
        let inputs = [Some(&self.query), self.keys.as_ref(), self.values.as_ref(), self.mask.as_ref()];
        if inputs.into_iter().flatten().filter(|path| *path == "-").count() > 1 {
            return usage("only one input can come from stdin");
        }
        match (mechanism, self.keys.is_some(), self.values.is_some()) {
            (Mechanism::SelfAttention, false, false) => {}
            (Mechanism::SelfAttention, ..) => {
                return usage("self-attention takes no --keys and --values: the queries are both");
            }
            (_, true, true) => {}
            _ => return usage("--keys and --values are needed"),
        }
        match &self.output {
            Some(path) => output_format(path, self.format).map(drop),
            None => Ok(()),
        }
    }

    fn open(&self, path: &str, what: &'static str, names: &[&str]) -> Result<Tensor> {
        let choice = Choice { format: self.format, dtype: self.input_dtype, tensor: None, names };
        format::open(path, what, &choice)
    }
}

/// The format of a result at this path.
pub fn output_format(path: &str, given: Option<Format>) -> Result<Format> {
    if path == "-" {
        return Ok(given.unwrap_or(Format::Raw));
    }
    let unknown = || Error::Usage(format!("--output: {}", Reason::Format(path.to_owned())));
    Format::of(path).or(given).ok_or_else(unknown)
}

/// What a run took, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    load: f64,
    compute: f64,
    save: f64,
}

/// Computes and writes.
pub fn run(given: &Arguments, config: &Config) -> Result<()> {
    let mechanism = config.attention.default_type;
    given.check(mechanism)?;
    tracing::info!("Computing {mechanism}");
    let start = Instant::now();
    let mut call = load(given, config)?;
    let parameters = parameters(given, config)?;
    let attention = mechanism.build(call.dim, &parameters)?;
    tracing::debug!("queries of length {}, {} kernel", call.dim, attention.kernel());
    let options =
        Options { neighbors: given.neighbors, mask: None, causal: given.causal, training: given.training };
    let mut times = Times { load: milliseconds(start), ..Times::default() };
    let computed = attend(&*attention, &mut call, &options)?;
    times.load += computed.read_ms;
    times.compute = computed.compute_ms;
    let shape = [call.queries.len() / call.dim, computed.columns()];
    let saved = Instant::now();
    save(given, &computed.result, &shape)?;
    times.save = milliseconds(saved);
    let to = given.output.as_deref().filter(|path| *path != "-");
    tracing::info!(
        "Done: {} values ({} x {}) saved to {}",
        computed.result.len(),
        shape[0],
        shape[1],
        to.unwrap_or("stdout")
    );
    if given.json {
        report(given, &*attention, &parameters, &computed, &shape, &times)?;
    }
    Ok(())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn parameters(given: &Arguments, config: &Config) -> Result<Parameters> {
    let weights = given.weights.as_deref().map(|path| weights(path, &given.weights_prefix)).transpose()?;
    let dropout = if given.training.is_some() { config.attention.dropout } else { 0.0 };
    Ok(Parameters {
        curvature: given.curvature,
        project: given.project,
        dropout,
        weights,
        ..Parameters::of(config)?
    })
}

/// Projections as `torch.nn.MultiheadAttention` names them (D35).
fn weights(path: &str, prefix: &str) -> Result<MultiHeadWeights> {
    let fail = |reason| Error::Load { what: "weights", from: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(|error| fail(Reason::Io(error)))?;
    MultiHeadWeights::from_safetensors(&bytes, prefix)
        .map_err(|error| fail(Reason::Content(error.to_string())))
}

/// Opens everything, and reads what is to be in memory.
fn load(given: &Arguments, config: &Config) -> Result<Call> {
    let query = given.open(&given.query, "query", &["query", "queries"])?;
    let dim = config.attention.hidden_dim.or(query.columns()).unwrap_or(query.len());
    check_columns("query", &query, dim)?;
    let memory = match (&given.keys, &given.values) {
        (Some(keys), Some(values)) => {
            let keys = given.open(keys, "keys", &["keys", "key"])?;
            let values = given.open(values, "values", &["values", "value"])?;
            check_columns("keys", &keys, dim)?;
            check_rows("values", &values, keys.len() / dim.max(1))?;
            let bytes = keys.len().saturating_add(values.len()).saturating_mul(4);
            let whole = bytes / (1 << 20) < given.max_memory.max(1)
                || given.weights.is_some()
                || given.training.is_some();
            if whole {
                Memory::Whole(all(keys, given, "keys")?, all(values, given, "values")?)
            } else {
                Memory::Files(keys, values)
            }
        }
        _ => Memory::Queries,
    };
    let choice = Choice { format: given.format, ..Choice::default() };
    let mask = given.mask.as_deref().map(|path| format::read_mask(path, &choice)).transpose()?;
    let queries = all(query, given, "query")?;
    Ok(Call { queries, dim, memory, mask, batch_size: config.optimization.batch_size })
}

fn all(tensor: Tensor, given: &Arguments, what: &'static str) -> Result<Vec<f32>> {
    let from = match what {
        "keys" => given.keys.as_deref(),
        "values" => given.values.as_deref(),
        _ => Some(given.query.as_str()),
    };
    let from = from.unwrap_or_default().to_owned();
    tensor.load().map_err(|reason| Error::Load { what, from, reason })
}

/// Rows that a file spells out are not to be cut up otherwise.
pub fn check_columns(argument: &'static str, tensor: &Tensor, needed: usize) -> Result<()> {
    match tensor.columns() {
        Some(found) if found != needed => {
            let needed = attention::Needed::Exactly(needed);
            Err(attention::Error::Length { argument, found, needed }.into())
        }
        _ => Ok(()),
    }
}

/// As many rows of values as there are keys, where the file tells.
pub fn check_rows(argument: &'static str, tensor: &Tensor, rows: usize) -> Result<()> {
    let found = tensor.len();
    match tensor.columns() {
        Some(columns) if columns.checked_mul(rows) != Some(found) => {
            let needed = attention::Needed::Exactly(columns.saturating_mul(rows));
            Err(attention::Error::Length { argument, found, needed }.into())
        }
        _ => Ok(()),
    }
}

fn save(given: &Arguments, result: &[f32], shape: &[usize]) -> Result<()> {
    let (path, format) = match &given.output {
        Some(path) => (path.as_str(), output_format(path, given.format)?),
        None if given.json => return Ok(()),
        None if io::stdout().is_terminal() => ("-", given.format.unwrap_or(Format::Json)),
        None => ("-", given.format.unwrap_or(Format::Raw)),
    };
    let mut writer = Writer::create(path, format, Dtype::F32, shape, "result")?;
    if path == "-" && io::stdout().is_terminal() {
        writer = writer.within(crate::WIDTH);
    }
    writer.push(result)?;
    writer.finish()
}

fn report(
    given: &Arguments,
    attention: &dyn Attention,
    parameters: &Parameters,
    computed: &run::Computed,
    shape: &[usize],
    times: &Times,
) -> Result<()> {
    let mut report = json!({
        "attention_type": attention.kind(),
        "shape": shape,
        "kernel": attention.kernel(),
        "threads": parameters.threads.count(),
        "batches": computed.batches,
        "chunks": computed.chunks,
        "times_ms": {"load": times.load, "compute": times.compute, "save": times.save},
    });
    match &given.output {
        Some(path) => report["output"] = json!(path),
        None => {
            let rows = computed.result.chunks(shape[1].max(1));
            report["result"] = rows.map(|row| row.iter().map(|n| json!(n)).collect::<Vec<_>>()).collect();
        }
    }
    format::write_stdout(format!("{report}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        compute: Arguments,
    }

    fn given(words: &[&str]) -> Arguments {
        Line::try_parse_from([&["compute", "-q", "q.json"], words].concat()).unwrap().compute
    }

    fn tensor(shape: &[usize]) -> Tensor {
        Tensor::of(vec![0.5; shape.iter().product()], shape.to_vec())
    }

    #[test]
    fn self_attention_takes_the_queries_only() {
        let check = |mechanism, words: &[&str]| given(words).check(mechanism);
        assert!(check(Mechanism::SelfAttention, &[]).is_ok());
        let both = ["-k", "k.bin", "--values", "v.bin"];
        assert!(matches!(check(Mechanism::SelfAttention, &both), Err(Error::Usage(_))));
        assert!(matches!(check(Mechanism::SelfAttention, &both[..2]), Err(Error::Usage(_))));
        assert!(matches!(check(Mechanism::Linear, &both[..2]), Err(Error::Usage(_))));
        assert!(check(Mechanism::Linear, &both).is_ok());
    }

    #[test]
    fn stdin_serves_one_input_and_the_output_has_a_known_name() {
        let words = ["-k", "-", "--values", "-"];
        assert!(matches!(given(&words).check(Mechanism::Linear), Err(Error::Usage(_))));
        let refused = given(&["-o", "out.png"]).check(Mechanism::SelfAttention);
        assert!(matches!(refused, Err(Error::Usage(text)) if text.contains("out.png")));
        assert!(given(&["-o", "out.png", "--format", "npy"]).check(Mechanism::SelfAttention).is_ok());
    }

    #[test]
    fn spelled_out_rows_have_to_fit() {
        let is_length = |result| matches!(result, Err(Error::Compute(attention::Error::Length { .. })));
        assert!(check_columns("keys", &tensor(&[4]), 3).is_ok());
        assert!(check_columns("keys", &tensor(&[2, 2]), 2).is_ok());
        assert!(is_length(check_columns("keys", &tensor(&[1, 4]), 2)));
        assert!(check_rows("values", &tensor(&[6]), 4).is_ok());
        assert!(check_rows("values", &tensor(&[2, 3]), 2).is_ok());
        assert!(is_length(check_rows("values", &tensor(&[3, 2]), 2)));
    }
}
