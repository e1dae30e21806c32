//! Tensor files: raw little-endian float32 (`.f32`, `.bin`) and JSON (`.json`); `-` is stdin or stdout.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use clap::ValueEnum;
use serde_json::Value;

use crate::error::{Error, Reason, Result};

/// How numbers are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Little-endian float32, 4 bytes a number, no header.
    F32,
    /// A JSON array of numbers, or of rows of numbers.
    Json,
}

impl Format {
    /// The format that a file's name promises.
    fn of(path: &str) -> std::result::Result<Self, Reason> {
        let extension = Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "f32" | "bin" => Ok(Format::F32),
            "json" => Ok(Format::Json),
            _ => Err(Reason::Format(path.to_owned())),
        }
    }
}

/// Numbers, with the length of a row where the file tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Row-major.
    pub data: Vec<f32>,
    /// Length of a row, where the file tells it.
    pub columns: Option<usize>,
}

/// Reads a tensor; `piped` is the format of stdin, and `what` names the input in errors.
pub fn read(path: &str, piped: Format, what: &'static str) -> Result<Tensor> {
    load(path, what, |bytes| match if path == "-" { piped } else { Format::of(path)? } {
        Format::F32 => parse_f32(bytes),
        Format::Json => parse_json(bytes),
    })
}

/// Reads a mask: a JSON array of booleans or 0 and 1 (`.json`), or one byte a key (`.bin`).
pub fn read_mask(path: &str, piped: Format) -> Result<Vec<bool>> {
    load(path, "mask", |bytes| match if path == "-" { piped } else { Format::of(path)? } {
        Format::F32 => Ok(bytes.iter().map(|byte| *byte != 0).collect()),
        Format::Json => parse_mask(bytes),
    })
}

fn load<T>(
    path: &str,
    what: &'static str,
    parse: impl FnOnce(&[u8]) -> std::result::Result<T, Reason>,
) -> Result<T> {
    let read = || {
        if path == "-" {
            let mut bytes = Vec::new();
            return io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes);
        }
        fs::read(path)
    };
    read().map_err(Reason::Io).and_then(|bytes| parse(&bytes)).map_err(|reason| {
        let from = if path == "-" { "stdin" } else { path };
        Error::Load { what, from: from.to_owned(), reason }
    })
}

fn parse_f32(bytes: &[u8]) -> std::result::Result<Tensor, Reason> {
    if !bytes.len().is_multiple_of(4) {
        let text = format!("{} bytes is not a whole number of 4-byte float32 values", bytes.len());
        return Err(Reason::Content(text));
    }
    let data = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    Ok(Tensor { data, columns: None })
}

fn parse_array(bytes: &[u8]) -> std::result::Result<Vec<Value>, Reason> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Array(items)) => Ok(items),
        Ok(_) => Err(Reason::Content("the JSON has to be an array".to_owned())),
        Err(error) => Err(Reason::Content(format!("not JSON: {error}"))),
    }
}

fn parse_json(bytes: &[u8]) -> std::result::Result<Tensor, Reason> {
    let items = parse_array(bytes)?;
    if !matches!(items.first(), Some(Value::Array(_))) {
        return Ok(Tensor { data: numbers(&items, None)?, columns: None });
    }
    let mut data = Vec::new();
    let mut columns = None;
    for (index, item) in items.iter().enumerate() {
        let Value::Array(row) = item else {
            return Err(Reason::Content(format!("row {index} is not an array")));
        };
        let expected = *columns.get_or_insert(row.len());
        if row.len() != expected {
            let text = format!("row {index} has {} numbers, the first row {expected}", row.len());
            return Err(Reason::Content(text));
        }
        data.extend(numbers(row, Some(index))?);
    }
    Ok(Tensor { data, columns })
}

fn numbers(items: &[Value], row: Option<usize>) -> std::result::Result<Vec<f32>, Reason> {
    let place = |index| match row {
        Some(row) => format!("row {row}, element {index}"),
        None => format!("element {index}"),
    };
    let number = |(index, item): (usize, &Value)| match item.as_f64() {
        Some(number) => Ok(number as f32),
        None => Err(Reason::Content(format!("{} is not a number", place(index)))),
    };
    items.iter().enumerate().map(number).collect()
}

fn parse_mask(bytes: &[u8]) -> std::result::Result<Vec<bool>, Reason> {
    let flag = |(index, item): (usize, &Value)| match (item, item.as_u64()) {
        (Value::Bool(flag), _) => Ok(*flag),
        (_, Some(number @ 0..=1)) => Ok(number == 1),
        _ => Err(Reason::Content(format!("element {index} is not true, false, 1 or 0"))),
    };
    parse_array(bytes)?.iter().enumerate().map(flag).collect()
}

