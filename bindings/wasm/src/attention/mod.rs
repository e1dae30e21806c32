//! The classes, one mechanism a file, and what their methods share.

mod cross;
mod hyperbolic;
mod linear;
mod multi_head;
mod scaled_dot;
mod self_attention;

pub use cross::WasmCrossAttention;
pub use hyperbolic::WasmHyperbolicAttention;
pub use linear::WasmLinearAttention;
pub use multi_head::WasmMultiHeadAttention;
pub use scaled_dot::WasmScaledDotProduct;
pub use self_attention::WasmSelfAttention;

use attention::Attention;
use js_sys::Float32Array;
use wasm_bindgen::JsValue;

use crate::error::WasmError;
use crate::types;

/// Attends from one query.
fn forward(
    attention: &dyn Attention,
    query: &JsValue,
    keys: &JsValue,
    values: &JsValue,
    options: &JsValue,
) -> Result<Float32Array, WasmError> {
    let options = types::options(options)?;
    let query = types::tensor(query, "query")?;
    let keys = types::tensor(keys, "keys")?;
    let values = types::tensor(values, "values")?;
    let result = attention.forward_with(&query, &keys, &values, &options.as_core())?;
    Ok(Float32Array::from(result.as_slice()))
}

/// Attends from several queries: rows are answered as rows, a flat array as a flat array.
fn forward_batch(
    attention: &dyn Attention,
    queries: &JsValue,
    keys: &JsValue,
    values: &JsValue,
    options: &JsValue,
) -> Result<JsValue, WasmError> {
    let options = types::options(options)?;
    let (queries, row) = types::flat_or_rows(queries, "queries")?;
    let keys = types::tensor(keys, "keys")?;
    let values = types::tensor(values, "values")?;
    let dim = row.or(attention.dim()).or(options.dim).ok_or_else(|| {
        WasmError::kind("options", "dim, the length of one query, because the queries are flat")
    })?;
    let result = attention.forward_batch(&queries, dim, &keys, &values, &options.as_core())?;
    if row.is_none() {
        return Ok(Float32Array::from(result.as_slice()).into());
    }
    let width = result.len() / (queries.len() / dim.max(1)).max(1);
    Ok(types::arrays(result.chunks(width.max(1))))
}

/// `forward` and `forwardBatch`, for a class with a field `attention`.
macro_rules! forward_methods {
    ($class:ident) => {
        #[wasm_bindgen]
        impl $class {
            /// Attends from one query; keys and values are flat and row-major.
            pub fn forward(
                &self,
                #[wasm_bindgen(unchecked_param_type = "Float32Array")] query: &JsValue,
                #[wasm_bindgen(unchecked_param_type = "Float32Array")] keys: &JsValue,
                #[wasm_bindgen(unchecked_param_type = "Float32Array")] values: &JsValue,
                #[wasm_bindgen(unchecked_optional_param_type = "AttentionArgument | null")] options: &JsValue,
            ) -> Result<Float32Array, WasmError> {
                super::forward(&self.attention, query, keys, values, options)
            }

            /// Attends from several queries over the same keys: rows give rows, a flat array gives a flat array.
            #[wasm_bindgen(js_name = forwardBatch, skip_typescript)]
            pub fn forward_batch(
                &self,
                #[wasm_bindgen(unchecked_param_type = "Float32Array | Float32Array[]")] queries: &JsValue,
                #[wasm_bindgen(unchecked_param_type = "Float32Array")] keys: &JsValue,
                #[wasm_bindgen(unchecked_param_type = "Float32Array")] values: &JsValue,
                #[wasm_bindgen(unchecked_optional_param_type = "AttentionArgument | null")] options: &JsValue,
            ) -> Result<JsValue, WasmError> {
                super::forward_batch(&self.attention, queries, keys, values, options)
            }
        }

        // wasm-bindgen cannot say that the result is of the queries' type; an interface of the class's name can.
        #[wasm_bindgen(typescript_custom_section)]
        const FORWARD_BATCH: &str = concat!(
            "export interface ",
            stringify!($class),
            " {\n",
            "  /** Attends from several queries over the same keys: rows give rows, a flat array a flat array. */\n",
            "  forwardBatch<T extends Float32Array | Float32Array[]>(queries: T, keys: Float32Array, ",
            "values: Float32Array, options?: AttentionArgument | null): T;\n}\n"
        );
    };
}
use forward_methods;
