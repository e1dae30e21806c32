//! Linear attention.

use super::forward_methods;
use crate::error::WasmError;
use crate::types;
use attention::{Attention, LinearAttention};
use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

/// Linear attention with the feature map elu(x) + 1; it has no top-k.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmLinearAttention {
    attention: LinearAttention,
}

#[wasm_bindgen]
impl WasmLinearAttention {
    /// For queries and keys of length `dim`.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "number")] dim: &JsValue,
    ) -> Result<WasmLinearAttention, WasmError> {
        let attention = LinearAttention::new(types::count(dim, "dim")?)?;
        Ok(WasmLinearAttention { attention })
    }

    /// Length of a query.
    #[wasm_bindgen(getter)]
    pub fn dim(&self) -> usize {
        self.attention.dim().unwrap_or_default()
    }
}

forward_methods!(WasmLinearAttention);
