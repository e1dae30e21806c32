//! The classes: `Attention` attends, its subclasses say how they are made.

use attention::{Attention as Mechanism, Error, Inputs, Needed};
use pyo3::prelude::*;
use pyo3::sync::RwLockExt;
use pyo3::types::{PyDict, PyTuple};
use pyo3::PyClass;

use crate::cache::KeyValueCache;
use crate::call::{attend, CallOptions, Given, MANY_QUERIES, ONE_QUERY};
use crate::error::{kind, refused};
use crate::poincare::{distance, map};
use crate::prepared::PreparedCall;
use crate::settings::{configured, Parameters, Settings, Value};
use crate::state::AttentionState;
use crate::stream::ForwardStream;
use crate::tensor::{check_columns, check_rows, count, flag, number, tensor, vector, View};
use crate::weights::MultiHeadWeights;

/// An attention mechanism with its parameters; one of its subclasses.
///
/// Attentions are immutable: any number of threads may use one at a time. Those without weights can be pickled.
#[pyclass(subclass, frozen, module = "ruvector_attention")]
pub struct Attention {
    pub mechanism: Box<dyn Mechanism>,
    parameters: Parameters,
}

/// Keys and values of a call.
pub enum Memory<'a, 'py> {
    Arrays(View<'py>, View<'py>),
    Cache(&'a Bound<'py, KeyValueCache>),
}

impl Attention {
    /// Initialises an instance of the subclass `sub`.
    fn with<S: PyClass<BaseType = Attention>>(
        mechanism: impl Mechanism + 'static,
        parameters: Parameters,
        sub: S,
    ) -> PyClassInitializer<S> {
        Self::boxed(Box::new(mechanism), parameters, sub)
    }

    /// The same for a mechanism that the builder made.
    pub fn boxed<S: PyClass<BaseType = Attention>>(
        mechanism: Box<dyn Mechanism>,
        parameters: Parameters,
        sub: S,
    ) -> PyClassInitializer<S> {
        PyClassInitializer::from(Attention { mechanism, parameters }).add_subclass(sub)
    }

    /// Attends with one query.
    pub fn one<'py>(
        &self,
        query: &Bound<'py, PyAny>,
        keys: &Bound<'py, PyAny>,
        values: Given<'_, 'py>,
        options: &CallOptions,
        out: Given<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = query.py();
        let query = vector(query, "query")?;
        let memory = memory(keys, values)?;
        let needed = self.mechanism.dim();
        if let Some(dim) = needed.filter(|&dim| dim != query.len()) {
            let needed = Needed::Exactly(dim);
            return Err(refused(py, &Error::Length { argument: "query", found: query.len(), needed }));
        }
        if query.len() == 0 {
            let needed = Needed::AtLeast(1);
            return Err(refused(py, &Error::Length { argument: "query", found: 0, needed }));
        }
        self.over(py, &query, query.len(), &memory, options, out, true)
    }

    #[allow(clippy::too_many_arguments)] // what a call consists of
    #[inline]
    fn over<'py>(
        &self,
        py: Python<'py>,
        queries: &View<'py>,
        dim: usize,
        memory: &Memory<'_, 'py>,
        options: &CallOptions,
        out: Given<'_, 'py>,
        one: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (names, rows) = (if one { ONE_QUERY } else { MANY_QUERIES }, queries.floats());
        match memory {
            Memory::Arrays(keys, values) => {
                check_columns(py, keys, "keys", dim)?;
                check_rows(py, values, keys, dim)?;
                let inputs = Inputs::new(&rows, dim, keys.tensor(), values.tensor());
                let taken = [queries.bytes(), keys.bytes(), values.bytes()];
                attend(py, &*self.mechanism, &inputs, options, out, &taken, names)
            }
            Memory::Cache(cache) => {
                let cache = cache.get();
                let held = crate::unpoisoned(cache.0.read_py_attached(py));
                if held.dim() != dim {
                    let argument = if one { "query" } else { "queries" };
                    let needed = Needed::Exactly(held.dim());
                    return Err(refused(py, &Error::Length { argument, found: dim, needed }));
                }
                attend(py, &*self.mechanism, &held.inputs(&rows), options, out, &[queries.bytes()], names)
            }
        }
    }

    /// The queries' rows, and their length.
    fn rows<'py>(
        &self,
        queries: &Bound<'py, PyAny>,
        keys: Option<&Memory<'_, 'py>>,
    ) -> PyResult<(View<'py>, usize)> {
        let (py, queries) = (queries.py(), tensor(queries, "queries")?);
        let needed = self.mechanism.dim();
        let known = match keys {
            Some(Memory::Arrays(keys, _)) => keys.columns,
            Some(Memory::Cache(cache)) => Some(crate::unpoisoned(cache.get().0.read_py_attached(py)).dim()),
            None => None,
        };
        if let Some(dim) = needed {
            check_columns(py, &queries, "queries", dim)?;
        }
        let dim = queries
            .columns
            .or(needed)
            .or(known)
            .ok_or_else(|| kind(py, "queries", "rows, because nothing else tells their length"))?;
        if dim == 0 {
            return Err(refused(
                py,
                &Error::Length { argument: "queries", found: 0, needed: Needed::AtLeast(1) },
            ));
        }
        Ok((queries, dim))
    }
}

