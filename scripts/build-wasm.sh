#!/bin/sh
# Build the WebAssembly packages into bindings/wasm/pkg/{web,nodejs,bundler}; with BUILD_SIMD=1 also into pkg/web-simd and its like.
exec "$(dirname "$0")/../rva" build --target "wasm-*-baseline${BUILD_SIMD:+,wasm-*-simd128}" --export bindings/wasm/pkg "$@"
