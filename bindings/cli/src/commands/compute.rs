//! `compute`: attention from files to a file.

use std::io::{self, IsTerminal};

use attention::{Attention, Options};
use serde_json::json;

use crate::config::{Config, Sources};
use crate::error::{Error, Result};
use crate::format::{self, Format, Tensor};
use crate::mechanism::{Mechanism, Parameters};

/// Attend from queries to keys and values read from files.
///
/// Files end in .f32 or .bin (little-endian float32, no header) or .json (an array of numbers, or of rows); - is stdin.
/// The length of a query is --hidden-dim, else the length of a row of a JSON query, else the whole query.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The mechanism; cross and self are short for cross-attention and self-attention.
    #[arg(short = 'a', long, value_enum, value_name = "TYPE")]
    attention_type: Mechanism,
    /// Queries.
    #[arg(short, long, value_name = "FILE")]
    query: String,
    /// Keys; not for self-attention, which attends over the queries.
    #[arg(short, long, value_name = "FILE")]
    keys: Option<String>,
    /// Values; not for self-attention.
    #[arg(long, value_name = "FILE")]
    values: Option<String>,
    /// Where the result goes, in the format of the name [default: stdout, raw float32; JSON on a terminal].
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
    /// Attend to this many keys with the best scores [default: all].
    #[arg(long, value_name = "K")]
    neighbors: Option<usize>,
    /// Heads of multi-head attention.
    #[arg(long, value_name = "N")]
    num_heads: Option<u32>,
    /// Length of a query.
    #[arg(long, value_name = "N")]
    hidden_dim: Option<usize>,
    /// c, where hyperbolic attention works in curvature -c.
    #[arg(long, default_value_t = 1.0, value_name = "C")]
    curvature: f64,
    /// Which keys take part: a JSON array of booleans or 0 and 1, or a .bin file of one byte a key.
    #[arg(long, value_name = "FILE")]
    mask: Option<String>,
    /// Query i of m sees keys j <= i + n - m.
    #[arg(long)]
    causal: bool,
    /// Print a JSON object that describes the result, and holds it unless --output is given.
    #[arg(long)]
    json: bool,
    /// What an input from stdin is.
    #[arg(long, value_enum, default_value_t = Format::F32, value_name = "FORMAT")]
    stdin_format: Format,
}

impl Arguments {
    /// Hands the flags to the configuration.
    pub fn set(&self, sources: &mut Sources) {
        sources.flag("attention.num_heads", self.num_heads);
    }
}

/// The tensors of a call, checked against each other as far as their files tell.
struct Inputs {
    queries: Vec<f32>,
    dim: usize,
    /// `None`: self-attention.
    memory: Option<(Vec<f32>, Vec<f32>)>,
    mask: Option<Vec<bool>>,
}

/// Computes and writes.
pub fn run(given: &Arguments, config: &Config) -> Result<()> {
    check(given)?;
    let inputs = load(given)?;
    let parameters = Parameters { curvature: given.curvature, ..Parameters::of(config)? };
    let mechanism = given.attention_type.build(inputs.dim, &parameters)?;
    tracing::info!("Computing {}", mechanism.kind());
    tracing::debug!("queries of length {}, {} kernel", inputs.dim, mechanism.kernel());
    let result = attend(&*mechanism, &inputs, given)?;
    let rows = inputs.queries.len() / inputs.dim;
    let columns = result.len() / rows.max(1);
    save(given, mechanism.kind(), &result, columns)?;
    tracing::info!(
        "Done: {} values ({rows} x {columns}) to {}",
        result.len(),
        given.output.as_deref().unwrap_or("stdout")
    );
    Ok(())
}

fn check(given: &Arguments) -> Result<()> {
    let inputs = [Some(&given.query), given.keys.as_ref(), given.values.as_ref(), given.mask.as_ref()];
    if inputs.into_iter().flatten().filter(|path| *path == "-").count() > 1 {
        return Err(Error::Usage("only one input can come from stdin".to_owned()));
    }
    let has_memory = (given.keys.is_some(), given.values.is_some());
    match (given.attention_type, has_memory) {
        (Mechanism::SelfAttention, (false, false)) => {}
        (Mechanism::SelfAttention, _) => {
            let text = "self-attention takes no --keys and --values: the queries are both";
            return Err(Error::Usage(text.to_owned()));
        }
        (_, (true, true)) => {}
        _ => return Err(Error::Usage("--keys and --values are needed".to_owned())),
    }
    given.output.as_deref().map_or(Ok(()), format::check_output)
}

