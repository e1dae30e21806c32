//! Cross and self attention: scaled dot-product attention by the roles of its tensors.

use super::common::{configurable, selective, Common};
use super::Attention;
use crate::error::Result;
use crate::options::Options;
use crate::shape;
use alloc::vec::Vec;

/// m queries over another memory: softmax(q·kᵀ / √d) · v.
///
/// Shapes: queries `[m, d]`, keys `[n, d]`, values `[n, dv]`, result `[m, dv]`. Cost: O(m·n·(d + dv)).
///
/// Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.3, encoder-decoder attention.
///
/// ```
/// use ruvector_attention::{Attention, CrossAttention, Options};
/// let attention = CrossAttention::new(1)?;
/// let memory = attention.forward_batch(&[0.0, 0.0, 0.0], 1, &[1.0, 2.0], &[4.0, 6.0], &Options::default())?;
/// assert_eq!(memory, [5.0, 5.0, 5.0]);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CrossAttention {
    common: Common,
}

impl CrossAttention {
    /// For queries and keys of length `dim` ≥ 1.
    pub fn new(dim: usize) -> Result<Self> {
        Ok(Self { common: Common::one_head("cross-attention", dim)? })
    }
}

configurable!(CrossAttention);
selective!(CrossAttention);

impl Attention for CrossAttention {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// n rows over themselves, in causal order where asked: [`attend`](SelfAttention::attend).
///
/// The trait's methods take queries, keys and values apart, for rows that were projected differently.
///
/// Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.3.
///
/// ```
/// use ruvector_attention::{Options, SelfAttention};
/// let attention = SelfAttention::new(2)?;
/// let causal = Options { causal: true, ..Options::default() };
/// let rows = [1.0, 0.0, 0.0, 1.0];
/// // The first row sees itself only.
/// assert_eq!(attention.attend(&rows, &causal)?[..2], [1.0, 0.0]);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SelfAttention {
    common: Common,
}

impl SelfAttention {
    /// For queries and keys of length `dim` ≥ 1.
    pub fn new(dim: usize) -> Result<Self> {
        Ok(Self { common: Common::one_head("self-attention", dim)? })
    }

    /// Attends with each row of `x`, flat `[n·dim]`, over all of them; returns `[n·dim]`.
    ///
    /// Errors name the argument `x` where its length or an element is at fault.
    pub fn attend(&self, x: &[f32], options: &Options<'_>) -> Result<Vec<f32>> {
        let dim = self.common.dim.unwrap_or(0);
        shape::rows("x", x.len(), dim)?;
        self.forward_batch(x, dim, x, x, options).map_err(|error| error.renamed("queries", "x"))
    }
}

configurable!(SelfAttention);
selective!(SelfAttention);

impl Attention for SelfAttention {
    fn common(&self) -> &Common {
        &self.common
    }
}
