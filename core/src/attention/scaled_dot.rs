//! Scaled dot-product attention.

use super::engine::{self, Mechanism, Settings};
use super::stream::AttentionState;
use super::Attention;
use crate::error::Result;
use crate::options::Options;
use crate::shape;

const MECHANISM: Mechanism = Mechanism::Dot { heads: 1 };

/// softmax(q·kᵀ / √d) · v.
///
/// Shapes: query `[d]`, keys `[n, d]`, values `[n, dv]`, result `[dv]`. Cost: O(n·(d + dv)) a query.
///
/// Source: Vaswani et al., "Attention Is All You Need", 2017, equation 1.
///
/// ```
/// use ruvector_attention::{Attention, ScaledDotProductAttention};
/// let attention = ScaledDotProductAttention::new(2)?;
/// // Both keys score the same, so the result is the mean of the values.
/// assert_eq!(attention.forward(&[0.0, 0.0], &[1.0, 0.0, 0.0, 1.0], &[1.0, 3.0])?, [2.0]);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ScaledDotProductAttention {
    dim: usize,
    settings: Settings,
}

impl ScaledDotProductAttention {
    /// For queries and keys of length `dim` ≥ 1.
    pub fn new(dim: usize) -> Result<Self> {
        Ok(Self { dim: shape::positive("dim", dim)?, settings: Settings::default() })
    }
}

super::configurable!(ScaledDotProductAttention);

impl Attention for ScaledDotProductAttention {
    fn kind(&self) -> &'static str {
        "scaled-dot-product"
    }

    fn dim(&self) -> Option<usize> {
        Some(self.dim)
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
        engine::forward(MECHANISM, &self.settings, queries, dim, keys, values, options, out)
    }

    fn stream(
        &self,
        queries: &[f32],
        dim: usize,
        value_dim: usize,
        options: &Options<'_>,
    ) -> Result<AttentionState> {
        shape::batch_dim(dim, self.dim())?;
        AttentionState::start(MECHANISM, &self.settings, queries, dim, value_dim, options)
    }
}
