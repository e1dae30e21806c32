//! Multi-head attention.

use super::forward_methods;
use crate::error::WasmError;
use crate::types;
use attention::MultiHeadAttention;
use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

/// Softmax attention of several heads, each over its share of the dimension; nothing is projected.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmMultiHeadAttention {
    attention: MultiHeadAttention,
}

#[wasm_bindgen]
impl WasmMultiHeadAttention {
    /// hiddenDim has to be a multiple of numHeads; dropout lies in [0, 1), does nothing at inference and may be left out.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(js_name = numHeads, unchecked_param_type = "number")] num_heads: &JsValue,
        #[wasm_bindgen(js_name = hiddenDim, unchecked_param_type = "number")] hidden_dim: &JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "number | null")] dropout: &JsValue,
    ) -> Result<WasmMultiHeadAttention, WasmError> {
        let attention = MultiHeadAttention::new(
            types::count(num_heads, "numHeads")?,
            types::count(hidden_dim, "hiddenDim")?,
            types::number_or_zero(dropout, "dropout")?,
        )?;
        Ok(WasmMultiHeadAttention { attention })
    }

    /// Number of heads.
    #[wasm_bindgen(getter, js_name = numHeads)]
    pub fn num_heads(&self) -> usize {
        self.attention.num_heads()
    }

    /// Length of a query: all heads together.
    #[wasm_bindgen(getter, js_name = hiddenDim)]
    pub fn hidden_dim(&self) -> usize {
        self.attention.hidden_dim()
    }

    /// Length of one head: hiddenDim / numHeads.
    #[wasm_bindgen(getter, js_name = headDim)]
    pub fn head_dim(&self) -> usize {
        self.attention.head_dim()
    }
}

forward_methods!(WasmMultiHeadAttention);
