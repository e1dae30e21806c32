//! Failures, and the Python exception they become.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

pyo3::create_exception!(
    ruvector_attention,
    AttentionError,
    PyValueError,
    "A call was refused: `code` names the fault, `argument` the argument."
);

/// The exception for a refusal of the core.
pub fn refused(py: Python<'_>, error: &attention::Error) -> PyErr {
    // Python's name of the option says what it counts.
    let argument = match error.argument() {
        "neighbors" => "num_neighbors",
        other => other,
    };
    exception(py, error.code(), argument, error.to_string())
}

/// The exception for an argument that is not of the kind that is needed.
pub fn kind(py: Python<'_>, argument: &str, needed: &str) -> PyErr {
    exception(py, "type", argument, format!("{argument}: needed {needed}"))
}

fn exception(py: Python<'_>, code: &str, argument: &str, message: String) -> PyErr {
    let error = AttentionError::new_err(message);
    let value = error.value(py);
    match value.setattr("code", code).and_then(|()| value.setattr("argument", argument)) {
        Ok(()) => error,
        Err(other) => other,
    }
}
