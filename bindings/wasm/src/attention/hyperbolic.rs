//! Hyperbolic attention.

use super::forward_methods;
use crate::cache;
use crate::call::{self, Mechanism, Rest};
use crate::error::Result;
use crate::poincare::{distance, map};
use crate::state::{self, AttentionState};
use crate::tensors;
use attention::{poincare, HyperbolicAttention};
use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

/// Attention in the Poincaré ball: scores are negative distances, the result is a gyromidpoint.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmHyperbolicAttention {
    mechanism: Mechanism,
    curvature: f64,
}

// JavaScript knows the maps by these names.
#[allow(clippy::wrong_self_convention)]
#[wasm_bindgen]
impl WasmHyperbolicAttention {
    /// For the ball of curvature -`curvature`, whose radius is 1/sqrt(curvature).
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "number")] curvature: &JsValue,
    ) -> Result<WasmHyperbolicAttention> {
        let curvature = tensors::number(curvature, "curvature")?;
        let mechanism = Mechanism::Ball(HyperbolicAttention::new(curvature)?);
        Ok(WasmHyperbolicAttention { mechanism, curvature })
    }

    /// c, where the space has curvature -c.
    #[wasm_bindgen(getter)]
    pub fn curvature(&self) -> f64 {
        self.curvature
    }

    /// Distance of two points of the ball.
    #[wasm_bindgen(js_name = poincareDistance)]
    pub fn poincare_distance(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Vector")] x: &JsValue,
        #[wasm_bindgen(unchecked_param_type = "Vector")] y: &JsValue,
    ) -> Result<f64> {
        distance(x, y, self.curvature)
    }

    /// Maps a Euclidean vector into the ball: the exponential map at the origin.
    #[wasm_bindgen(js_name = toPoincare)]
    pub fn to_poincare(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Vector")] x: &JsValue,
    ) -> Result<Float32Array> {
        map(x, self.curvature, poincare::to_poincare)
    }

    /// Maps a point of the ball to a Euclidean vector: the inverse of `toPoincare`.
    #[wasm_bindgen(js_name = fromPoincare)]
    pub fn from_poincare(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Vector")] x: &JsValue,
    ) -> Result<Float32Array> {
        map(x, self.curvature, poincare::from_poincare)
    }

    /// Moves a point that lies outside the ball to just inside its boundary; others stay.
    #[wasm_bindgen(js_name = projectToBall)]
    pub fn project_to_ball(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Vector")] x: &JsValue,
    ) -> Result<Float32Array> {
        map(x, self.curvature, poincare::project_to_ball)
    }
}

forward_methods!(WasmHyperbolicAttention);
