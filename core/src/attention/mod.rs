//! The mechanisms, one a file, and the trait they share.

/// The setters that softmax mechanisms share.
macro_rules! configurable {
    ($name:ident) => {
        impl $name {
            /// Attends to the k best keys wherever a call's options name no other k; k ≥ 1.
            pub fn with_neighbors(mut self, neighbors: usize) -> crate::Result<Self> {
                self.settings.neighbors = Some(crate::shape::positive("neighbors", neighbors)?);
                Ok(self)
            }

            /// Drops attention weights with this probability in training passes; in [0, 1), and nothing at inference.
            pub fn with_dropout(mut self, dropout: f64) -> crate::Result<Self> {
                self.settings.dropout = crate::shape::dropout(dropout)?;
                Ok(self)
            }

            /// Computes with this kernel instead of the detected one.
            pub fn with_kernel(mut self, kernel: crate::Kernel) -> Self {
                self.settings.kernel = kernel;
                self
            }

            /// k of top-k where a call's options name none.
            pub fn neighbors(&self) -> Option<usize> {
                self.settings.neighbors
            }

            /// Probability that a training pass drops a weight.
            pub fn dropout(&self) -> f64 {
                self.settings.dropout
            }
        }
    };
}
use configurable;

pub(crate) mod cross;
pub(crate) mod engine;
pub(crate) mod hyperbolic;
pub(crate) mod linear;
pub(crate) mod multi_head;
pub(crate) mod scaled_dot;
pub(crate) mod softmax;
pub(crate) mod stream;
pub(crate) mod tiled;
pub(crate) mod weights;

use crate::error::Result;
use crate::options::Options;
use crate::shape::{self, Shape};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use stream::AttentionState;

/// What all mechanisms offer. Tensors are flat, row-major `f32` slices.
///
/// Shapes: with `dim` the length of a query, `keys` holds n ≥ 1 rows of `dim`, `values` n rows of any one width `dv`,
/// and each query yields `dv` elements.
///
/// Errors of every call: [`Error::Length`](crate::Error::Length) and
/// [`Error::Parameter`](crate::Error::Parameter) for shapes that do not agree,
/// [`Error::NonFinite`](crate::Error::NonFinite) for NaN or ∞ in the input, looked for only where the result is not
/// finite, and [`Error::Overflow`](crate::Error::Overflow) where finite inputs lead beyond `f32`.
pub trait Attention: fmt::Debug + Send + Sync {
    /// The mechanism's name in [`features`](crate::features), such as `"scaled-dot-product"`.
    fn kind(&self) -> &'static str;

    /// The length of a query it was built for; `None` where any will do.
    fn dim(&self) -> Option<usize>;

    /// Name of the kernel it computes with.
    fn kernel(&self) -> &'static str;

    /// Attends with m queries, flat `[m·dim]`, and writes `[m·dv]` results to `out`.
    ///
    /// After an error the contents of `out` are unspecified.
    fn forward_into(
        &self,
        queries: &[f32],
        dim: usize,
        keys: &[f32],
        values: &[f32],
        options: &Options<'_>,
        out: &mut [f32],
    ) -> Result<()>;

    /// Starts a computation whose keys and values arrive in chunks.
    ///
    /// `options.mask` is refused here: a mask belongs to a chunk, see [`AttentionState::push_masked`].
    fn stream(
        &self,
        queries: &[f32],
        dim: usize,
        value_dim: usize,
        options: &Options<'_>,
    ) -> Result<AttentionState>;

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
        shape::batch_dim(dim, self.dim())?;
        let shape = Shape::check("queries", queries, dim, keys, values)?;
        let mut out = vec![0.0; shape.output_len()?];
        self.forward_into(queries, dim, keys, values, options, &mut out)?;
        Ok(out)
    }
}
