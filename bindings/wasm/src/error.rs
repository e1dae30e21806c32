//! Failures, and the JavaScript errors they become.
//!
//! Texts are put together without `core::fmt`, whose printing of floats alone would be a tenth of the module.

use attention::{Error, Needed};
use js_sys::{Array, Function, Reflect};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, WasmError>;

/// Why a call was refused: what JavaScript catches, the caller's own included. One value, because each function on its way
/// has to pass it on.
#[derive(Debug)]
pub struct WasmError(pub JsValue);

#[wasm_bindgen]
extern "C" {
    /// A number as JavaScript writes it.
    #[wasm_bindgen(js_name = String)]
    fn text_of(number: f64) -> String;
}

thread_local! {
    static CLASS: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// From now on errors are made by `new errorClass(message, code, argument)`.
#[wasm_bindgen(js_name = setErrorClass, skip_typescript)]
pub fn set_error_class(error_class: Function) {
    CLASS.set(Some(error_class));
}

impl WasmError {
    /// An argument is not of the kind that is needed.
    #[cold]
    #[inline(never)]
    pub fn kind(argument: &str, needed: &str) -> Self {
        WasmError::new("type", argument, &[argument, ": needed ", needed])
    }

    /// An object was used after its memory was given back.
    #[cold]
    pub fn freed(argument: &str) -> Self {
        WasmError::new("freed", argument, &[argument, ": was freed"])
    }

    /// There is no such memory.
    #[cold]
    pub fn too_large(argument: &str) -> Self {
        WasmError::new("too_large", argument, &[argument, ": would not fit in this module's memory"])
    }

    #[cold]
    #[inline(never)]
    fn new(code: &'static str, argument: &str, message: &[&str]) -> Self {
        WasmError(built(&message.concat(), code, &camel_case(argument)))
    }
}

impl From<Error> for WasmError {
    #[cold]
    #[inline(never)]
    fn from(error: Error) -> Self {
        WasmError::new(error.code(), error.argument(), &[&message(&error)])
    }
}

/// The same text as the core's `Display`; a test compares them.
pub fn message(error: &Error) -> String {
    let argument = error.argument();
    let count = |number: &usize| text_of(*number as f64);
    match error {
        Error::Length { found, needed, .. } => {
            let (word, needed) = match needed {
                Needed::Exactly(length) => ("", length),
                Needed::MultipleOf(length) => ("a positive multiple of ", length),
                Needed::AtLeast(length) => ("at least ", length),
            };
            [argument, ": length ", &count(found), ", needed ", word, &count(needed)].concat()
        }
        Error::TooLarge { .. } => [argument, ": the result would not fit in this machine's memory"].concat(),
        Error::Parameter { found, needed, .. } => {
            [argument, ": found ", &text_of(*found), ", needed ", needed].concat()
        }
        Error::AllMasked => "mask: all keys are masked, at least one must be true".to_owned(),
        Error::NoVisibleKey { query } => {
            ["causal: query ", &count(query), " sees no key, there must be at least as many keys as queries"]
                .concat()
        }
        Error::NonFinite { index, .. } => {
            [argument, ": element ", &count(index), " is NaN or infinite"].concat()
        }
        Error::Overflow { index } => {
            ["output: element ", &count(index), " is beyond the range of f32, scale the inputs down"].concat()
        }
        Error::OutsideBall { row, norm, radius, .. } => [
            argument,
            ": row ",
            &count(row),
            " has norm ",
            &text_of(*norm),
            ", outside the ball of radius ",
            &text_of(*radius),
            "; project it first",
        ]
        .concat(),
        Error::Unsupported { by, .. } => [argument, ": not supported by ", by].concat(),
        Error::InvalidState { reason } => ["bytes: not a partial state: ", reason].concat(),
        Error::StateMismatch { field } => {
            ["other: belongs to another computation, its ", field, " differs"].concat()
        }
        // The others come from what this binding does not call.
        other => [argument, ": ", other.code()].concat(),
    }
}

impl From<WasmError> for JsValue {
    fn from(error: WasmError) -> Self {
        error.0
    }
}

/// An error of the class that was set, or a plain one.
fn built(message: &str, code: &str, argument: &str) -> JsValue {
    let made = CLASS.with_borrow(|class| {
        let given = Array::of3(&message.into(), &code.into(), &argument.into());
        class.as_ref().and_then(|class| Reflect::construct(class, &given).ok())
    });
    made.unwrap_or_else(|| {
        let value: JsValue = js_sys::Error::new(message).into();
        for (name, text) in [("code", code), ("argument", argument)] {
            // A new error takes any property.
            let _ = Reflect::set(&value, &name.into(), &text.into());
        }
        value
    })
}

/// The core names arguments in snake_case, JavaScript in camelCase.
fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        match letter {
            '_' => upper = true,
            _ => camel.push(if std::mem::take(&mut upper) { letter.to_ascii_uppercase() } else { letter }),
        }
    }
    camel
}

#[cfg(test)]
mod tests {
    #[test]
    fn arguments_are_named_as_in_javascript() {
        assert_eq!(super::camel_case("num_heads"), "numHeads");
        assert_eq!(super::camel_case("keys"), "keys");
    }
}
