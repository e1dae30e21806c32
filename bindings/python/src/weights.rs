//! Weights of multi-head attention.

use std::path::PathBuf;

use attention::{Error, MultiHeadWeights as Core};
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::call::Given;
use crate::error::{kind, refused, refused_as};
use crate::tensor::{bytes, check_columns, count, tensor, text};

/// Weights of multi-head attention: four matrices `[hidden_dim, hidden_dim]`, flat or rows, and optional biases.
///
/// A row is projected as y = x Wᵀ + b, as in torch.nn.MultiheadAttention.
///
/// >>> eye, double = [[1, 0], [0, 1]], [[2, 0], [0, 2]]
/// >>> weights = MultiHeadWeights(2, eye, eye, double, eye)
/// >>> MultiHeadAttention(1, 2, weights=weights).forward([1, 0], [[1, 0]], [[3, 4]])
/// array([6., 8.], dtype=float32)
#[pyclass(frozen, module = "ruvector_attention")]
pub struct MultiHeadWeights(pub Core);

#[pymethods]
impl MultiHeadWeights {
    #[new]
    #[pyo3(signature = (hidden_dim, w_q, w_k, w_v, w_o, *, b_q=None, b_k=None, b_v=None, b_o=None))]
    #[allow(clippy::too_many_arguments)] // these are Python's
    fn new(
        hidden_dim: &Bound<'_, PyAny>,
        w_q: &Bound<'_, PyAny>,
        w_k: &Bound<'_, PyAny>,
        w_v: &Bound<'_, PyAny>,
        w_o: &Bound<'_, PyAny>,
        b_q: Given<'_, '_>,
        b_k: Given<'_, '_>,
        b_v: Given<'_, '_>,
        b_o: Given<'_, '_>,
    ) -> PyResult<Self> {
        let (py, hidden) = (hidden_dim.py(), count(hidden_dim, "hidden_dim")?);
        let matrix = |value, name| -> PyResult<Vec<f32>> {
            let view = tensor(value, name)?;
            check_columns(py, &view, name, hidden)?;
            Ok(view.floats().into_owned())
        };
        let (q, k, v, o) =
            (matrix(w_q, "w_q")?, matrix(w_k, "w_k")?, matrix(w_v, "w_v")?, matrix(w_o, "w_o")?);
        let made = Core::new(hidden, &q, &k, &v, &o).map_err(|error| refused(py, &error))?;
        if [b_q, b_k, b_v, b_o].iter().all(Option::is_none) {
            return Ok(Self(made));
        }
        let bias = |value: Given<'_, '_>, name| -> PyResult<Vec<f32>> {
            match value {
                Some(value) => Ok(tensor(value, name)?.floats().into_owned()),
                None => Ok(vec![0.0; hidden]),
            }
        };
        let (q, k, v, o) = (bias(b_q, "b_q")?, bias(b_k, "b_k")?, bias(b_v, "b_v")?, bias(b_o, "b_o")?);
        let names = [
            ("q_proj.bias", "b_q"),
            ("k_proj.bias", "b_k"),
            ("v_proj.bias", "b_v"),
            ("out_proj.bias", "b_o"),
        ];
        made.with_biases(&q, &k, &v, &o).map(Self).map_err(|error| refused_as(py, &error, &names))
    }

    /// Read float32 weights from a safetensors file, given by its path or its bytes.
    ///
    /// Looked for, each with `prefix` before its name: `q_proj.weight`, `k_proj.weight`, `v_proj.weight` and
    /// `out_proj.weight`, or torch's `in_proj_weight` and `out_proj.weight`; and either all biases or none.
    #[classmethod]
    #[pyo3(signature = (source, prefix=None))]
    #[pyo3(text_signature = "($cls, source, prefix='')")]
    fn from_safetensors(
        _: &Bound<'_, PyType>,
        source: &Bound<'_, PyAny>,
        prefix: Given<'_, '_>,
    ) -> PyResult<Self> {
        let py = source.py();
        let prefix = prefix.map_or(Ok(String::new()), |value| text(value, "prefix"))?;
        let data = match source.extract::<PathBuf>() {
            Ok(path) => py.detach(|| std::fs::read(path))?,
            Err(_) => bytes(source, "source").map_err(|_| kind(py, "source", "a path or bytes"))?,
        };
        py.detach(|| Core::from_safetensors(&data, &prefix)).map(Self).map_err(|error| match error {
            Error::InvalidWeights { .. } => refused_as(py, &error, &[("weights", "source")]),
            other => refused(py, &other),
        })
    }

    /// Length of a query.
    #[getter]
    fn hidden_dim(&self) -> usize {
        self.0.hidden_dim()
    }

    fn __repr__(&self) -> String {
        format!("<MultiHeadWeights, hidden_dim={}>", self.0.hidden_dim())
    }
}
