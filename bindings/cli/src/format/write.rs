//! Writing tensors piece by piece, beside their place and then moved there, so that nobody sees half of one.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};

use half::f16;

use super::{element_count, npy, safetensors, Dtype, Format};
use crate::error::{Error, Reason, Result};

/// A tensor being written, from its first number to its last.
pub struct Writer {
    out: Out,
    format: Format,
    dtype: Dtype,
    shape: Vec<usize>,
    written: usize,
    /// Columns that a line of text may have, and has.
    width: Option<usize>,
    column: usize,
}

enum Out {
    Stdout(BufWriter<io::Stdout>),
    File { path: String, file: BufWriter<File>, beside: bool },
}

impl Writer {
    /// Begins a tensor at a path, or on stdout for `-`; a safetensors file names it `name`.
    pub fn create(path: &str, format: Format, dtype: Dtype, shape: &[usize], name: &str) -> Result<Self> {
        let out = match path {
            "-" => Ok(Out::Stdout(BufWriter::new(io::stdout()))),
            path => {
                let beside = !is_special(path);
                File::create(if beside { partial(path) } else { path.to_owned() }).map(|file| {
                    let file = BufWriter::with_capacity(1 << 16, file);
                    Out::File { path: path.to_owned(), file, beside }
                })
            }
        };
        let out = out.map_err(|source| failed(path, source))?;
        let mut writer =
            Writer { out, format, dtype, shape: shape.to_vec(), written: 0, width: None, column: 0 };
        let bytes = element_count(shape).unwrap_or(0) * dtype.size();
        let header = match format {
            Format::Npy => npy::header(shape, dtype),
            Format::Safetensors => {
                safetensors::header(name, shape, dtype, bytes).map_err(|reason| match reason {
                    Reason::Io(source) => failed(path, source),
                    other => failed(path, io::Error::other(other.to_string())),
                })?
            }
            Format::Json if bytes == 0 => b"[]".to_vec(),
            _ => Vec::new(),
        };
        writer.raw(&header)?;
        Ok(writer)
    }

    /// Breaks lines of JSON so that they have at most so many columns.
    pub fn within(mut self, width: usize) -> Self {
        self.width = Some(width);
        self
    }

    /// The next numbers.
    pub fn push(&mut self, numbers: &[f32]) -> Result<()> {
        match (self.format.is_text(), self.dtype) {
            (true, _) => self.text(numbers, |number| format!("{number:?}")),
            (false, Dtype::F16) => {
                let bytes: Vec<u8> =
                    numbers.iter().flat_map(|number| f16::from_f32(*number).to_le_bytes()).collect();
                self.raw(&bytes)
            }
            (false, _) if cfg!(target_endian = "little") => self.raw(bytemuck::cast_slice(numbers)),
            (false, _) => {
                let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                self.raw(&bytes)
            }
        }
    }

    /// The next numbers as text, with all the digits that an `f64` needs.
    pub fn push_wide(&mut self, numbers: &[f64]) -> Result<()> {
        self.text(numbers, |number| format!("{number:?}"))
    }

    fn text<T>(&mut self, numbers: &[T], print: impl Fn(&T) -> String) -> Result<()> {
        for number in numbers {
            let number = print(number);
            let mut before = self.before();
            // What may follow: a comma, or all closing brackets.
            let after = self.shape.len();
            if before == ", "
                && self.width.is_some_and(|width| self.column + 2 + number.len() + after > width)
            {
                before = format!(",\n{}", " ".repeat(after));
            }
            self.column = match before.rsplit_once('\n') {
                Some((_, last)) => last.len(),
                None => self.column + before.len(),
            } + number.len();
            self.raw(before.as_bytes())?;
            self.raw(number.as_bytes())?;
            self.written += 1;
            let after = self.after();
            self.raw(after.as_bytes())?;
        }
        Ok(())
    }

    /// How many arrays begin, or end, at the place of the next number.
    fn edges(&self) -> usize {
        let mut block = 1;
        let whole = |size: &&usize| {
            block *= **size;
            self.written.is_multiple_of(block)
        };
        self.shape.iter().rev().take_while(whole).count()
    }

    fn before(&self) -> String {
        let row = self.shape.last().copied().unwrap_or(1).max(1);
        match self.format {
            Format::Csv if self.written.is_multiple_of(row) => String::new(),
            Format::Csv => ",".to_owned(),
            _ if self.written == 0 => "[".repeat(self.shape.len()),
            _ => match self.edges() {
                0 => ", ".to_owned(),
                edges => format!(",\n{}{}", " ".repeat(self.shape.len() - edges), "[".repeat(edges)),
            },
        }
    }

    fn after(&self) -> String {
        let row = self.shape.last().copied().unwrap_or(1).max(1);
        match self.format {
            Format::Csv if self.written.is_multiple_of(row) => "\n".to_owned(),
            Format::Csv => String::new(),
            _ => "]".repeat(self.edges()),
        }
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        let result = match &mut self.out {
            Out::Stdout(stdout) => stdout.write_all(bytes),
            Out::File { file, .. } => file.write_all(bytes),
        };
        result.map_err(|source| failed(self.path(), source))
    }

    fn path(&self) -> &str {
        match &self.out {
            Out::Stdout(_) => "-",
            Out::File { path, .. } => path,
        }
    }

    /// Everything was written: shows it.
    pub fn finish(mut self) -> Result<()> {
        if self.format == Format::Json {
            self.raw(b"\n")?;
        }
        let result = match &mut self.out {
            Out::Stdout(stdout) => stdout.flush(),
            Out::File { path, file, beside: true } => {
                file.flush().and_then(|()| fs::rename(partial(path), path.as_str()))
            }
            Out::File { file, .. } => file.flush(),
        };
        result.map_err(|source| failed(self.path(), source))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Out::File { path, beside: true, .. } = &self.out {
            // What is left of an attempt is of no use; after a success there is nothing.
            let _ = fs::remove_file(partial(path));
        }
    }
}

/// Whether something else than a file is there already, such as a device: it is not to be replaced by a file.
fn is_special(path: &str) -> bool {
    fs::metadata(path).is_ok_and(|about| !about.is_file())
}

fn partial(path: &str) -> String {
    format!("{path}.partial")
}

fn failed(path: &str, source: io::Error) -> Error {
    let to = if path == "-" { "stdout" } else { path };
    Error::Save { what: "output", to: to.to_owned(), source }
}

/// Writes bytes to stdout.
pub fn write_stdout(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|source| failed("-", source))
}

/// Writes a file beside its place and moves it there.
pub fn save(path: &str, bytes: &[u8]) -> Result<()> {
    let result = match is_special(path) {
        true => fs::write(path, bytes),
        false => fs::write(partial(path), bytes).and_then(|()| fs::rename(partial(path), path)),
    };
    result.map_err(|source| {
        // The first error is the one to report.
        let _ = fs::remove_file(partial(path));
        failed(path, source)
    })
}
