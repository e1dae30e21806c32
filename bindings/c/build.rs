//! Link settings of the C library.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Without it a macOS library carries the path it was built at, and programs look for it there.
    if std::env::var("CARGO_CFG_TARGET_VENDOR").as_deref() == Ok("apple") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libruvector_attention.dylib");
    }
}
