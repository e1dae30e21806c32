// The WebAssembly package in Node.js: ready at load, workers behind the asynchronous calls. Run it with: node example.mjs
import { Attention, AttentionType, HyperbolicAttention, KeyValueCache, ScaledDotProductAttention, backend, version } from "ruvector-attention-wasm";

/** @param {Iterable<number>} numbers */
const text = (numbers) => Array.from(numbers, (number) => number.toFixed(4)).join(" ");

console.log(`version ${version()}, ${backend.name} (${backend.level}): ${backend.reason}`);

const keys = Float32Array.of(1, 0, 0, 1, -1, 0, 0, -1);
const values = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const attention = new ScaledDotProductAttention(2);
console.log("all keys:    ", text(attention.forward([1, 0], keys, values)));
console.log("in a worker: ", text(await attention.forwardAsync([1, 0], keys, values)));

const cache = new KeyValueCache(2);
cache.append(keys, values);
for await (const row of attention.forwardStream([[1, 0], [0, 1]], cache)) console.log("stream:      ", text(row));

const heads = new Attention({ type: AttentionType.Auto, hiddenDim: 2, numHeads: 2 });
console.log(`${heads.type}:  `, text(heads.forward([1, 0], cache)));

const ball = new HyperbolicAttention(1);
console.log("distance:    ", ball.poincareDistance(ball.toPoincare([1, 0]), ball.toPoincare([0, 1])).toFixed(4));

// Memory of the module is given back at once; without this the runtime does it in its own time.
for (const each of [attention, cache, heads, ball]) each.free();
