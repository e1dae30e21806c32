//! The tensors of one call.

use crate::error::{Error, Result};
use crate::shape::{self, Shape};
use crate::tensor::Tensor;

/// The tensors of one call, flat and row-major: m queries `[m·dim]` over n keys `[n·dim]` and values `[n·dv]`.
///
/// ```
/// use ruvector_attention::{Attention, Inputs, Options, ScaledDotProductAttention, Workspace};
/// let attention = ScaledDotProductAttention::new(2)?;
/// let inputs = Inputs::new(&[0.0, 0.0], 2, &[1.0, 0.0, 0.0, 1.0], &[1.0, 3.0]);
/// let (mut workspace, mut out) = (Workspace::new(), [0.0]);
/// attention.forward_into(&inputs, &Options::default(), &mut workspace, &mut out)?;
/// assert_eq!(out, [2.0]);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// m queries, `[m·dim]`.
    pub queries: &'a [f32],
    /// Length of a query and of a key.
    pub dim: usize,
    /// n keys, `[n·dim]`.
    pub keys: Tensor<'a>,
    /// n values, `[n·dv]`.
    pub values: Tensor<'a>,
}

impl<'a> Inputs<'a> {
    /// These tensors; checked by the call that takes them.
    pub fn new(
        queries: &'a [f32],
        dim: usize,
        keys: impl Into<Tensor<'a>>,
        values: impl Into<Tensor<'a>>,
    ) -> Self {
        Inputs { queries, dim, keys: keys.into(), values: values.into() }
    }

    /// Checks the three tensors against each other and the dim that the attention was built for.
    pub(crate) fn check(&self, dim: Option<usize>) -> Result<Shape> {
        shape::batch_dim(self.dim, dim)?;
        Shape::check(self.queries.len(), self.dim, self.keys.len(), self.values.len())
    }

    /// Looks for the cause of a result that is not finite (D46).
    ///
    /// Called only after the result was seen not to be finite, so that finite calls do not pay for it.
    pub(crate) fn blame(&self, out: &[f32]) -> Result<()> {
        let Some(index) = shape::first_non_finite(out) else { return Ok(()) };
        Err(self.fault().unwrap_or(Error::Overflow { index }))
    }

    /// The first non-finite element, as an error.
    pub(crate) fn fault(&self) -> Option<Error> {
        let tensors = [("queries", self.queries.into()), ("keys", self.keys), ("values", self.values)];
        shape::blame_inputs(&tensors)
    }
}
