//! Failures, and the Python exception they become.

use attention::Error;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

pyo3::create_exception!(
    ruvector_attention,
    AttentionError,
    PyValueError,
    "A call was refused: `code` names the fault, `argument` the argument."
);

/// A core argument's name and the name that it has here.
pub type Renamed = (&'static str, &'static str);

/// Arguments whose name in Python says more than the core's.
const ALWAYS: [Renamed; 7] = [
    ("neighbors", "num_neighbors"),
    ("bytes", "data"),
    ("q_proj.weight", "w_q"),
    ("k_proj.weight", "w_k"),
    ("v_proj.weight", "w_v"),
    ("out_proj.weight", "w_o"),
    ("output", "result"),
];

/// The exception for a refusal of the core.
pub fn refused(py: Python<'_>, error: &Error) -> PyErr {
    refused_as(py, error, &[])
}

/// The same, with the names that the core's arguments have in this method.
pub fn refused_as(py: Python<'_>, error: &Error, names: &[Renamed]) -> PyErr {
    let core = error.argument();
    let argument = names.iter().chain(&ALWAYS).find(|(from, _)| *from == core).map_or(core, |(_, to)| to);
    let text = error.to_string();
    let message = match text.strip_prefix(core).filter(|rest| rest.starts_with(':')) {
        Some(rest) => format!("{argument}{rest}"),
        None => text,
    };
    exception(py, error.code(), argument, message)
}

/// The exception for an argument that is not of the kind that is needed.
pub fn kind(py: Python<'_>, argument: &str, needed: &str) -> PyErr {
    exception(py, "type", argument, format!("{argument}: needed {needed}"))
}

/// The same, caused by another exception.
pub fn kind_from(py: Python<'_>, argument: &str, needed: &str, cause: PyErr) -> PyErr {
    let error = kind(py, argument, needed);
    error.set_cause(py, Some(cause));
    error
}

/// An exception with these attributes.
pub fn exception(py: Python<'_>, code: &str, argument: &str, message: String) -> PyErr {
    let error = AttentionError::new_err(message);
    let value = error.value(py);
    match value.setattr("code", code).and_then(|()| value.setattr("argument", argument)) {
        Ok(()) => error,
        Err(other) => other,
    }
}

/// Runs what may panic only by a fault of the library, and makes such a fault an exception too.
pub fn guarded<R>(body: impl FnOnce() -> attention::Result<R>) -> Result<R, Option<Error>> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) {
        Ok(answer) => answer.map_err(Some),
        Err(_) => Err(None),
    }
}

/// The exception for what [`guarded`] found.
pub fn found(py: Python<'_>, error: Option<&Error>, names: &[Renamed]) -> PyErr {
    match error {
        Some(error) => refused_as(py, error, names),
        None => exception(py, "internal", "", "the library panicked; please report it".to_owned()),
    }
}
