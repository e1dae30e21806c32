//! `convert`: the same numbers in another format.

use crate::commands::compute::output_format;
use crate::error::{Error, Reason, Result};
use crate::format::{self, element_count, Choice, Dtype, Format, Tensor, Writer};
use crate::progress::Progress;

/// Numbers converted at a time.
const CHUNK: usize = 1 << 16;

/// Write the numbers of a tensor file in another format.
///
/// Formats go by the names' ends: .f32, .bin, .npy, .safetensors, .json, .csv.
/// Every number arrives as it was, or nothing is written: what the output cannot
/// hold exactly is an error, unless --round allows the nearest one. Text is read
/// as float32, and written with as many digits as its numbers need.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// What to read; - is stdin.
    #[arg(value_name = "INPUT")]
    input: String,
    /// What to write; - is stdout.
    #[arg(value_name = "OUTPUT")]
    output: String,
    /// Sizes of the dimensions, such as 100,128.
    #[arg(long, value_delimiter = ',', value_name = "SIZES")]
    shape: Option<Vec<usize>>,
    /// What the output holds: f32 or f16 [default: f32].
    #[arg(long, value_parser = output_dtype, value_name = "DTYPE")]
    dtype: Option<Dtype>,
    /// What raw input holds: f16, bf16, f32 or f64 [default: f32].
    #[arg(long, value_enum, value_name = "DTYPE", hide_possible_values = true)]
    input_dtype: Option<Dtype>,
    /// The tensor to take from a safetensors file, and its name in another.
    #[arg(long, value_name = "NAME")]
    tensor: Option<String>,
    /// What - is, and files whose names end otherwise [default: f32].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Round what the output cannot hold to the nearest number that it can.
    #[arg(long)]
    round: bool,
}

const EXAMPLES: &str = "\
Examples:
  ruvector-attention convert keys.csv keys.npy
  ruvector-attention convert keys.bin keys.npy --shape 1000,128
  ruvector-attention convert model.safetensors q.npy --tensor q_proj.weight
  ruvector-attention convert keys.npy half.npy --dtype f16 --round";

fn output_dtype(name: &str) -> std::result::Result<Dtype, &'static str> {
    match name {
        "f16" => Ok(Dtype::F16),
        "f32" => Ok(Dtype::F32),
        _ => Err("f32 and f16 are written"),
    }
}

/// Opens, checks, copies.
pub fn run(given: &Arguments) -> Result<()> {
    let format = output_format(&given.output, given.format)?;
    let dtype = given.dtype.unwrap_or(Dtype::F32);
    if given.dtype.is_some() && format.is_text() {
        return usage("--dtype: text has no dtype, its numbers have the digits that they need");
    }
    if dtype == Dtype::F16 && given.output.to_ascii_lowercase().ends_with(".f32") {
        return usage("--dtype f16: a .f32 file holds float32, name it .bin");
    }
    let choice = Choice {
        format: given.format,
        dtype: given.input_dtype,
        tensor: given.tensor.as_deref(),
        names: &[],
    };
    let tensor = format::open(&given.input, "input", &choice)?;
    let tensor = match &given.shape {
        Some(shape) => tensor.reshaped(shape).map_err(|reason| Error::Usage(format!("--shape: {reason}")))?,
        None => tensor,
    };
    check_shape(tensor.shape(), format)?;
    let name = given.tensor.as_deref().unwrap_or("tensor");
    let shape = tensor.shape().to_vec();
    let from = tensor.dtype();
    let mut writer = Writer::create(&given.output, format, dtype, &shape, name)?;
    copy(tensor, &mut writer, &given.input, &Target { format, dtype, round: given.round })?;
    writer.finish()?;
    tracing::info!("{} {shape:?} to {}", from.name(), given.output);
    Ok(())
}

fn usage<T>(text: impl Into<String>) -> Result<T> {
    Err(Error::Usage(text.into()))
}

