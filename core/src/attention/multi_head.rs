//! Multi-head attention.

use super::engine::{self, Mechanism, Settings};
use super::stream::AttentionState;
use super::weights::MultiHeadWeights;
use super::Attention;
use crate::error::{Error, Needed, Result};
use crate::options::Options;
use crate::shape::{self, Shape};
use alloc::sync::Arc;
use alloc::vec;

/// Scaled dot-product attention in each of several equal parts of the hidden dimension.
///
/// Without weights nothing is projected: head h attends with elements `h·head_dim..(h + 1)·head_dim` of queries and
/// keys to the h-th part of the values, and the parts are joined. With [`weights`](MultiHeadAttention::with_weights)
/// queries, keys, values and the result are projected as in `torch.nn.MultiheadAttention`.
///
/// Shapes: queries `[m, hidden]`, keys `[n, hidden]`, values `[n, dv]` with `num_heads` dividing dv (dv = hidden with
/// weights), result `[m, dv]`. Cost: O(m·n·(hidden + dv)), and O((m + n)·hidden²) for projections.
///
/// Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.2.
///
/// ```
/// use ruvector_attention::{Attention, MultiHeadAttention};
/// let attention = MultiHeadAttention::new(2, 4, 0.0)?;
/// assert_eq!(attention.head_dim(), 2);
/// let one_key = attention.forward(&[0.1, 0.2, 0.3, 0.4], &[1.0; 4], &[1.0, 2.0, 3.0, 4.0])?;
/// assert_eq!(one_key, [1.0, 2.0, 3.0, 4.0]);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MultiHeadAttention {
    num_heads: usize,
    hidden_dim: usize,
    settings: Settings,
    weights: Option<Arc<MultiHeadWeights>>,
}

impl MultiHeadAttention {
    /// `num_heads` ≥ 1 heads that divide `hidden_dim`; `dropout` in [0, 1) acts in training passes only.
    pub fn new(num_heads: usize, hidden_dim: usize, dropout: f64) -> Result<Self> {
        shape::positive("num_heads", num_heads)?;
        shape::positive("hidden_dim", hidden_dim)?;
        if !hidden_dim.is_multiple_of(num_heads) {
            return Err(Error::Parameter {
                argument: "hidden_dim",
                found: hidden_dim as f64,
                needed: "a multiple of num_heads",
            });
        }
        let settings = Settings { dropout: shape::dropout(dropout)?, ..Settings::default() };
        Ok(Self { num_heads, hidden_dim, settings, weights: None })
    }

    /// Projects with these weights, whose hidden dimension must be the attention's.
    pub fn with_weights(mut self, weights: MultiHeadWeights) -> Result<Self> {
        if weights.hidden_dim != self.hidden_dim {
            return Err(Error::Parameter {
                argument: "weights",
                found: weights.hidden_dim as f64,
                needed: "the hidden_dim of the attention",
            });
        }
        self.weights = Some(Arc::new(weights));
        Ok(self)
    }

    /// Number of heads.
    pub fn num_heads(&self) -> usize {
        self.num_heads
    }

    /// Length of queries and keys.
    pub fn hidden_dim(&self) -> usize {
        self.hidden_dim
    }

    /// Length of a head's part, hidden_dim / num_heads.
    pub fn head_dim(&self) -> usize {
        self.hidden_dim / self.num_heads
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Dot { heads: self.num_heads }
    }
}

super::configurable!(MultiHeadAttention);

impl Attention for MultiHeadAttention {
    fn kind(&self) -> &'static str {
        "multi-head"
    }

    fn dim(&self) -> Option<usize> {
        Some(self.hidden_dim)
    }

    fn kernel(&self) -> &'static str {
        self.settings.kernel.name()
    }

    fn forward_into(
        &self,
        queries: &[f32],
        dim: usize,
        keys: &[f32],
        values: &[f32],
        options: &Options<'_>,
        out: &mut [f32],
    ) -> Result<()> {
        shape::batch_dim(dim, self.dim())?;
        match &self.weights {
            None => {
                engine::forward(self.mechanism(), &self.settings, queries, dim, keys, values, options, out)
            }
            Some(weights) => self.forward_projected(weights, queries, keys, values, options, out),
        }
    }

    fn stream(
        &self,
        queries: &[f32],
        dim: usize,
        value_dim: usize,
        options: &Options<'_>,
    ) -> Result<AttentionState> {
        shape::batch_dim(dim, self.dim())?;
        if self.weights.is_some() {
            return Err(Error::Unsupported { argument: "weights", by: "streaming" });
        }
        AttentionState::start(self.mechanism(), &self.settings, queries, dim, value_dim, options)
    }
}

impl MultiHeadAttention {
    fn forward_projected(
        &self,
        weights: &MultiHeadWeights,
        queries: &[f32],
        keys: &[f32],
        values: &[f32],
        options: &Options<'_>,
        out: &mut [f32],
    ) -> Result<()> {
        let (hidden, kernel) = (self.hidden_dim, self.settings.kernel);
        let shape = Shape::check("queries", queries, hidden, keys, values)?;
        if shape.value_dim != hidden {
            let needed = Needed::Exactly(shape::product("values", &[shape.keys, hidden])?);
            return Err(shape::length("values", values.len(), needed));
        }
        shape.check_output(out)?;
        let projected_queries = weights.query.apply(queries, hidden, kernel);
        let projected_keys = weights.key.apply(keys, hidden, kernel);
        let projected_values = weights.value.apply(values, hidden, kernel);
        let mut joined = vec![0.0; out.len()];
        engine::forward(
            self.mechanism(),
            &self.settings,
            &projected_queries,
            hidden,
            &projected_keys,
            &projected_values,
            options,
            &mut joined,
        )
        .map_err(|error| match error {
            // Found in a projected tensor: the cause is in the input or it overflowed on the way.
            Error::NonFinite { .. } | Error::Overflow { .. } => {
                let inputs = [("queries", queries), ("keys", keys), ("values", values)];
                shape::blame_inputs(&inputs).unwrap_or(Error::Overflow { index: 0 })
            }
            other => other,
        })?;
        weights.output.apply_into(&joined, hidden, kernel, out);
        shape::blame(out, &[("queries", queries), ("keys", keys), ("values", values)])
    }
}
