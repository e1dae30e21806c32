//! JavaScript values to what the core takes. Every refusal names the argument.

use std::borrow::Cow;

use attention::Options;
use napi::bindgen_prelude::{
    Array, Either, Float32Array, FromNapiValue, JsObjectValue, JsValue, Object, Uint8ArraySlice, Unknown,
};
use napi::ValueType;

use crate::error::Failure;

type Result<T> = std::result::Result<T, Failure>;

/// Largest integer that a JavaScript number holds exactly.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

fn convert<T: FromNapiValue>(value: &Unknown<'_>, argument: &str, needed: &str) -> Result<T> {
    let (env, raw) = (value.value().env, value.raw());
    // SAFETY: both come from a live value of this call, and from_napi_value checks the type.
    unsafe { T::from_napi_value(env, raw) }.map_err(|_| Failure::kind(argument, needed))
}

fn kind_of(value: &Unknown<'_>) -> ValueType {
    value.get_type().unwrap_or(ValueType::Unknown)
}

/// A missing value: undefined or null.
fn is_absent(value: &Unknown<'_>) -> bool {
    matches!(kind_of(value), ValueType::Undefined | ValueType::Null)
}

/// A number that is not negative and has no fraction.
pub fn count(value: &Unknown<'_>, argument: &str) -> Result<usize> {
    const NEEDED: &str = "an integer from 0 to 2^53 - 1";
    let number = number(value, argument)?;
    if !(0.0..=MAX_SAFE_INTEGER).contains(&number) || number.fract() != 0.0 {
        return Err(Failure::kind(argument, NEEDED));
    }
    usize::try_from(number as u64).map_err(|_| Failure::kind(argument, NEEDED))
}

/// Any number.
pub fn number(value: &Unknown<'_>, argument: &str) -> Result<f64> {
    convert(value, argument, "a number")
}

/// A number, or 0 if there is none.
pub fn number_or_zero(value: &Unknown<'_>, argument: &str) -> Result<f64> {
    if is_absent(value) {
        return Ok(0.0);
    }
    number(value, argument)
}

/// A plain object.
pub fn object<'env>(value: &Unknown<'env>, argument: &str) -> Result<Object<'env>> {
    convert(value, argument, "an object")
}

/// A property of an object; undefined if there is none.
pub fn property<'env>(object: &Object<'env>, name: &str) -> Result<Unknown<'env>> {
    object.get_named_property(name).map_err(|_| Failure::kind(name, "a readable property"))
}

/// The numbers of a Float32Array, in place.
///
/// The slice must not outlive the call, and no JavaScript may run while it is used.
pub fn tensor<'a>(value: &'a Unknown<'_>, argument: &str) -> Result<&'a [f32]> {
    convert(value, argument, "a Float32Array")
}

/// A Float32Array, or an array of Float32Arrays of one length: flat, with the length of the rows.
pub fn flat_or_rows<'a>(value: &'a Unknown<'_>, argument: &str) -> Result<(Cow<'a, [f32]>, Option<usize>)> {
    if !value.is_array().unwrap_or(false) {
        let flat: &[f32] = convert(value, argument, "a Float32Array or an array of them")?;
        return Ok((flat.into(), None));
    }
    let rows = rows(value, argument)?;
    let dim = rows.first().map_or(0, Vec::len);
    if rows.iter().any(|row| row.len() != dim) {
        return Err(Failure::kind(argument, "rows of one length"));
    }
    Ok((rows.concat().into(), Some(dim)))
}

/// An array of Float32Arrays, copied.
pub fn rows(value: &Unknown<'_>, argument: &str) -> Result<Vec<Vec<f32>>> {
    const NEEDED: &str = "an array of Float32Arrays";
    let array: Array<'_> = convert(value, argument, NEEDED)?;
    let row = |index| match array.get::<Unknown<'_>>(index) {
        Ok(Some(row)) => Ok(tensor(&row, argument)?.to_vec()),
        _ => Err(Failure::kind(argument, NEEDED)),
    };
    (0..array.len()).map(row).collect()
}

/// What a call computed.
pub enum Answer {
    /// One array.
    Flat(Vec<f32>),
    /// One array a query, or a sequence.
    Rows(Vec<Vec<f32>>),
}

impl Answer {
    /// One array a query from a flat result for `count` of them.
    pub fn split(flat: &[f32], count: usize) -> Self {
        let width = (flat.len() / count.max(1)).max(1);
        Answer::Rows(flat.chunks(width).map(<[f32]>::to_vec).collect())
    }

    /// As JavaScript gets it; nothing is copied.
    pub fn into_js(self) -> Either<Float32Array, Vec<Float32Array>> {
        match self {
            Answer::Flat(flat) => Either::A(Float32Array::new(flat)),
            Answer::Rows(rows) => Either::B(rows.into_iter().map(Float32Array::new).collect()),
        }
    }
}

/// The options of a call, owned so that they can go to another thread.
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    neighbors: Option<usize>,
    mask: Option<Vec<bool>>,
    causal: bool,
    /// Length of a query in a flat batch, for mechanisms that have none of their own.
    pub dim: Option<usize>,
}

impl CallOptions {
    /// As the core takes them.
    pub fn as_core(&self) -> Options<'_> {
        Options {
            neighbors: self.neighbors,
            mask: self.mask.as_deref(),
            causal: self.causal,
            ..Options::default()
        }
    }
}

/// A number is numNeighbors, an array is the mask, an object is AttentionOptions.
pub fn options(value: Option<&Unknown<'_>>) -> Result<CallOptions> {
    let Some(value) = value else { return Ok(CallOptions::default()) };
    match kind_of(value) {
        ValueType::Number => {
            Ok(CallOptions { neighbors: Some(count(value, "numNeighbors")?), ..Default::default() })
        }
        _ if value.is_array().unwrap_or(false) || value.is_typedarray().unwrap_or(false) => {
            Ok(CallOptions { mask: Some(mask(value)?), ..Default::default() })
        }
        _ => from_object(&object(value, "options")?),
    }
}

fn from_object(object: &Object<'_>) -> Result<CallOptions> {
    const KNOWN: [&str; 4] = ["neighbors", "mask", "causal", "dim"];
    let names = Object::keys(object).map_err(|_| Failure::kind("options", "an object"))?;
    if let Some(unknown) = names.iter().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(Failure::kind(unknown, &format!("one of {}", KNOWN.join(", "))));
    }
    let given = |name| -> Result<Option<Unknown<'_>>> {
        Ok(Some(property(object, name)?).filter(|value| !is_absent(value)))
    };
    Ok(CallOptions {
        neighbors: given("neighbors")?.map(|value| count(&value, "neighbors")).transpose()?,
        mask: given("mask")?.map(|value| mask(&value)).transpose()?,
        causal: given("causal")?
            .map(|value| convert(&value, "causal", "a boolean"))
            .transpose()?
            .unwrap_or(false),
        dim: given("dim")?.map(|value| count(&value, "dim")).transpose()?,
    })
}

fn mask(value: &Unknown<'_>) -> Result<Vec<bool>> {
    const NEEDED: &str = "a Uint8Array or an array of booleans";
    if value.is_array().unwrap_or(false) {
        return convert(value, "mask", NEEDED);
    }
    let bytes: Uint8ArraySlice<'_> = convert(value, "mask", NEEDED)?;
    Ok(bytes.iter().map(|take| *take != 0).collect())
}
