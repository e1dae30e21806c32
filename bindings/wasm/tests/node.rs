//! The binding in Node.js: `wasm-pack test --node`. Elsewhere there is nothing to run.

#[cfg(target_arch = "wasm32")]
mod common;

fn main() {}
