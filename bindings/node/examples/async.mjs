// Many computations at once, off the JavaScript thread, and one that is called off. Run it with: node async.mjs
import { KeyValueCache, ScaledDotProductAttention } from "ruvector-attention";

const [dim, count] = [64, 20_000];
/** @param {number} length @param {number} seed */
const numbers = (length, seed) => Float32Array.from({ length }, (_, i) => Math.sin(i * 0.37 + seed));

const attention = new ScaledDotProductAttention(dim);
const cache = new KeyValueCache(dim);
cache.append(numbers(count * dim, 1), numbers(count * dim, 2));

let ticks = 0;
const timer = setInterval(() => (ticks += 1), 1);
const results = await Promise.all(Array.from({ length: 32 }, (_, i) => attention.forwardAsync(numbers(dim, i), cache)));
clearInterval(timer);
console.log(`${results.length} results of ${results[0].length} numbers; the event loop kept turning: ${ticks > 0}`);

// One call for all of them crosses to the other thread once.
const batch = await attention.forwardBatchAsync(Array.from({ length: 32 }, (_, i) => numbers(dim, i)), cache);
const same = batch.every((row, i) => row.every((number, j) => Math.abs(number - results[i][j]) <= 1e-6));
console.log(`as a batch the same: ${same}`);

const abort = new AbortController();
const called = attention.forwardAsync(numbers(dim, 0), cache, { signal: abort.signal });
abort.abort(new Error("no longer needed"));
await called.then(
  () => console.log("it was faster than the abort"),
  (error) => console.log(`called off: ${error.message}`),
);
cache.free();
