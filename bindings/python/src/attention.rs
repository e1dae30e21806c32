//! The classes: `Attention` attends, its subclasses say how they are made.

use attention::{Attention as Mechanism, Error, Needed};
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::PyClass;

use crate::error::{kind, refused};
use crate::poincare::{distance, map};
use crate::types::{count, number, tensor, vector, CallOptions, Tensor};

type Vector<'py> = Bound<'py, PyArray1<f32>>;
type Matrix<'py> = Bound<'py, PyArray2<f32>>;

/// An attention mechanism with its parameters; one of its subclasses.
#[pyclass(subclass, frozen, module = "ruvector_attention")]
pub struct Attention(Box<dyn Mechanism>);

impl Attention {
    /// Initialises an instance of the subclass `sub`.
    fn with<S: PyClass<BaseType = Attention>>(
        py: Python<'_>,
        mechanism: attention::Result<impl Mechanism + 'static>,
        sub: S,
    ) -> PyResult<PyClassInitializer<S>> {
        let mechanism = mechanism.map_err(|error| refused(py, &error))?;
        Ok(PyClassInitializer::from(Attention(Box::new(mechanism))).add_subclass(sub))
    }
}

/// Rows that an array spells out have to be of the length that is needed.
fn check_columns(py: Python<'_>, tensor: &Tensor<'_>, argument: &'static str, dim: usize) -> PyResult<()> {
    match tensor.columns {
        Some(found) if found != dim => {
            let needed = Needed::Exactly(dim);
            Err(refused(py, &Error::Length { argument, found, needed }))
        }
        _ => Ok(()),
    }
}

/// Values that are rows have to be as many rows as there are keys.
fn check_rows(py: Python<'_>, values: &Tensor<'_>, n: usize) -> PyResult<()> {
    let found = values.data()?.len();
    match values.columns {
        Some(columns) if columns.checked_mul(n) != Some(found) => {
            let needed = Needed::Exactly(columns.saturating_mul(n));
            Err(refused(py, &Error::Length { argument: "values", found, needed }))
        }
        _ => Ok(()),
    }
}

fn matrix<'py>(py: Python<'py>, flat: Vec<f32>, rows: usize) -> PyResult<Matrix<'py>> {
    let columns = flat.len() / rows.max(1);
    PyArray1::from_vec(py, flat).reshape([rows, columns])
}

#[pymethods]
impl Attention {
    /// Name of the mechanism, one of `features()`.
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    /// Attend from one query `[d]` over keys `[n, d]` and values `[n, dv]`; returns `[dv]`.
    #[pyo3(signature = (query, keys, values, *, num_neighbors=None, mask=None, causal=false))]
    #[allow(clippy::too_many_arguments)] // these are Python's
    fn forward<'py>(
        &self,
        py: Python<'py>,
        query: &Bound<'py, PyAny>,
        keys: &Bound<'py, PyAny>,
        values: &Bound<'py, PyAny>,
        num_neighbors: Option<&Bound<'py, PyAny>>,
        mask: Option<&Bound<'py, PyAny>>,
        causal: bool,
    ) -> PyResult<Vector<'py>> {
        let options = CallOptions::read(num_neighbors, mask, causal)?;
        let (query, keys, values) =
            (vector(query, "query")?, tensor(keys, "keys")?, tensor(values, "values")?);
        let (q, k, v) = (query.data()?, keys.data()?, values.data()?);
        // A query of the wrong length is the core's to refuse.
        let dim = self.0.dim().unwrap_or(q.len());
        check_columns(py, &keys, "keys", dim)?;
        check_rows(py, &values, k.len() / dim.max(1))?;
        let result = py.detach(|| self.0.forward_with(q, k, v, &options.as_core()));
        Ok(PyArray1::from_vec(py, result.map_err(|error| refused(py, &error))?))
    }

    /// Attend from queries `[m, d]` over the same keys and values; returns `[m, dv]`.
    #[pyo3(signature = (queries, keys, values, *, num_neighbors=None, mask=None, causal=false))]
    #[allow(clippy::too_many_arguments)] // these are Python's
    fn forward_batch<'py>(
        &self,
        py: Python<'py>,
        queries: &Bound<'py, PyAny>,
        keys: &Bound<'py, PyAny>,
        values: &Bound<'py, PyAny>,
        num_neighbors: Option<&Bound<'py, PyAny>>,
        mask: Option<&Bound<'py, PyAny>>,
        causal: bool,
    ) -> PyResult<Matrix<'py>> {
        let options = CallOptions::read(num_neighbors, mask, causal)?;
        let (queries, keys, values) =
            (tensor(queries, "queries")?, tensor(keys, "keys")?, tensor(values, "values")?);
        let dim = queries
            .columns
            .or(self.0.dim())
            .or(keys.columns)
            .ok_or_else(|| kind(py, "queries", "rows, because nothing else tells their length"))?;
        let (q, k, v) = (queries.data()?, keys.data()?, values.data()?);
        check_columns(py, &keys, "keys", dim)?;
        check_rows(py, &values, k.len() / dim.max(1))?;
        let result = py.detach(|| self.0.forward_batch(q, dim, k, v, &options.as_core()));
        matrix(py, result.map_err(|error| refused(py, &error))?, q.len() / dim.max(1))
    }
}

