// Median time of a synchronous call, d = 128; `rva bench bindings` compares it with the core's own.
import { performance } from "node:perf_hooks";
import { KeyValueCache, ScaledDotProductAttention } from "ruvector-attention";

const dim = 128;
const random = (length) => Float32Array.from({ length }, () => Math.random() * 2 - 1);
const rowsOf = (flat) => Array.from({ length: flat.length / dim }, (_, i) => flat.slice(i * dim, (i + 1) * dim));
const attention = new ScaledDotProductAttention(dim);

for (const n of [1, 100, 1000, 10_000]) {
  const [query, keys, values, out] = [random(dim), random(n * dim), random(n * dim), new Float32Array(dim)];
  const [keyRows, valueRows] = [rowsOf(keys), rowsOf(values)];
  const cache = new KeyValueCache(dim);
  cache.append(keys, values);
  const ways = {
    flat: () => attention.forward(query, keys, values),
    "own result": () => attention.forward(query, keys, values, { out }),
    "resident keys, own result": () => attention.forward(query, cache, { out }),
    rows: () => attention.forward(query, keyRows, valueRows),
  };
  const group = Math.max(1, Math.round(200 / n));
  const times = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
  for (let round = 0; round < 300; round++) {
    for (const [way, call] of Object.entries(ways)) {
      const start = performance.now();
      for (let i = 0; i < group; i++) call();
      times[way].push((performance.now() - start) / group);
    }
  }
  const median = (list) => list.slice(100).sort((a, b) => a - b)[100] * 1000;
  console.log(`n = ${n}:`, Object.entries(times).map(([way, list]) => `${way} ${median(list).toFixed(2)} us`).join(", "));
}
