//! Safetensors: a JSON header, checked by the library, and the tensors behind it.

use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::Dtype as Stored;

use super::{fault, Choice, Dtype, Input, Parsed, Tensor};
use crate::error::Reason;

/// Some ten thousand tensors; parsed, a header takes ten times its length.
const MOST_HEADER: u64 = 1 << 20;

pub fn open(mut input: Box<dyn Input>, length: u64, choice: &Choice<'_>) -> Parsed<Tensor> {
    let mut size = [0; 8];
    if length < 8 {
        return fault("not a safetensors file: it has less than 8 bytes");
    }
    input.read_exact(&mut size)?;
    let size = u64::from_le_bytes(size);
    if size > MOST_HEADER.min(length - 8) {
        let text = "the header claims";
        return fault(format!("{text} {size} bytes, of a file of {length}; at most {MOST_HEADER} are read"));
    }
    let mut text = vec![0; size as usize];
    input.read_exact(&mut text)?;
    let header: Metadata = serde_json::from_slice(&text)
        .map_err(|error| Reason::Content(format!("not a safetensors header: {error}")))?;
    let data = 8 + size;
    if header.data_len() as u64 != length - data {
        let (needed, found) = (header.data_len(), length - data);
        return fault(format!("the header describes {needed} bytes of data, found {found}"));
    }
    let (name, tensor) = pick(&header, choice)?;
    let mask = choice.dtype == Some(Dtype::Byte);
    let dtype = match tensor.dtype {
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::Bf16,
        Stored::F32 => Dtype::F32,
        Stored::F64 => Dtype::F64,
        Stored::BOOL | Stored::U8 | Stored::I8 if mask => Dtype::Byte,
        other => return fault(format!("tensor '{name}' is {other:?}, not F16, BF16, F32 or F64")),
    };
    let (from, to) = tensor.data_offsets;
    Tensor::in_file(input, data + to as u64, data + from as u64, dtype, false, tensor.shape.clone())
}

/// The tensor that is asked for, or the only one.
fn pick<'a>(header: &'a Metadata, choice: &Choice<'_>) -> Parsed<(String, &'a TensorInfo)> {
    let names = header.offset_keys();
    let found = match choice.tensor {
        Some(name) => Some(name),
        None if names.len() == 1 => names.first().map(String::as_str),
        None => choice.names.iter().copied().find(|name| header.info(name).is_some()),
    };
    let named = found.and_then(|name| Some((name.to_owned(), header.info(name)?)));
    named.map_or_else(|| fault(missing(names, choice)), Ok)
}

fn missing(mut names: Vec<String>, choice: &Choice<'_>) -> String {
    const SHOWN: usize = 5;
    let count = names.len();
    names.sort();
    if count > SHOWN {
        names.truncate(SHOWN);
        names.push("...".to_owned());
    }
    let names = names.join(", ");
    match choice.tensor {
        Some(name) => format!("no tensor '{name}' among: {names}"),
        None if count == 0 => "it holds no tensor".to_owned(),
        None => format!("it holds {count} tensors, name one with --tensor: {names}"),
    }
}

/// A header for one tensor, padded so that the data are aligned.
pub fn header(name: &str, shape: &[usize], dtype: Dtype, bytes: usize) -> Parsed<Vec<u8>> {
    let stored = if dtype == Dtype::F16 { Stored::F16 } else { Stored::F32 };
    let info = TensorInfo { dtype: stored, shape: shape.to_vec(), data_offsets: (0, bytes) };
    let text = Metadata::new(None, vec![(name.to_owned(), info)])
        .map_err(|error| error.to_string())
        .and_then(|header| serde_json::to_string(&header).map_err(|error| error.to_string()));
    let mut text = text.map_err(Reason::Content)?.into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    Ok([&(text.len() as u64).to_le_bytes(), text.as_slice()].concat())
}