/// A subclass whose only parameter is the length of a query.
macro_rules! with_dim {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[pyclass(extends = Attention, frozen, module = "ruvector_attention")]
        struct $name;

        #[pymethods]
        impl $name {
            #[new]
            fn new(py: Python<'_>, dim: &Bound<'_, PyAny>) -> PyResult<PyClassInitializer<Self>> {
                Attention::with(py, attention::$name::new(count(dim, "dim")?), Self)
            }

            /// Length of a query.
            #[getter]
            fn dim(slf: PyRef<'_, Self>) -> Option<usize> {
                slf.as_super().0.dim()
            }
        }
    };
}

with_dim!(ScaledDotProductAttention, "Softmax attention with scores scaled by 1/sqrt(dim).");
with_dim!(CrossAttention, "Softmax attention of queries over another memory.");
with_dim!(LinearAttention, "Linear attention with the feature map elu(x) + 1; it has no top-k.");

/// Softmax attention of several heads, each over its share of the dimension; nothing is projected.
#[pyclass(extends = Attention, frozen, module = "ruvector_attention")]
struct MultiHeadAttention {
    num_heads: usize,
    hidden_dim: usize,
}

#[pymethods]
impl MultiHeadAttention {
    #[new]
    #[pyo3(signature = (num_heads, hidden_dim, dropout=None))]
    fn new(
        py: Python<'_>,
        num_heads: &Bound<'_, PyAny>,
        hidden_dim: &Bound<'_, PyAny>,
        dropout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let (num_heads, hidden_dim) = (count(num_heads, "num_heads")?, count(hidden_dim, "hidden_dim")?);
        let dropout = dropout.map_or(Ok(0.0), |value| number(value, "dropout"))?;
        let mechanism = attention::MultiHeadAttention::new(num_heads, hidden_dim, dropout);
        Attention::with(py, mechanism, Self { num_heads, hidden_dim })
    }

    /// Number of heads.
    #[getter]
    fn num_heads(&self) -> usize {
        self.num_heads
    }

    /// Length of a query: all heads together.
    #[getter]
    fn hidden_dim(&self) -> usize {
        self.hidden_dim
    }

    /// Length of one head.
    #[getter]
    fn head_dim(&self) -> usize {
        self.hidden_dim / self.num_heads
    }
}

/// Attention in the Poincaré ball of curvature -c: scores are negative distances, the result is a gyromidpoint.
#[pyclass(extends = Attention, frozen, module = "ruvector_attention")]
struct HyperbolicAttention {
    curvature: f64,
}

#[pymethods]
#[allow(clippy::wrong_self_convention)] // Python knows the maps by these names.
impl HyperbolicAttention {
    #[new]
    fn new(py: Python<'_>, curvature: &Bound<'_, PyAny>) -> PyResult<PyClassInitializer<Self>> {
        let curvature = number(curvature, "curvature")?;
        Attention::with(py, attention::HyperbolicAttention::new(curvature), Self { curvature })
    }

