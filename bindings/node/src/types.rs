//! Numbers, flags and the options of a call. Every refusal names the argument.

use attention::Options;

use crate::buffer;
use crate::class::Arguments;
use crate::error::{Failure, Result};
use crate::js::{Kind, Value};

/// Largest integer that a JavaScript number holds exactly.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;
/// Longest name of an option, and one more byte, and the string's end.
const NAME: usize = 16;

/// A number that is not negative and has no fraction.
pub fn integer(value: Value<'_>, argument: &str) -> Result<u64> {
    match value.as_number() {
        Some(number) if (0.0..=MAX_SAFE_INTEGER).contains(&number) && number.fract() == 0.0 => {
            Ok(number as u64)
        }
        _ => Err(Failure::kind(argument, "an integer from 0 to 2^53 - 1")),
    }
}

/// The same where it counts elements.
pub fn count(value: Value<'_>, argument: &str) -> Result<usize> {
    usize::try_from(integer(value, argument)?)
        .map_err(|_| Failure::kind(argument, "an integer that this machine's memory allows"))
}

/// Any number.
pub fn number(value: Value<'_>, argument: &str) -> Result<f64> {
    value.as_number().ok_or_else(|| Failure::kind(argument, "a number"))
}

pub fn boolean(value: Value<'_>, argument: &str) -> Result<bool> {
    value.as_boolean().ok_or_else(|| Failure::kind(argument, "a boolean"))
}

/// Calls `take` with each named value of an object that is there.
///
/// `take` answers whether it knows the name; `known` lists the names for the refusal of others.
pub fn each<'e>(
    object: Value<'e>,
    argument: &str,
    known: &str,
    mut take: impl FnMut(&str, Value<'e>) -> Result<bool>,
) -> Result<()> {
    if object.kind() != Kind::Object || object.is_array() || object.is_typed_array() {
        return Err(Failure::kind(argument, "an object"));
    }
    let names = object.names()?;
    for index in 0..names.length()? {
        let key = names.element(index)?;
        let mut buffer = [0; NAME];
        let name = key.text(&mut buffer).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
        if !take(name, object.get_by(key)?)? {
            return Err(Failure::kind(&whole(key), &format!("one of {known}")));
        }
    }
    Ok(())
}

/// An option's name for a message.
#[cold]
fn whole(key: Value<'_>) -> String {
    let mut buffer = [0; 80];
    String::from_utf8_lossy(key.text(&mut buffer).unwrap_or_default()).into_owned()
}

/// The options of a call, owned so that they can go to another thread.
#[derive(Default)]
pub struct CallOptions {
    neighbors: Option<usize>,
    mask: Option<Vec<bool>>,
    causal: bool,
    /// The seed of a training pass.
    training: Option<u64>,
    /// Length of one query.
    pub dim: Option<usize>,
}

impl CallOptions {
    /// As the core takes them.
    pub fn as_core(&self) -> Options<'_> {
        Options {
            neighbors: self.neighbors,
            mask: self.mask.as_deref(),
            causal: self.causal,
            training: self.training,
        }
    }
}

/// What a call asks for beyond its tensors.
#[derive(Default)]
pub struct Asked<'e> {
    pub options: CallOptions,
    /// Where the result goes.
    pub out: Option<Value<'e>>,
    /// What ends an asynchronous call.
    pub signal: Option<Value<'e>>,
    /// A cache stands in place of keys and values.
    pub cache: bool,
}

impl<'e> Asked<'e> {
    /// The arguments from `first` on: methods.js takes them out of what the caller gave. The first is a number whose
    /// bits say which of the others are given.
    #[inline(always)]
    pub fn read(arguments: &Arguments<'e>, first: usize) -> Result<Self> {
        let given = integer(arguments.get(first), "options")?;
        let mut asked = Asked { cache: given & 128 != 0, ..Asked::default() };
        if given & 127 == 0 {
            return Ok(asked);
        }
        let option = |bit: usize| (given & (1 << bit) != 0).then(|| arguments.get(first + 1 + bit));
        asked.options = CallOptions {
            neighbors: option(0).map(|value| count(value, "neighbors")).transpose()?,
            mask: option(1).map(buffer::mask).transpose()?,
            causal: option(2).map(|value| boolean(value, "causal")).transpose()?.unwrap_or(false),
            dim: option(3).map(|value| count(value, "dim")).transpose()?,
            training: option(4).map(|value| integer(value, "seed")).transpose()?,
        };
        asked.out = option(5);
        asked.signal = option(6);
        Ok(asked)
    }
}
