//! A call whose arguments are read once.

use numpy::PyArray1;
use pyo3::prelude::*;

use crate::attention::{memory, Attention, Memory};
use crate::call::{CallOptions, Given};
use crate::error::kind;
use crate::tensor::{vector, View};

/// A call that is made again and again; made by `prepare` of an attention.
///
/// >>> import numpy as np
/// >>> query = np.zeros(1, dtype=np.float32)
/// >>> call = ScaledDotProductAttention(1).prepare(query, np.ones((2, 1), np.float32), np.float32([4, 6]))
/// >>> call.run() is call.out
/// True
/// >>> call.out
/// array([5.], dtype=float32)
#[pyclass(frozen, module = "ruvector_attention")]
pub struct PreparedCall {
    attention: Py<Attention>,
    query: Py<PyAny>,
    keys: Py<PyAny>,
    values: Option<Py<PyAny>>,
    options: CallOptions,
    out: Py<PyAny>,
}

impl PreparedCall {
    pub fn new(
        attention: &Bound<'_, Attention>,
        query: &Bound<'_, PyAny>,
        keys: &Bound<'_, PyAny>,
        values: Given<'_, '_>,
        options: CallOptions,
        out: Given<'_, '_>,
    ) -> PyResult<Self> {
        let py = attention.py();
        let q = vector(query, "query")?;
        check_in_place(&q, query, "query")?;
        let width = match (memory(keys, values)?, values) {
            (Memory::Arrays(k, v), Some(values)) => {
                check_in_place(&k, keys, "keys")?;
                check_in_place(&v, values, "values")?;
                // What does not fit together is refused by the run, which knows what is wrong.
                let rows = k.len().checked_div(q.len()).unwrap_or(0);
                v.len().checked_div(rows).unwrap_or(0)
            }
            (Memory::Cache(cache), _) => cache.get().value_dim(py),
            (Memory::Arrays(..), None) => 0,
        };
        let out = match out {
            Some(out) => out.clone(),
            None => PyArray1::<f32>::zeros(py, width, false).into_any(),
        };
        Ok(PreparedCall {
            attention: attention.clone().unbind(),
            query: query.clone().unbind(),
            keys: keys.clone().unbind(),
            values: values.map(|values| values.clone().unbind()),
            options,
            out: out.unbind(),
        })
    }
}

/// Refuses what was copied: the copy would not see what the caller writes later.
fn check_in_place(view: &View<'_>, given: &Bound<'_, PyAny>, argument: &str) -> PyResult<()> {
    match view.object().is(given) {
        true => Ok(()),
        false => Err(kind(
            given.py(),
            argument,
            "an array in C order that needs no conversion, because each run reads it",
        )),
    }
}

#[pymethods]
impl PreparedCall {
    /// What each run writes its result to.
    #[getter]
    fn out(&self, py: Python<'_>) -> Py<PyAny> {
        self.out.clone_ref(py)
    }

    /// Compute from what the arrays or the cache hold now; returns `out`.
    fn run<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let values = self.values.as_ref().map(|values| values.bind(py));
        let (query, keys, out) = (self.query.bind(py), self.keys.bind(py), self.out.bind(py));
        self.attention.get().one(query, keys, values, &self.options, Some(out))
    }
}
