//! WebAssembly binding of ruvector-attention: classes over flat buffers, rows or a cache, errors with `code` and
//! `argument`.

mod attention;
mod cache;
mod call;
mod error;
mod hook;
#[cfg(all(target_arch = "wasm32", not(target_feature = "atomics")))]
mod memory;
mod options;
mod parallel;
mod poincare;
mod registry;
mod state;
mod tensors;

use wasm_bindgen::prelude::*;

pub use crate::attention::*;
pub use crate::cache::KeyValueCache;
pub use crate::error::set_error_class;
#[doc(hidden)]
pub use crate::error::WasmError;
pub use crate::poincare::*;
pub use crate::state::AttentionState;

// It has no lock for threads.
#[cfg(all(target_arch = "wasm32", not(target_feature = "atomics")))]
#[global_allocator]
static ALLOCATOR: memory::Whole = memory::Whole::new();

/// Runs when the module is loaded: a panic then says where it happened before it traps.
#[wasm_bindgen(start)]
pub fn init() {
    hook::set();
}

/// Version of the package.
#[wasm_bindgen]
pub fn version() -> String {
    ::attention::version().to_owned()
}

/// Names of the attention mechanisms.
#[wasm_bindgen(js_name = getSupportedFeatures, unchecked_return_type = "string[]")]
pub fn supported_features() -> js_sys::Array {
    ::attention::features().iter().map(|name| JsValue::from_str(name)).collect()
}

/// Name of the kernel that this module computes with: `scalar`, `simd128` or `relaxed-simd`.
#[wasm_bindgen]
pub fn kernel() -> String {
    ::attention::Kernel::detect().name().to_owned()
}