    /// c, where the space has curvature -c.
    #[getter]
    fn curvature(&self) -> f64 {
        self.curvature
    }

    /// Distance of two points of the ball.
    fn poincare_distance(&self, x: &Bound<'_, PyAny>, y: &Bound<'_, PyAny>) -> PyResult<f64> {
        distance(x, y, self.curvature)
    }

    /// Map a Euclidean vector into the ball: the exponential map at the origin.
    fn to_poincare<'py>(&self, x: &Bound<'py, PyAny>) -> PyResult<Vector<'py>> {
        map(attention::poincare::to_poincare, x, self.curvature)
    }

    /// Map a point of the ball to a Euclidean vector: the inverse of `to_poincare`.
    fn from_poincare<'py>(&self, x: &Bound<'py, PyAny>) -> PyResult<Vector<'py>> {
        map(attention::poincare::from_poincare, x, self.curvature)
    }

    /// Move a point that lies outside the ball to just inside its boundary; others stay.
    fn project_to_ball<'py>(&self, x: &Bound<'py, PyAny>) -> PyResult<Vector<'py>> {
        map(attention::poincare::project_to_ball, x, self.curvature)
    }
}

/// Softmax attention of a sequence over itself.
#[pyclass(frozen, module = "ruvector_attention")]
struct SelfAttention(attention::SelfAttention);

impl SelfAttention {
    fn attend<'py>(&self, x: &Bound<'py, PyAny>, options: &CallOptions) -> PyResult<Matrix<'py>> {
        let (py, x, dim) = (x.py(), tensor(x, "x")?, self.dim());
        check_columns(py, &x, "x", dim)?;
        let data = x.data()?;
        let result = py.detach(|| self.0.attend(data, &options.as_core()));
        matrix(py, result.map_err(|error| refused(py, &error))?, data.len() / dim)
    }
}

#[pymethods]
impl SelfAttention {
    #[new]
    fn new(py: Python<'_>, dim: &Bound<'_, PyAny>) -> PyResult<Self> {
        let made = attention::SelfAttention::new(count(dim, "dim")?);
        made.map(SelfAttention).map_err(|error| refused(py, &error))
    }

    /// Length of a row.
    #[getter]
    fn dim(&self) -> usize {
        self.0.dim().unwrap_or(1)
    }

    /// Name of the mechanism, one of `features()`.
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    /// Attend from each row of the sequence `[n, d]` over all of them; returns `[n, d]`.
    #[pyo3(signature = (x, *, num_neighbors=None, mask=None, causal=false))]
    fn forward<'py>(
        &self,
        x: &Bound<'py, PyAny>,
        num_neighbors: Option<&Bound<'py, PyAny>>,
        mask: Option<&Bound<'py, PyAny>>,
        causal: bool,
    ) -> PyResult<Matrix<'py>> {
        self.attend(x, &CallOptions::read(num_neighbors, mask, causal)?)
    }

    /// Attend within each of several sequences.
    #[pyo3(signature = (sequences, *, num_neighbors=None, mask=None, causal=false))]
    fn forward_batch<'py>(
        &self,
        sequences: &Bound<'py, PyAny>,
        num_neighbors: Option<&Bound<'py, PyAny>>,
        mask: Option<&Bound<'py, PyAny>>,
        causal: bool,
    ) -> PyResult<Vec<Matrix<'py>>> {
        let options = CallOptions::read(num_neighbors, mask, causal)?;
        sequences.try_iter()?.map(|sequence| self.attend(&sequence?, &options)).collect()
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Attention>()?;
    module.add_class::<ScaledDotProductAttention>()?;
    module.add_class::<CrossAttention>()?;
    module.add_class::<LinearAttention>()?;
    module.add_class::<MultiHeadAttention>()?;
    module.add_class::<HyperbolicAttention>()?;
    module.add_class::<SelfAttention>()
}
