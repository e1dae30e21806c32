//! JSON numbers and rows of numbers, read straight into `f32`.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

/// Numbers, flat or in rows of one length.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Numbers {
    pub data: Vec<f32>,
    /// Length of a row; `None` where they are flat.
    pub columns: Option<usize>,
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(Whole)
    }
}

struct Whole;

impl<'de> Visitor<'de> for Whole {
    type Value = Numbers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers, or of rows of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Numbers, A::Error> {
        let mut numbers = Numbers::default();
        let mut first = true;
        while let Some(row) = items.next_element_seed(Item(&mut numbers.data))? {
            if first {
                numbers.columns = row;
                first = false;
            }
            match (numbers.columns, row) {
                (None, None) => {}
                (Some(expected), Some(found)) if expected == found => {}
                (Some(expected), Some(found)) => {
                    return Err(A::Error::custom(format!(
                        "a row of {found} numbers, the first has {expected}"
                    )));
                }
                _ => return Err(A::Error::custom("numbers and rows of numbers do not mix")),
            }
        }
        Ok(numbers)
    }
}

/// One number or one row, appended; yields the length of a row.
struct Item<'a>(&'a mut Vec<f32>);

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a row of numbers")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        self.0.push(narrow(number)?);
        Ok(None)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        self.0.push(number as f32);
        Ok(None)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        self.0.push(number as f32);
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let before = self.0.len();
        while items.next_element_seed(Single(self.0))?.is_some() {}
        Ok(Some(self.0.len() - before))
    }
}

/// One number of a row.
struct Single<'a>(&'a mut Vec<f32>);

impl<'de> DeserializeSeed<'de> for Single<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        self.0.push(narrow(f64::deserialize(from)?)?);
        Ok(())
    }
}

/// The nearest `f32`, unless it is infinite: JSON has no infinity, so neither has what is read from it.
fn narrow<E: Error>(number: f64) -> Result<f32, E> {
    let near = number as f32;
    if near.is_finite() {
        return Ok(near);
    }
    Err(E::custom(format!("{number:e} is beyond the range of float32")))
}

/// A whole number, 8 or 8.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count(pub usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(CountVisitor)
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number of 0 or more")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
        // More than the address space holds is refused later like any number that is too large.
        Ok(Count(usize::try_from(number).unwrap_or(usize::MAX)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Count, E> {
        if number >= 0.0 && number.fract() == 0.0 {
            // `as` saturates.
            return Ok(Count(number as usize));
        }
        Err(E::invalid_value(serde::de::Unexpected::Float(number), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Result<Numbers, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_flat_or_in_rows_of_one_length() {
        assert_eq!(numbers("[1, -2, 0.5]"), Ok(Numbers { data: vec![1.0, -2.0, 0.5], columns: None }));
        let rows = Numbers { data: vec![1.0, 2.0, 3.0, 4.0], columns: Some(2) };
        assert_eq!(numbers("[[1, 2], [3, 4]]"), Ok(rows));
        assert_eq!(numbers("[]"), Ok(Numbers::default()));
        assert!(numbers("[[1, 2], [3]]").unwrap_err().contains("a row of 1 numbers, the first has 2"));
        assert!(numbers("[[1], 2]").unwrap_err().contains("do not mix"));
        assert!(numbers("[1, [2]]").unwrap_err().contains("do not mix"));
        assert!(numbers("[[[1]]]").is_err());
        assert!(numbers("{}").unwrap_err().contains("an array of numbers"));
        assert!(numbers("[\"1\"]").is_err());
        assert!(numbers("[null]").is_err());
        assert!(numbers("[true]").is_err());
    }

    #[test]
    fn what_float32_cannot_hold_is_refused() {
        assert!(numbers("[3.5e38]").unwrap_err().contains("beyond the range"));
        assert!(numbers("[[1e39]]").unwrap_err().contains("beyond the range"));
        assert!(numbers("[1e999]").is_err());
        assert!(numbers("[NaN]").is_err());
        assert_eq!(numbers("[3.4028235e38, 1e-60]").unwrap().data, [f32::MAX, 0.0]);
        assert_eq!(numbers("[18446744073709551615]").unwrap().data, [18_446_744_073_709_551_615.0]);
    }

    #[test]
    fn nesting_ends_before_the_stack() {
        let deep = "[".repeat(100_000);
        assert!(numbers(&deep).is_err());
    }

    #[test]
    fn counts_are_whole() {
        let count = |text| serde_json::from_str::<Count>(text).map(|count| count.0).ok();
        assert_eq!(count("8"), Some(8));
        assert_eq!(count("8.0"), Some(8));
        assert_eq!(count("8.5"), None);
        assert_eq!(count("-1"), None);
        assert_eq!(count("1e300"), Some(usize::MAX));
        assert_eq!(count("\"8\""), None);
        assert_eq!(count("null"), None);
    }
}