/// Text has no header: its shape is what its brackets and lines show.
fn check_shape(shape: &[usize], format: Format) -> Result<()> {
    match (format, shape.len()) {
        (Format::Json, 0) => usage("a JSON array has a dimension: give --shape 1"),
        (Format::Csv, 0 | 3..) => {
            usage(format!("a .csv file has one or two dimensions, not {shape:?}: give --shape"))
        }
        (Format::Json | Format::Csv, 2..) if element_count(shape) == Some(0) => {
            usage(format!("the empty shape {shape:?} cannot be written as text"))
        }
        _ => Ok(()),
    }
}

/// What the output can hold.
struct Target {
    format: Format,
    dtype: Dtype,
    round: bool,
}

fn copy(mut tensor: Tensor, writer: &mut Writer, from: &str, target: &Target) -> Result<()> {
    let fail = |reason| Error::Load { what: "input", from: from.to_owned(), reason };
    let total = tensor.len();
    // An f64 in text keeps its digits; everything else becomes f32 first, which is exact but for f64.
    let as_f64 = target.format.is_text() && tensor.dtype() == Dtype::F64;
    let mut progress = Progress::new("numbers", total);
    let mut wide = vec![0.0; CHUNK.min(total)];
    let mut narrow = vec![0.0; CHUNK.min(total)];
    for first in (0..total).step_by(CHUNK) {
        let count = CHUNK.min(total - first);
        let (wide, narrow) = (&mut wide[..count], &mut narrow[..count]);
        if tensor.dtype() == Dtype::F64 {
            tensor.read_wide(first, wide).map_err(fail)?;
            narrow.iter_mut().zip(&*wide).for_each(|(narrow, wide)| *narrow = *wide as f32);
        } else {
            tensor.read(first, narrow).map_err(fail)?;
            wide.iter_mut().zip(&*narrow).for_each(|(wide, narrow)| *wide = f64::from(*narrow));
        }
        if let Some((place, reason)) =
            wide.iter().enumerate().find_map(|(i, n)| Some((i, target.refuses(*n, as_f64)?)))
        {
            let text = format!("element {} is {}: {reason}", first + place, wide[place]);
            return Err(fail(Reason::Content(text)));
        }
        if as_f64 {
            writer.push_wide(wide)?
        } else {
            writer.push(narrow)?
        }
        progress.reached(first + count);
    }
    Ok(())
}

impl Target {
    /// Why a number cannot be written.
    fn refuses(&self, number: f64, as_f64: bool) -> Option<String> {
        if !number.is_finite() {
            return (self.format == Format::Json).then(|| "JSON has no such number".to_owned());
        }
        let held = match self.dtype {
            _ if as_f64 => number,
            Dtype::F16 => f64::from(half::f16::from_f32(number as f32)),
            _ => f64::from(number as f32),
        };
        if held.is_infinite() {
            return Some(format!("beyond the range of {}", self.dtype.name()));
        }
        (held != number && !self.round)
            .then(|| format!("{} would hold {held}; --round allows that", self.dtype.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_target_refuses() {
        let target = |format, dtype, round| Target { format, dtype, round };
        let exact = target(Format::Npy, Dtype::F16, false);
        assert_eq!(exact.refuses(1.5, false), None);
        assert!(exact.refuses(0.1, false).is_some_and(|text| text.contains("--round")));
        assert!(exact.refuses(70000.0, false).is_some_and(|text| text.contains("range of f16")));
        assert_eq!(exact.refuses(f64::NAN, false), None);
        let round = target(Format::Npy, Dtype::F16, true);
        assert_eq!(round.refuses(0.1, false), None);
        assert!(round.refuses(1e300, false).is_some(), "no number near it");
        assert!(target(Format::Json, Dtype::F32, true).refuses(f64::NAN, false).is_some());
        assert_eq!(target(Format::Csv, Dtype::F32, false).refuses(0.1, true), None);
        assert!(target(Format::Npy, Dtype::F32, false).refuses(0.1, false).is_some());
    }
}
