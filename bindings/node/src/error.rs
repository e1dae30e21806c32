//! Failures, and the JavaScript errors they become: an `Error` with `code` and `argument`.

use std::any::Any;

use napi::bindgen_prelude::JsValue;
use napi::{Env, Status};

/// Why a call was refused, on any thread.
#[derive(Clone, Debug)]
pub struct Failure {
    code: &'static str,
    argument: String,
    message: String,
}

impl Failure {
    /// An argument is not of the kind that is needed.
    pub fn kind(argument: &str, needed: &str) -> Self {
        let argument = argument.to_owned();
        let message = format!("{argument}: needed {needed}");
        Failure { code: "type", argument, message }
    }

    /// A panic of the library, which is a fault of the library.
    pub fn panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let message = format!("internal error, please report it: {text}");
        Failure { code: "internal", argument: String::new(), message }
    }

    /// The JavaScript error to throw or to reject with; must be called on the JavaScript thread.
    pub fn into_js(self, env: &Env) -> napi::Error {
        self.build(env).unwrap_or_else(|error| error)
    }

    fn build(self, env: &Env) -> napi::Result<napi::Error> {
        let mut error = env.create_error(napi::Error::new(Status::InvalidArg, self.message))?;
        error.set("code", self.code)?;
        error.set("argument", self.argument)?;
        Ok(napi::Error::from(error.to_unknown()))
    }
}

impl From<attention::Error> for Failure {
    fn from(error: attention::Error) -> Self {
        Failure { code: error.code(), argument: camel_case(error.argument()), message: error.to_string() }
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
