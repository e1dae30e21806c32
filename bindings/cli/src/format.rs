//! Tensor files (D21): raw little-endian floats, .npy, .safetensors, JSON and CSV; `-` is stdin or stdout.
//!
//! A header is believed only after it agrees with the length of the file, and nothing is allocated before that.

mod csv;
mod dtype;
mod json;
mod npy;
mod safetensors;
mod tensor;
mod write;

use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::Path;

use clap::ValueEnum;

use crate::error::{Error, Reason, Result};

pub use dtype::Dtype;
pub use tensor::{element_count, Tensor};
pub use write::{save, write_stdout, Writer};

/// How numbers are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Little-endian numbers without a header: .f32, and .bin.
    #[value(name = "f32", alias = "bin")]
    Raw,
    /// NumPy's format.
    Npy,
    /// The safetensors format.
    Safetensors,
    /// Nested arrays of numbers.
    Json,
    /// Lines of numbers with commas between them.
    Csv,
}

impl Format {
    /// The format that a file's name promises.
    pub fn of(path: &str) -> Option<Self> {
        let extension = Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "f32" | "bin" => Some(Format::Raw),
            "npy" => Some(Format::Npy),
            "safetensors" => Some(Format::Safetensors),
            "json" => Some(Format::Json),
            "csv" => Some(Format::Csv),
            _ => None,
        }
    }

    /// Whether numbers are written as decimals.
    pub fn is_text(self) -> bool {
        matches!(self, Format::Json | Format::Csv)
    }
}

/// Bytes that can be read twice.
pub trait Input: Read + Seek + Send {}
impl<T: Read + Seek + Send> Input for T {}

/// What a file's name leaves open.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice<'a> {
    /// The format of `-` and of names that promise none.
    pub format: Option<Format>,
    /// What a raw file holds, float32 unless given.
    pub dtype: Option<Dtype>,
    /// The tensor of a safetensors file that has several.
    pub tensor: Option<&'a str>,
    /// Names to look for if none is given.
    pub names: &'a [&'a str],
}

/// Opens a tensor; `what` names it in errors.
pub fn open(path: &str, what: &'static str, choice: &Choice<'_>) -> Result<Tensor> {
    open_as(path, choice).map_err(|reason| {
        let from = if path == "-" { "stdin" } else { path };
        Error::Load { what, from: from.to_owned(), reason }
    })
}

/// A mask: 0 or 1, or true and false, of any shape; a raw file has one byte a key.
pub fn read_mask(path: &str, choice: &Choice<'_>) -> Result<Vec<bool>> {
    let choice = Choice { dtype: Some(Dtype::Byte), names: &["mask"], ..*choice };
    let mask = open(path, "mask", &choice)?;
    let fail = |reason| Error::Load { what: "mask", from: path.to_owned(), reason };
    let numbers = mask.load().map_err(fail)?;
    if let Some(index) = numbers.iter().position(|number| *number != 0.0 && *number != 1.0) {
        let text = format!("element {index} is not true, false, 1 or 0");
        return Err(fail(Reason::Content(text)));
    }
    Ok(numbers.iter().map(|number| *number != 0.0).collect())
}

type Parsed<T> = std::result::Result<T, Reason>;

fn open_as(path: &str, choice: &Choice<'_>) -> Parsed<Tensor> {
    let format = if path == "-" { Some(choice.format.unwrap_or(Format::Raw)) } else { Format::of(path) };
    let format = format.or(choice.format).ok_or_else(|| Reason::Format(path.to_owned()))?;
    if path == "-" {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        return from_bytes(bytes, format, choice);
    }
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    if about.is_file() {
        return parse(Box::new(file), about.len(), format, choice);
    }
    // A pipe: it can be read only once.
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    from_bytes(bytes, format, choice)
}

/// A tensor from the bytes of its file.
pub fn from_bytes(bytes: Vec<u8>, format: Format, choice: &Choice<'_>) -> Parsed<Tensor> {
    let length = bytes.len() as u64;
    parse(Box::new(Cursor::new(bytes)), length, format, choice)
}

fn parse(mut input: Box<dyn Input>, length: u64, format: Format, choice: &Choice<'_>) -> Parsed<Tensor> {
    match format {
        Format::Raw => tensor::raw(input, length, choice.dtype.unwrap_or(Dtype::F32)),
        Format::Npy => npy::open(input, length, choice),
        Format::Safetensors => safetensors::open(input, length, choice),
        Format::Json => json::read(&mut *input, length, choice.dtype == Some(Dtype::Byte)),
        Format::Csv => csv::read(&mut *input, length),
    }
}

/// Shorthand for a fault of the content.
fn fault<T>(text: impl Into<String>) -> Parsed<T> {
    Err(Reason::Content(text.into()))
}

#[cfg(test)]
mod tests;