/// Rows of numbers as JSON. Each float32 prints as the shortest decimal that reads back as it.
pub fn to_json(data: &[f32], columns: usize) -> String {
    let rows: Vec<String> = data
        .chunks(columns.max(1))
        .map(|row| {
            let numbers: Vec<String> = row.iter().map(|number| format!("{number:?}")).collect();
            format!("[{}]", numbers.join(", "))
        })
        .collect();
    format!("[{}]", rows.join(",\n "))
}

/// The bytes of rows of numbers in a format.
fn encode(data: &[f32], columns: usize, format: Format) -> Vec<u8> {
    match format {
        Format::F32 => data.iter().flat_map(|number| number.to_le_bytes()).collect(),
        Format::Json => (to_json(data, columns) + "\n").into_bytes(),
    }
}

/// Checks that a result can be saved under this name, before it is computed.
pub fn check_output(path: &str) -> Result<()> {
    if path == "-" {
        return Ok(());
    }
    Format::of(path).map(drop).map_err(|reason| Error::Usage(format!("--output {path}: {reason}")))
}

/// Writes rows of numbers to a file, in the format of its name, or raw to stdout.
pub fn write(path: &str, data: &[f32], columns: usize) -> Result<()> {
    if path == "-" {
        return write_stdout(&encode(data, columns, Format::F32));
    }
    let format = Format::of(path).unwrap_or(Format::F32);
    save(path, &encode(data, columns, format))
}

/// Writes bytes to stdout.
pub fn write_stdout(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|source| Error::Save {
        what: "output",
        to: "stdout".to_owned(),
        source,
    })
}

/// Writes a file beside its place and moves it there, so that nobody sees half of it.
pub fn save(path: &str, bytes: &[u8]) -> Result<()> {
    let partial = format!("{path}.partial");
    let result = fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    result.map_err(|source| {
        // What is left of it, if anything, is of no use; the first error is the one to report.
        let _ = fs::remove_file(&partial);
        Error::Save { what: "output", to: path.to_owned(), source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content<T: std::fmt::Debug>(result: std::result::Result<T, Reason>) -> String {
        match result {
            Err(Reason::Content(text)) => text,
            other => panic!("expected a fault of the content, found {other:?}"),
        }
    }

    #[test]
    fn raw_numbers_are_little_endian_and_whole() {
        let tensor = parse_f32(&[0, 0, 128, 63, 0, 0, 0, 192]).unwrap();
        assert_eq!(tensor, Tensor { data: vec![1.0, -2.0], columns: None });
        assert!(parse_f32(&[]).unwrap().data.is_empty());
        assert!(content(parse_f32(&[0; 7])).contains("7 bytes"));
    }

    #[test]
    fn json_is_flat_or_rows_of_one_length() {
        assert_eq!(parse_json(b"[1, 2.5]").unwrap(), Tensor { data: vec![1.0, 2.5], columns: None });
        let rows = parse_json(b"[[1, 2], [3, 4], [5, 6]]").unwrap();
        assert_eq!(rows, Tensor { data: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], columns: Some(2) });
        assert!(content(parse_json(b"[[1, 2], [3]]")).contains("row 1 has 1"));
        assert!(content(parse_json(b"[[1, 2], 3]")).contains("row 1 is not an array"));
        assert!(content(parse_json(b"[[1, \"x\"]]")).contains("row 0, element 1"));
        assert!(content(parse_json(b"[1, null]")).contains("element 1"));
        assert!(content(parse_json(b"{}")).contains("array"));
        assert!(content(parse_json(b"[1")).contains("not JSON"));
    }

    #[test]
    fn masks_are_booleans_or_bits() {
        assert_eq!(parse_mask(b"[true, 0, 1, false]").unwrap(), [true, false, true, false]);
        assert!(content(parse_mask(b"[true, 2]")).contains("element 1"));
        assert!(content(parse_mask(b"[0.5]")).contains("element 0"));
    }

    #[test]
    fn the_extension_decides() {
        assert_eq!(Format::of("a.F32").ok(), Some(Format::F32));
        assert_eq!(Format::of("a.b.bin").ok(), Some(Format::F32));
        assert_eq!(Format::of("dir.json/a.json").ok(), Some(Format::Json));
        assert!(matches!(Format::of("a.npy"), Err(Reason::Format(_))));
        assert!(matches!(Format::of("f32"), Err(Reason::Format(_))));
    }

    #[test]
    fn what_is_written_reads_back() {
        let data = [0.1, -3.4e38, 1e-45, 7.0, 0.0, -0.0];
        let json = encode(&data, 3, Format::Json);
        assert_eq!(parse_json(&json).unwrap(), Tensor { data: data.to_vec(), columns: Some(3) });
        assert_eq!(parse_f32(&encode(&data, 3, Format::F32)).unwrap().data, data);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("missing").join("out.f32");
        assert!(matches!(save(&target.to_string_lossy(), b"x"), Err(Error::Save { .. })));
        let good = folder.path().join("out.f32");
        save(&good.to_string_lossy(), b"x").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
