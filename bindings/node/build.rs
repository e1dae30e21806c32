//! Link settings of a Node.js addon.

fn main() {
    // windows-gnullvm calls its environment "gnu", for which napi-build looks for a libnode.dll to link.
    // The `dyn-symbols` feature finds Node's functions at load time, so there is nothing to link.
    if std::env::var("CARGO_CFG_TARGET_ABI").as_deref() == Ok("llvm") {
        return;
    }
    napi_build::setup();
}
