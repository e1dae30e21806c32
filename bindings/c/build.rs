//! Link settings of the C library.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Without a name of its own the library is looked for where it was built.
    let name = match var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => "-Wl,-install_name,@rpath/libruvector_attention.dylib",
        Ok("linux") => "-Wl,-soname,libruvector_attention.so",
        _ => return,
    };
    println!("cargo::rustc-cdylib-link-arg={name}");
}
