// What bundlers and workerd make of an import of a module.
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
