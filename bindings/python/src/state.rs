//! Computations whose keys arrive in chunks.

use std::sync::Mutex;

use attention::AttentionState as Core;
use numpy::{PyArray1, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyType};

use crate::call::Given;
use crate::error::{found, guarded, kind};
use crate::tensor::{bytes, check_columns, check_rows, mask, tensor};
use crate::unpoisoned;

/// A computation in progress: fixed queries, and the keys seen so far, reduced to running sums.
///
/// Made by `state()` of an attention. Any chunking gives the result of one call, up to rounding; states over different
/// shards of the keys merge, in this process or, as bytes or pickled, in another.
///
/// >>> attention = ScaledDotProductAttention(1)
/// >>> first, second = attention.state([0.0]), attention.state([0.0])
/// >>> first.push([[1]], [[4]])
/// >>> second.push([[2]], [[6]])
/// >>> first.merge(AttentionState.from_bytes(second.to_bytes()))
/// >>> first.finish(), len(first)
/// (array([[5.]], dtype=float32), 2)
#[pyclass(frozen, module = "ruvector_attention")]
pub struct AttentionState(Mutex<Core>);

impl AttentionState {
    pub fn new(state: Core) -> Self {
        Self(Mutex::new(state))
    }

    fn with<R>(&self, py: Python<'_>, body: impl FnOnce(&mut Core) -> R) -> R {
        let mut state = unpoisoned(self.0.lock_py_attached(py));
        body(&mut state)
    }

    /// Changes the state with the interpreter released.
    fn change(
        &self,
        py: Python<'_>,
        change: impl FnOnce(&mut Core) -> attention::Result<()> + Send,
    ) -> PyResult<()> {
        let answer = self.with(py, |state| py.detach(|| guarded(|| change(state))));
        answer.map_err(|error| found(py, error.as_ref(), &[]))
    }
}

#[pymethods]
impl AttentionState {
    /// Add keys `[n, dim]` and their values `[n, value_dim]`, those of them whose flag in the mask is true.
    ///
    /// After an error the state is as it was.
    #[pyo3(signature = (keys, values, *, mask=None))]
    fn push(&self, keys: &Bound<'_, PyAny>, values: &Bound<'_, PyAny>, mask: Given<'_, '_>) -> PyResult<()> {
        let py = keys.py();
        let (keys, values) = (tensor(keys, "keys")?, tensor(values, "values")?);
        let mask = mask.map(self::mask).transpose()?;
        let (dim, value_dim) = self.with(py, |state| (state.dim(), state.value_dim()));
        check_columns(py, &keys, "keys", dim)?;
        check_columns(py, &values, "values", value_dim)?;
        check_rows(py, &values, &keys, dim)?;
        let (keys, values) = (keys.floats(), values.floats());
        let (keys, values) = (&*keys, &*values);
        self.change(py, |state| match &mask {
            Some(mask) => state.push_masked(keys, values, mask),
            None => state.push(keys, values),
        })
    }

    /// Add the keys that another state of the same computation has seen; they come after this state's own.
    ///
    /// After an error the state is as it was.
    fn merge(&self, other: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = other.py();
        let other = other.cast::<AttentionState>().map_err(|_| kind(py, "other", "an AttentionState"))?.get();
        // A copy: two locks held at a time could wait for each other, or be one.
        let other = other.with(py, |state| state.clone());
        self.change(py, |state| state.merge(&other))
    }

    /// The result for all keys so far, `[m, value_dim]`; the state can go on afterwards.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (answer, shape) = self.with(py, |state| {
            let state = &*state;
            (py.detach(|| guarded(|| state.finish())), [state.queries(), state.value_dim()])
        });
        let flat = answer.map_err(|error| found(py, error.as_ref(), &[]))?;
        Ok(PyArray1::from_vec(py, flat).reshape(shape)?.into_any())
    }

    /// The state as bytes, the same on every machine: little-endian, with a version and a checksum.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.with(py, |state| state.to_bytes()))
    }

    /// Read what `to_bytes` wrote, in this process or another, and check it.
    #[classmethod]
    fn from_bytes(_: &Bound<'_, PyType>, data: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (py, data) = (data.py(), bytes(data, "data")?);
        let state = guarded(|| Core::from_bytes(&data));
        Ok(Self::new(state.map_err(|error| found(py, error.as_ref(), &[]))?))
    }

    /// Number of queries.
    #[getter]
    fn num_queries(&self, py: Python<'_>) -> usize {
        self.with(py, |state| state.queries())
    }

    /// Length of a query and of a key.
    #[getter]
    fn dim(&self, py: Python<'_>) -> usize {
        self.with(py, |state| state.dim())
    }

    /// Length of a value.
    #[getter]
    fn value_dim(&self, py: Python<'_>) -> usize {
        self.with(py, |state| state.value_dim())
    }

    /// Number of keys seen, masked ones included.
    fn __len__(&self, py: Python<'_>) -> usize {
        self.with(py, |state| state.keys())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let (m, dim, dv, n) =
            self.with(py, |state| (state.queries(), state.dim(), state.value_dim(), state.keys()));
        format!("<AttentionState of {m} queries over {n} keys, dim={dim}, value_dim={dv}>")
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let read = slf.get_type().getattr("from_bytes")?;
        Ok((read, (slf.get().to_bytes(slf.py()),)))
    }

    fn __copy__(&self, py: Python<'_>) -> Self {
        Self::new(self.with(py, |state| state.clone()))
    }

    fn __deepcopy__(&self, py: Python<'_>, memo: &Bound<'_, PyAny>) -> Self {
        let _ = memo;
        self.__copy__(py)
    }
}
