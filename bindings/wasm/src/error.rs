//! Failures, and the JavaScript errors they become: an `Error` with `code` and `argument`.

use js_sys::Reflect;
use wasm_bindgen::JsValue;

/// Why a call was refused.
#[derive(Debug)]
pub struct WasmError {
    code: &'static str,
    argument: String,
    message: String,
}

impl WasmError {
    /// An argument is not of the kind that is needed.
    pub fn kind(argument: &str, needed: &str) -> Self {
        let argument = argument.to_owned();
        let message = format!("{argument}: needed {needed}");
        WasmError { code: "type", argument, message }
    }
}

impl From<attention::Error> for WasmError {
    fn from(error: attention::Error) -> Self {
        WasmError { code: error.code(), argument: camel_case(error.argument()), message: error.to_string() }
    }
}

impl From<WasmError> for JsValue {
    fn from(error: WasmError) -> Self {
        let value: JsValue = js_sys::Error::new(&error.message).into();
        for (name, text) in [("code", error.code), ("argument", &error.argument)] {
            // A new error takes any property.
            let _ = Reflect::set(&value, &name.into(), &text.into());
        }
        value
    }
}

/// The core names arguments in snake_case, JavaScript in camelCase.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
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
