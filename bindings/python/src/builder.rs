//! From a type and a configuration to a ready attention.

use std::sync::Mutex;

use attention::{AttentionBuilder as Core, AttentionType};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use crate::attention::{
    Attention, CrossAttention, HyperbolicAttention, LinearAttention, MultiHeadAttention,
    ScaledDotProductAttention, SelfAttention,
};
use crate::call::Given;
use crate::error::{self, refused};
use crate::settings::{Parameters, Settings, Value};
use crate::tensor::{count, flag, number, text};
use crate::unpoisoned;

/// Builds any attention; every setter returns the builder.
///
/// >>> attention = AttentionBuilder().attention_type("multi-head", num_heads=2).hidden_dim(4).build()
/// >>> attention
/// MultiHeadAttention(num_heads=2, hidden_dim=4)
/// >>> AttentionBuilder().attention_type("auto").resolve()
/// 'scaled-dot-product'
#[pyclass(frozen, module = "ruvector_attention")]
pub struct AttentionBuilder(Mutex<Plan>);

/// What was set so far; the core's builder does not tell all of it.
#[derive(Default, Clone)]
struct Plan {
    core: Core,
    neighbors: Option<usize>,
    threads: Option<usize>,
}

type Slf<'py> = Bound<'py, AttentionBuilder>;

fn set<'py>(slf: &Slf<'py>, change: impl FnOnce(&mut Plan)) -> Slf<'py> {
    let mut plan = unpoisoned(slf.get().0.lock_py_attached(slf.py()));
    change(&mut plan);
    drop(plan);
    slf.clone()
}

impl AttentionBuilder {
    fn plan(&self, py: Python<'_>) -> Plan {
        unpoisoned(self.0.lock_py_attached(py)).clone()
    }
}

