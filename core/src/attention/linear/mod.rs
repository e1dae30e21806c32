//! Linear attention.

mod call;
mod chunk;
mod sums;
mod tile;

pub(crate) use call::{Buffers, Call, Shared};
pub(crate) use chunk::Chunk;
pub(crate) use sums::Sums;

use super::common::{configurable, Common, Mechanism};
use super::stream::AttentionState;
use super::workspace::Workspace;
use super::Attention;
use crate::error::{Error, Result};
use crate::inputs::Inputs;
use crate::options::Options;
use crate::shape;

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
        Ok(Self { common: Common::new("linear", Some(dim), Mechanism::Linear) })
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
    shape::product("values", &[shape.dim, shape.value_dim])?;
    let Workspace { memory, hands, .. } = workspace;
    let chunk = Chunk::new(shape, inputs.keys, inputs.values, options.mask, &mut memory.allowed)?;
    let call = Call { settings: &common.settings, chunk: &chunk };
    let visible = |query| shape.visible(query, options.causal);
    let mut sums = core::mem::take(&mut hands.linear);
    sums.reset(shape.dim, shape.value_dim);
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
