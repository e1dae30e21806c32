// Bad arguments for everything that both JavaScript packages export: every argument of every function with every fault
// that its kind can have. Data alone: robust.mjs makes the calls.

/** What a getter of the caller throws. */
export const callers = new RangeError("a getter of the caller");
const throwing = () => {
  throw callers;
};

function detached(length) {
  const array = new Float32Array(length);
  structuredClone(array, { transfer: [array.buffer] });
  return array;
}

/** A view over a buffer that has shrunk below it; undefined where the runtime has no such buffers. */
function shrunk(length) {
  const buffer = new ArrayBuffer(4 * length, { maxByteLength: 8 * length });
  if (!buffer.resizable) return undefined;
  const array = new Float32Array(buffer, 0, length);
  buffer.resize(4);
  return array;
}

const filled = (length, change = {}) => Object.assign(new Float32Array(length).fill(0.1), change);

const NOT_ARRAYS = {
  null: () => null,
  "a number": () => 1.5,
  "a string": () => "0.1",
  "a boolean": () => true,
  "a bigint": () => 10n,
  "a symbol": () => Symbol("s"),
  "a function": () => throwing,
  "an object": () => ({ length: 2, 0: 1, 1: 2 }),
  "a date": () => new Date(0),
  "a map": () => new Map(),
  "a promise": () => Promise.resolve(),
  "an ArrayBuffer": () => new ArrayBuffer(16),
  "a DataView": () => new DataView(new ArrayBuffer(16)),
  "a proxy that throws": () => new Proxy([], { get: throwing, has: throwing, getPrototypeOf: throwing }),
};

const OTHER_ARRAYS = {
  "a Float64Array": (length) => new Float64Array(length),
  "an Int32Array": (length) => new Int32Array(length),
  "a Uint8Array": (length) => new Uint8Array(length),
  "a BigInt64Array": (length) => new BigInt64Array(length),
  "a detached array": detached,
  "a shrunk array": shrunk,
  "a shared array": (length) => new Float32Array(new SharedArrayBuffer(4 * length)),
  "an array of strings": (length) => Array.from({ length }, () => "0.1"),
  "an array of null": (length) => Array.from({ length }, () => null),
  "an array of bigints": (length) => Array.from({ length }, () => 1n),
  "an array of symbols": (length) => Array.from({ length }, () => Symbol("s")),
  "an array of objects": (length) => Array.from({ length }, () => ({})),
  "an array with a hole": (length) => Object.assign(Array(length), { 0: 0.1 }),
  "an array whose getter throws": (length) => Object.defineProperty(Array(length).fill(0.1), 0, { get: throwing }),
  "an array whose last getter throws": (length) => Object.defineProperty(Array(length).fill(0.1), length - 1, { get: throwing }),
  "an array three deep": (length) => Array.from({ length }, () => [[0.1]]),
};

const WRONG_NUMBERS = {
  "a NaN": (length) => filled(length, { 0: NaN }),
  "a NaN at the end": (length) => filled(length, { [length - 1]: NaN }),
  infinity: (length) => filled(length, { 0: Infinity }),
  "a NaN in a plain array": (length) => Array.from(filled(length, { 0: NaN })),
  "a number beyond float32": (length) => Object.assign(Array(length).fill(0.1), { 0: 1e300 }),
};

const WRONG_LENGTHS = {
  nothing: () => new Float32Array(0),
  "an empty array": () => [],
  "one too few": (length) => filled(length - 1),
  "one too many": (length) => filled(length + 1),
};

const WRONG_ROWS = {
  "ragged rows": (length) => [filled(length / 2), filled(length / 2 + 1)],
  "a row of another kind": (length) => [filled(length / 2), new Float64Array(length / 2)],
  "a row that is detached": (length) => [filled(length / 2), detached(length / 2)],
  "a row whose last getter throws": (length) => [filled(length / 2), Object.defineProperty(Array(length / 2).fill(0.1), length / 2 - 1, { get: throwing })],
  "empty rows": () => [new Float32Array(0), new Float32Array(0)],
  "rows and numbers": (length) => [filled(length / 2), 0.1],
};

