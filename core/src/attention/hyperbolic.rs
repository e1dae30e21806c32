//! Hyperbolic attention in the Poincaré ball.

use super::engine::{self, Mechanism, Settings};
use super::stream::AttentionState;
use super::Attention;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::poincare;
use crate::shape;
use alloc::borrow::Cow;

/// Attention by distance in the Poincaré ball of curvature −c.
///
/// Weights are softmax(−d_c(q, k)); the result is the weighted gyromidpoint ½ ⊗ (Σ w·λ·v / Σ w·(λ − 1)) of the values
/// with λ = 2/(1 − c‖v‖²), again a point of the ball. Queries, keys and values must lie inside the ball, unless
/// [`with_projection`](HyperbolicAttention::with_projection) asks to project them into it.
///
/// Shapes: query `[d]`, keys `[n, d]`, values `[n, dv]`, result `[dv]`. Cost: O(n·(d + dv)) a query.
///
/// Errors beyond the trait's: [`Error::OutsideBall`], which names tensor and row.
///
/// Sources: Gulcehre et al., "Hyperbolic Attention Networks", 2019; Shimizu, Mukuta and Harada, "Hyperbolic Neural
/// Networks++", 2021, for the midpoint, which equals the Einstein midpoint.
///
/// ```
/// use ruvector_attention::{Attention, HyperbolicAttention};
/// let attention = HyperbolicAttention::new(1.0)?;
/// let points = [0.5, 0.0, -0.5, 0.0];
/// // Halfway between two opposite points, seen from the middle.
/// let middle = attention.forward(&[0.0, 0.0], &points, &points)?;
/// assert!(middle[0].abs() < 1e-7);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct HyperbolicAttention {
    curvature: f64,
    dim: Option<usize>,
    project: bool,
    settings: Settings,
}

impl HyperbolicAttention {
    /// For the ball of curvature −c, `curvature` = c > 0 and finite.
    pub fn new(curvature: f64) -> Result<Self> {
        Ok(Self {
            curvature: shape::curvature(curvature)?,
            dim: None,
            project: false,
            settings: Settings::default(),
        })
    }

    /// Accepts queries of this length only; without it, of any length.
    pub fn with_dim(mut self, dim: usize) -> Result<Self> {
        self.dim = Some(shape::positive("dim", dim)?);
        Ok(self)
    }

    /// Projects queries, keys and values into the ball first, as
    /// [`project_to_ball`](crate::poincare::project_to_ball) does.
    pub fn with_projection(mut self, project: bool) -> Self {
        self.project = project;
        self
    }

    /// c, for curvature −c.
    pub fn curvature(&self) -> f64 {
        self.curvature
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Ball { c: self.curvature }
    }

    /// The tensor, with each row of `width` projected where that was asked for. Rows that are not finite stay so.
    fn inside<'a>(&self, tensor: &'a [f32], width: usize) -> Cow<'a, [f32]> {
        if !self.project {
            return Cow::Borrowed(tensor);
        }
        Cow::Owned(tensor.chunks(width).flat_map(|row| poincare::projected(row, self.curvature)).collect())
    }
}

super::configurable!(HyperbolicAttention);

impl Attention for HyperbolicAttention {
    fn kind(&self) -> &'static str {
        "hyperbolic"
    }

    fn dim(&self) -> Option<usize> {
        self.dim
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
        shape::batch_dim(dim, self.dim)?;
        let shape = shape::Shape::check("queries", queries, dim, keys, values)?;
        let queries = self.inside(queries, dim);
        let keys = self.inside(keys, dim);
        let values = self.inside(values, shape.value_dim);
        engine::forward(self.mechanism(), &self.settings, &queries, dim, &keys, &values, options, out)
    }

    fn stream(
        &self,
        queries: &[f32],
        dim: usize,
        value_dim: usize,
        options: &Options<'_>,
    ) -> Result<AttentionState> {
        shape::batch_dim(dim, self.dim)?;
        if self.project {
            return Err(Error::Unsupported { argument: "project", by: "streaming" });
        }
        AttentionState::start(self.mechanism(), &self.settings, queries, dim, value_dim, options)
    }
}
