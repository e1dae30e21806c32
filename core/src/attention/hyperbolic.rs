//! Hyperbolic attention in the Poincaré ball.

use super::common::{configurable, selective, Common, Mechanism};
use super::engine;
use super::stream::AttentionState;
use super::workspace::Workspace;
use super::Attention;
use crate::error::{Error, Result};
use crate::inputs::Inputs;
use crate::kernels::rows::Rows;
use crate::options::Options;
use crate::poincare;
use crate::shape;

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
    common: Common,
    curvature: f64,
    project: bool,
}

impl HyperbolicAttention {
    /// For the ball of curvature −c, `curvature` = c > 0 and finite.
    pub fn new(curvature: f64) -> Result<Self> {
        let mechanism = Mechanism::Ball { c: shape::curvature(curvature)? };
        Ok(Self { common: Common::new("hyperbolic", None, mechanism), curvature, project: false })
    }

    /// Accepts queries of this length only; without it, of any length.
    pub fn with_dim(mut self, dim: usize) -> Result<Self> {
        self.common.dim = Some(shape::positive("dim", dim)?);
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
}

configurable!(HyperbolicAttention);
selective!(HyperbolicAttention);

impl Attention for HyperbolicAttention {
    fn common(&self) -> &Common {
        &self.common
    }

    fn forward_into(
        &self,
        inputs: &Inputs<'_>,
        options: &Options<'_>,
        workspace: &mut Workspace,
        out: &mut [f32],
    ) -> Result<()> {
        if !self.project {
            return engine::forward(&self.common, inputs, options, workspace, out);
        }
        let shape = inputs.check(self.common.dim)?;
        let [mut queries, mut keys, mut values, spare] = core::mem::take(&mut workspace.projected);
        poincare::project_rows(Rows::packed(inputs.queries, shape.dim), self.curvature, &mut queries);
        poincare::project_rows(Rows::packed(inputs.keys, shape.dim), self.curvature, &mut keys);
        poincare::project_rows(Rows::packed(inputs.values, shape.value_dim), self.curvature, &mut values);
        let inside = Inputs::new(&queries, shape.dim, keys.as_slice(), values.as_slice());
        let answered = engine::forward(&self.common, &inside, options, workspace, out);
        workspace.projected = [queries, keys, values, spare];
        answered
    }

    fn stream(
        &self,
        queries: &[f32],
        dim: usize,
        value_dim: usize,
        options: &Options<'_>,
    ) -> Result<AttentionState> {
        if self.project {
            return Err(Error::Unsupported { argument: "project", by: "streaming" });
        }
        AttentionState::start(&self.common, queries, dim, value_dim, options)
    }
}
