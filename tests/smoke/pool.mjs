// Replays the reference cases through the asynchronous methods of ruvector-attention-wasm: `node pool.mjs VECTORS_JSON`.
import { createRequire } from "node:module";
import * as api from "ruvector-attention-wasm";

const { compute, load, replay } = createRequire(import.meta.url)("./cases.cjs");
const names = {
  scaledDot: "ScaledDotProductAttention",
  cross: "CrossAttention",
  self: "SelfAttention",
  hyperbolic: "HyperbolicAttention",
  linear: "LinearAttention",
  makeMultiHead: (api, heads, dim) => new api.MultiHeadAttention(heads, dim),
};

await api.init();
await replay(load(process.argv[2]), (testCase) => {
  const { count, reason } = api.backend.workers;
  if (count === 0) throw new Error(`no worker is there: ${reason}`);
  return compute(api, names, testCase);
});
