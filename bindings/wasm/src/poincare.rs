//! The geometry of the Poincaré ball.

use crate::error::Result;
use crate::tensors::{number, own_vector};
use attention::poincare;
use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

type Map = fn(&[f32], f64) -> attention::Result<Vec<f32>>;

/// A map of one point.
#[inline(never)]
pub fn map(x: &JsValue, curvature: f64, map: Map) -> Result<Float32Array> {
    let point = map(&own_vector(x, "x")?, curvature)?;
    Ok(Float32Array::from(point.as_slice()))
}

/// Distance of two points.
pub fn distance(x: &JsValue, y: &JsValue, curvature: f64) -> Result<f64> {
    Ok(poincare::distance(&own_vector(x, "x")?, &own_vector(y, "y")?, curvature)?)
}

/// Distance of two points of the ball of curvature -`curvature`.
#[wasm_bindgen(js_name = poincareDistance)]
pub fn poincare_distance(
    #[wasm_bindgen(unchecked_param_type = "Vector")] x: &JsValue,
    #[wasm_bindgen(unchecked_param_type = "Vector")] y: &JsValue,
    #[wasm_bindgen(unchecked_param_type = "number")] curvature: &JsValue,
) -> Result<f64> {
    distance(x, y, number(curvature, "curvature")?)
}

macro_rules! maps {
    ($($(#[$doc:meta])* $name:ident as $js:ident;)*) => {$(
        $(#[$doc])*
        #[wasm_bindgen(js_name = $js)]
        pub fn $name(
            #[wasm_bindgen(unchecked_param_type = "Vector")] x: &JsValue,
            #[wasm_bindgen(unchecked_param_type = "number")] curvature: &JsValue,
        ) -> Result<Float32Array> {
            map(x, number(curvature, "curvature")?, poincare::$name)
        }
    )*};
}

maps! {
    /// Maps a Euclidean vector into the ball: the exponential map at the origin.
    to_poincare as toPoincare;
    /// Maps a point of the ball to a Euclidean vector: the inverse of `toPoincare`.
    from_poincare as fromPoincare;
    /// Moves a point that lies outside the ball to just inside its boundary; others stay.
    project_to_ball as projectToBall;
}
