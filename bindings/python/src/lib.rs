//! Python binding of ruvector-attention: NumPy arrays in, NumPy arrays out, errors with `code` and `argument`.

mod attention;
mod error;
mod poincare;
mod types;

use pyo3::prelude::*;

/// Names of the attention mechanisms.
#[pyfunction]
fn features() -> Vec<&'static str> {
    ::attention::features().to_vec()
}

#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", ::attention::version())?;
    module.add("AttentionError", module.py().get_type::<error::AttentionError>())?;
    module.add_function(wrap_pyfunction!(features, module)?)?;
    poincare::register(module)?;
    attention::register(module)
}
