//! Failures, and the JavaScript errors they become: an `AttentionError` with `code` and `argument`.

use std::any::Any;

use crate::instance;
use crate::js::{Env, Kind, Value};

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Failure>;

/// Why a call was refused.
#[derive(Clone, Debug)]
pub enum Failure {
    /// What becomes an error of the library's own, on any thread.
    Fault(Box<Fault>),
    /// JavaScript threw, from a getter for instance: the exception is on its way and goes on as it is.
    Thrown,
}

/// Parts of the error.
#[derive(Clone, Debug)]
pub struct Fault {
    code: &'static str,
    argument: String,
    message: String,
}

impl Failure {
    fn new(code: &'static str, argument: &str, message: String) -> Self {
        Failure::Fault(Box::new(Fault { code, argument: argument.to_owned(), message }))
    }

    /// An argument is not of the kind that is needed.
    #[cold]
    pub fn kind(argument: &str, needed: &str) -> Self {
        Failure::new("type", argument, format!("{argument}: needed {needed}"))
    }

    /// An object was used after its memory was given back.
    #[cold]
    pub fn freed(argument: &str) -> Self {
        Failure::new("freed", argument, format!("{argument}: was freed"))
    }

    /// A fault of the library.
    #[cold]
    pub fn internal(text: &str) -> Self {
        Failure::new("internal", "", format!("internal error, please report it: {text}"))
    }

    /// A panic, which is a fault of the library.
    #[cold]
    pub fn panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Failure::internal(text.unwrap_or_default())
    }

    /// The core's error under the name that an argument has here.
    #[cold]
    pub fn renamed(error: attention::Error, from: &str, to: &str) -> Self {
        match Failure::from(error) {
            Failure::Fault(mut fault) if fault.argument == from => {
                let rest = fault.message.strip_prefix(from).unwrap_or(&fault.message);
                fault.message = if rest.starts_with(':') { format!("{to}{rest}") } else { fault.message };
                fault.argument = to.to_owned();
                Failure::Fault(fault)
            }
            other => other,
        }
    }

    /// The core's error about a part of an argument.
    #[cold]
    pub fn about(error: attention::Error, argument: &str) -> Self {
        let message = match &error {
            attention::Error::InvalidWeights { .. } => error.to_string(),
            _ => format!("{argument}: {error}"),
        };
        Failure::new(error.code(), argument, message)
    }

    /// The JavaScript error to throw or to reject with.
    pub fn into_js(self, env: Env<'_>) -> Result<Value<'_>> {
        match self {
            Failure::Fault(fault) => fault.into_js(env),
            Failure::Thrown => env.catch(),
        }
    }
}

impl Fault {
    fn into_js(self, env: Env<'_>) -> Result<Value<'_>> {
        let (code, argument) = (env.string(self.code)?, env.string(&self.argument)?);
        if let Some(class) = instance::error_class(env)? {
            return class.construct(&[env.string(&self.message)?, code, argument]);
        }
        let error = env.error(&self.message)?;
        error.set(c"code", code)?;
        error.set(c"argument", argument)?;
        Ok(error)
    }
}

impl From<attention::Error> for Failure {
    #[cold]
    fn from(error: attention::Error) -> Self {
        let message = match &error {
            // The names in it are those of a file's tensors.
            attention::Error::InvalidWeights { .. } => error.to_string(),
            _ => camel_case(&error.to_string()),
        };
        Failure::new(error.code(), &camel_case(error.argument()), message)
    }
}

/// The core names arguments in snake_case, JavaScript in camelCase.
fn camel_case(text: &str) -> String {
    let mut words = text.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

/// From now on errors are made by `new errorClass(message, code, argument)`.
pub fn set_error_class<'e>(arguments: &crate::class::Arguments<'e>) -> Result<Value<'e>> {
    let class = arguments.get(0);
    if class.kind() != Kind::Function {
        return Err(Failure::kind("errorClass", "a class"));
    }
    instance::set_error_class(class)?;
    arguments.env().undefined()
}