/// Keys and values, or the cache that holds both.
#[inline]
pub fn memory<'a, 'py>(keys: &'a Bound<'py, PyAny>, values: Given<'_, 'py>) -> PyResult<Memory<'a, 'py>> {
    match values {
        Some(values) => Ok(Memory::Arrays(tensor(keys, "keys")?, tensor(values, "values")?)),
        None => match keys.cast::<KeyValueCache>() {
            Ok(cache) => Ok(Memory::Cache(cache)),
            Err(_) => Err(kind(keys.py(), "values", "an array, because keys is not a KeyValueCache")),
        },
    }
}

#[pymethods]
impl Attention {
    /// Name of the mechanism, one of `features()`.
    #[getter]
    fn kind(&self) -> &'static str {
        self.mechanism.kind()
    }

    /// Name of the kernel that computes, one of `kernels()`.
    #[getter]
    fn kernel(&self) -> &'static str {
        self.mechanism.kernel()
    }

    /// Length of a query; None where any will do.
    #[getter]
    fn dim(&self) -> Option<usize> {
        self.mechanism.dim()
    }

    /// Attend from one query `[d]` over keys `[n, d]` and values `[n, dv]`; returns `[dv]`.
    ///
    /// Keys and values may be flat, and `keys` may be a `KeyValueCache`, without `values`. `num_neighbors` keeps the keys
    /// with the best scores; `mask` has one flag a key, true = it takes part. `training` drops weights as `seed` says.
    /// The result is written to `out`, a float32 array, where it is given.
    ///
    /// >>> import numpy as np
    /// >>> attention = ScaledDotProductAttention(2)
    /// >>> keys = np.array([[1, 0], [0, 1]], dtype=np.float32)
    /// >>> attention.forward([1, 0], keys, [10, 20], num_neighbors=1)
    /// array([10.], dtype=float32)
    /// >>> attention.forward([1, 0], keys, [10, 20], mask=[False, True])
    /// array([20.], dtype=float32)
    #[pyo3(signature = (query, keys, values=None, *, num_neighbors=None, mask=None, causal=None, training=None, seed=None, out=None))]
    #[pyo3(
        text_signature = "($self, query, keys, values=None, *, num_neighbors=None, mask=None, causal=False, training=False, seed=None, out=None)"
    )]
    #[allow(clippy::too_many_arguments)] // these are Python's
    fn forward<'py>(
        &self,
        query: &Bound<'py, PyAny>,
        keys: &Bound<'py, PyAny>,
        values: Given<'_, 'py>,
        num_neighbors: Given<'_, 'py>,
        mask: Given<'_, 'py>,
        causal: Given<'_, 'py>,
        training: Given<'_, 'py>,
        seed: Given<'_, 'py>,
        out: Given<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = CallOptions::read(num_neighbors, mask, causal, training, seed)?;
        self.one(query, keys, values, &options, out)
    }

    /// Read the arguments of a `forward` once, for a call that is made again and again.
    ///
    /// The arrays are read anew by each `run`, so the next query is written into the same array; they have to be such as need
    /// no conversion. A cache is read as it is when the call runs. The result is written to `out`, a new array unless given.
    ///
    /// >>> import numpy as np
    /// >>> query, cache = np.zeros(2, dtype=np.float32), KeyValueCache(2, 1)
    /// >>> call = ScaledDotProductAttention(2).prepare(query, cache)
    /// >>> for key, value in (([1, 0], 10), ([0, 1], 20)):
    /// ...     cache.append([key], [[value]])
    /// ...     print(call.run())
    /// [10.]
    /// [15.]
    #[pyo3(signature = (query, keys, values=None, *, num_neighbors=None, mask=None, causal=None, training=None, seed=None, out=None))]
    #[pyo3(
        text_signature = "($self, query, keys, values=None, *, num_neighbors=None, mask=None, causal=False, training=False, seed=None, out=None)"
    )]
    #[allow(clippy::too_many_arguments)] // these are Python's
    fn prepare<'py>(
        slf: &Bound<'py, Self>,
        query: &Bound<'py, PyAny>,
        keys: &Bound<'py, PyAny>,
        values: Given<'_, 'py>,
        num_neighbors: Given<'_, 'py>,
        mask: Given<'_, 'py>,
        causal: Given<'_, 'py>,
        training: Given<'_, 'py>,
        seed: Given<'_, 'py>,
        out: Given<'_, 'py>,
    ) -> PyResult<PreparedCall> {
        let options = CallOptions::read(num_neighbors, mask, causal, training, seed)?;
        PreparedCall::new(slf, query, keys, values, options, out)
    }

    /// Attend from queries `[m, d]` over the same keys and values; returns `[m, dv]`.
    ///
    /// Options are those of `forward`; with `causal`, query i of m sees keys j <= i + n - m.
    ///
    /// >>> import numpy as np
    /// >>> attention = CrossAttention(1)
    /// >>> attention.forward_batch([[0], [0]], [[1], [2]], [[4], [6]], causal=True)
    /// array([[4.],
    ///        [5.]], dtype=float32)
    #[pyo3(signature = (queries, keys, values=None, *, num_neighbors=None, mask=None, causal=None, training=None, seed=None, out=None))]
    #[pyo3(
        text_signature = "($self, queries, keys, values=None, *, num_neighbors=None, mask=None, causal=False, training=False, seed=None, out=None)"
    )]
    #[allow(clippy::too_many_arguments)] // these are Python's
    fn forward_batch<'py>(
        &self,
        queries: &Bound<'py, PyAny>,
        keys: &Bound<'py, PyAny>,
        values: Given<'_, 'py>,
        num_neighbors: Given<'_, 'py>,
        mask: Given<'_, 'py>,
        causal: Given<'_, 'py>,
        training: Given<'_, 'py>,
        seed: Given<'_, 'py>,
        out: Given<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = CallOptions::read(num_neighbors, mask, causal, training, seed)?;
        let py = queries.py();
        let memory = memory(keys, values)?;
        let (queries, dim) = self.rows(queries, Some(&memory))?;
        self.over(py, &queries, dim, &memory, &options, out, false)
    }

    /// Attend from each of the queries as it comes; returns an iterator over the results, in order.
    ///
    /// Keys and values are read once; a query is taken from the iterable when its result is asked for.
    ///
    /// >>> attention = ScaledDotProductAttention(1)
    /// >>> for result in attention.forward_stream([[0], [0]], [[1], [2]], [[4], [6]]):
    /// ...     print(result)
    /// [5.]
    /// [5.]
    #[pyo3(signature = (queries, keys, values=None, *, num_neighbors=None, mask=None, causal=None, training=None, seed=None))]
    #[pyo3(
        text_signature = "($self, queries, keys, values=None, *, num_neighbors=None, mask=None, causal=False, training=False, seed=None)"
    )]
    #[allow(clippy::too_many_arguments)] // these are Python's
    fn forward_stream<'py>(
        slf: &Bound<'py, Self>,
        queries: &Bound<'py, PyAny>,
        keys: &Bound<'py, PyAny>,
        values: Given<'_, 'py>,
        num_neighbors: Given<'_, 'py>,
        mask: Given<'_, 'py>,
        causal: Given<'_, 'py>,
        training: Given<'_, 'py>,
        seed: Given<'_, 'py>,
    ) -> PyResult<ForwardStream> {
        let options = CallOptions::read(num_neighbors, mask, causal, training, seed)?;
        let (keys, values) = match memory(keys, values)? {
            Memory::Arrays(keys, values) => (keys.object().clone(), Some(values.object().clone().unbind())),
            Memory::Cache(cache) => (cache.clone().into_any(), None),
        };
        ForwardStream::new(slf, queries, keys.unbind(), values, options)
    }

    /// Start a computation whose keys and values arrive in chunks, for a query `[d]` or queries `[m, d]`.
    ///
    /// Values will have `value_dim` numbers; those of a query if it is not given.
    ///
    /// >>> state = ScaledDotProductAttention(1).state([0.0])
    /// >>> state.push([[1], [2]], [[4], [6]])
    /// >>> state.finish()
    /// array([[5.]], dtype=float32)
    #[pyo3(signature = (queries, value_dim=None, *, num_neighbors=None, causal=None))]
    #[pyo3(text_signature = "($self, queries, value_dim=None, *, num_neighbors=None, causal=False)")]
    fn state(
        &self,
        queries: &Bound<'_, PyAny>,
        value_dim: Given<'_, '_>,
        num_neighbors: Given<'_, '_>,
        causal: Given<'_, '_>,
    ) -> PyResult<AttentionState> {
        let options = CallOptions::read(num_neighbors, None, causal, None, None)?;
        let py = queries.py();
        let (queries, dim) = match self.rows(queries, None) {
            Ok(found) => found,
            // Numbers in one dimension are one query, where nothing else tells their length.
            Err(_) if self.mechanism.dim().is_none() => {
                let query = vector(queries, "queries")?;
                let dim = query.len();
                (query, dim)
            }
            Err(error) => return Err(error),
        };
        let value_dim = value_dim.map_or(Ok(dim), |value| count(value, "value_dim"))?;
        let state = self.mechanism.stream(&queries.floats(), dim, value_dim, &options.as_core());
        Ok(AttentionState::new(state.map_err(|error| refused(py, &error))?))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let name = slf.get_type().name()?;
        Ok(format!("{name}({})", slf.get().parameters.text()))
    }

    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        Ok((PyTuple::empty(py), self.parameters.keywords(py)?))
    }
}

