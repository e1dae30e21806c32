//! Self attention: one sequence is queries, keys and values.

use crate::error::WasmError;
use crate::types;
use attention::{Attention, SelfAttention};
use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

/// Softmax attention of a sequence over itself.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmSelfAttention {
    attention: SelfAttention,
}

#[wasm_bindgen]
impl WasmSelfAttention {
    /// For sequences of rows of length `dim`.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "number")] dim: &JsValue,
    ) -> Result<WasmSelfAttention, WasmError> {
        Ok(WasmSelfAttention { attention: SelfAttention::new(types::count(dim, "dim")?)? })
    }

    /// Length of a row.
    #[wasm_bindgen(getter)]
    pub fn dim(&self) -> usize {
        self.attention.dim().unwrap_or_default()
    }

    /// Attends from each row of the flat sequence `x` over all of them.
    pub fn forward(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Float32Array")] x: &JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "AttentionArgument | null")] options: &JsValue,
    ) -> Result<Float32Array, WasmError> {
        let options = types::options(options)?;
        let result = self.attention.attend(&types::tensor(x, "x")?, &options.as_core())?;
        Ok(Float32Array::from(result.as_slice()))
    }

    /// Attends within each of several sequences.
    #[wasm_bindgen(js_name = forwardBatch, unchecked_return_type = "Float32Array[]")]
    pub fn forward_batch(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Float32Array[]")] sequences: &JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "AttentionArgument | null")] options: &JsValue,
    ) -> Result<JsValue, WasmError> {
        let options = types::options(options)?;
        let attend = |x: &Vec<f32>| Ok(self.attention.attend(x, &options.as_core())?);
        let results: Result<Vec<Vec<f32>>, WasmError> =
            types::rows(sequences, "sequences")?.iter().map(attend).collect();
        Ok(types::arrays(results?.iter().map(Vec::as_slice)))
    }
}
