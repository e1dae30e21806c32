//! Linear attention.

mod call;
mod chunk;
mod map;
mod random;
mod sums;
mod tile;

pub(crate) use call::{Buffers, Call, Shared};
pub(crate) use chunk::Chunk;
pub(crate) use random::{Projection, RandomFeatures};
pub(crate) use sums::Sums;

use super::common::{configurable, Common, Mechanism};
use super::stream::AttentionState;
use super::workspace::Workspace;
use super::Attention;
use crate::error::{Error, Result};
use crate::inputs::Inputs;
use crate::options::Options;
use crate::shape;
use alloc::sync::Arc;

/// φ(q)·Σ φ(k)vᵀ / φ(q)·Σ φ(k) with φ(x) = elu(x) + 1: linear in the number of keys.
///
/// Shapes: query `[d]`, keys `[n, d]`, values `[n, dv]`, result `[dv]`. Cost: O((n + m)·d·dv), also in causal order,
/// where a running state follows the queries. Top-k and dropout in training are refused: there are no single
/// weights to select by or to drop.
///
/// Source: Katharopoulos et al., "Transformers are RNNs", 2020, equations 5 to 12.
///
/// ```
/// use ruvector_attention::{Attention, LinearAttention};
/// let attention = LinearAttention::new(1)?;
/// // φ(0) = 1 and φ(1) = 2: the second value counts twice.
/// assert_eq!(attention.forward(&[0.0], &[0.0, 1.0], &[0.0, 3.0])?, [2.0]);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LinearAttention {
    common: Common,
}

impl LinearAttention {
    /// For queries and keys of length `dim` ≥ 1.
    pub fn new(dim: usize) -> Result<Self> {
        let dim = shape::positive("dim", dim)?;
        Ok(Self { common: Common::new("linear", Some(dim), Mechanism::Linear { random: None }) })
    }
}

impl LinearAttention {
    /// Approximates softmax attention, with this many random features in place of elu(x) + 1.
    ///
    /// φ(x) = e^(w·x′ − ‖x′‖²/2) for each of `features` rows w, with x′ = x/d^(1/4): then the mean of φ(q)·φ(k) over
    /// draws of w is e^(q·k/√d). The rows are Gaussian, and those of each block of d orthogonal to each other; they
    /// follow from `seed` alone, on every machine. So do results, up to the rounding of the kernel at hand.
    ///
    /// Cost: O(features·d²) here, once; O((n + m)·features·(d + dv)) a call. Error: one weight before it is normalized is
    /// off by the factor 1 ± √((e^s − 1)/features) or less, s = ‖q + k‖²/√d, so four times the features halve it. Rows
    /// of large norm need more features than is practical: scale them down, or use softmax attention itself.
    ///
    /// Errors: [`Error::Parameter`] for `features` of 0 or above 2²⁵/d.
    ///
    /// Source: Choromanski et al., "Rethinking Attention with Performers", 2021, FAVOR+; the error is their Lemma 2.
    ///
    /// ```
    /// use ruvector_attention::{Attention, LinearAttention, ScaledDotProductAttention};
    /// let (query, keys, values) = ([0.3, -0.5], [0.4, 0.1, -0.2, 0.6], [1.0, 2.0]);
    /// let softmax = ScaledDotProductAttention::new(2)?.forward(&query, &keys, &values)?;
    /// let random = LinearAttention::new(2)?.with_random_features(4_096, 1)?.forward(&query, &keys, &values)?;
    /// assert!((softmax[0] - random[0]).abs() < 0.02);
    /// # Ok::<(), ruvector_attention::Error>(())
    /// ```
    pub fn with_random_features(mut self, features: usize, seed: u64) -> Result<Self> {
        let random = RandomFeatures { features, seed };
        let projection = Projection::new(self.common.dim.unwrap_or(1), random)?;
        self.common.mechanism = Mechanism::Linear { random: Some(random) };
        self.common.settings.projection = Some(Arc::new(projection));
        Ok(self)
    }

    /// The transposed rows w/d^(1/4) of the random features, `[d, features]`; `None` without them.
    pub fn projection(&self) -> Option<&[f32]> {
        self.common.settings.projection.as_deref().map(|projection| projection.columns.as_slice())
    }
}

configurable!(LinearAttention);

impl Attention for LinearAttention {
    fn common(&self) -> &Common {
        &self.common
    }

    fn stream(
        &self,
        queries: &[f32],
        dim: usize,
        value_dim: usize,
        options: &Options<'_>,
    ) -> Result<AttentionState> {
        refuse(&self.common, options)?;
        AttentionState::start(&self.common, queries, dim, value_dim, options)
    }
}

/// One call of linear attention.
pub(crate) fn forward(
    common: &Common,
    inputs: &Inputs<'_>,
    options: &Options<'_>,
    workspace: &mut Workspace,
    out: &mut [f32],
) -> Result<()> {
    let shape = inputs.check(common.dim)?;
    shape.check_output(out)?;
    refuse(common, options)?;
    let random = common.mechanism.random_features();
    shape::product("values", &[random.map_or(shape.dim, |random| random.features), shape.value_dim])?;
    let Workspace { memory, hands, .. } = workspace;
    let chunk = Chunk::new(shape, inputs.keys, inputs.values, options.mask, &mut memory.allowed)?;
    let call = Call { settings: &common.settings, random, chunk: &chunk };
    let visible = |query| shape.visible(query, options.causal);
    let mut sums = core::mem::take(&mut hands.linear);
    sums.reset(random, shape.dim, shape.value_dim);
    let answered = call.attend(&mut sums, inputs.queries, &visible, hands, out);
    hands.linear = sums;
    hands.even();
    answered?;
    inputs.blame(out)
}

/// Refuses what takes single weights: there are none to select by or to drop.
fn refuse(common: &Common, options: &Options<'_>) -> Result<()> {
    let refused = |argument| Err(Error::Unsupported { argument, by: "linear attention" });
    match options {
        Options { neighbors: Some(_), .. } => refused("neighbors"),
        options if common.settings.dropout(options).is_some() => refused("training"),
        _ => Ok(()),
    }
}
