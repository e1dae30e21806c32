//! The mechanisms, one a file, and the trait they share.

pub(crate) mod ball;
pub(crate) mod common;
pub(crate) mod cross;
pub(crate) mod dropout;
pub(crate) mod engine;
pub(crate) mod hyperbolic;
pub(crate) mod linear;
pub(crate) mod memory;
pub(crate) mod multi_head;
pub(crate) mod partial;
pub(crate) mod scaled_dot;
pub(crate) mod softmax;
pub(crate) mod stream;
pub(crate) mod tiled;
pub(crate) mod top;
pub(crate) mod weights;
pub(crate) mod workspace;

use crate::error::Result;
use crate::inputs::Inputs;
use crate::options::Options;
use crate::shape;
use alloc::vec;
use alloc::vec::Vec;
use common::{Common, Mechanism};
use core::fmt;
use stream::AttentionState;
use workspace::Workspace;

/// What all mechanisms offer. Tensors are flat, row-major slices.
///
/// Shapes: with `dim` the length of a query, `keys` holds n ≥ 1 rows of `dim`, `values` n rows of any one width `dv`,
/// and each query yields `dv` elements.
///
/// Errors of every call: [`Error::Length`](crate::Error::Length) and
/// [`Error::Parameter`](crate::Error::Parameter) for shapes that do not agree,
/// [`Error::NonFinite`](crate::Error::NonFinite) for NaN or ∞ in the input, looked for only where the result is not
/// finite, and [`Error::Overflow`](crate::Error::Overflow) where finite inputs lead beyond `f32`.
pub trait Attention: fmt::Debug + Send + Sync {
    /// What the provided methods work with.
    #[doc(hidden)]
    fn common(&self) -> &Common;

    /// The mechanism's name in [`features`](crate::features), such as `"scaled-dot-product"`.
    fn kind(&self) -> &'static str {
        self.common().kind
    }

    /// The length of a query it was built for; `None` where any will do.
    fn dim(&self) -> Option<usize> {
        self.common().dim
    }

    /// Name of the kernel it computes with.
    fn kernel(&self) -> &'static str {
        self.common().settings.kernel.name()
    }

    /// Attends with m queries and writes `[m·dv]` results to `out`; allocates nothing once the workspace has grown.
    ///
    /// After an error the contents of `out` are unspecified.
    ///
    /// ```
    /// use ruvector_attention::sdk::prelude::*;
    /// let attention = ScaledDotProductAttention::new(2)?;
    /// let (mut workspace, mut out) = (Workspace::new(), [0.0; 2]);
    /// for query in [[1.0, 0.0], [0.0, 1.0]] {
    ///     let inputs = Inputs::new(&query, 2, &[1.0, 0.0], &[5.0, 7.0]);
    ///     attention.forward_into(&inputs, &Options::default(), &mut workspace, &mut out)?;
    ///     assert_eq!(out, [5.0, 7.0]);
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    fn forward_into(
        &self,
        inputs: &Inputs<'_>,
        options: &Options<'_>,
        workspace: &mut Workspace,
        out: &mut [f32],
    ) -> Result<()> {
        match self.common().mechanism {
            Mechanism::Linear { .. } => linear::forward(self.common(), inputs, options, workspace, out),
            _ => engine::forward(self.common(), inputs, options, workspace, out),
        }
    }

    /// Starts a computation whose keys and values arrive in chunks.
    ///
    /// `options.mask` is refused here: a mask belongs to a chunk, see [`AttentionState::push_masked`].
    fn stream(
        &self,
        queries: &[f32],
        dim: usize,
        value_dim: usize,
        options: &Options<'_>,
    ) -> Result<AttentionState> {
        AttentionState::start(self.common(), queries, dim, value_dim, options)
    }

    /// Attends with one query.
    fn forward(&self, query: &[f32], keys: &[f32], values: &[f32]) -> Result<Vec<f32>> {
        self.forward_with(query, keys, values, &Options::default())
    }

    /// Attends with one query and options.
    fn forward_with(
        &self,
        query: &[f32],
        keys: &[f32],
        values: &[f32],
        options: &Options<'_>,
    ) -> Result<Vec<f32>> {
        let dim = shape::query_dim(query, self.dim())?;
        self.forward_batch(query, dim, keys, values, options)
            .map_err(|error| error.renamed("queries", "query"))
    }

    /// Attends with m queries, flat `[m·dim]`, over the same keys and values; returns `[m·dv]`.
    fn forward_batch(
        &self,
        queries: &[f32],
        dim: usize,
        keys: &[f32],
        values: &[f32],
        options: &Options<'_>,
    ) -> Result<Vec<f32>> {
        let inputs = Inputs::new(queries, dim, keys, values);
        let mut out = vec![0.0; inputs.check(self.dim())?.output_len()?];
        self.forward_into(&inputs, options, &mut Workspace::new(), &mut out)?;
        Ok(out)
    }
}
