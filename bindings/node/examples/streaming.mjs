// Queries that arrive one by one, and keys that arrive in pieces. Run it with: node streaming.mjs
import { setTimeout as later } from "node:timers/promises";
import { AttentionState, ScaledDotProductAttention } from "ruvector-attention";

const attention = new ScaledDotProductAttention(2);
const keys = Float32Array.of(1, 0, 0, 1, -1, 0, 0, -1);
const values = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);

/** @param {Iterable<number>} numbers */
const text = (numbers) => Array.from(numbers, (number) => number.toFixed(4)).join(" ");

// 1. Queries from a source that takes its time. One is pulled when the result before it has been used.
let pulled = 0;
async function* queries() {
  for (const angle of [0, 1, 2, 3]) {
    await later(5);
    pulled += 1;
    yield Float32Array.of(Math.cos(angle), Math.sin(angle));
  }
}
for await (const row of attention.forwardStream(queries(), keys, values)) console.log(`query ${pulled}: ${text(row)}`);

// 2. A stream that is called off ends its source too.
const abort = new AbortController();
try {
  for await (const _ of attention.forwardStream(queries(), keys, values, { signal: abort.signal })) abort.abort(new Error("enough"));
} catch (error) {
  console.log(`called off: ${/** @type {Error} */ (error).message}`);
}

// 3. Keys in pieces: any division gives the result of one call.
const query = Float32Array.of(1, 0);
const whole = attention.state(query);
whole.push(keys.subarray(0, 4), values.subarray(0, 4));
whole.push(keys.subarray(4), values.subarray(4));
console.log(`in pieces: ${text(whole.finish())}`);

// 4. Keys spread over workers: each sees its part, the states travel as bytes and merge.
const [left, right] = [attention.state(query), attention.state(query)];
left.push(keys.subarray(0, 2), values.subarray(0, 2));
right.push(keys.subarray(2), values.subarray(2));
left.merge(AttentionState.fromBytes(right.toBytes()));
console.log(`merged:    ${text(left.finish())}`);
console.log(`at once:   ${text(attention.forward(query, keys, values))}`);