fn load(given: &Arguments) -> Result<Inputs> {
    let read = |path: &str, what| format::read(path, given.stdin_format, what);
    let queries = read(&given.query, "query")?;
    let dim = given.hidden_dim.or(queries.columns).unwrap_or(queries.data.len());
    check_columns("query", &queries, dim)?;
    let memory = match (&given.keys, &given.values) {
        (Some(keys), Some(values)) => {
            let (keys, values) = (read(keys, "keys")?, read(values, "values")?);
            check_columns("keys", &keys, dim)?;
            check_rows("values", &values, keys.data.len() / dim.max(1))?;
            Some((keys.data, values.data))
        }
        _ => None,
    };
    let mask = match &given.mask {
        Some(path) => Some(format::read_mask(path, given.stdin_format)?),
        None => None,
    };
    Ok(Inputs { queries: queries.data, dim, memory, mask })
}

/// Rows that a file spells out are not to be cut up otherwise.
fn check_columns(argument: &'static str, tensor: &Tensor, needed: usize) -> Result<()> {
    match tensor.columns {
        Some(found) if found != needed => {
            let needed = attention::Needed::Exactly(needed);
            Err(attention::Error::Length { argument, found, needed }.into())
        }
        _ => Ok(()),
    }
}

fn check_rows(argument: &'static str, tensor: &Tensor, rows: usize) -> Result<()> {
    let found = tensor.data.len();
    match tensor.columns {
        Some(columns) if columns.checked_mul(rows) != Some(found) => {
            let needed = attention::Needed::Exactly(columns.saturating_mul(rows));
            Err(attention::Error::Length { argument, found, needed }.into())
        }
        _ => Ok(()),
    }
}

fn attend(mechanism: &dyn Attention, inputs: &Inputs, given: &Arguments) -> Result<Vec<f32>> {
    let options = Options {
        neighbors: given.neighbors,
        mask: inputs.mask.as_deref(),
        causal: given.causal,
        ..Options::default()
    };
    let (keys, values) = match &inputs.memory {
        Some((keys, values)) => (keys, values),
        None => (&inputs.queries, &inputs.queries),
    };
    Ok(mechanism.forward_batch(&inputs.queries, inputs.dim, keys, values, &options)?)
}

fn save(given: &Arguments, kind: &str, result: &[f32], columns: usize) -> Result<()> {
    match &given.output {
        Some(path) => format::write(path, result, columns)?,
        None if given.json => {}
        None if io::stdout().is_terminal() => {
            format::write_stdout(format!("{}\n", format::to_json(result, columns)).as_bytes())?;
        }
        None => format::write("-", result, columns)?,
    }
    if !given.json {
        return Ok(());
    }
    let shape = [result.len() / columns.max(1), columns];
    let report = match &given.output {
        Some(path) => format!("{}\n", json!({"attention_type": kind, "shape": shape, "output": path})),
        None => format!(
            "{{\"attention_type\": {}, \"shape\": {}, \"result\": {}}}\n",
            json!(kind),
            json!(shape),
            format::to_json(result, columns)
        ),
    };
    format::write_stdout(report.as_bytes())
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

    fn tensor(length: usize, columns: Option<usize>) -> Tensor {
        Tensor { data: vec![0.5; length], columns }
    }

    #[test]
    fn self_attention_takes_the_queries_only() {
        assert!(check(&given(&["-a", "self"])).is_ok());
        assert!(matches!(check(&given(&["-a", "self", "-k", "k.bin"])), Err(Error::Usage(_))));
        assert!(matches!(check(&given(&["-a", "linear", "-k", "k.bin"])), Err(Error::Usage(_))));
        assert!(check(&given(&["-a", "linear", "-k", "k.bin", "--values", "v.bin"])).is_ok());
    }

    #[test]
    fn stdin_serves_one_input_and_the_output_has_a_known_name() {
        let words = ["-a", "linear", "-k", "-", "--values", "-"];
        assert!(matches!(check(&given(&words)), Err(Error::Usage(_))));
        let words = ["-a", "self", "-o", "out.png"];
        assert!(matches!(check(&given(&words)), Err(Error::Usage(text)) if text.contains("out.png")));
    }

    #[test]
    fn spelled_out_rows_have_to_fit() {
        let is_length = |result| matches!(result, Err(Error::Compute(attention::Error::Length { .. })));
        assert!(check_columns("keys", &tensor(4, None), 3).is_ok());
        assert!(check_columns("keys", &tensor(4, Some(2)), 2).is_ok());
        assert!(is_length(check_columns("keys", &tensor(4, Some(4)), 2)));
        assert!(check_rows("values", &tensor(6, None), 4).is_ok());
        assert!(check_rows("values", &tensor(6, Some(3)), 2).is_ok());
        assert!(is_length(check_rows("values", &tensor(6, Some(2)), 2)));
    }
}