#[pymethods]
impl AttentionBuilder {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    /// Set the type, one of `AttentionType`, with the parameters that belong to it alone.
    #[pyo3(signature = (name, *, num_heads=None, num_neighbors=None, curvature=None))]
    fn attention_type<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
        num_heads: Given<'_, 'py>,
        num_neighbors: Given<'_, 'py>,
        curvature: Given<'_, 'py>,
    ) -> PyResult<Slf<'py>> {
        let py = slf.py();
        let mut wanted: AttentionType =
            text(name, "attention_type")?.parse().map_err(|error| refused(py, &error))?;
        match (curvature, &mut wanted) {
            (None, _) => {}
            (Some(value), AttentionType::Hyperbolic { curvature }) => {
                *curvature = number(value, "curvature")?
            }
            (Some(_), _) => {
                let message = "curvature: belongs to hyperbolic attention alone".to_owned();
                return Err(error::exception(py, "unsupported", "curvature", message));
            }
        }
        let heads = num_heads.map(|value| count(value, "num_heads")).transpose()?;
        let neighbors = num_neighbors.map(|value| count(value, "num_neighbors")).transpose()?;
        Ok(set(slf, |plan| {
            let mut core = std::mem::take(&mut plan.core).attention_type(wanted);
            if let Some(heads) = heads {
                core = core.num_heads(heads);
            }
            if let Some(neighbors) = neighbors {
                core = core.neighbors(neighbors);
                plan.neighbors = Some(neighbors);
            }
            plan.core = core;
        }))
    }

    /// Set the length of a query, 128 unless set.
    fn hidden_dim<'py>(slf: &Bound<'py, Self>, hidden_dim: &Bound<'py, PyAny>) -> PyResult<Slf<'py>> {
        let dim = count(hidden_dim, "hidden_dim")?;
        Ok(set(slf, |plan| plan.core = std::mem::take(&mut plan.core).hidden_dim(dim)))
    }

    /// Set the dropout of training passes, 0 unless set.
    fn dropout<'py>(slf: &Bound<'py, Self>, dropout: &Bound<'py, PyAny>) -> PyResult<Slf<'py>> {
        let dropout = number(dropout, "dropout")?;
        Ok(set(slf, |plan| plan.core = std::mem::take(&mut plan.core).dropout(dropout)))
    }

    /// Use the fastest kernel of the machine, as is the default, or the portable one.
    fn use_simd<'py>(slf: &Bound<'py, Self>, use_simd: &Bound<'py, PyAny>) -> PyResult<Slf<'py>> {
        let simd = flag(Some(use_simd), "use_simd")?;
        Ok(set(slf, |plan| plan.core = std::mem::take(&mut plan.core).use_simd(simd)))
    }

    /// Set the most threads that a call may use.
    fn num_threads<'py>(slf: &Bound<'py, Self>, num_threads: &Bound<'py, PyAny>) -> PyResult<Slf<'py>> {
        let threads = count(num_threads, "num_threads")?;
        Ok(set(slf, |plan| {
            plan.core = std::mem::take(&mut plan.core).num_threads(threads);
            plan.threads = Some(threads);
        }))
    }

    /// Name of the type that `build` makes: the one set, and for "auto" multi-head if there is more than one head, else
    /// scaled dot-product. Both are exact.
    fn resolve(&self, py: Python<'_>) -> PyResult<&'static str> {
        let resolved = self.plan(py).core.resolve().map_err(|error| refused(py, &error))?;
        Ok(match resolved {
            AttentionType::ScaledDotProduct { .. } => "scaled-dot-product",
            AttentionType::MultiHead { .. } => "multi-head",
            AttentionType::Hyperbolic { .. } => "hyperbolic",
            AttentionType::Linear => "linear",
            AttentionType::Cross => "cross-attention",
            _ => "self-attention",
        })
    }

    /// Check everything and build.
    fn build<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let Plan { core, neighbors, threads } = self.plan(py);
        let names = &[("threads", "num_threads")];
        let refused = |error| error::refused_as(py, &error, names);
        let made = core.build().map_err(refused)?;
        let config = core.config();
        let settings = Settings {
            neighbors,
            dropout: (config.dropout > 0.0).then_some(config.dropout),
            threads: threads
                .map(attention::Threads::new)
                .transpose()
                .map_err(refused)?
                .map(|t| (t.count(), t)),
            kernel: (!config.use_simd).then(attention::Kernel::scalar),
        };
        let dim = Value::Count(config.hidden_dim);
        let parameters = |own: Vec<(&'static str, Value)>| Parameters::of(own, &settings);
        Ok(match core.resolve().map_err(refused)? {
            AttentionType::MultiHead { num_heads } => {
                let own = vec![("num_heads", Value::Count(num_heads)), ("hidden_dim", dim)];
                let sub = MultiHeadAttention { num_heads, hidden_dim: config.hidden_dim };
                Bound::new(py, Attention::boxed(made, parameters(own), sub))?.into_any()
            }
            AttentionType::Hyperbolic { curvature } => {
                let own = vec![("curvature", Value::Number(curvature)), ("dim", dim)];
                let sub = HyperbolicAttention { curvature };
                Bound::new(py, Attention::boxed(made, parameters(own), sub))?.into_any()
            }
            AttentionType::ScaledDotProduct { .. } => {
                let own = parameters(vec![("dim", dim)]);
                Bound::new(py, Attention::boxed(made, own, ScaledDotProductAttention))?.into_any()
            }
            AttentionType::Linear => {
                // It has nothing to drop: its class takes no dropout.
                let settings = Settings { dropout: None, ..settings };
                let own = Parameters::of([("dim", dim)], &settings);
                Bound::new(py, Attention::boxed(made, own, LinearAttention))?.into_any()
            }
            AttentionType::Cross => {
                Bound::new(py, Attention::boxed(made, parameters(vec![("dim", dim)]), CrossAttention))?
                    .into_any()
            }
            _ => Bound::new(py, SelfAttention::boxed(made, parameters(vec![("dim", dim)])))?.into_any(),
        })
    }
}
