// Random calls, good and bad, of a JavaScript package: `node fuzz.mjs PACKAGE SECONDS SEED`. Any error has to be the
// library's own, and results have to be finite numbers of the right count; the process has to live to tell.
import { callers } from "./faults.mjs";

const [name, seconds, seed] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const module = await import(name);
const api = "ScaledDotProductAttention" in module ? module : module.default;
await api.init();

// SplitMix32: the same calls for the same seed.
let word = seed >>> 0;
function random() {
  word = (word + 0x9e3779b9) >>> 0;
  let z = word;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const chance = (p) => random() < p;

const ODD = [
  undefined, null, NaN, Infinity, -1, 0, 1.5, 2 ** 31, 2 ** 53, "x", "", true, 10n, Symbol("s"), {}, [], [[]], [[1], [1, 2]], () => 1,
  new Date(0), new Map(), new ArrayBuffer(8), new DataView(new ArrayBuffer(8)), new Float64Array(4), new Uint8Array(0),
  new Float32Array(0), Promise.resolve(1), new Proxy({}, { get() { throw callers; } }), Object.create(null), /x/, globalThis,
];

function numbers(length) {
  const scale = pick([0.05, 0.3, 0.3, 1, 100, 1e30]);
  const array = Float32Array.from({ length }, () => (random() - 0.5) * scale);
  if (chance(0.03) && length) array[below(length)] = pick([NaN, Infinity, -Infinity, 3e38]);
  return array;
}

function tensor(rows, dim) {
  if (chance(0.04)) return pick(ODD);
  const flat = numbers(Math.max(0, rows * dim + (chance(0.04) ? below(5) - 2 : 0)));
  if (chance(0.02)) {
    structuredClone(flat, { transfer: [flat.buffer] });
    return flat;
  }
  if (chance(0.02)) return new Float32Array(new SharedArrayBuffer(4 * rows * dim));
  const way = random();
  if (way < 0.7) return flat;
  const split = Array.from({ length: rows }, (_, i) => flat.slice(i * dim, (i + 1) * dim));
  if (way < 0.85) return split;
  const plain = split.map((row) => Array.from(row));
  if (chance(0.1) && rows && dim) Object.defineProperty(pick(plain), below(dim), { get() { throw callers; } });
  return plain;
}

function options(keys, queries, width) {
  if (chance(0.5)) return undefined;
  if (chance(0.05)) return pick(ODD);
  if (chance(0.1)) return below(keys + 3);
  const given = {};
  if (chance(0.3)) given.neighbors = chance(0.05) ? pick(ODD) : below(keys + 2);
  if (chance(0.3)) given.mask = chance(0.05) ? pick(ODD) : Uint8Array.from({ length: keys + (chance(0.05) ? 1 : 0) }, () => below(2));
  if (chance(0.3)) given.causal = chance(0.9);
  if (chance(0.2)) given.out = chance(0.1) ? pick(ODD) : new Float32Array(Math.max(0, queries * width + (chance(0.1) ? 1 : 0)));
  if (chance(0.1)) given.dim = below(20);
  if (chance(0.1)) given.training = true;
  if (chance(0.1)) given.seed = below(100);
  if (chance(0.1)) given.signal = chance(0.5) ? AbortSignal.abort("stop") : new AbortController().signal;
  if (chance(0.02)) given.nonsense = 1;
  return given;
}

const count = () => (chance(0.1) ? pick(ODD) : 1 + below(16));
const makers = [
  () => new api.ScaledDotProductAttention(count()),
  () => new api.CrossAttention(count()),
  () => new api.LinearAttention(count()),
  () => new api.SelfAttention(count()),
  () => new api.HyperbolicAttention(chance(0.1) ? pick(ODD) : 0.1 + random()),
  () => new api.MultiHeadAttention(chance(0.1) ? pick(ODD) : 1 + below(4), 4 * (1 + below(4))),
];
const objects = [];
const caches = [];
/** Prepared calls, each with the arrays that it was given. */
const prepared = [];
const states = [];

const keep = (list, object) => {
  if (list.length < 20) list.push(object);
  else list.splice(below(20), 1, object)[0]?.free?.();
};

const dimOf = (object) => {
  try {
    // Some have a dimension that no memory holds.
    return Math.min(object.dim ?? object.hiddenDim ?? 1 + below(16), 64);
  } catch {
    return 1 + below(16);
  }
};

function checked(result, length) {
  const arrays = Array.isArray(result) ? result : [result];
  for (const array of arrays) {
    if (!(array instanceof Float32Array)) throw new Error(`a result of kind ${Object.prototype.toString.call(array)}`);
    if (array.some((number) => !Number.isFinite(number))) throw new Error("a result that is not finite");
  }
  const total = arrays.reduce((sum, array) => sum + array.length, 0);
  if (length !== undefined && total !== length) throw new Error(`a result of ${total} numbers, not ${length}`);
}

async function forward() {
  const object = pick(objects);
  if (!object) return;
  const [dim, width, keys] = [dimOf(object), 1 + below(16), 1 + below(chance(0.02) ? 2000 : 40)];
  const batch = chance(0.4);
  const method = `forward${batch ? "Batch" : ""}${chance(0.4) ? "Async" : ""}`;
  if (object instanceof api.SelfAttention) return checked(await object[method](batch ? [tensor(keys, dim)] : tensor(keys, dim), options(keys, keys, dim)));
  const queries = batch ? 1 + below(5) : 1;
  const memory = chance(0.3) && caches.length ? [pick(caches)] : [tensor(keys, dim), tensor(keys, chance(0.5) ? dim : width)];
  checked(await object[method](tensor(queries, dim), ...memory, options(keys, queries, width)));
}

function prepare() {
  const object = pick(objects);
  if (!object?.prepare) return;
  const [dim, width, keys] = [dimOf(object), 1 + below(16), 1 + below(40)];
  const memory = chance(0.5) && caches.length ? [pick(caches)] : [tensor(keys, dim), tensor(keys, chance(0.5) ? dim : width)];
  const given = [tensor(1, dim), ...memory, options(keys, 1, width)];
  keep(prepared, Object.assign(object.prepare(...given), { given }));
}

function run() {
  const call = pick(prepared);
  if (!call) return;
  const array = pick([...call.given, call.out]);
  // A cache's width may be one that no memory holds: as long as nothing is written, nor does its result take any.
  if (array instanceof Float32Array && array.length && array.length < 1e6) {
    if (chance(0.3)) array.set(numbers(array.length));
    if (chance(0.01)) structuredClone(array, { transfer: [array.buffer] });
  }
  checked(call.run(), call.out.length);
}

async function stream() {
  const object = pick(objects);
  if (!object || object instanceof api.SelfAttention) return;
  const [dim, keys] = [dimOf(object), 1 + below(20)];
  let left = below(4);
  for await (const row of object.forwardStream([tensor(1, dim), tensor(1, dim)], tensor(keys, dim), tensor(keys, dim))) {
    checked(row);
    if (left-- === 0) break;
  }
}

const actions = [
  ...Array(10).fill(forward),
  stream,
  prepare,
  ...Array(5).fill(run),
  () => keep(objects, pick(makers)()),
  () => keep(caches, new api.KeyValueCache(count(), chance(0.5) ? undefined : count(), chance(0.7) ? undefined : { precision: pick(["f32", "f16", "bf16", "f8"]) })),
  () => {
    const cache = pick(caches);
    const rows = below(30);
    cache?.append(tensor(rows, dimOf(cache)), tensor(rows, chance(0.9) ? Math.min(cache.valueDim, 64) : 3));
  },
  () => pick(caches)?.clear(),
  () => {
    const object = pick(objects);
    if (object?.state) keep(states, object.state(tensor(1, dimOf(object)), options(4, 1, 4)));
  },
  () => {
    const rows = 1 + below(10);
    pick(states)?.push(tensor(rows, 1 + below(16)), tensor(rows, 1 + below(16)));
  },
  () => pick(states)?.merge(pick(states)),
  () => { const state = pick(states); if (state) checked(state.finish()); },
  () => {
    const bytes = pick(states)?.toBytes();
    if (!bytes) return;
    if (chance(0.5)) bytes[below(bytes.length)] ^= 1 << below(8);
    keep(states, api.AttentionState.fromBytes(chance(0.2) ? bytes.subarray(0, below(bytes.length)) : bytes));
  },
  () => pick([...objects, ...caches, ...states])?.free(),
  () => pick([api.toPoincare, api.fromPoincare, api.projectToBall])(tensor(1, 1 + below(16)), chance(0.1) ? pick(ODD) : random() * 2),
  () => api.poincareDistance(tensor(1, 4), tensor(1, 4), chance(0.1) ? pick(ODD) : random() * 2),
];

const outcomes = { ok: 0, refused: 0, aborted: 0 };
const end = Date.now() + seconds * 1000;
let calls = 0;
while (Date.now() < end) {
  for (let i = 0; i < 50; i++, calls++) {
    try {
      await pick(actions)();
      outcomes.ok++;
    } catch (error) {
      if (error instanceof api.AttentionError && error.code !== "internal") outcomes.refused++;
      else if (error === callers) outcomes.refused++;
      else if (error === "stop") outcomes.aborted++;
      else {
        console.error(`call ${calls} of seed ${seed}: ${error?.stack ?? String(error)}`);
        process.exit(1);
      }
    }
  }
}
const memory = Math.round(process.memoryUsage().rss / 2 ** 20);
console.log(JSON.stringify({ backend: api.backend.name, seed, seconds, calls, ...outcomes, memory_mib: memory }));
process.exit(outcomes.ok && outcomes.refused ? 0 : 1);
