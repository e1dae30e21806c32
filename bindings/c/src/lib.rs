//! C interface of ruvector-attention: opaque handles, status codes, buffers that belong to the caller.
//!
//! Every function is prefixed `rvattn_`. Functions that can fail return an [`status::rvattn_status`]; what went wrong
//! is kept for the thread. Handles may be used by several threads at once; freeing one ends its use.

mod attention_api;
mod cache_api;
mod config_api;
mod memory;
mod poincare_api;
#[cfg(target_os = "wasi")]
mod reactor;
mod state_api;
mod status;
mod weights_api;

use std::ffi::{c_char, CStr, CString};
use std::sync::OnceLock;

/// Version of the library, such as "0.1.0".
#[no_mangle]
pub extern "C" fn rvattn_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(text) => text,
            Err(_) => panic!("the version holds a NUL"),
        };
    VERSION.as_ptr()
}

/// Number of attention mechanisms.
#[no_mangle]
pub extern "C" fn rvattn_feature_count() -> usize {
    attention::features().len()
}

/// Name of the mechanism with this index, such as "multi-head"; NULL from `rvattn_feature_count` on.
#[no_mangle]
pub extern "C" fn rvattn_feature(index: usize) -> *const c_char {
    features().get(index).map_or(std::ptr::null(), |name| name.as_ptr())
}

fn features() -> &'static [CString] {
    static NAMES: OnceLock<Vec<CString>> = OnceLock::new();
    NAMES.get_or_init(|| attention::features().iter().flat_map(|name| CString::new(*name)).collect())
}

/// A mechanism's name as C has it.
fn feature_named(kind: &str) -> Option<&'static CStr> {
    features().iter().map(CString::as_c_str).find(|name| name.to_bytes() == kind.as_bytes())
}

/// Name of a kernel that this machine can run, fastest first, such as "avx2"; NULL where there are no more.
#[no_mangle]
pub extern "C" fn rvattn_kernel(index: usize) -> *const c_char {
    static NAMES: OnceLock<Vec<CString>> = OnceLock::new();
    let made = || attention::Kernel::available().flat_map(|kernel| CString::new(kernel.name())).collect();
    NAMES.get_or_init(made).get(index).map_or(std::ptr::null(), |name| name.as_ptr())
}

#[cfg(test)]
mod tests;
