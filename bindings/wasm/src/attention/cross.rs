//! Cross attention.

use super::forward_methods;
use crate::error::WasmError;
use crate::types;
use attention::{Attention, CrossAttention};
use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

/// Softmax attention of queries over another memory.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmCrossAttention {
    attention: CrossAttention,
}

#[wasm_bindgen]
impl WasmCrossAttention {
    /// For queries and keys of length `dim`.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "number")] dim: &JsValue,
    ) -> Result<WasmCrossAttention, WasmError> {
        let attention = CrossAttention::new(types::count(dim, "dim")?)?;
        Ok(WasmCrossAttention { attention })
    }

    /// Length of a query.
    #[wasm_bindgen(getter)]
    pub fn dim(&self) -> usize {
        self.attention.dim().unwrap_or_default()
    }
}

forward_methods!(WasmCrossAttention);