const OUTSIDE = {
  "a point on the boundary": (length) => filled(length).fill(0).map((_, i) => (i === 0 ? 1 : 0)),
  "a point outside the ball": (length) => filled(length).fill(0.9),
};

const WRONG_COUNTS = {
  null: () => null,
  nothing: () => undefined,
  zero: () => 0,
  "minus one": () => -1,
  "a fraction": () => 1.5,
  "a NaN": () => NaN,
  infinity: () => Infinity,
  "beyond 2^53": () => 2 ** 60,
  "a string": () => "4",
  "a bigint": () => 4n,
  "a boolean": () => true,
  "a symbol": () => Symbol("s"),
  "an array": () => [4],
  "an object that throws": () => ({ valueOf: throwing, [Symbol.toPrimitive]: throwing }),
};

const WRONG_CURVATURES = {
  zero: () => 0,
  "minus zero": () => -0,
  "below zero": () => -1,
  "a NaN": () => NaN,
  infinity: () => Infinity,
  "minus infinity": () => -Infinity,
  null: () => null,
  nothing: () => undefined,
  "a string": () => "1",
  "a bigint": () => 1n,
  "a boolean": () => true,
  "a symbol": () => Symbol("s"),
  "an object": () => ({}),
};

const only = (faults, ...names) => Object.fromEntries(names.map((name) => [name, faults[name]]));
const without = (faults, ...names) => Object.fromEntries(Object.entries(faults).filter(([name]) => !names.includes(name)));

/** Faults of an option, by the option's name; `keys` is the number of keys. */
const OPTIONS = {
  neighbors: without(WRONG_COUNTS, "null", "nothing"),
  numNeighbors: without(WRONG_COUNTS, "null", "nothing"),
  mask: {
    ...without(NOT_ARRAYS, "null"),
    "one flag too few": (keys) => new Uint8Array(keys - 1).fill(1),
    "one flag too many": (keys) => new Uint8Array(keys + 1).fill(1),
    "no key": (keys) => new Uint8Array(keys),
    "no key in booleans": (keys) => Array(keys).fill(false),
    "an array of numbers": (keys) => Array(keys).fill(1),
    "a Float32Array": (keys) => new Float32Array(keys).fill(1),
    nothing: () => new Uint8Array(0),
    detached: (keys) => structuredCloneAway(new Uint8Array(keys)),
  },
  causal: { "a number": () => 1, "a string": () => "yes", "an object": () => ({}), "a symbol": () => Symbol("s") },
  dim: { ...without(WRONG_COUNTS, "null", "nothing"), "another length": () => 3 },
  training: { "a number": () => 1, "a string": () => "yes" },
  seed: only(WRONG_COUNTS, "minus one", "a fraction", "a NaN", "a string", "beyond 2^53"),
  signal: { "a number": () => 1, "an object": () => ({}), "a string": () => "stop" },
  out: {
    "a number": () => 1,
    "an array": () => [0, 0],
    "too short": () => new Float32Array(1),
    "too long": () => new Float32Array(1000),
    "a Float64Array": () => new Float64Array(2),
    detached: () => detached(2),
  },
};

function structuredCloneAway(array) {
  structuredClone(array, { transfer: [array.buffer] });
  return array;
}

const WHOLE_OPTIONS = {
  "a string": () => "fast",
  "a bigint": () => 1n,
  "a boolean": () => true,
  "a symbol": () => Symbol("s"),
  "a function": () => throwing,
  "an unknown name": () => ({ neighbours: 1 }),
  "a name with a capital": () => ({ Mask: [true, true] }),
  "a getter that throws": () => Object.defineProperty({}, "causal", { get: throwing, enumerable: true }),
  "a proxy that throws": () => new Proxy({}, { get: throwing, ownKeys: throwing, has: throwing }),
  "both names of one option": () => ({ neighbors: 1, numNeighbors: 2 }),
};

