//! C interface of ruvector-attention: opaque handles, status codes, buffers that belong to the caller.
//!
//! Every function is prefixed `rvattn_`. Functions that can fail return an [`status::rvattn_status`]; what went wrong
//! is kept for the thread. Handles may be used by several threads at once; freeing one ends its use.

mod attention_api;
mod memory;
mod poincare_api;
#[cfg(target_os = "wasi")]
mod reactor;
mod status;

use std::ffi::{c_char, CStr};

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
    use std::ffi::CString;
    use std::sync::OnceLock;
    static NAMES: OnceLock<Vec<CString>> = OnceLock::new();
    let names = NAMES.get_or_init(|| attention::features().iter().flat_map(|n| CString::new(*n)).collect());
    names.get(index).map_or(std::ptr::null(), |name| name.as_ptr())
}

#[cfg(test)]
mod tests;
