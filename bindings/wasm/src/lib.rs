//! WebAssembly binding of ruvector-attention: Float32Array in, Float32Array out, errors with `code` and `argument`.

mod attention;
mod error;
mod types;
mod utils;

use wasm_bindgen::prelude::*;

pub use crate::attention::*;

/// Runs when the module is loaded: a panic then says where it happened before it traps.
#[wasm_bindgen(start)]
pub fn init() {
    utils::set_panic_hook();
}

/// Version of the package.
#[wasm_bindgen]
pub fn version() -> String {
    ::attention::version().to_owned()
}

/// Names of the attention mechanisms.
#[wasm_bindgen(js_name = getSupportedFeatures)]
pub fn supported_features() -> Vec<String> {
    ::attention::features().iter().map(|name| (*name).to_owned()).collect()
}
