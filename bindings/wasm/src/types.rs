//! JavaScript values to what the core takes. Every refusal names the argument.

use attention::Options;
use js_sys::{Array, Float32Array, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::error::WasmError;

type Result<T> = std::result::Result<T, WasmError>;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What a call may ask for beyond its tensors. */
export interface AttentionOptions {
  /** Attend to this many keys with the best scores only; ties go to the lower index. 0 is an error. */
  neighbors?: number | null;
  /** One flag a key, true or not 0 = the key takes part. */
  mask?: Uint8Array | boolean[] | null;
  /** Query i of m sees keys j <= i + n - m. */
  causal?: boolean | null;
  /** Length of one query of a flat batch, where the class has no dimension of its own. */
  dim?: number | null;
}

/** A number is numNeighbors, an array is the mask; an object names what it gives. */
export type AttentionArgument = number | Uint8Array | boolean[] | AttentionOptions;

/** What every function throws. */
export interface AttentionError extends Error {
  /** Stable name of the fault, such as "length" or "non_finite". */
  code: string;
  /** The argument at fault. */
  argument: string;
}
"#;

/// Largest integer that a JavaScript number holds exactly.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// A number that is not negative and has no fraction.
pub fn count(value: &JsValue, argument: &str) -> Result<usize> {
    const NEEDED: &str = "an integer from 0 to 2^53 - 1";
    let number = number(value, argument)?;
    if !(0.0..=MAX_SAFE_INTEGER).contains(&number) || number.fract() != 0.0 {
        return Err(WasmError::kind(argument, NEEDED));
    }
    usize::try_from(number as u64).map_err(|_| WasmError::kind(argument, "a number below 2^32"))
}

/// Any number.
pub fn number(value: &JsValue, argument: &str) -> Result<f64> {
    value.as_f64().ok_or_else(|| WasmError::kind(argument, "a number"))
}

/// A number, or 0 if there is none.
pub fn number_or_zero(value: &JsValue, argument: &str) -> Result<f64> {
    if is_absent(value) {
        return Ok(0.0);
    }
    number(value, argument)
}

fn is_absent(value: &JsValue) -> bool {
    value.is_undefined() || value.is_null()
}

/// The numbers of a Float32Array, copied into this module's memory.
pub fn tensor(value: &JsValue, argument: &str) -> Result<Vec<f32>> {
    match value.dyn_ref::<Float32Array>() {
        Some(array) => Ok(array.to_vec()),
        None => Err(WasmError::kind(argument, "a Float32Array")),
    }
}

/// An array of Float32Arrays.
pub fn rows(value: &JsValue, argument: &str) -> Result<Vec<Vec<f32>>> {
    match value.dyn_ref::<Array>() {
        Some(array) => array.iter().map(|row| tensor(&row, argument)).collect(),
        None => Err(WasmError::kind(argument, "an array of Float32Arrays")),
    }
}

/// A Float32Array, or an array of Float32Arrays of one length: flat, with the length of the rows.
pub fn flat_or_rows(value: &JsValue, argument: &str) -> Result<(Vec<f32>, Option<usize>)> {
    if !Array::is_array(value) {
        return Ok((tensor(value, argument)?, None));
    }
    let rows = rows(value, argument)?;
    let dim = rows.first().map_or(0, Vec::len);
    if rows.iter().any(|row| row.len() != dim) {
        return Err(WasmError::kind(argument, "rows of one length"));
    }
    Ok((rows.concat(), Some(dim)))
}

/// Several results as JavaScript gets them: one array each.
pub fn arrays<'a>(rows: impl Iterator<Item = &'a [f32]>) -> JsValue {
    rows.map(Float32Array::from).collect::<Array>().into()
}

/// The options of a call.
#[derive(Debug, Default)]
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
pub fn options(value: &JsValue) -> Result<CallOptions> {
    if is_absent(value) {
        return Ok(CallOptions::default());
    }
    if value.as_f64().is_some() {
        let neighbors = Some(count(value, "numNeighbors")?);
        return Ok(CallOptions { neighbors, ..CallOptions::default() });
    }
    if Array::is_array(value) || value.is_instance_of::<Uint8Array>() {
        return Ok(CallOptions { mask: Some(mask(value)?), ..CallOptions::default() });
    }
    match value.dyn_ref::<Object>() {
        Some(object) => from_object(object),
        None => Err(WasmError::kind("options", "an object")),
    }
}

fn from_object(object: &Object) -> Result<CallOptions> {
    const KNOWN: [&str; 4] = ["neighbors", "mask", "causal", "dim"];
    for name in Object::keys(object).iter().filter_map(|name| name.as_string()) {
        if !KNOWN.contains(&name.as_str()) {
            return Err(WasmError::kind(&name, &format!("one of {}", KNOWN.join(", "))));
        }
    }
    let given = |name: &str| match Reflect::get(object, &name.into()) {
        Ok(value) => Ok(Some(value).filter(|value| !is_absent(value))),
        Err(_) => Err(WasmError::kind(name, "a readable property")),
    };
    Ok(CallOptions {
        neighbors: given("neighbors")?.map(|value| count(&value, "neighbors")).transpose()?,
        mask: given("mask")?.map(|value| mask(&value)).transpose()?,
        causal: given("causal")?
            .map(|value| value.as_bool().ok_or_else(|| WasmError::kind("causal", "a boolean")))
            .transpose()?
            .unwrap_or(false),
        dim: given("dim")?.map(|value| count(&value, "dim")).transpose()?,
    })
}

fn mask(value: &JsValue) -> Result<Vec<bool>> {
    let needed = || WasmError::kind("mask", "a Uint8Array or an array of booleans");
    if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
        return Ok(bytes.to_vec().iter().map(|take| *take != 0).collect());
    }
    let flags = value.dyn_ref::<Array>().ok_or_else(needed)?;
    flags.iter().map(|flag| flag.as_bool().ok_or_else(needed)).collect()
}
