//! Scaled dot-product attention.

use super::forward_methods;
use crate::error::WasmError;
use crate::types;
use attention::{Attention, ScaledDotProductAttention};
use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

/// Softmax attention with scores scaled by 1/sqrt(dim).
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmScaledDotProduct {
    attention: ScaledDotProductAttention,
}

#[wasm_bindgen]
impl WasmScaledDotProduct {
    /// For queries and keys of length `dim`.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "number")] dim: &JsValue,
    ) -> Result<WasmScaledDotProduct, WasmError> {
        let attention = ScaledDotProductAttention::new(types::count(dim, "dim")?)?;
        Ok(WasmScaledDotProduct { attention })
    }

    /// Length of a query.
    #[wasm_bindgen(getter)]
    pub fn dim(&self) -> usize {
        self.attention.dim().unwrap_or_default()
    }
}

forward_methods!(WasmScaledDotProduct);