const DIM = 4;
const KEYS = 2;
const SIZE = DIM * KEYS;

// What `forward` copies and a prepared call could not read anew.
const PLAIN = {
  "numbers in an array": (length) => Array(length).fill(0.1),
  "rows of numbers": (length) => [filled(length / 2), filled(length / 2)],
};

// In a key it can mean a weight of zero, and then the result is finite: the cause is looked for only where it is not.
const MINUS_INFINITY = { "minus infinity": (length) => filled(length, { [length - 1]: -Infinity }) };

/** Everything that can be called, with good arguments, and the faults of each. */
export function targets(api) {
  const list = [];
  const add = (name, make, args, faults) => list.push({ name, make, args, faults });
  const vector = { ...NOT_ARRAYS, undefined: () => undefined, ...OTHER_ARRAYS, ...WRONG_NUMBERS, ...WRONG_LENGTHS };
  const matrix = { ...vector, ...WRONG_ROWS };
  const fill = (length) => () => filled(length);

  const classes = {
    ScaledDotProductAttention: [DIM],
    MultiHeadAttention: [2, DIM],
    HyperbolicAttention: [1],
    LinearAttention: [DIM],
    CrossAttention: [DIM],
  };
  for (const [name, parameters] of Object.entries(classes)) {
    const make = () => new api[name](...parameters);
    const ball = name === "HyperbolicAttention";
    // A query of another length is another problem there, which the keys then do not fit.
    const point = ball ? OUTSIDE : {};
    for (const method of ["forward", "forwardAsync", "forwardBatch", "forwardBatchAsync"]) {
      const queries = method.includes("Batch") ? matrix : vector;
      const flat = method.includes("Batch") ? { ...queries, ...(ball ? {} : only(WRONG_LENGTHS, "one too few")) } : queries;
      // A flat batch does not tell the length of a query where the class has none.
      const given = ball && method.includes("Batch") ? { dim: DIM } : undefined;
      const args = [fill(DIM), fill(SIZE), fill(SIZE), () => given];
      add(`${name}.${method}`, () => bound(make(), method), args, [
        { ...flat, ...point },
        { ...matrix, ...point },
        { ...matrix, ...point, ...MINUS_INFINITY },
      ]);
      add(`${name}.${method} options`, () => bound(make(), method), args, [
        {}, {}, {}, { ...WHOLE_OPTIONS, ...optionFaults(name, method) },
      ]);
    }
    const arrays = [fill(DIM), fill(SIZE), fill(SIZE), () => undefined];
    const options = { ...WHOLE_OPTIONS, ...optionFaults(name, "prepare"), "a signal": () => ({ signal: new AbortController().signal }) };
    add(`${name}.prepare`, () => (...args) => make().prepare(...args).run(), arrays, [
      { ...vector, ...PLAIN, ...point }, { ...matrix, ...PLAIN, ...point }, { ...matrix, ...PLAIN, ...point, ...MINUS_INFINITY }, options,
    ]);
    // The same faults come over the arrays after they were bound.
    for (const [place, argument] of ["query", "keys", "values", "out"].entries()) {
      add(`${name} prepared ${argument}`, () => (change) => {
        const given = [filled(DIM), filled(SIZE), filled(SIZE), new Float32Array(DIM)];
        const call = make().prepare(given[0], given[1], given[2], { out: given[3] });
        change(given[place]);
        return call.run();
      }, [() => () => undefined], [{ detached: () => structuredCloneAway, ...(place < 3 ? { "a NaN": () => (array) => (array[0] = NaN) } : {}) }]);
    }
    add(`${name} prepared, freed`, () => (change) => {
      const [mechanism, cache] = [make(), full(api, DIM)];
      const call = mechanism.prepare(filled(DIM), cache);
      change({ mechanism, cache, call });
      return call.run();
    }, [() => () => undefined], [
      { ...Object.fromEntries(["mechanism", "cache", "call"].map((one) => [one, () => (all) => all[one].free()])), cleared: () => (all) => all.cache.clear() },
    ]);
    add(`${name}.state`, () => bound(make(), "state"), [fill(DIM)], [without({ ...vector, ...point }, "one too few", "one too many")]);
    const state = () => make().state(filled(DIM));
    add(`${name} state.push`, () => bound(state(), "push"), [fill(SIZE), fill(SIZE)], [{ ...matrix, ...point }, { ...matrix, ...point }]);
    add(`${name} state.merge`, () => bound(state(), "merge"), [state], [
      { ...NOT_ARRAYS, "a freed state": () => freed(state()), "a cache": () => new api.KeyValueCache(2) },
    ]);
    add(`${name} state freed`, () => (method) => freed(state())[method](filled(SIZE), filled(SIZE)), [() => "push"], [
      Object.fromEntries(["push", "finish", "toBytes"].map((m) => [m, () => m])),
    ]);
    add(`${name} freed`, () => (method) => freedCall(make(), method), [() => "forward"], [
      Object.fromEntries(["forward", "forwardAsync", "forwardBatch", "forwardBatchAsync", "prepare", "state"].map((m) => [m, () => m])),
    ]);
  }
  for (const name of ["ScaledDotProductAttention", "LinearAttention", "CrossAttention", "SelfAttention"]) {
    add(`new ${name}`, () => (dim) => new api[name](dim), [() => DIM], [WRONG_COUNTS]);
  }
  add("new MultiHeadAttention", () => (heads, dim, dropout) => new api.MultiHeadAttention(heads, dim, dropout),
    [() => 2, () => DIM, () => 0], [
      { ...WRONG_COUNTS, "no divisor": () => 3 },
      WRONG_COUNTS,
      { one: () => 1, "below zero": () => -0.1, "a NaN": () => NaN, infinity: () => Infinity, "a string": () => "0.1" },
    ]);
  add("MultiHeadAttention.fromParams", () => (heads, dim) => api.MultiHeadAttention.fromParams(heads, dim),
    [() => 2, () => DIM], [WRONG_COUNTS, WRONG_COUNTS]);
  add("new MultiHeadAttention config", () => (config) => new api.MultiHeadAttention(config), [() => ({ numHeads: 2, hiddenDim: DIM })], [{
    "no heads": () => ({ hiddenDim: DIM }),
    "no dimension": () => ({ numHeads: 2 }),
    "an unknown name": () => ({ numHeads: 2, hiddenDim: DIM, headDims: 2 }),
    "heads in a string": () => ({ numHeads: "2", hiddenDim: DIM }),
    "no divisor": () => ({ numHeads: 3, hiddenDim: DIM }),
    "a proxy that throws": () => new Proxy({}, { get: throwing, ownKeys: throwing }),
  }]);
  add("new HyperbolicAttention", () => (c) => new api.HyperbolicAttention(c), [() => 1], [WRONG_CURVATURES]);
  const ball = () => new api.HyperbolicAttention(1);
  add("HyperbolicAttention.poincareDistance", () => bound(ball(), "poincareDistance"), [fill(DIM), fill(DIM)],
    [{ ...vector, ...OUTSIDE }, { ...vector, ...OUTSIDE }]);
  const anyLength = without(vector, "one too few", "one too many");
  for (const method of ["toPoincare", "fromPoincare", "projectToBall"]) {
    const outside = method === "fromPoincare" ? OUTSIDE : {};
    add(`HyperbolicAttention.${method}`, () => bound(ball(), method), [fill(DIM)], [{ ...anyLength, ...outside }]);
    add(method, () => api[method], [fill(DIM), () => 1], [{ ...anyLength, ...outside }, WRONG_CURVATURES]);
  }
  add("poincareDistance", () => api.poincareDistance, [fill(DIM), fill(DIM), () => 1],
    [{ ...vector, ...OUTSIDE }, { ...vector, ...OUTSIDE }, WRONG_CURVATURES]);

  const self = () => new api.SelfAttention(DIM);
  for (const method of ["forward", "forwardAsync"]) add(`SelfAttention.${method}`, () => bound(self(), method), [fill(SIZE)], [matrix]);
  add("SelfAttention.forward options", () => bound(self(), "forward"), [fill(SIZE), () => undefined],
    [{}, { ...WHOLE_OPTIONS, ...optionFaults("SelfAttention", "forward") }]);

  const cache = () => new api.KeyValueCache(DIM);
  add("new KeyValueCache", () => (dim, valueDim, options) => new api.KeyValueCache(dim, valueDim, options),
    [() => DIM, () => DIM, () => undefined], [
      WRONG_COUNTS,
      without(WRONG_COUNTS, "null", "nothing"),
      { "another precision": () => ({ precision: "f8" }), "an unknown name": () => ({ precise: "f32" }), "a string": () => "f32" },
    ]);
  add("KeyValueCache.append", () => bound(cache(), "append"), [fill(SIZE), fill(SIZE)],
    [without(matrix, ...Object.keys(WRONG_NUMBERS)), without(matrix, ...Object.keys(WRONG_NUMBERS))]);
  add("KeyValueCache freed", () => (method) => freed(cache())[method](filled(SIZE), filled(SIZE)), [() => "append"], [
    Object.fromEntries(["append", "clear"].map((m) => [m, () => m])),
  ]);
  add("forward over a cache", () => (cache) => new api.ScaledDotProductAttention(DIM).forward(filled(DIM), cache),
    [() => full(api, DIM)], [{
      "an empty cache": cache,
      "a freed cache": () => freed(full(api, DIM)),
      "a cache of another length": () => full(api, 3),
    }]);
  add("AttentionState.fromBytes", () => (bytes) => api.AttentionState.fromBytes(bytes),
    [() => new api.ScaledDotProductAttention(DIM).state(filled(DIM)).toBytes()], [{
      ...NOT_ARRAYS,
      nothing: () => new Uint8Array(0),
      zeros: () => new Uint8Array(64),
      noise: () => Uint8Array.from({ length: 200 }, (_, i) => (i * 37) % 256),
      "cut short": () => new api.ScaledDotProductAttention(DIM).state(filled(DIM)).toBytes().subarray(0, -1),
    }]);
  add("forwardStream", () => async (queries, keys, values) => {
    for await (const _ of new api.ScaledDotProductAttention(DIM).forwardStream(queries, keys, values)) { /* read */ }
  }, [() => [filled(DIM)], fill(SIZE), fill(SIZE)], [
    { ...without(NOT_ARRAYS, "a map", "a string", "a proxy that throws"), "a query of another length": () => [filled(DIM + 1)], "a query that is none": () => [1], "a query that is null": () => [null], "an empty query": () => [[]] },
    matrix, matrix,
  ]);
  return list;
}

function optionFaults(name, method) {
  const faults = {};
  for (const [option, wrong] of Object.entries(OPTIONS)) {
    // A query's length says the dimension there; signals belong to calls that wait, buffers to those that do not.
    if (option === "dim" && (name === "HyperbolicAttention" || !method.includes("Batch"))) continue;
    if (option === "signal" && !method.endsWith("Async")) continue;
    if (option === "out" && method.endsWith("Async")) continue;
    for (const [fault, value] of Object.entries(wrong)) faults[`${option}: ${fault}`] = () => ({ [option]: value(KEYS) });
  }
  return faults;
}

const bound = (object, method) => object[method].bind(object);

function freed(object) {
  object.free();
  return object;
}

function freedCall(object, method) {
  // The good argument of this call is that nothing was freed.
  const args = method === "state" ? [filled(DIM)] : [filled(DIM), filled(SIZE), filled(SIZE)];
  return freed(object)[method](...args);
}

function full(api, dim) {
  const cache = new api.KeyValueCache(dim);
  cache.append(filled(2 * dim), filled(2 * dim));
  return cache;
}
