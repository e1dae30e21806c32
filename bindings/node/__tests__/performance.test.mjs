// Bounds on what a call costs, on the best of many rounds: a busy machine makes calls slower, never faster.
import assert from "node:assert/strict";
import test from "node:test";
import { KeyValueCache, ScaledDotProductAttention } from "ruvector-attention";

const random = (length) => Float32Array.from({ length }, () => Math.random() - 0.5);
const attention = new ScaledDotProductAttention(128);

/** Microseconds of one call, the best of many rounds. */
function best(call, { calls = 500, rounds = 60 } = {}) {
  let least = Infinity;
  for (let round = 0; round < rounds; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) call();
    least = Math.min(least, Number(process.hrtime.bigint() - start) / calls / 1000);
  }
  return least;
}

test("a call of one key costs little more than crossing over", () => {
  const [query, keys, values, out] = [random(128), random(128), random(128), new Float32Array(128)];
  const cache = new KeyValueCache(128);
  cache.append(keys, values);
  const call = attention.prepare(query, keys, values);
  const times = {
    "with out": best(() => attention.forward(query, keys, values, { out })),
    prepared: best(() => call.run()),
    "over a cache": best(() => attention.forward(query, cache, { out })),
    "with a new result": best(() => attention.forward(query, keys, values)),
  };
  console.log(times);
  assert.ok(times.prepared < times["with out"], JSON.stringify(times));
  assert.ok(times["with out"] < 1.5 && times["over a cache"] < 1.5, JSON.stringify(times));
  assert.ok(times["with a new result"] < 5, JSON.stringify(times));
});

test("flat arrays are not copied, rows are read at the speed of memory", () => {
  const [n, query, out] = [1000, random(128), new Float32Array(128)];
  const keys = random(n * 128);
  const rows = Array.from({ length: n }, (_, i) => keys.slice(i * 128, (i + 1) * 128));
  const plain = rows.map((row) => [...row]);
  const few = { calls: 5, rounds: 60 };
  const flat = best(() => attention.forward(query, keys, keys, { out }), few);
  const typed = best(() => attention.forward(query, rows, rows, { out }), few);
  const numbers = best(() => attention.forward(query, plain, plain, { out }), few);
  console.log({ flat, typed, numbers });
  // Node-API takes 50 ns and more for each of 2000 rows, and 80 for each of 256 000 numbers, if one asks for them so.
  assert.ok(typed < 2000 * 0.5, `${typed} us`);
  assert.ok(numbers < 256_000 * 0.02, `${numbers} us`);
});

test("a million calls leave no memory behind", () => {
  const [query, out] = [random(128), new Float32Array(128)];
  const call = () => attention.forward(query, query, query, { out });
  for (let i = 0; i < 100_000; i++) call();
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 1_000_000; i++) call();
  for (let i = 0; i < 100_000; i++) {
    const cache = new KeyValueCache(16);
    cache.append(query, query);
    cache.free();
  }
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grown < 64, `${grown.toFixed(0)} MiB more`);
});
