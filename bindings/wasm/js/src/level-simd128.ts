// The address of this level's module: a file of its own, so that bundlers load one level and not all.
export default new URL("../../wasm/simd128.wasm", import.meta.url);