/// A subclass whose only parameter of its own is the length of a query.
macro_rules! with_dim {
    ($name:ident, $($doc:literal),*) => {
        $(#[doc = $doc])*
        #[pyclass(extends = Attention, frozen, module = "ruvector_attention")]
        pub struct $name;

        #[pymethods]
        impl $name {
            #[new]
            #[pyo3(signature = (dim, *, num_neighbors=None, dropout=None, threads=None, kernel=None))]
            fn new(
                py: Python<'_>,
                dim: &Bound<'_, PyAny>,
                num_neighbors: Given<'_, '_>,
                dropout: Given<'_, '_>,
                threads: Given<'_, '_>,
                kernel: Given<'_, '_>,
            ) -> PyResult<PyClassInitializer<Self>> {
                let dim = count(dim, "dim")?;
                let settings = Settings::read(py, num_neighbors, dropout, threads, kernel)?;
                let made = attention::$name::new(dim).and_then(|made| configured!(made, settings, selective));
                let parameters = Parameters::of([("dim", Value::Count(dim))], &settings);
                Ok(Attention::with(made.map_err(|error| refused(py, &error))?, parameters, Self))
            }
        }
    };
}

with_dim!(
    ScaledDotProductAttention,
    "Softmax attention with scores scaled by 1/sqrt(dim).",
    "",
    "`num_neighbors` is k of top-k where a call names none, `dropout` acts in training, `threads` bounds the threads of a",
    "call, and `kernel` names one of `kernels()`.",
    "",
    ">>> attention = ScaledDotProductAttention(2, num_neighbors=1)",
    ">>> attention.forward([1, 0], [[1, 0], [0, 1]], [[1, 2, 3], [4, 5, 6]])",
    "array([1., 2., 3.], dtype=float32)"
);
with_dim!(
    CrossAttention,
    "Softmax attention of queries over another memory.",
    "",
    ">>> CrossAttention(1).forward([0], [[1], [2]], [[4], [6]])",
    "array([5.], dtype=float32)"
);

/// Linear attention with the feature map elu(x) + 1; it has no top-k and nothing to drop.
///
/// With `random_features` it approximates softmax attention instead (FAVOR+), by features drawn from `seed`.
///
/// >>> LinearAttention(1).forward([0], [[0], [1]], [[0], [3]])
/// array([2.], dtype=float32)
#[pyclass(extends = Attention, frozen, module = "ruvector_attention")]
pub struct LinearAttention;

#[pymethods]
impl LinearAttention {
    #[new]
    #[pyo3(signature = (dim, *, random_features=None, seed=None, threads=None, kernel=None))]
    fn new(
        py: Python<'_>,
        dim: &Bound<'_, PyAny>,
        random_features: Given<'_, '_>,
        seed: Given<'_, '_>,
        threads: Given<'_, '_>,
        kernel: Given<'_, '_>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let dim = count(dim, "dim")?;
        let features = random_features.map(|value| count(value, "random_features")).transpose()?;
        let seed = seed.map(|value| count(value, "seed")).transpose()?;
        if seed.is_some() && features.is_none() {
            return Err(kind(py, "random_features", "a number of features, because there is a seed"));
        }
        let settings = Settings::read(py, None, None, threads, kernel)?;
        let mut own = vec![("dim", Value::Count(dim))];
        let made = attention::LinearAttention::new(dim).and_then(|made| match features {
            Some(features) => {
                own.push(("random_features", Value::Count(features)));
                own.push(("seed", Value::Count(seed.unwrap_or(0))));
                py.detach(|| made.with_random_features(features, seed.unwrap_or(0) as u64))
            }
            None => Ok(made),
        });
        let made = made.and_then(|made| configured!(made, settings));
        let names = &[("features", "random_features")];
        let made = made.map_err(|error| crate::error::refused_as(py, &error, names))?;
        Ok(Attention::with(made, Parameters::of(own, &settings), Self))
    }
}

/// Softmax attention of several heads, each over its share of `hidden_dim`.
///
/// Nothing is projected, unless `weights` are given. `dropout` acts in training only.
///
/// >>> heads = MultiHeadAttention(2, 4)
/// >>> heads.head_dim
/// 2
/// >>> heads.forward([1, 0, 0, 1], [[1, 1, 1, 1]], [[1, 2, 3, 4]])
/// array([1., 2., 3., 4.], dtype=float32)
#[pyclass(extends = Attention, frozen, module = "ruvector_attention")]
pub struct MultiHeadAttention {
    pub num_heads: usize,
    pub hidden_dim: usize,
}

#[pymethods]
impl MultiHeadAttention {
    #[new]
    #[pyo3(signature = (num_heads, hidden_dim, dropout=None, *, weights=None, num_neighbors=None, threads=None, kernel=None))]
    #[allow(clippy::too_many_arguments)] // these are Python's
    fn new(
        py: Python<'_>,
        num_heads: &Bound<'_, PyAny>,
        hidden_dim: &Bound<'_, PyAny>,
        dropout: Given<'_, '_>,
        weights: Given<'_, '_>,
        num_neighbors: Given<'_, '_>,
        threads: Given<'_, '_>,
        kernel: Given<'_, '_>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let (num_heads, hidden_dim) = (count(num_heads, "num_heads")?, count(hidden_dim, "hidden_dim")?);
        let settings = Settings::read(py, num_neighbors, dropout, threads, kernel)?;
        let weights = weights.map(|value| {
            value.cast::<MultiHeadWeights>().map_err(|_| kind(py, "weights", "a MultiHeadWeights"))
        });
        let weights = weights.transpose()?;
        let mut own = vec![("num_heads", Value::Count(num_heads)), ("hidden_dim", Value::Count(hidden_dim))];
        if let Some(weights) = weights {
            own.push(("weights", Value::Object(weights.clone().into_any().unbind())));
        }
        let made = attention::MultiHeadAttention::new(num_heads, hidden_dim, 0.0)
            .and_then(|made| match weights {
                Some(weights) => made.with_weights(weights.get().0.clone()),
                None => Ok(made),
            })
            .and_then(|made| configured!(made, settings, selective))
            .map_err(|error| refused(py, &error))?;
        Ok(Attention::with(made, Parameters::of(own, &settings), Self { num_heads, hidden_dim }))
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
///
/// Points outside the ball are refused, unless `project` asks to move them inside. With `dim`, only queries of that
/// length are accepted.
///
/// >>> ball = HyperbolicAttention(1.0)
/// >>> abs(float(ball.forward([0, 0], [[0.5, 0], [-0.5, 0]], [0.5, -0.5])[0])) < 1e-7
/// True
#[pyclass(extends = Attention, frozen, module = "ruvector_attention")]
pub struct HyperbolicAttention {
    pub curvature: f64,
}

#[pymethods]
#[allow(clippy::wrong_self_convention)] // Python knows the maps by these names.
impl HyperbolicAttention {
    #[new]
    #[pyo3(signature = (curvature, *, dim=None, project=None, num_neighbors=None, dropout=None, threads=None, kernel=None))]
    #[pyo3(
        text_signature = "(curvature, *, dim=None, project=False, num_neighbors=None, dropout=None, threads=None, kernel=None)"
    )]
    #[allow(clippy::too_many_arguments)] // these are Python's
    fn new(
        py: Python<'_>,
        curvature: &Bound<'_, PyAny>,
        dim: Given<'_, '_>,
        project: Given<'_, '_>,
        num_neighbors: Given<'_, '_>,
        dropout: Given<'_, '_>,
        threads: Given<'_, '_>,
        kernel: Given<'_, '_>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let (curvature, project) = (number(curvature, "curvature")?, flag(project, "project")?);
        let dim = dim.map(|value| count(value, "dim")).transpose()?;
        let settings = Settings::read(py, num_neighbors, dropout, threads, kernel)?;
        let mut own = vec![("curvature", Value::Number(curvature))];
        own.extend(dim.map(|dim| ("dim", Value::Count(dim))));
        if project {
            own.push(("project", Value::Flag(true)));
        }
        let made = attention::HyperbolicAttention::new(curvature)
            .and_then(|made| match dim {
                Some(dim) => made.with_dim(dim),
                None => Ok(made),
            })
            .map(|made| made.with_projection(project))
            .and_then(|made| configured!(made, settings, selective))
            .map_err(|error| refused(py, &error))?;
        Ok(Attention::with(made, Parameters::of(own, &settings), Self { curvature }))
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
    fn to_poincare<'py>(&self, x: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        map(attention::poincare::to_poincare, x, self.curvature)
    }

    /// Map a point of the ball to a Euclidean vector: the inverse of `to_poincare`.
    fn from_poincare<'py>(&self, x: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        map(attention::poincare::from_poincare, x, self.curvature)
    }

    /// Move a point that lies outside the ball to just inside its boundary; others stay.
    fn project_to_ball<'py>(&self, x: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        map(attention::poincare::project_to_ball, x, self.curvature)
    }
}

