//! The entry of a WASI reactor, which rustc does not give a cdylib.

extern "C" {
    fn __wasm_call_ctors();
}

/// Sets the module up; hosts call it once, before anything else.
#[no_mangle]
pub extern "C" fn _initialize() {
    // SAFETY: the linker defines it, and by WASI's reactor contract this runs once, before all other calls.
    unsafe { __wasm_call_ctors() }
}
