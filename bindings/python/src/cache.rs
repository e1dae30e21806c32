//! Keys and values that grow row by row, held outside Python's memory.

use std::sync::RwLock;

use attention::{KeyValueCache as Core, Precision};
use numpy::{PyArray1, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::sync::RwLockExt;
use pyo3::types::PyDict;

use crate::call::Given;
use crate::error::{self, refused};
use crate::tensor::{check_columns, check_rows, count, tensor, text};
use crate::unpoisoned;

/// Keys and values of a growing sequence, which `forward` and its kin take in place of `keys` and `values`.
///
/// Elements are stored as `precision` says: "f32", or "f16" or "bf16" for half the memory, rounded once and computed with
/// in float32. Values have `value_dim` numbers; those of a key if it is not given. Threads may share a cache: appending
/// waits until calls that read it have ended. Caches can be pickled.
///
/// >>> cache = KeyValueCache(2, 1)
/// >>> cache.append([[1, 0], [0, 1]], [[10], [20]])
/// >>> len(cache), cache.nbytes
/// (2, 24)
/// >>> ScaledDotProductAttention(2).forward([1, 0], cache, num_neighbors=1)
/// array([10.], dtype=float32)
#[pyclass(frozen, module = "ruvector_attention")]
pub struct KeyValueCache(pub RwLock<Core>);

const NAMES: [(&str, Precision); 3] =
    [("f32", Precision::F32), ("f16", Precision::F16), ("bf16", Precision::Bf16)];

impl KeyValueCache {
    fn read<R>(&self, py: Python<'_>, look: impl FnOnce(&Core) -> R) -> R {
        let cache = unpoisoned(self.0.read_py_attached(py));
        look(&cache)
    }

    fn write<R>(&self, py: Python<'_>, change: impl FnOnce(&mut Core) -> R) -> R {
        let mut cache = unpoisoned(self.0.write_py_attached(py));
        change(&mut cache)
    }

    fn rows<'py>(
        py: Python<'py>,
        flat: attention::Tensor<'_>,
        rows: usize,
        columns: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyArray1::from_iter(py, flat.iter()).reshape([rows, columns])?.into_any())
    }
}

#[pymethods]
impl KeyValueCache {
    #[new]
    #[pyo3(signature = (dim, value_dim=None, *, precision=None))]
    #[pyo3(text_signature = "(dim, value_dim=None, *, precision='f32')")]
    fn new(
        py: Python<'_>,
        dim: &Bound<'_, PyAny>,
        value_dim: Given<'_, '_>,
        precision: Given<'_, '_>,
    ) -> PyResult<Self> {
        let dim = count(dim, "dim")?;
        let value_dim = value_dim.map_or(Ok(dim), |value| count(value, "value_dim"))?;
        let name = precision.map_or(Ok("f32".to_owned()), |value| text(value, "precision"))?;
        let precision = NAMES.iter().find(|(known, _)| *known == name).ok_or_else(|| {
            let message = format!("precision: found '{name}', needed 'f32', 'f16' or 'bf16'");
            error::exception(py, "parameter", "precision", message)
        })?;
        let made = Core::new(dim, value_dim, precision.1).map_err(|error| refused(py, &error))?;
        Ok(Self(RwLock::new(made)))
    }

    /// Append n keys `[n, dim]` and their values `[n, value_dim]`, or one of each. After an error nothing has changed.
    fn append(&self, keys: &Bound<'_, PyAny>, values: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = keys.py();
        let (keys, values) = (tensor(keys, "keys")?, tensor(values, "values")?);
        let (dim, value_dim) = self.read(py, |cache| (cache.dim(), cache.value_dim()));
        check_columns(py, &keys, "keys", dim)?;
        check_columns(py, &values, "values", value_dim)?;
        check_rows(py, &values, &keys, dim)?;
        let answer = self.write(py, |cache| cache.append(&keys.floats(), &values.floats()));
        answer.map_err(|error| refused(py, &error))
    }

    /// Make room for so many more rows.
    fn reserve(&self, rows: &Bound<'_, PyAny>) -> PyResult<()> {
        let (py, rows) = (rows.py(), count(rows, "rows")?);
        self.write(py, |cache| cache.reserve(rows)).map_err(|error| refused(py, &error))
    }

    /// Keep the first rows only.
    fn truncate(&self, rows: &Bound<'_, PyAny>) -> PyResult<()> {
        let (py, rows) = (rows.py(), count(rows, "rows")?);
        self.write(py, |cache| cache.truncate(rows));
        Ok(())
    }

    /// Remove all rows; the memory stays for the next ones.
    fn clear(&self, py: Python<'_>) {
        self.write(py, |cache| cache.truncate(0));
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.read(py, Core::len)
    }

    /// Length of a key.
    #[getter]
    fn dim(&self, py: Python<'_>) -> usize {
        self.read(py, Core::dim)
    }

    /// Length of a value.
    #[getter]
    pub fn value_dim(&self, py: Python<'_>) -> usize {
        self.read(py, Core::value_dim)
    }

    /// How elements are stored: "f32", "f16" or "bf16".
    #[getter]
    fn precision(&self, py: Python<'_>) -> &'static str {
        let precision = self.read(py, Core::precision);
        NAMES.iter().find(|(_, known)| *known == precision).map_or("f32", |(name, _)| name)
    }

    /// Bytes that the rows take.
    #[getter]
    fn nbytes(&self, py: Python<'_>) -> usize {
        self.read(py, |cache| {
            let width = if cache.precision() == Precision::F32 { 4 } else { 2 };
            width * (cache.keys().len() + cache.values().len())
        })
    }

    /// Copies of the keys `[n, dim]` and the values `[n, value_dim]`, as float32.
    fn to_arrays<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        self.read(py, |cache| {
            let keys = Self::rows(py, cache.keys(), cache.len(), cache.dim())?;
            Ok((keys, Self::rows(py, cache.values(), cache.len(), cache.value_dim())?))
        })
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let (dim, value_dim, len) = self.read(py, |cache| (cache.dim(), cache.value_dim(), cache.len()));
        format!(
            "<KeyValueCache of {len} rows, dim={dim}, value_dim={value_dim}, precision='{}'>",
            self.precision(py)
        )
    }

    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> PyResult<((usize, usize), Bound<'py, PyDict>)> {
        let keywords = PyDict::new(py);
        keywords.set_item("precision", self.precision(py))?;
        Ok((self.read(py, |cache| (cache.dim(), cache.value_dim())), keywords))
    }

    fn __getstate__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        self.to_arrays(py)
    }

    fn __setstate__(&self, state: (Bound<'_, PyAny>, Bound<'_, PyAny>)) -> PyResult<()> {
        match state.0.len()? {
            0 => Ok(()),
            _ => self.append(&state.0, &state.1),
        }
    }
}
