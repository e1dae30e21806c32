//! JavaScript's numbers, copied into this module's memory. Every refusal names the argument.

use crate::error::{Result, WasmError};
use js_sys::{Array, Float32Array, Function, Uint8Array};
use std::cell::Cell;
use std::thread::LocalKey;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Number.isFinite, which is false for whatever is not a number.
    #[wasm_bindgen(thread_local_v2, js_namespace = Number, js_name = isFinite)]
    static IS_FINITE: Function;

    // What the caller's arrays throw comes back here. If it passed this module, the module would still count its objects
    // as lent, and its stack would stay shorter.

    /// `set` of a typed array, which throws for a detached one.
    type Target;
    #[wasm_bindgen(method, catch, js_name = set)]
    fn fill(this: &Target, source: &JsValue) -> std::result::Result<(), JsValue>;

    type List;
    #[wasm_bindgen(method, catch)]
    fn concat(this: &List, elements: &JsValue) -> std::result::Result<Array, JsValue>;
    #[wasm_bindgen(method)]
    fn every(this: &List, test: &Function) -> bool;

    /// Throws for a proxy that was revoked.
    #[wasm_bindgen(catch, js_namespace = Array, js_name = isArray)]
    fn try_is_array(value: &JsValue) -> std::result::Result<bool, JsValue>;
}

/// Largest integer that a JavaScript number holds exactly.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

pub fn is_absent(value: &JsValue) -> bool {
    value.is_undefined() || value.is_null()
}

pub fn is_array(value: &JsValue) -> bool {
    try_is_array(value).unwrap_or(false)
}

/// The elements of the caller's array in a new one, which has no getters; `None` if it is no array.
///
/// Errors: what a getter throws.
pub fn elements(value: &JsValue) -> Result<Option<Array>> {
    if !is_array(value) {
        return Ok(None);
    }
    Array::new().unchecked_ref::<List>().concat(value).map(Some).map_err(WasmError)
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
    match elements(value)? {
        Some(numbers) => append(&converted(&numbers, argument)?, argument, out),
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
    let Some(rows) = elements(value)? else {
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
    // An optimized getter may still tell the length that a detached array had.
    let place = out.spare_capacity_mut().as_mut_ptr().cast();
    // SAFETY: there is room for `len` more elements, and what runs meanwhile has buffers of its own.
    unsafe { Window::lend(&INPUT, place, len, |place| fill(place, array, argument))? };
    // SAFETY: the copy initialized as many elements.
    unsafe { out.set_len(start + len) };
    Ok(len)
}

thread_local! {
    static INPUT: Cell<Window> = const { Cell::new(Window::NONE) };
    static OUTPUT: Cell<Window> = const { Cell::new(Window::NONE) };
}

/// A view of this module's memory. It is kept for the next call, which has most often the same place: making one takes
/// longer than copying a query.
struct Window {
    place: *mut f32,
    view: Option<Float32Array>,
}

impl Default for Window {
    fn default() -> Self {
        Window::NONE
    }
}

impl Window {
    const NONE: Self = Window { place: std::ptr::null_mut(), view: None };

    /// Lends the view of so many elements.
    ///
    /// # Safety
    ///
    /// They lie in this module's memory, and are not moved while the view is used.
    unsafe fn lend<T>(
        kept: &'static LocalKey<Cell<Window>>,
        place: *mut f32,
        len: usize,
        call: impl FnOnce(&Float32Array) -> T,
    ) -> T {
        let Window { place: known, view } = kept.take();
        // Memory that grows takes views their elements.
        let view = view.filter(|view| known == place && view.length() as usize == len);
        // SAFETY: the caller's promise.
        let view = view.unwrap_or_else(|| unsafe { Float32Array::view_mut_raw(place, len) });
        let answer = call(&view);
        kept.set(Window { place, view: Some(view) });
        answer
    }
}

/// A new array of these numbers; `slice` is twice as fast as a constructor.
pub fn copied(numbers: &[f32]) -> Float32Array {
    let len = numbers.len();
    // SAFETY: the numbers are borrowed, and only read.
    unsafe { Window::lend(&OUTPUT, numbers.as_ptr().cast_mut(), len, |view| view.slice(0, len as u32)) }
}

/// Copies a typed array into another.
pub fn fill(place: &JsValue, array: &JsValue, argument: &str) -> Result<()> {
    let done = place.unchecked_ref::<Target>().fill(array);
    done.map_err(|_| WasmError::kind(argument, "an array that is not detached"))
}

/// The bytes of an array.
pub fn bytes(array: &Uint8Array, argument: &str) -> Result<Vec<u8>> {
    let len = array.length() as usize;
    let mut bytes = Vec::new();
    if bytes.try_reserve_exact(len).is_err() {
        return Err(WasmError::too_large(argument));
    }
    bytes.resize(len, 0);
    // SAFETY: so many bytes are there; nothing allocates while the view is used.
    let place = unsafe { Uint8Array::view_mut_raw(bytes.as_mut_ptr(), len) };
    fill(place.as_ref(), array, argument)?;
    Ok(bytes)
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
    if let Some(array) = value.dyn_ref::<Uint8Array>() {
        out.extend(bytes(array, "mask")?.iter().map(|take| *take != 0));
        return Ok(());
    }
    let needed = || WasmError::kind("mask", "a Uint8Array or an array of booleans");
    let flags = elements(value)?.ok_or_else(needed)?;
    for flag in flags.iter() {
        out.push(flag.as_bool().ok_or_else(needed)?);
    }
    Ok(())
}
