// This library from Node.js: `node js.mjs <folder of dist/>`, an addon or a WebAssembly module; lines of JSON in and out.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import v8 from "node:v8";
import { prepare, time, warm } from "./attend.mjs";

const api = await load(process.argv[2]);
const tasks = new Map();
const now = () => Number(process.hrtime.bigint());

async function load(folder) {
  const files = readdirSync(folder, { recursive: true });
  const addon = files.find((name) => name.endsWith(".node"));
  if (addon) return createRequire(import.meta.url)(join(folder, addon));
  const entry = files.find((name) => name.endsWith("_wasm.js"));
  const module = files.find((name) => name.endsWith("_bg.wasm"));
  // Node 20 and older know relaxed SIMD only behind a flag.
  if (!WebAssembly.validate(readFileSync(join(folder, module)))) v8.setFlagsFromString("--experimental-wasm-relaxed-simd");
  const glue = readFileSync(join(folder, entry), "utf8");
  if (!/^export /m.test(glue)) return createRequire(import.meta.url)(join(folder, entry));
  const api = await import(pathToFileURL(join(folder, entry)));
  api.initSync({ module: readFileSync(join(folder, module)) });
  return api;
}

function tensor(path) {
  const bytes = readFileSync(path);
  // A copy of its own, from the start of a buffer: small files come out of a shared one.
  return new Float32Array(new Uint8Array(bytes).buffer);
}

function answer(ask) {
  if (ask.do === "describe") return { versions: { "Node.js": process.version } };
  if (ask.do === "prepare") {
    const task = prepare(api, ask, tensor(ask.queries), tensor(ask.keys), tensor(ask.values));
    tasks.set(ask.id, task);
    warm(task.call, now);
    return { with: ask.way };
  }
  const task = tasks.get(ask.id);
  if (ask.do === "run") return { ns: time(task.call, now, ask.seconds, ask.most) };
  if (ask.do === "result") return writeFileSync(ask.path, new Uint8Array(Float32Array.from(task.call()).buffer)), {};
  tasks.delete(ask.id);
  task.free();
  return {};
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply;
  try {
    reply = answer(JSON.parse(line));
  } catch (error) {
    reply = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(reply) + "\n");
}
