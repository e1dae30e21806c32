// Ways to call a JavaScript binding, the same in Node.js and in a browser, and how a way is timed.

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
  rows: (attention, _, q, k, v) => {
    const [keys, values] = [rows(k, q.length), rows(v, q.length)];
    return () => attention.forward(q, keys, values);
  },
};

function rows(flat, dim) {
  return Array.from({ length: flat.length / dim }, (_, i) => flat.slice(i * dim, (i + 1) * dim));
}

/** What a request asks for, ready to be called. */
export function prepare(api, ask, q, k, v) {
  if (ask.mechanism !== "scaled" || ask.heads !== 1 || ask.causal) throw new Error("not offered here");
  // A module's own class has the package's under another name: the package's inherits all that is called here.
  const Attention = api.ScaledDotProductAttention ?? api.WasmScaledDotProduct;
  const attention = new Attention(ask.dim);
  let cache;
  if (ask.way.startsWith("resident")) {
    cache = new api.KeyValueCache(ask.dim, (v.length / k.length) * ask.dim);
    cache.append(k, v);
  }
  const call = WAYS[ask.way](attention, cache, q, k, v);
  // Memory of a WebAssembly module is freed by hand.
  const free = () => [attention, cache].forEach((object) => object?.free?.());
  return { call, free };
}

const GROUP_NS = 50_000;

/** Nanoseconds of a call, of groups of calls long enough for the clock; one group of one call where `most` is 1. */
export function time(call, now, seconds, most, groupNs = GROUP_NS) {
  const end = now() + seconds * 1e9;
  const ns = [];
  let group = 1;
  do {
    const start = now();
    for (let i = 0; i < group; i++) call();
    const spent = (now() - start) / group;
    ns.push(Math.round(spent));
    if (most > 1) group = Math.max(1, Math.min(10_000, Math.ceil(groupNs / Math.max(spent, 1))));
  } while (ns.length < most && now() < end);
  return ns;
}

/** V8 compiles quickly first, and well only what was called often: that is over before anything is measured. */
export function warm(call, now) {
  time(call, now, 0.5, Infinity);
}
