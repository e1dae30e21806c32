// The address of this level's module: a file of its own, so that bundlers load one level and not all.
export default new URL("../../wasm/baseline.wasm", import.meta.url);
