//! Hyperbolic attention, and the geometry it lives in.

use super::forward_methods;
use crate::error::WasmError;
use crate::types;
use attention::{poincare, HyperbolicAttention};
use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

/// Attention in the Poincaré ball: scores are negative distances, the result is a gyromidpoint.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmHyperbolicAttention {
    attention: HyperbolicAttention,
    curvature: f64,
}

type Map = fn(&[f32], f64) -> attention::Result<Vec<f32>>;

impl WasmHyperbolicAttention {
    fn map(&self, x: &JsValue, map: Map) -> Result<Float32Array, WasmError> {
        let point = map(&types::tensor(x, "x")?, self.curvature)?;
        Ok(Float32Array::from(point.as_slice()))
    }
}

// JavaScript knows the maps by these names.
#[allow(clippy::wrong_self_convention)]
#[wasm_bindgen]
impl WasmHyperbolicAttention {
    /// For the ball of curvature -`curvature`, whose radius is 1/sqrt(curvature).
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "number")] curvature: &JsValue,
    ) -> Result<WasmHyperbolicAttention, WasmError> {
        let curvature = types::number(curvature, "curvature")?;
        Ok(WasmHyperbolicAttention { attention: HyperbolicAttention::new(curvature)?, curvature })
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
        #[wasm_bindgen(unchecked_param_type = "Float32Array")] x: &JsValue,
        #[wasm_bindgen(unchecked_param_type = "Float32Array")] y: &JsValue,
    ) -> Result<f64, WasmError> {
        let (x, y) = (types::tensor(x, "x")?, types::tensor(y, "y")?);
        Ok(poincare::distance(&x, &y, self.curvature)?)
    }

    /// Maps a Euclidean vector into the ball: the exponential map at the origin.
    #[wasm_bindgen(js_name = toPoincare)]
    pub fn to_poincare(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Float32Array")] x: &JsValue,
    ) -> Result<Float32Array, WasmError> {
        self.map(x, poincare::to_poincare)
    }

    /// Maps a point of the ball to a Euclidean vector: the inverse of `toPoincare`.
    #[wasm_bindgen(js_name = fromPoincare)]
    pub fn from_poincare(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Float32Array")] x: &JsValue,
    ) -> Result<Float32Array, WasmError> {
        self.map(x, poincare::from_poincare)
    }

    /// Moves a point that lies outside the ball to just inside its boundary; others stay.
    #[wasm_bindgen(js_name = projectToBall)]
    pub fn project_to_ball(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Float32Array")] x: &JsValue,
    ) -> Result<Float32Array, WasmError> {
        self.map(x, poincare::project_to_ball)
    }
}

forward_methods!(WasmHyperbolicAttention);
