//! Cross and self attention: scaled dot-product attention by the roles of its tensors.

use super::engine::{self, Mechanism, Settings};
use super::stream::AttentionState;
use super::Attention;
use crate::error::Result;
use crate::options::Options;
use crate::shape;
use alloc::vec::Vec;

const MECHANISM: Mechanism = Mechanism::Dot { heads: 1 };

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
    dim: usize,
    settings: Settings,
}

impl CrossAttention {
    /// For queries and keys of length `dim` ≥ 1.
    pub fn new(dim: usize) -> Result<Self> {
        Ok(Self { dim: shape::positive("dim", dim)?, settings: Settings::default() })
    }
}

super::configurable!(CrossAttention);

impl Attention for CrossAttention {
    fn kind(&self) -> &'static str {
        "cross-attention"
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
    dim: usize,
    settings: Settings,
}

impl SelfAttention {
    /// For queries and keys of length `dim` ≥ 1.
    pub fn new(dim: usize) -> Result<Self> {
        Ok(Self { dim: shape::positive("dim", dim)?, settings: Settings::default() })
    }

    /// Attends with each row of `x`, flat `[n·dim]`, over all of them; returns `[n·dim]`.
    ///
    /// Errors name the argument `x` where its length or an element is at fault.
    pub fn attend(&self, x: &[f32], options: &Options<'_>) -> Result<Vec<f32>> {
        shape::rows("x", x.len(), self.dim)?;
        self.forward_batch(x, self.dim, x, x, options).map_err(|error| error.renamed("queries", "x"))
    }
}

super::configurable!(SelfAttention);

impl Attention for SelfAttention {
    fn kind(&self) -> &'static str {
        "self-attention"
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
