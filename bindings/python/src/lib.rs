//! Python binding of ruvector-attention: NumPy arrays in, NumPy arrays out, errors with `code` and `argument`.

mod attention;
mod builder;
mod cache;
mod call;
mod dlpack;
mod error;
mod poincare;
mod prepared;
mod settings;
mod state;
mod stream;
mod tensor;
mod weights;

use std::sync::{LockResult, PoisonError};

use pyo3::prelude::*;

/// Names of the attention mechanisms.
///
/// >>> "hyperbolic" in features()
/// True
#[pyfunction]
fn features() -> Vec<&'static str> {
    ::attention::features().to_vec()
}

/// Names of the kernels that this machine can run, fastest first; `RUVECTOR_ATTENTION_KERNEL` picks one for the process.
///
/// >>> kernels()[-1]
/// 'scalar'
#[pyfunction]
fn kernels() -> Vec<&'static str> {
    settings::names()
}

/// Version of the library.
///
/// >>> version() == __version__
/// True
#[pyfunction]
fn version() -> &'static str {
    ::attention::version()
}

/// What a lock guards, also after a panic: the core leaves its values whole when it refuses.
fn unpoisoned<G>(locked: LockResult<G>) -> G {
    locked.unwrap_or_else(PoisonError::into_inner)
}

#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", ::attention::version())?;
    module.add("AttentionError", module.py().get_type::<error::AttentionError>())?;
    module.add_function(wrap_pyfunction!(features, module)?)?;
    module.add_function(wrap_pyfunction!(kernels, module)?)?;
    module.add_function(wrap_pyfunction!(version, module)?)?;
    module.add_class::<builder::AttentionBuilder>()?;
    module.add_class::<cache::KeyValueCache>()?;
    module.add_class::<state::AttentionState>()?;
    module.add_class::<stream::ForwardStream>()?;
    module.add_class::<prepared::PreparedCall>()?;
    module.add_class::<weights::MultiHeadWeights>()?;
    poincare::register(module)?;
    attention::register(module)
}
