// This library from Node.js: `node js.mjs <row of the addon in dist/> <library of the core>`, or `node js.mjs <the unpacked
// WebAssembly package> <level>`; lines of JSON in and out.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { knows, now, serve, tensor } from "../../core/workers/serve.mjs";
import { prepare } from "./attend.mjs";
import { insideOf } from "./inside.mjs";

const GROUP_NS = 50_000;
const [folder, beside] = process.argv.slice(2);
const api = load();

function load() {
  const require = createRequire(import.meta.url);
  const addon = readdirSync(folder).find((name) => name.endsWith(".node"));
  if (addon) return require(join(folder, addon));
  knows(readFileSync(join(folder, "wasm", `${beside}.wasm`)));
  process.env.RUVECTOR_ATTENTION_WASM_LEVEL = beside;
  return require(join(folder, "js", "cjs", "node.js"));
}

// All ways of a problem read the same arrays: where memory lies is worth several percent.
const arrays = new Map();
function shared(path) {
  const found = arrays.get(path)?.deref() ?? tensor(path);
  arrays.set(path, new WeakRef(found));
  return found;
}

await serve(
  () => ({ "Node.js": process.version }),
  (ask) => {
    const tensors = [ask.queries, ask.keys, ask.values].map(shared);
    return ask.way === "the core itself" ? insideOf(beside, tensors) : prepare(api, ask, tensors, now, GROUP_NS);
  },
);
