//! Self attention: one sequence is queries, keys and values.

use crate::call::{self, Mechanism};
use crate::error::{Result, WasmError};
use crate::tensors;
use attention::SelfAttention;
use js_sys::{Array, Float32Array};
use wasm_bindgen::prelude::*;

/// Softmax attention of a sequence over itself.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmSelfAttention {
    mechanism: Mechanism,
}

#[wasm_bindgen]
impl WasmSelfAttention {
    /// For sequences of rows of length `dim`.
    #[wasm_bindgen(constructor)]
    pub fn new(#[wasm_bindgen(unchecked_param_type = "number")] dim: &JsValue) -> Result<WasmSelfAttention> {
        let attention = SelfAttention::new(tensors::count(dim, "dim")?)?;
        Ok(WasmSelfAttention { mechanism: Mechanism::Own(attention) })
    }

    /// Length of a row.
    #[wasm_bindgen(getter)]
    pub fn dim(&self) -> usize {
        self.mechanism.dim().unwrap_or_default()
    }

    /// Attends from each row of the sequence over all of them; returns them flat.
    pub fn forward(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Matrix")] sequence: &JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "AttentionArgument | null")] options: &JsValue,
    ) -> Result<Float32Array> {
        call::forward_self(&self.mechanism, sequence, options)
    }

    /// Attends within each of several sequences.
    #[wasm_bindgen(js_name = forwardBatch, unchecked_return_type = "Float32Array[]")]
    pub fn forward_batch(
        &self,
        #[wasm_bindgen(unchecked_param_type = "readonly Matrix[]")] sequences: &JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "AttentionArgument | null")] options: &JsValue,
    ) -> Result<JsValue> {
        let sequences = tensors::elements(sequences)?
            .ok_or_else(|| WasmError::kind("sequences", "an array of sequences"))?;
        let answers = Array::new();
        for sequence in sequences.iter() {
            answers.push(&call::forward_self(&self.mechanism, &sequence, options)?.into());
        }
        Ok(answers.into())
    }
}
