//! Multi-head attention.

use super::forward_methods;
use crate::cache;
use crate::call::{self, Mechanism, Rest};
use crate::error::{Result, WasmError};
use crate::options::named;
use crate::state::{self, AttentionState};
use crate::tensors::{count, is_absent, matrix, number_or_zero};
use attention::{MultiHeadAttention, MultiHeadWeights};
use js_sys::{Array, Float32Array};
use wasm_bindgen::prelude::*;

/// Softmax attention of several heads, each over its share of the dimension; projects only with `weights`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmMultiHeadAttention {
    mechanism: Mechanism,
    num_heads: usize,
    hidden_dim: usize,
}

#[wasm_bindgen]
impl WasmMultiHeadAttention {
    /// Takes numHeads, hiddenDim and dropout, or an object with them, `neighbors` and `weights`.
    ///
    /// hiddenDim has to be a multiple of numHeads; dropout lies in [0, 1), does nothing at inference and may be left out.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(js_name = numHeads, unchecked_param_type = "number | MultiHeadConfig")]
        num_heads: &JsValue,
        #[wasm_bindgen(js_name = hiddenDim, unchecked_optional_param_type = "number")] hidden_dim: &JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "number | null")] dropout: &JsValue,
    ) -> Result<WasmMultiHeadAttention> {
        if let Some(entries) = named(num_heads, "config")? {
            return from_config(&entries);
        }
        WasmMultiHeadAttention::from_params(num_heads, hidden_dim, dropout)
    }

    /// The same as the constructor with numbers.
    #[wasm_bindgen(js_name = fromParams)]
    pub fn from_params(
        #[wasm_bindgen(js_name = numHeads, unchecked_param_type = "number")] num_heads: &JsValue,
        #[wasm_bindgen(js_name = hiddenDim, unchecked_param_type = "number")] hidden_dim: &JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "number | null")] dropout: &JsValue,
    ) -> Result<WasmMultiHeadAttention> {
        let (num_heads, hidden_dim) = (count(num_heads, "numHeads")?, count(hidden_dim, "hiddenDim")?);
        let attention = MultiHeadAttention::new(num_heads, hidden_dim, number_or_zero(dropout, "dropout")?)?;
        Ok(WasmMultiHeadAttention { mechanism: Mechanism::Heads(attention), num_heads, hidden_dim })
    }

    /// Number of heads.
    #[wasm_bindgen(getter, js_name = numHeads)]
    pub fn num_heads(&self) -> usize {
        self.num_heads
    }

    /// Length of a query: all heads together.
    #[wasm_bindgen(getter, js_name = hiddenDim)]
    pub fn hidden_dim(&self) -> usize {
        self.hidden_dim
    }

    /// Length of one head: hiddenDim / numHeads.
    #[wasm_bindgen(getter, js_name = headDim)]
    pub fn head_dim(&self) -> usize {
        self.hidden_dim / self.num_heads
    }
}

forward_methods!(WasmMultiHeadAttention);

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("multi_head.d.ts");

fn from_config(entries: &Array) -> Result<WasmMultiHeadAttention> {
    let [mut num_heads, mut hidden_dim, mut dropout, mut neighbors, mut weights] =
        [const { JsValue::UNDEFINED }; 5];
    for (name, value) in pairs(entries) {
        match name.as_str() {
            "numHeads" => num_heads = value,
            "hiddenDim" => hidden_dim = value,
            "dropout" => dropout = value,
            "neighbors" => neighbors = value,
            "weights" => weights = value,
            _ => {
                let known = "one of numHeads, hiddenDim, dropout, neighbors, weights";
                return Err(WasmError::kind(&name, known));
            }
        }
    }
    let (num_heads, hidden_dim) = (count(&num_heads, "numHeads")?, count(&hidden_dim, "hiddenDim")?);
    let mut attention = MultiHeadAttention::new(num_heads, hidden_dim, number_or_zero(&dropout, "dropout")?)?;
    if !is_absent(&neighbors) {
        attention = attention.with_neighbors(count(&neighbors, "neighbors")?)?;
    }
    if !is_absent(&weights) {
        attention = attention.with_weights(read_weights(hidden_dim, &weights)?)?;
    }
    Ok(WasmMultiHeadAttention { mechanism: Mechanism::Heads(attention), num_heads, hidden_dim })
}

/// The names of the matrices, and of the biases in the same order.
const WEIGHTS: [&str; 8] =
    ["query", "key", "value", "output", "queryBias", "keyBias", "valueBias", "outputBias"];

fn read_weights(hidden_dim: usize, value: &JsValue) -> Result<MultiHeadWeights> {
    let entries = named(value, "weights")?.ok_or_else(|| WasmError::kind("weights", "an object"))?;
    let mut given: [Option<Vec<f32>>; 8] = Default::default();
    for (name, value) in pairs(&entries) {
        let place = WEIGHTS.iter().zip(&mut given).find(|(known, _)| **known == name);
        let Some((_, place)) = place else {
            return Err(WasmError::kind(&name, "query, key, value or output, or one of them with Bias"));
        };
        if !is_absent(&value) {
            matrix(&value, &name, place.insert(Vec::new()))?;
        }
    }
    let needed = |index: usize| match &given[index] {
        Some(numbers) => Ok(numbers.as_slice()),
        None => Err(WasmError::kind("weights", WEIGHTS[index])),
    };
    let weights = MultiHeadWeights::new(hidden_dim, needed(0)?, needed(1)?, needed(2)?, needed(3)?)?;
    if given.iter().skip(4).all(Option::is_none) {
        return Ok(weights);
    }
    Ok(weights.with_biases(needed(4)?, needed(5)?, needed(6)?, needed(7)?)?)
}

fn pairs(entries: &Array) -> impl Iterator<Item = (String, JsValue)> + '_ {
    entries.iter().map(|entry| {
        let entry = entry.unchecked_ref::<Array>();
        (entry.get(0).as_string().unwrap_or_default(), entry.get(1))
    })
}
