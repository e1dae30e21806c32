#!/bin/sh
# The long proofs of docs/measured/proofs.md: scripts/proofs.sh asan | miri | fuzz [seconds a target [targets]]
# | mutation | audit | publish-faults matrix | kill --moments N | disk --sizes N | rehearse-faults (docs/measured/release.md).
# asan needs rustup's Rust for Linux x64; miri a nightly with the components miri and rust-src;
# fuzz `cargo install cargo-fuzz --version 0.13.1 --locked` and a C++ compiler.
set -eu
cd "$(dirname "$0")/.."
case "${1:-}" in
asan)
    # The sanitizer's own library comes with stable compilers; only its switch is unstable. Every kernel of this machine runs.
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=.rva/target/asan \
        cargo test --locked --target x86_64-unknown-linux-gnu -p ruvector-attention --lib --tests
    ;;
miri)
    # The pool's lifetimes and races; on the portable kernel, for Miri knows few vector instructions. Waiting is slow there.
    MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-many-seeds=0..8" CARGO_TARGET_DIR=.rva/target/miri \
        cargo +nightly miri test --locked -p ruvector-attention --lib -- threads::
    ;;
fuzz)
    export RUSTC_BOOTSTRAP=1 ASAN_OPTIONS=allocator_may_return_null=1
    for target in ${3:-forward state bytes poincare builder npy safetensors json csv config repl http}; do
        # Sizes that no memory holds must come back as errors, so the fuzzer's own limits stay out of the way.
        mkdir -p "fuzz/corpus/$target"
        cargo fuzz run --fuzz-dir fuzz "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
            -max_total_time="${2:-600}" -max_len=2048 -malloc_limit_mb=100000000 -rss_limit_mb=8000
    done
    ;;
publish-faults)
    # Wants the linters' environment, which has what rva imports: `rva test --only ruff` makes it.
    shift
    "${PYTHON:-python3}" tests/release/publish_faults.py "$@"
    ;;
rehearse-faults)
    # 200 rehearsals of a Node.js package are killed: twenty minutes on two idle cores.
    python3 tests/faults/runs.py rehearse --moments "${2:-200}" --target napi-x86_64-unknown-linux-gnu,napi-js
    ;;
mutation)
    # Takes some 2 000 s of the processor, about 20 minutes on two idle cores; a second run judges what the first did not kill, and what changed since.
    python3 -m venv .rva/mutation/venv
    .rva/mutation/venv/bin/pip install --quiet --require-hashes -r requirements/mutation.txt
    python3 scripts/mutation.py .rva/mutation/venv/bin/mutmut .rva/mutation/tree
    ;;
audit)
    # Several hundred megabytes of other people's packages, and every wrong binary; dist/ has to be built.
    .rva/venv/bin/python tests/package/published.py all
    .rva/venv/bin/python tests/package/cross.py
    ;;
*)
    sed -n 2,5p "$0" >&2
    exit 2
    ;;
esac
