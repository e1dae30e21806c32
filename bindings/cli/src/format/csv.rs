//! Lines of numbers with commas between them; lines that begin with # are comments. The text streams through the
//! parser: a line may be as long as the file.

use std::io::SeekFrom;

use csv_core::{ReadFieldResult, ReaderBuilder};

use super::tensor::reserve;
use super::{fault, Input, Parsed, Tensor};

/// Longer than any number.
const MOST_FIELD: usize = 512;

/// Reads twice: once to see how much there is, once to take it.
pub fn read(input: &mut dyn Input, length: u64) -> Parsed<Tensor> {
    let most = separators(input)?.min(length / 2) + 1;
    input.seek(SeekFrom::Start(0))?;
    let mut table = Table {
        data: reserve(usize::try_from(most).unwrap_or(usize::MAX))?,
        columns: None,
        rows: 0,
        column: 0,
    };
    let mut parser = ReaderBuilder::new().comment(Some(b'#')).build();
    let mut bytes = [0; 1 << 14];
    let (mut from, mut to) = (0, 0);
    let mut field = [0; MOST_FIELD];
    let mut filled = 0;
    loop {
        if from == to {
            (from, to) = (0, input.read(&mut bytes)?);
        }
        let (result, taken, written) = parser.read_field(&bytes[from..to], &mut field[filled..]);
        from += taken;
        filled += written;
        match result {
            ReadFieldResult::InputEmpty => {}
            ReadFieldResult::OutputFull => {
                return fault(format!("{}: longer than a number can be", table.place()))
            }
            ReadFieldResult::Field { record_end } => {
                table.take(&field[..filled])?;
                filled = 0;
                if record_end {
                    table.end_row()?;
                }
            }
            ReadFieldResult::End => {
                let shape = vec![table.rows, table.columns.unwrap_or(0)];
                return Ok(Tensor::of(table.data, shape));
            }
        }
    }
}

fn separators(input: &mut dyn Input) -> Parsed<u64> {
    let mut count = 0;
    let mut bytes = [0; 1 << 14];
    loop {
        match input.read(&mut bytes)? {
            0 => return Ok(count),
            read => {
                count +=
                    bytes[..read].iter().filter(|byte| matches!(byte, b',' | b'\n' | b'\r')).count() as u64
            }
        }
    }
}

struct Table {
    data: Vec<f32>,
    columns: Option<usize>,
    rows: usize,
    column: usize,
}

impl Table {
    fn place(&self) -> String {
        format!("row {}, column {}", self.rows + 1, self.column + 1)
    }

    fn take(&mut self, field: &[u8]) -> Parsed<()> {
        let text = std::str::from_utf8(field).unwrap_or("\u{fffd}");
        // A line's end inside a field belongs to a quote that was never closed.
        let text = text.trim_matches([' ', '\t']);
        let number: f32 = match text.parse() {
            Ok(number) => number,
            Err(_) => {
                let shown: String = text.chars().take(20).collect();
                return fault(format!("{}: '{shown}' is not a number", self.place()));
            }
        };
        if number.is_infinite() && !text.to_ascii_lowercase().contains("inf") {
            return fault(format!("{}: {text} is beyond the range of float32", self.place()));
        }
        self.data.push(number);
        self.column += 1;
        Ok(())
    }

    fn end_row(&mut self) -> Parsed<()> {
        let needed = *self.columns.get_or_insert(self.column);
        if self.column != needed {
            let (row, found) = (self.rows + 1, self.column);
            return fault(format!("row {row} has {found} numbers, the first row {needed}"));
        }
        self.rows += 1;
        self.column = 0;
        Ok(())
    }
}