/// Softmax attention of a sequence over itself.
///
/// >>> attention = SelfAttention(2)
/// >>> attention.forward([[1, 0], [0, 1]], causal=True)[0]
/// array([1., 0.], dtype=float32)
#[pyclass(frozen, module = "ruvector_attention")]
pub struct SelfAttention {
    mechanism: Box<dyn Mechanism>,
    parameters: Parameters,
}

impl SelfAttention {
    pub fn boxed(mechanism: Box<dyn Mechanism>, parameters: Parameters) -> Self {
        SelfAttention { mechanism, parameters }
    }

    fn attend<'py>(
        &self,
        x: &Bound<'py, PyAny>,
        options: &CallOptions,
        out: Given<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, x, dim) = (x.py(), tensor(x, "x")?, self.mechanism.dim().unwrap_or(1));
        check_columns(py, &x, "x", dim)?;
        let rows = x.floats();
        let inputs = Inputs::new(&rows, dim, &*rows, &*rows);
        let names = &[("queries", "x"), ("keys", "x"), ("values", "x")];
        attend(py, &*self.mechanism, &inputs, options, out, &[x.bytes()], names)
    }
}

#[pymethods]
impl SelfAttention {
    #[new]
    #[pyo3(signature = (dim, *, num_neighbors=None, dropout=None, threads=None, kernel=None))]
    fn new(
        py: Python<'_>,
        dim: &Bound<'_, PyAny>,
        num_neighbors: Given<'_, '_>,
        dropout: Given<'_, '_>,
        threads: Given<'_, '_>,
        kernel: Given<'_, '_>,
    ) -> PyResult<Self> {
        let dim = count(dim, "dim")?;
        let settings = Settings::read(py, num_neighbors, dropout, threads, kernel)?;
        let made = attention::SelfAttention::new(dim).and_then(|made| configured!(made, settings, selective));
        let made = made.map_err(|error| refused(py, &error))?;
        Ok(Self::boxed(Box::new(made), Parameters::of([("dim", Value::Count(dim))], &settings)))
    }

