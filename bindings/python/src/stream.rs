//! Results of queries that come one by one.

use pyo3::prelude::*;
use pyo3::types::PyIterator;

use crate::attention::Attention;
use crate::call::CallOptions;
use crate::error;

/// Iterator over results, one a query.
#[pyclass(frozen, module = "ruvector_attention")]
pub struct ForwardStream {
    attention: Py<Attention>,
    queries: Py<PyIterator>,
    keys: Py<PyAny>,
    values: Option<Py<PyAny>>,
    options: CallOptions,
}

impl ForwardStream {
    pub fn new(
        attention: &Bound<'_, Attention>,
        queries: &Bound<'_, PyAny>,
        keys: Py<PyAny>,
        values: Option<Py<PyAny>>,
        options: CallOptions,
    ) -> PyResult<Self> {
        let queries = queries
            .try_iter()
            .map_err(|cause| error::kind_from(queries.py(), "queries", "something to iterate over", cause))?;
        Ok(Self { attention: attention.clone().unbind(), queries: queries.unbind(), keys, values, options })
    }
}

#[pymethods]
impl ForwardStream {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(query) = self.queries.bind(py).clone().next() else { return Ok(None) };
        let values = self.values.as_ref().map(|values| values.bind(py));
        let result = self.attention.get().one(&query?, self.keys.bind(py), values, &self.options, None);
        result.map(Some)
    }
}
