//! JavaScript's numbers, copied into this module's memory. Every refusal names the argument.

use crate::error::{Result, WasmError};
use js_sys::{Array, Float32Array, Function, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Number.isFinite, which is false for whatever is not a number.
    #[wasm_bindgen(thread_local_v2, js_namespace = Number, js_name = isFinite)]
    static IS_FINITE: Function;

    /// As Float32Array's, but what it throws, as for a detached array, comes back in place of passing this module.
    #[wasm_bindgen(extends = Float32Array)]
    type Target;
    #[wasm_bindgen(method, catch, js_name = set)]
    fn fill(this: &Target, source: &Float32Array) -> std::result::Result<(), JsValue>;

    type List;
    #[wasm_bindgen(method)]
    fn every(this: &List, test: &Function) -> bool;
}

/// Largest integer that a JavaScript number holds exactly.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

pub fn is_absent(value: &JsValue) -> bool {
    value.is_undefined() || value.is_null()
}

/// A number that is not negative and has no fraction.
pub fn count(value: &JsValue, argument: &str) -> Result<usize> {
    match usize::try_from(integer(value, argument)?) {
        Ok(count) => Ok(count),
        Err(_) => Err(WasmError::kind(argument, "a number below 2^32")),
    }
}

/// The same up to 2^53 - 1.
pub fn integer(value: &JsValue, argument: &str) -> Result<u64> {
    let number = number(value, argument)?;
    // Neither NaN nor what is beyond the range survives the way there and back.
    if !(0.0..=MAX_SAFE_INTEGER).contains(&number) || (number as u64) as f64 != number {
        return Err(WasmError::kind(argument, "an integer from 0 to 2^53 - 1"));
    }
    Ok(number as u64)
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

/// Appends the elements of a Float32Array, or of an array of numbers.
///
/// Returns how many there were.
pub fn vector(value: &JsValue, argument: &str, out: &mut Vec<f32>) -> Result<usize> {
    if let Some(array) = value.dyn_ref::<Float32Array>() {
        return append(array, argument, out);
    }
    match value.dyn_ref::<Array>() {
        Some(numbers) => append(&converted(numbers, argument)?, argument, out),
        None => Err(WasmError::kind(argument, "a Float32Array or an array of numbers")),
    }
}

/// Appends a flat Float32Array, or rows of one length.
///
/// Returns the length of a row, if there are rows.
pub fn matrix(value: &JsValue, argument: &str, out: &mut Vec<f32>) -> Result<Option<usize>> {
    if let Some(array) = value.dyn_ref::<Float32Array>() {
        append(array, argument, out)?;
        return Ok(None);
    }
    let Some(rows) = value.dyn_ref::<Array>() else {
        return Err(WasmError::kind(argument, "a flat Float32Array or an array of rows"));
    };
    let mut width = None;
    for index in 0..rows.length() {
        let len = vector(&rows.get(index), argument, out)?;
        if *width.get_or_insert(len) != len {
            return Err(WasmError::kind(argument, "rows of one length"));
        }
    }
    Ok(Some(width.unwrap_or(0)))
}

/// Reads a vector into a buffer of its own.
pub fn own_vector(value: &JsValue, argument: &str) -> Result<Vec<f32>> {
    let mut numbers = Vec::new();
    vector(value, argument, &mut numbers)?;
    Ok(numbers)
}

/// Copies an array behind what is there, at once and without clearing the place first.
fn append(array: &Float32Array, argument: &str, out: &mut Vec<f32>) -> Result<usize> {
    let (start, len) = (out.len(), array.length() as usize);
    if len == 0 {
        return Ok(0);
    }
    if out.try_reserve(len).is_err() {
        return Err(WasmError::too_large(argument));
    }
    // SAFETY: there is room for `len` more elements; nothing allocates while the view is used.
    let place = unsafe { Float32Array::view_mut_raw(out.as_mut_ptr().add(start), len) };
    // An optimized getter may still tell the length that a detached array had.
    if place.unchecked_ref::<Target>().fill(array).is_err() {
        return Err(WasmError::kind(argument, "an array that is not detached"));
    }
    // SAFETY: the copy initialized as many elements.
    unsafe { out.set_len(start + len) };
    Ok(len)
}

/// An array of numbers as a Float32Array; NaN and infinities stay, for the core to name them.
fn converted(numbers: &Array, argument: &str) -> Result<Float32Array> {
    // The conversion would make 0 of null and NaN of a string.
    let finite = IS_FINITE.with(|test| numbers.unchecked_ref::<List>().every(test));
    if !finite && !numbers.iter().all(|number| number.as_f64().is_some()) {
        return Err(WasmError::kind(argument, "numbers"));
    }
    Ok(Float32Array::new(numbers))
}

/// Appends one flag a key.
pub fn mask(value: &JsValue, out: &mut Vec<bool>) -> Result<()> {
    if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
        // As above: what is detached must not be copied.
        if bytes.length() > 0 {
            out.extend(bytes.to_vec().iter().map(|take| *take != 0));
        }
        return Ok(());
    }
    let needed = || WasmError::kind("mask", "a Uint8Array or an array of booleans");
    let flags = value.dyn_ref::<Array>().ok_or_else(needed)?;
    for flag in flags.iter() {
        out.push(flag.as_bool().ok_or_else(needed)?);
    }
    Ok(())
}
