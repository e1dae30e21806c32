//! Multi-head attention.

use super::common::{configurable, selective, Common, Mechanism};
use super::engine;
use super::stream::AttentionState;
use super::weights::MultiHeadWeights;
use super::workspace::Workspace;
use super::Attention;
use crate::error::{Error, Needed, Result};
use crate::inputs::Inputs;
use crate::options::Options;
use crate::shape;
use alloc::sync::Arc;
use alloc::vec::Vec;

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
    common: Common,
    num_heads: usize,
    hidden_dim: usize,
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
        let mechanism = Mechanism::Dot { heads: num_heads };
        let common = Common::new("multi-head", Some(hidden_dim), mechanism);
        Self { common, num_heads, hidden_dim, weights: None }.with_dropout(dropout)
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
}

configurable!(MultiHeadAttention);
selective!(MultiHeadAttention);

impl Attention for MultiHeadAttention {
    fn common(&self) -> &Common {
        &self.common
    }

    fn forward_into(
        &self,
        inputs: &Inputs<'_>,
        options: &Options<'_>,
        workspace: &mut Workspace,
        out: &mut [f32],
    ) -> Result<()> {
        let Some(weights) = &self.weights else {
            return engine::forward(&self.common, inputs, options, workspace, out);
        };
        let mut buffers = core::mem::take(&mut workspace.projected);
        let answered = self.forward_projected(weights, inputs, options, workspace, &mut buffers, out);
        workspace.projected = buffers;
        answered
    }

    fn stream(
        &self,
        queries: &[f32],
        dim: usize,
        value_dim: usize,
        options: &Options<'_>,
    ) -> Result<AttentionState> {
        if self.weights.is_some() {
            return Err(Error::Unsupported { argument: "weights", by: "streaming" });
        }
        AttentionState::start(&self.common, queries, dim, value_dim, options)
    }
}

impl MultiHeadAttention {
    fn forward_projected(
        &self,
        weights: &MultiHeadWeights,
        inputs: &Inputs<'_>,
        options: &Options<'_>,
        workspace: &mut Workspace,
        [queries, keys, values, joined]: &mut [Vec<f32>; 4],
        out: &mut [f32],
    ) -> Result<()> {
        let hidden = self.hidden_dim;
        let shape = inputs.check(Some(hidden))?;
        if shape.value_dim != hidden {
            let needed = Needed::Exactly(shape::product("values", &[shape.keys, hidden])?);
            return Err(shape::length("values", inputs.values.len(), needed));
        }
        shape.check_output(out)?;
        let kernel = self.common.settings.kernel;
        weights.query.apply(inputs.queries.into(), hidden, kernel, joined, queries);
        weights.key.apply(inputs.keys, hidden, kernel, joined, keys);
        weights.value.apply(inputs.values, hidden, kernel, joined, values);
        joined.clear();
        joined.resize(out.len(), 0.0);
        let projected = Inputs::new(queries, hidden, keys.as_slice(), values.as_slice());
        engine::forward(&self.common, &projected, options, workspace, joined).map_err(
            |error| match error {
                // Found in a projected tensor: the cause is in the input or it overflowed on the way.
                Error::NonFinite { .. } | Error::Overflow { .. } => {
                    inputs.fault().unwrap_or(Error::Overflow { index: 0 })
                }
                other => other,
            },
        )?;
        weights.output.apply_into(joined, hidden, kernel, out);
        inputs.blame(out)
    }
}
