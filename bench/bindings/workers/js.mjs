// This library from Node.js: `node js.mjs <folder of dist/> [<library of the core>]`, an addon or a WebAssembly module; lines
// of JSON in and out.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { knows, now, serve, tensor } from "../../core/workers/serve.mjs";
import { prepare } from "./attend.mjs";
import { insideOf } from "./inside.mjs";

const GROUP_NS = 50_000;
const api = await load(process.argv[2]);

async function load(folder) {
  const files = readdirSync(folder, { recursive: true });
  const addon = files.find((name) => name.endsWith(".node"));
  if (addon) return createRequire(import.meta.url)(join(folder, addon));
  const entry = files.find((name) => name.endsWith("_wasm.js"));
  const module = files.find((name) => name.endsWith("_bg.wasm"));
  knows(readFileSync(join(folder, module)));
  const glue = readFileSync(join(folder, entry), "utf8");
  if (!/^export /m.test(glue)) return createRequire(import.meta.url)(join(folder, entry));
  const api = await import(pathToFileURL(join(folder, entry)));
  api.initSync({ module: readFileSync(join(folder, module)) });
  return api;
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
    return ask.way === "the core itself" ? insideOf(process.argv[3], tensors) : prepare(api, ask, tensors, now, GROUP_NS);
  },
);
