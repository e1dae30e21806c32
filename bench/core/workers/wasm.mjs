// This library as WebAssembly in V8: `node wasm.mjs <module>`, lines of JSON in and out.
import { readFileSync } from "node:fs";
import { time, warm } from "./answer.mjs";
import { knows, now, serve, tensor as read } from "./serve.mjs";

const KERNELS = ["scalar", "simd128", "relaxed-simd"];
const bytes = readFileSync(process.argv[2]);
// What this V8 does not know is an answer to the first request, not the worker's end.
const known = knows(bytes);
const exported = known ? (await WebAssembly.instantiate(bytes)).instance.exports : {};
const { memory, prepare, tensor, run, release, kernel } = exported;

// A fresh view each time: a growing memory detaches the old ones.
function view(address, which, length) {
  return new Float32Array(memory.buffer, tensor(address, which) >>> 0, length);
}

await serve(
  () => ({ node: process.version, V8: process.versions.v8 }),
  (ask) => {
    if (!known) throw new Error(`V8 ${process.versions.v8} does not know this module's instructions`);
    const [queries, keys, values] = [ask.queries, ask.keys, ask.values].map(read);
    if (ask.threads !== 1 || ask.element !== "f32" || ask.mechanism !== "scaled") throw new Error("not offered here");
    const rows = [queries.length / ask.dim, keys.length / ask.dim];
    const address = prepare(ask.dim, ask.heads, ...rows, ask.causal ? 1 : 0, ask.neighbors ?? 0);
    if (address === 0) throw new Error("the sizes were refused");
    [queries, keys, values].forEach((from, which) => view(address, which, from.length).set(from));
    const call = () => {
      if (!run(address, 1)) throw new Error("the call failed");
    };
    warm(call, now);
    return {
      with: KERNELS[kernel()] ?? "unknown",
      run: (seconds, most) => time(call, now, seconds, most),
      result: () => view(address, 3, queries.length),
      free: () => release(address),
    };
  },
);
