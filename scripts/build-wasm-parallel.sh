#!/bin/sh
# Build the WebAssembly package for browsers with threads over shared memory (cargo feature `parallel`) into FOLDER.
#
#   scripts/build-wasm-parallel.sh [FOLDER]
#
# The standard library has to be compiled for shared memory too, which takes a minute or two: the compiler needs its
# rust-src component (rustup component add rust-src), and wasm-bindgen in the version of Cargo.lock.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$root/bindings/wasm/pkg/web-parallel}
target=${CARGO_TARGET_DIR:-$root/target}
# Memory that threads share is imported, has a largest size from the start, and thread-locals that each thread sets up.
# The loops keep one index for all their pointers, as in the other modules.
RUSTFLAGS="-Cllvm-args=-disable-lsr -Ctarget-feature=+simd128,+atomics,+bulk-memory -Clink-arg=--shared-memory -Clink-arg=--import-memory \
-Clink-arg=--max-memory=2147483648 -Clink-arg=--export=__heap_base -Clink-arg=--export=__wasm_init_tls \
-Clink-arg=--export=__tls_size -Clink-arg=--export=__tls_align -Clink-arg=--export=__tls_base"
export RUSTFLAGS
# Both are unstable: building the standard library, and its features.
RUSTC_BOOTSTRAP=1 cargo build --manifest-path "$root/Cargo.toml" --locked -p ruvector-attention-wasm \
    --features parallel --profile wasm-release --target wasm32-unknown-unknown --target-dir "$target/wasm-parallel" \
    -Zbuild-std=std,panic_abort
wasm-bindgen --target web --out-dir "$folder" --out-name ruvector_attention_wasm \
    "$target/wasm-parallel/wasm32-unknown-unknown/wasm-release/ruvector_attention_wasm.wasm"
