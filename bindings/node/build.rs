//! Link settings of a Node.js addon.

use std::env::var;

fn main() {
    napi_build::setup();
    // Node opens an addon by its path; without a name of its own the file would tell where it was built.
    if var("CARGO_CFG_TARGET_OS").as_deref() == Ok("macos") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/ruvector-attention.node");
    }
}
