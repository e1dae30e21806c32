//! Node.js binding of ruvector-attention: Float32Array in, Float32Array out, errors with `code` and `argument`.
#![deny(clippy::all)]

mod async_ops;
mod attention;
mod error;
mod types;

use napi_derive::napi;

/// Version of the package.
#[napi(catch_unwind)]
pub fn get_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Names of the attention mechanisms.
#[napi(catch_unwind)]
pub fn get_supported_features() -> Vec<&'static str> {
    ::attention::features().to_vec()
}
