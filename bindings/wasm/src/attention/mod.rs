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

/// `forward`, `forwardBatch` and `state`, for a class with a field `mechanism`.
macro_rules! forward_methods {
    ($class:ident) => {
        #[wasm_bindgen]
        impl $class {
            /// Attends from one query. `keys` may be a `KeyValueCache`, and `values` then are the options.
            #[wasm_bindgen(skip_typescript)]
            pub fn forward(
                &self,
                query: &JsValue,
                keys: &JsValue,
                values: &JsValue,
                options: &JsValue,
            ) -> Result<Float32Array> {
                call::forward(&self.mechanism, query, Rest { keys, values, options })
            }

            /// Attends from the query in a cache's place, which then has the result. False where `forward` has to: it
            /// knows what is wrong.
            #[wasm_bindgen(js_name = __forwardPlaced, skip_typescript)]
            pub fn forward_placed(&self, cache: usize) -> bool {
                cache::forward_placed(&self.mechanism, cache)
            }

            /// Attends from several queries over the same keys: rows give rows, a flat array gives a flat array.
            #[wasm_bindgen(js_name = forwardBatch, skip_typescript)]
            pub fn forward_batch(
                &self,
                queries: &JsValue,
                keys: &JsValue,
                values: &JsValue,
                options: &JsValue,
            ) -> Result<JsValue> {
                call::forward_batch(&self.mechanism, queries, Rest { keys, values, options })
            }

            /// Starts a computation of one query whose keys arrive in pieces.
            pub fn state(
                &self,
                #[wasm_bindgen(unchecked_param_type = "Vector")] query: &JsValue,
                #[wasm_bindgen(unchecked_optional_param_type = "AttentionArgument | null")] options: &JsValue,
            ) -> Result<AttentionState> {
                state::start(&self.mechanism, query, options)
            }
        }

        // wasm-bindgen knows no overloads; an interface of the class's name does.
        #[wasm_bindgen(typescript_custom_section)]
        const FORWARD: &str = concat!("export interface ", stringify!($class), include_str!("forward.d.ts"));
    };
}
use forward_methods;

/// A class whose constructor takes the length of a query.
macro_rules! class_of_dim {
    ($(#[$doc:meta])* $class:ident, $attention:ident, $variant:ident) => {
        use super::forward_methods;
        use crate::cache;
        use crate::call::{self, Mechanism, Rest};
        use crate::error::Result;
        use crate::state::{self, AttentionState};
        use crate::tensors;
        use attention::$attention;
        use js_sys::Float32Array;
        use wasm_bindgen::prelude::*;

        $(#[$doc])*
        #[wasm_bindgen]
        #[derive(Debug)]
        pub struct $class {
            mechanism: Mechanism,
        }

        #[wasm_bindgen]
        impl $class {
            /// For queries and keys of length `dim`.
            #[wasm_bindgen(constructor)]
            pub fn new(#[wasm_bindgen(unchecked_param_type = "number")] dim: &JsValue) -> Result<$class> {
                let attention = $attention::new(tensors::count(dim, "dim")?)?;
                Ok($class { mechanism: Mechanism::$variant(attention) })
            }

            /// Length of a query.
            #[wasm_bindgen(getter)]
            pub fn dim(&self) -> usize {
                self.mechanism.dim().unwrap_or_default()
            }
        }

        forward_methods!($class);
    };
}
use class_of_dim;
