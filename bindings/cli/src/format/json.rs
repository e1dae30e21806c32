//! Nested arrays of numbers as JSON; the brackets that open the text tell how many dimensions there are.

use std::fmt;
use std::io::{BufReader, SeekFrom};

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use super::tensor::reserve;
use super::{fault, Input, Parsed, Tensor};
use crate::error::Reason;

const MOST_DIMENSIONS: usize = 8;

/// Reads twice: once to see how much there is, once to take it. `flags` takes true and false too.
pub fn read(input: &mut dyn Input, length: u64, flags: bool) -> Parsed<Tensor> {
    let (dimensions, commas) = survey(input)?;
    if dimensions == 0 {
        return fault("the JSON has to be an array of numbers");
    }
    if dimensions > MOST_DIMENSIONS {
        return fault(format!("{dimensions} dimensions, at most {MOST_DIMENSIONS} are read"));
    }
    input.seek(SeekFrom::Start(0))?;
    // A number has at least two characters, with what stands before the next.
    let most = commas.min(length / 2) + 1;
    let mut data = reserve(usize::try_from(most).unwrap_or(usize::MAX))?;
    let mut shape = vec![None; dimensions];
    let mut text = serde_json::Deserializer::from_reader(BufReader::new(input));
    let level = Level { data: &mut data, shape: &mut shape, flags };
    level
        .deserialize(&mut text)
        .and_then(|()| text.end())
        .map_err(|error| Reason::Content(format!("not an array of numbers: {error}")))?;
    Ok(Tensor::of(data, shape.into_iter().map(|size| size.unwrap_or(0)).collect()))
}

/// How many brackets open the text, and how many commas there are.
fn survey(input: &mut dyn Input) -> Parsed<(usize, u64)> {
    let (mut dimensions, mut opening, mut commas) = (0, true, 0);
    let mut bytes = [0; 1 << 14];
    loop {
        let count = input.read(&mut bytes)?;
        if count == 0 {
            return Ok((dimensions, commas));
        }
        for byte in &bytes[..count] {
            match byte {
                b'[' if opening => dimensions += 1,
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ => {
                    opening = false;
                    commas += u64::from(*byte == b',');
                }
            }
        }
    }
}

/// One dimension of the array; its sizes are those of the first row.
struct Level<'a> {
    data: &'a mut Vec<f32>,
    shape: &'a mut [Option<usize>],
    flags: bool,
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Level { data, shape, flags } = self;
        let (own, inner) = match shape.split_first_mut() {
            Some((own, inner)) => (own, inner),
            None => return Ok(()),
        };
        let mut count = 0;
        loop {
            let more = match (inner.is_empty(), flags) {
                (true, false) => items.next_element::<f32>()?.map(|number| data.push(number)),
                (true, true) => items.next_element_seed(Flag)?.map(|number| data.push(number)),
                (false, _) => items.next_element_seed(Level { data, shape: inner, flags })?,
            };
            if more.is_none() {
                break;
            }
            count += 1;
        }
        let needed = *own.get_or_insert(count);
        if count != needed {
            return Err(A::Error::custom(format!("a row of {count}, where the first has {needed}")));
        }
        Ok(())
    }
}

/// true, false or a number.
struct Flag;

impl<'de> DeserializeSeed<'de> for Flag {
    type Value = f32;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<f32, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Flag {
    type Value = f32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, 1 or 0")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<f32, E> {
        Ok(f32::from(u8::from(flag)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<f32, E> {
        Ok(number as f32)
    }
}
