// Every mechanism once, on four keys of two numbers. Run it with: node basic.mjs
import {
  AttentionError,
  CrossAttention,
  HyperbolicAttention,
  KeyValueCache,
  LinearAttention,
  MultiHeadAttention,
  ScaledDotProductAttention,
  SelfAttention,
  backend,
} from "ruvector-attention";

/** @param {Iterable<number>} numbers */
const text = (numbers) => Array.from(numbers, (number) => number.toFixed(4)).join(" ");

console.log(`computed by ${backend.name} (${backend.level}): ${backend.reason}`);

// Flat and row-major is the fast way; arrays of rows do as well.
const query = Float32Array.of(1, 0);
const keys = Float32Array.of(1, 0, 0, 1, -1, 0, 0, -1);
const values = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);

const attention = new ScaledDotProductAttention(2);
console.log("scaled dot-product:", text(attention.forward(query, keys, values)));
console.log("the best key only: ", text(attention.forward(query, keys, values, 1)));
console.log("without the first: ", text(attention.forward(query, keys, values, [false, true, true, true])));
console.log("rows:              ", text(attention.forward([1, 0], [[1, 0], [0, 1]], [[1, 2], [3, 4]])));

console.log("multi-head:        ", text(new MultiHeadAttention({ numHeads: 2, hiddenDim: 2 }).forward(query, keys, values)));
console.log("linear:            ", text(new LinearAttention(2).forward(query, keys, values)));
console.log("cross:             ", text(new CrossAttention(2).forward(query, keys, values, { neighbors: 2 })));
console.log("self, causal:      ", text(new SelfAttention(2).forward(keys, { causal: true })));

// Hyperbolic attention works on points inside the ball; toPoincare takes any vector there.
const ball = new HyperbolicAttention(1);
const points = [[1, 0], [0, 1], [-1, 0]].map((row) => ball.toPoincare(row));
console.log("hyperbolic:        ", text(ball.forward(points[0], points, points)));

// Two queries in one call, over keys that the backend keeps.
const cache = new KeyValueCache(2);
cache.append(keys, values);
for (const row of attention.forwardBatch([Float32Array.of(1, 0), Float32Array.of(0, 1)], cache)) console.log("from the cache:    ", text(row));
cache.free();

try {
  attention.forward([1, 2, 3], keys, values);
} catch (error) {
  if (!(error instanceof AttentionError)) throw error;
  console.log(`refused (${error.code}, ${error.argument}): ${error.message}`);
}
