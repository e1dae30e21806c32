//! Hyperbolic attention, and the geometry it lives in.

use super::*;
use attention::poincare;

/// Attention in the Poincaré ball: scores are negative distances, the result is a gyromidpoint.
#[napi]
pub struct HyperbolicAttention {
    engine: Arc<Engine>,
    curvature: f64,
}

impl HyperbolicAttention {
    fn map(
        &self,
        x: &Unknown<'_>,
        map: fn(&[f32], f64) -> attention::Result<Vec<f32>>,
    ) -> Result<Float32Array, Failure> {
        Ok(Float32Array::new(map(types::tensor(x, "x")?, self.curvature)?))
    }

    fn distance(&self, x: &Unknown<'_>, y: &Unknown<'_>) -> Result<f64, Failure> {
        Ok(poincare::distance(types::tensor(x, "x")?, types::tensor(y, "y")?, self.curvature)?)
    }
}

// JavaScript knows the maps by these names.
#[allow(clippy::wrong_self_convention)]
#[napi]
impl HyperbolicAttention {
    /// For the ball of curvature -`curvature`, whose radius is 1/sqrt(curvature).
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, #[napi(ts_arg_type = "number")] curvature: Unknown<'_>) -> napi::Result<Self> {
        let make = || {
            let curvature = types::number(&curvature, "curvature")?;
            let engine = Engine::new(attention::HyperbolicAttention::new(curvature))?;
            Ok(Self { engine, curvature })
        };
        throw(&env, make())
    }

    /// c, where the space has curvature -c.
    #[napi(getter, catch_unwind)]
    pub fn curvature(&self) -> f64 {
        self.curvature
    }

    /// Distance of two points of the ball.
    #[napi(catch_unwind)]
    pub fn poincare_distance(
        &self,
        env: Env,
        #[napi(ts_arg_type = "Float32Array")] x: Unknown<'_>,
        #[napi(ts_arg_type = "Float32Array")] y: Unknown<'_>,
    ) -> napi::Result<f64> {
        throw(&env, self.distance(&x, &y))
    }

    /// Maps a Euclidean vector into the ball: the exponential map at the origin.
    #[napi(catch_unwind)]
    pub fn to_poincare(
        &self,
        env: Env,
        #[napi(ts_arg_type = "Float32Array")] x: Unknown<'_>,
    ) -> napi::Result<Float32Array> {
        throw(&env, self.map(&x, poincare::to_poincare))
    }

    /// Maps a point of the ball to a Euclidean vector: the inverse of `toPoincare`.
    #[napi(catch_unwind)]
    pub fn from_poincare(
        &self,
        env: Env,
        #[napi(ts_arg_type = "Float32Array")] x: Unknown<'_>,
    ) -> napi::Result<Float32Array> {
        throw(&env, self.map(&x, poincare::from_poincare))
    }

    /// Moves a point that lies outside the ball to just inside its boundary; others stay.
    #[napi(catch_unwind)]
    pub fn project_to_ball(
        &self,
        env: Env,
        #[napi(ts_arg_type = "Float32Array")] x: Unknown<'_>,
    ) -> napi::Result<Float32Array> {
        throw(&env, self.map(&x, poincare::project_to_ball))
    }
}

forward_methods!(HyperbolicAttention);
