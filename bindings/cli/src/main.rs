//! The program `ruvector-attention`; everything it does is in the library beside it.

use std::process::ExitCode;

// Faster than the system's; see Cargo.toml for where it is not used.
#[cfg(not(any(target_family = "wasm", target_abi = "llvm")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ruvector_attention_cli::run(std::env::args_os())
}
