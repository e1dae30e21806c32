// This library as WebAssembly in V8: `node wasm.mjs <module>`, lines of JSON in and out.
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

const KERNELS = ["scalar", "simd128", "relaxed-simd"];
const WARM_SECONDS = 0.5;
const bytes = readFileSync(process.argv[2]);
// What this V8 does not know is an answer to the first request, not the worker's end.
const known = WebAssembly.validate(bytes);
const exported = known ? (await WebAssembly.instantiate(bytes)).instance.exports : {};
const { memory, prepare, tensor, run, release, kernel } = exported;
const tasks = new Map();

// A fresh view each time: a growing memory detaches the old ones.
function view(task, which, length) {
  return new Float32Array(memory.buffer, tensor(task.address, which) >>> 0, length);
}

function start(ask) {
  if (!known) throw new Error(`V8 ${process.versions.v8} does not know this module's instructions`);
  const [queries, keys, values] = [ask.queries, ask.keys, ask.values].map((path) => {
    const file = readFileSync(path);
    return new Float32Array(file.buffer, file.byteOffset, file.byteLength / 4);
  });
  if (ask.threads !== 1 || ask.element !== "f32" || ask.mechanism !== "scaled") throw new Error("not offered here");
  const rows = [queries.length / ask.dim, keys.length / ask.dim];
  const address = prepare(ask.dim, ask.heads, ...rows, ask.causal ? 1 : 0, ask.neighbors ?? 0);
  if (address === 0) throw new Error("the sizes were refused");
  const task = { address, length: queries.length };
  [queries, keys, values].forEach((from, which) => view(task, which, from.length).set(from));
  tasks.set(ask.id, task);
  // V8 compiles quickly first, and well only what was called often: that is over before anything is measured.
  calls(task, WARM_SECONDS, Infinity);
  return { with: KERNELS[kernel()] ?? "unknown" };
}

function calls({ address }, seconds, most) {
  const end = process.hrtime.bigint() + BigInt(Math.round(seconds * 1e9));
  const ns = [];
  do {
    const begin = process.hrtime.bigint();
    const done = run(address, 1);
    ns.push(Number(process.hrtime.bigint() - begin));
    if (!done) throw new Error("the call failed");
  } while (ns.length < most && process.hrtime.bigint() < end);
  return { ns };
}

function answer(ask) {
  if (ask.do === "describe") return { versions: { node: process.version, V8: process.versions.v8 } };
  if (ask.do === "prepare") return start(ask);
  const task = tasks.get(ask.id);
  if (ask.do === "run") return calls(task, ask.seconds, ask.most);
  if (ask.do === "result") return writeFileSync(ask.path, view(task, 3, task.length)), {};
  tasks.delete(ask.id);
  release(task.address);
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