    /// Length of a row.
    #[getter]
    fn dim(&self) -> usize {
        self.mechanism.dim().unwrap_or(1)
    }

    /// Name of the mechanism, one of `features()`.
    #[getter]
    fn kind(&self) -> &'static str {
        self.mechanism.kind()
    }

    /// Name of the kernel that computes, one of `kernels()`.
    #[getter]
    fn kernel(&self) -> &'static str {
        self.mechanism.kernel()
    }

    /// Attend from each row of the sequence `[n, d]` over all of them; returns `[n, d]`.
    ///
    /// Options are those of `Attention.forward`.
    #[pyo3(signature = (x, *, num_neighbors=None, mask=None, causal=None, training=None, seed=None, out=None))]
    #[pyo3(
        text_signature = "($self, x, *, num_neighbors=None, mask=None, causal=False, training=False, seed=None, out=None)"
    )]
    #[allow(clippy::too_many_arguments)] // these are Python's
    fn forward<'py>(
        &self,
        x: &Bound<'py, PyAny>,
        num_neighbors: Given<'_, 'py>,
        mask: Given<'_, 'py>,
        causal: Given<'_, 'py>,
        training: Given<'_, 'py>,
        seed: Given<'_, 'py>,
        out: Given<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.attend(x, &CallOptions::read(num_neighbors, mask, causal, training, seed)?, out)
    }

    /// Attend within each of several sequences; returns a list.
    #[pyo3(signature = (sequences, *, num_neighbors=None, mask=None, causal=None, training=None, seed=None))]
    #[pyo3(
        text_signature = "($self, sequences, *, num_neighbors=None, mask=None, causal=False, training=False, seed=None)"
    )]
    #[allow(clippy::too_many_arguments)] // these are Python's
    fn forward_batch<'py>(
        &self,
        sequences: &Bound<'py, PyAny>,
        num_neighbors: Given<'_, 'py>,
        mask: Given<'_, 'py>,
        causal: Given<'_, 'py>,
        training: Given<'_, 'py>,
        seed: Given<'_, 'py>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let options = CallOptions::read(num_neighbors, mask, causal, training, seed)?;
        let each = sequences.try_iter().map_err(|cause| {
            crate::error::kind_from(sequences.py(), "sequences", "several sequences", cause)
        })?;
        each.map(|sequence| self.attend(&sequence?, &options, None)).collect()
    }

    fn __repr__(&self) -> String {
        format!("SelfAttention({})", self.parameters.text())
    }

    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        Ok((PyTuple::empty(py), self.parameters.keywords(py)?))
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
