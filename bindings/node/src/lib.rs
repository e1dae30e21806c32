//! Node.js binding of ruvector-attention: Float32Array in, Float32Array out, errors with `code` and `argument`.
#![deny(clippy::all)]

mod async_ops;
mod attention;
mod buffer;
mod cache;
mod class;
mod error;
mod instance;
mod js;
mod state;
mod types;

use napi::bindgen_prelude::{JsValue, Object};
use napi_derive::napi;

use class::method;
use error::Failure;
use js::Env;

/// Version of the package.
#[napi(catch_unwind)]
pub fn get_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Version of the package.
#[napi(catch_unwind)]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Names of the attention mechanisms.
#[napi(catch_unwind)]
pub fn get_supported_features() -> Vec<&'static str> {
    ::attention::features().to_vec()
}

/// Name of the kernel that this machine computes with, such as `avx2` or `neon`.
#[napi(catch_unwind)]
pub fn kernel() -> &'static str {
    ::attention::Kernel::detect().name()
}

/// Adds what the macros do not make.
#[napi(module_exports)]
pub fn export(exports: Object<'_>) -> napi::Result<()> {
    // SAFETY: the environment and the object are those of the running registration.
    let exports = unsafe { Env::new(exports.value().env).value(exports.raw()) };
    add(exports).map_err(|failure| napi::Error::from_reason(format!("ruvector-attention: {failure:?}")))
}

fn add(exports: js::Value<'_>) -> Result<(), Failure> {
    instance::create(exports.env())?;
    attention::export(exports, cache::export(exports)?)?;
    state::export(exports)?;
    class::functions(exports, &attention::poincare_functions())?;
    class::functions(exports, &[method(c"setErrorClass", error::set_error_class)])
}
