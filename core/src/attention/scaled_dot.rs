//! Scaled dot-product attention.

use super::common::{configurable, selective, Common};
use super::Attention;
use crate::error::Result;

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
    common: Common,
}

impl ScaledDotProductAttention {
    /// For queries and keys of length `dim` ≥ 1.
    pub fn new(dim: usize) -> Result<Self> {
        Ok(Self { common: Common::one_head("scaled-dot-product", dim)? })
    }
}

configurable!(ScaledDotProductAttention);
selective!(ScaledDotProductAttention);

impl Attention for ScaledDotProductAttention {
    fn common(&self) -> &Common {
        &self.common
    }
}
