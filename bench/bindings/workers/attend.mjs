// Ways to call a JavaScript binding, the same in Node.js and in a browser.
import { time, warm } from "../../core/workers/answer.mjs";

/** The ways to solve a problem with flat tensors; each gives a call without arguments that returns the result. */
export const WAYS = {
  flat: (attention, _, q, k, v) => () => attention.forward(q, k, v),
  "own result": (attention, _, q, k, v) => {
    const options = { out: new Float32Array((v.length / k.length) * q.length) };
    return () => attention.forward(q, k, v, options);
  },
  "resident keys": (attention, cache, q) => () => attention.forward(q, cache),
  "resident keys, own result": (attention, cache, q) => {
    const options = { out: new Float32Array(cache.valueDim) };
    return () => attention.forward(q, cache, options);
  },
  prepared: (attention, _, q, k, v) => {
    const call = attention.prepare(q, k, v);
    return () => call.run();
  },
  "prepared, resident keys": (attention, cache, q) => {
    const call = attention.prepare(q, cache);
    return () => call.run();
  },
  rows: (attention, _, q, k, v) => {
    const [keys, values] = [rows(k, q.length), rows(v, q.length)];
    return () => attention.forward(q, keys, values);
  },
};

function rows(flat, dim) {
  return Array.from({ length: flat.length / dim }, (_, i) => flat.slice(i * dim, (i + 1) * dim));
}

/** What a request asks for, timed by `now` in groups of calls as long as it needs. */
export function prepare(api, ask, [q, k, v], now, groupNs) {
  if (ask.mechanism !== "scaled" || ask.heads !== 1 || ask.causal) throw new Error("not offered here");
  const attention = new api.ScaledDotProductAttention(ask.dim);
  let cache;
  if (ask.way.includes("resident")) {
    cache = new api.KeyValueCache(ask.dim, (v.length / k.length) * ask.dim);
    cache.append(k, v);
  }
  const call = WAYS[ask.way](attention, cache, q, k, v);
  warm(call, now);
  // Memory of a WebAssembly module is freed by hand.
  const free = () => [attention, cache].forEach((object) => object?.free?.());
  return { with: ask.way, run: (seconds, most) => time(call, now, seconds, most, groupNs), result: call, free };
}
