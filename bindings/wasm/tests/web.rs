//! The binding in a browser: `wasm-pack test --headless --chrome`. Elsewhere there is nothing to run.

#[cfg(target_arch = "wasm32")]
mod common;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

fn main() {}
