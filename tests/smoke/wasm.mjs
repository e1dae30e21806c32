// Replays the reference cases through what wasm-pack made for web, nodejs or bundler (told apart by its files).
// Node loads the files as they are; only a package.json that says which kind of module they are is put beside a copy.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import v8 from "node:v8";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);
const { compute, only, replay, usage } = require("./cases.cjs");

const names = {
  scaledDot: "WasmScaledDotProduct",
  cross: "WasmCrossAttention",
  self: "WasmSelfAttention",
  hyperbolic: "WasmHyperbolicAttention",
  linear: "WasmLinearAttention",
  makeMultiHead: (api, heads, dim) => new api.WasmMultiHeadAttention(heads, dim),
};

function targetOf(folder, stem) {
  if (fs.existsSync(path.join(folder, `${stem}_bg.js`))) return "bundler";
  const glue = fs.readFileSync(path.join(folder, `${stem}.js`), "utf8");
  return /^export /m.test(glue) ? "web" : "nodejs";
}

async function loadModule(folder) {
  const wasm = only(folder, "_bg.wasm");
  const stem = path.basename(wasm).replace(/_bg\.wasm$/, "");
  const target = targetOf(path.dirname(wasm), stem);
  const copy = fs.mkdtempSync(path.join(os.tmpdir(), "wasm-smoke-"));
  process.on("exit", () => fs.rmSync(copy, { recursive: true, force: true }));
  fs.cpSync(path.dirname(wasm), copy, { recursive: true });
  const type = target === "nodejs" ? "commonjs" : "module";
  fs.writeFileSync(path.join(copy, "package.json"), JSON.stringify({ type }));
  const file = (name) => path.join(copy, name);
  const bytes = fs.readFileSync(file(`${stem}_bg.wasm`));
  console.error(`${target} module of ${bytes.length} bytes`);
  // Node 20 and older know relaxed SIMD only behind a flag.
  if (!WebAssembly.validate(bytes)) v8.setFlagsFromString("--experimental-wasm-relaxed-simd");
  if (!WebAssembly.validate(bytes)) {
    console.error(`Node ${process.version} cannot compile the module: it is damaged, or asks for newer features`);
    process.exit(1);
  }

  if (target === "nodejs") return require(file(`${stem}.js`));
  if (target === "web") {
    const api = await import(pathToFileURL(file(`${stem}.js`)));
    await api.default({ module_or_path: bytes });
    return api;
  }
  // What a bundler does for `import * as wasm from "./x_bg.wasm"`.
  const api = await import(pathToFileURL(file(`${stem}_bg.js`)));
  const { instance } = await WebAssembly.instantiate(bytes, { [`./${stem}_bg.js`]: api });
  api.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start?.();
  return api;
}

const { folder, cases } = usage();
const api = await loadModule(folder);
replay(cases, (testCase) => compute(api, names, testCase));
