// Median time of a synchronous call, flat buffers, d = 128.
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";

const { ScaledDotProductAttention } = createRequire(import.meta.url)("../index.js");
const dim = 128;
const random = (length) => Float32Array.from({ length }, () => Math.random() * 2 - 1);
const attention = new ScaledDotProductAttention(dim);

for (const n of [100, 1000, 10_000]) {
  const [query, keys, values] = [random(dim), random(n * dim), random(n * dim)];
  const times = Array.from({ length: 300 }, () => {
    const start = performance.now();
    attention.forward(query, keys, values);
    return performance.now() - start;
  });
  const median = times.slice(100).sort((a, b) => a - b)[100];
  console.log(`n = ${n}: ${(median * 1000).toFixed(1)} us`);
}
