// Results, options, caches, states, and what is refused. The reference values are tests/vectors' business.
import assert from "node:assert/strict";
import test from "node:test";
import * as api from "ruvector-attention";

const f32 = (...numbers) => Float32Array.from(numbers);
const random = (length) => Float32Array.from({ length }, () => Math.random() - 0.5);
const rowsOf = (flat, width) => Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width));
const plain = (rows) => rows.map((row) => [...row]);
const refused = (code, argument) => (error) =>
  error instanceof api.AttentionError && error.code === code && error.argument === argument &&
  error.message.includes(argument) && error.name === "AttentionError";

/** The bytes of a safetensors file of these matrices. */
function safetensors(matrices, prefix) {
  const [header, data] = [{}, []];
  for (const [name, rows] of Object.entries(matrices)) {
    const start = data.length * 4;
    data.push(...rows.flat());
    header[prefix + name] = { dtype: "F32", shape: [rows.length, rows[0].length], data_offsets: [start, data.length * 4] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length * 4);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(new Uint8Array(f32(...data).buffer), 8 + text.length);
  return bytes;
}

/** One object of each mechanism over keys and values of 4 and 6 numbers. */
const mechanisms = () => [
  new api.ScaledDotProductAttention(4), new api.MultiHeadAttention(2, 4), new api.HyperbolicAttention(0.5),
  new api.LinearAttention(4), new api.CrossAttention(4),
];
const [query, keys, values] = [random(4), random(20), random(30)];

test("the addon serves, and says which kernel it computes with", () => {
  assert.equal(api.backend.name, "native");
  assert.match(api.backend.level, /^[a-z0-9]+$/);
  assert.match(api.getVersion(), /^\d+\.\d+\.\d+/);
  assert.equal(api.version(), api.getVersion());
  assert.deepEqual(api.getSupportedFeatures().sort(), [
    "cross-attention", "hyperbolic", "linear", "multi-head", "scaled-dot-product", "self-attention",
  ]);
});

test("getters give what the constructors took", () => {
  const heads = new api.MultiHeadAttention({ numHeads: 2, hiddenDim: 6, dropout: 0.1 });
  assert.deepEqual([heads.numHeads, heads.hiddenDim, heads.headDim], [2, 6, 3]);
  assert.equal(api.MultiHeadAttention.fromParams(2, 8).headDim, 4);
  assert.equal(new api.MultiHeadAttention(2, 8, 0.5).hiddenDim, 8);
  for (const name of ["ScaledDotProductAttention", "LinearAttention", "CrossAttention", "SelfAttention"]) {
    assert.equal(new api[name](5).dim, 5);
    assert.equal(new api[name](5).constructor.name, name);
  }
  assert.equal(new api.HyperbolicAttention(0.5).curvature, 0.5);
  assert.ok(api.MultiHeadAttention.fromParams(2, 8) instanceof api.MultiHeadAttention);
  class Own extends api.ScaledDotProductAttention {}
  assert.equal(new Own(3).dim, 3);
});

test("flat arrays, rows and numbers give the same bits", () => {
  for (const attention of mechanisms()) {
    const expected = attention.forward(query, keys, values);
    assert.equal(expected.length, 6);
    const [keyRows, valueRows] = [rowsOf(keys, 4), rowsOf(values, 6)];
    assert.deepEqual(attention.forward(query, keyRows, valueRows), expected);
    assert.deepEqual(attention.forward([...query], plain(keyRows), plain(valueRows)), expected);
    assert.deepEqual(attention.forward(query, keyRows, values), expected);
  }
});

test("many numbers cross in pieces", () => {
  const [n, dim] = [300, 129];
  const [many, query] = [random(n * dim), random(dim)];
  const attention = new api.ScaledDotProductAttention(dim);
  const expected = attention.forward(query, many, many);
  const rows = plain(rowsOf(many, dim));
  assert.deepEqual(attention.forward(query, rows, rows), expected);
  assert.deepEqual(attention.forward(query, rowsOf(many, dim), many), expected);
  const wide = new api.ScaledDotProductAttention(n * dim);
  assert.deepEqual(wide.forward([...many], [[...many]], f32(7)), f32(7));
});

test("the last argument is a count, a mask or an object", () => {
  const attention = new api.ScaledDotProductAttention(1);
  const [query, keys, values] = [f32(1), f32(3, 1), f32(10, 20)];
  assert.deepEqual(attention.forward(query, keys, values, 1), f32(10));
  for (const mask of [[false, true], Uint8Array.of(0, 1), { mask: [false, true] }, { neighbors: 1, mask: [false, true] }]) {
    assert.deepEqual(attention.forward(query, keys, values, mask), f32(20));
  }
  assert.deepEqual(attention.forward(query, keys, values, { numNeighbors: 1 }), f32(10));
  assert.deepEqual(attention.forward(query, keys, values, { neighbors: 1, numNeighbors: 1 }), f32(10));
  const all = attention.forward(query, keys, values);
  for (const none of [null, undefined, {}, { mask: null, neighbors: undefined, out: null, signal: null }]) {
    assert.deepEqual(attention.forward(query, keys, values, none), all);
  }
  const long = Array.from({ length: 40_000 }, (_, i) => i === 31_234);
  assert.deepEqual(attention.forward(f32(0), new Float32Array(40_000), Float32Array.from(long.keys()), long), f32(31_234));
});

test("causal order, dropout in training", () => {
  const attention = new api.CrossAttention(1);
  assert.deepEqual(attention.forwardBatch(f32(0, 0), f32(5, 5), f32(2, 4), { causal: true }), f32(2, 3));
  const heads = new api.MultiHeadAttention({ numHeads: 1, hiddenDim: 4, dropout: 0.5 });
  const train = (seed) => heads.forward(query, keys, values, { training: true, seed });
  assert.deepEqual(train(1), train(1));
  assert.notDeepEqual(train(1), train(2));
  assert.deepEqual(heads.forward(query, keys, values, { seed: 1 }), heads.forward(query, keys, values));
  assert.throws(() => heads.forward(query, keys, values, { training: true }), refused("type", "seed"));
});

test("a result goes where it is wanted", () => {
  for (const attention of mechanisms()) {
    const out = new Float32Array(6);
    assert.equal(attention.forward(query, keys, values, { out }), out);
    assert.deepEqual(out, attention.forward(query, keys, values));
    const both = new Float32Array(12);
    assert.equal(attention.forwardBatch(keys.slice(0, 8), keys, values, { out: both, dim: 4 }), both);
    assert.deepEqual(both.slice(0, 6), attention.forward(keys.slice(0, 4), keys, values));
    assert.throws(() => attention.forward(query, keys, values, { out: new Float32Array(5) }), refused("length", "out"));
    assert.throws(() => attention.forward(query, keys, values, { out: new Float64Array(6) }), refused("type", "out"));
    assert.throws(() => attention.forwardBatch([query], keys, values, { out }), refused("type", "out"));
  }
  const own = new api.SelfAttention(2);
  const x = f32(1, 2, 3, 4);
  const expected = own.forward(x);
  // Over its own input: read first, then written.
  assert.equal(own.forward(x, { out: x }), x);
  assert.deepEqual(x, expected);
  const memory = new ArrayBuffer(400);
  const k = new Float32Array(memory, 0, 8).map(Math.random);
  const attention = new api.ScaledDotProductAttention(4);
  const apart = attention.forward(query, k.slice(), k.slice());
  new Float32Array(memory, 0, 8).set(k);
  assert.deepEqual(attention.forward(query, new Float32Array(memory, 0, 8), k, { out: new Float32Array(memory, 16, 4) }), apart);
});

test("a batch is answered as it was given", async () => {
  for (const attention of mechanisms()) {
    const queries = random(12);
    const rows = attention.forwardBatch(rowsOf(queries, 4), keys, values);
    const flat = attention.forwardBatch(queries, keys, values, { dim: 4 });
    assert.deepEqual(rows.map((row) => row.length), [6, 6, 6]);
    assert.deepEqual([...flat], rows.flatMap((row) => [...row]));
    assert.deepEqual(attention.forwardBatch(plain(rowsOf(queries, 4)), keys, values), rows);
    assert.deepEqual(await attention.forwardBatchAsync(rowsOf(queries, 4), keys, values), rows);
    assert.deepEqual(await attention.forwardBatchAsync(queries, keys, values, { dim: 4 }), flat);
    assert.notEqual(rows[0].buffer, rows[1].buffer);
  }
  assert.throws(() => new api.HyperbolicAttention(1).forwardBatch(f32(0, 0), f32(0, 0), f32(0, 0)), refused("type", "options"));
});

test("self attention works on each sequence", async () => {
  const attention = new api.SelfAttention(2);
  const [a, b] = [f32(1, 2, 3, 4), f32(0, 1)];
  assert.deepEqual(attention.forwardBatch([a, [[0, 1]]], { causal: true }), [
    attention.forward(a, { causal: true }), attention.forward(b, { causal: true }),
  ]);
  assert.deepEqual(attention.forward([[1, 2], [3, 4]]), attention.forward(a));
  assert.deepEqual(await attention.forwardAsync(a), attention.forward(a));
  assert.deepEqual(await attention.forwardBatchAsync([a, b]), [attention.forward(a), attention.forward(b)]);
  assert.throws(() => attention.forward(f32(1)), refused("length", "sequence"));
  assert.throws(() => attention.forward(f32(1, NaN)), refused("non_finite", "sequence"));
  assert.throws(() => attention.forwardBatch([]), refused("type", "sequences"));
});

test("points go to the ball and back, by methods and by functions", () => {
  const ball = new api.HyperbolicAttention(2);
  const x = f32(0.3, -0.4);
  const inside = ball.toPoincare(x);
  ball.fromPoincare(inside).forEach((number, i) => assert.ok(Math.abs(number - x[i]) < 1e-5));
  assert.ok(Math.hypot(...ball.projectToBall([3, 4])) < 1 / Math.sqrt(2));
  assert.equal(ball.poincareDistance(inside, inside), 0);
  assert.deepEqual(api.toPoincare(x, 2), inside);
  assert.deepEqual(api.fromPoincare(inside, 2), ball.fromPoincare(inside));
  assert.deepEqual(api.projectToBall([3, 4], 2), ball.projectToBall([3, 4]));
  assert.equal(api.poincareDistance([0.1, 0], [0, 0.2], 2), ball.poincareDistance([0.1, 0], [0, 0.2]));
  assert.throws(() => api.poincareDistance(x, x), refused("type", "curvature"));
  assert.throws(() => api.toPoincare(x, 0), refused("parameter", "curvature"));
  assert.throws(() => ball.fromPoincare([3, 4]), refused("outside_ball", "x"));
});

test("a cache stands for keys and values", async () => {
  const cache = new api.KeyValueCache(4, 6);
  cache.append(keys.slice(0, 8), rowsOf(values.slice(0, 12), 6));
  cache.append(plain(rowsOf(keys.slice(8), 4)), values.slice(12));
  assert.deepEqual([cache.length, cache.dim, cache.valueDim, cache.bytes], [5, 4, 6, 200]);
  for (const attention of mechanisms()) {
    const expected = attention.forward(query, keys, values);
    const out = new Float32Array(6);
    assert.deepEqual(attention.forward(query, cache), expected);
    assert.equal(attention.forward(query, cache, { out }), out);
    assert.deepEqual(out, expected);
    assert.deepEqual(attention.forwardBatch([query], cache), [expected]);
    assert.deepEqual(await attention.forwardAsync(query, cache, [true, true, true, true, true]), expected);
  }
  const attention = new api.ScaledDotProductAttention(4);
  // A call in flight sees the cache as it was.
  const [before, later] = [attention.forward(query, cache), attention.forwardAsync(query, cache)];
  cache.append(random(4), random(6));
  assert.deepEqual(await later, before);
  const last = attention.forwardAsync(query, cache);
  cache.clear();
  assert.notDeepEqual(await last, before);
  assert.equal(cache.length, 0);
  assert.throws(() => attention.forward(query, cache), refused("length", "keys"));
  assert.throws(() => cache.append(random(8), random(6)), refused("length", "values"));
  assert.throws(() => cache.append([[1, 2]], random(6)), refused("type", "keys"));
  assert.throws(() => new api.ScaledDotProductAttention(3).forward(random(3), cache), refused("type", "keys"));
  assert.throws(() => new api.KeyValueCache(2, 2, { precision: "f64" }), refused("type", "precision"));
  const half = new api.KeyValueCache(2, null, { precision: "f16" });
  half.append([[1, 2]], [[0.5, 1 / 3]]);
  assert.equal(half.bytes, 8);
  assert.ok(Math.abs(new api.LinearAttention(2).forward([1, 1], half)[1] - 1 / 3) < 2e-4);
});

test("keys may come in pieces, and states merge", () => {
  for (const attention of mechanisms()) {
    const whole = attention.forward(query, keys, values);
    const close = (result) => result.forEach((number, i) => assert.ok(Math.abs(number - whole[i]) < 1e-6));
    const [first, second, empty] = [attention.state(query), attention.state([...query]), attention.state(query)];
    first.push(keys.slice(0, 8), values.slice(0, 12));
    second.push(rowsOf(keys.slice(8), 4), plain(rowsOf(values.slice(12), 6)));
    first.merge(empty);
    first.merge(api.AttentionState.fromBytes(second.toBytes()));
    close(first.finish());
    empty.merge(first);
    close(empty.finish());
    assert.throws(() => attention.state(query).finish(), refused("length", "keys"));
    assert.throws(() => attention.state(f32()), refused("length", "query"));
    assert.throws(() => first.push(keys, values.slice(1)), refused("length", "values"));
    close(first.finish());
  }
  const state = new api.ScaledDotProductAttention(1).state([0]);
  state.push(f32(2), f32(7));
  assert.deepEqual(state.finish(), f32(7));
  state.merge(state);
  assert.deepEqual(state.finish(), f32(7));
  assert.throws(() => state.merge(new api.LinearAttention(1).state([0])), refused("state_mismatch", "other"));
  assert.throws(() => state.merge({}), refused("type", "other"));
  assert.throws(() => api.AttentionState.fromBytes(Uint8Array.of(1, 2)), refused("invalid_state", "bytes"));
  assert.throws(() => new api.AttentionState(), refused("type", "this"));
});

test("weights project as they say", () => {
  const eye = [[1, 0], [0, 1]];
  const double = f32(2, 0, 0, 2);
  const weights = { query: eye, key: eye, value: double, output: eye };
  const heads = new api.MultiHeadAttention({ numHeads: 1, hiddenDim: 2, weights });
  assert.deepEqual(heads.forward([1, 0], [[1, 0]], f32(3, 4)), f32(6, 8));
  const biases = { queryBias: [0, 0], keyBias: f32(0, 0), valueBias: f32(1, 1), outputBias: f32(10, 20) };
  const biased = new api.MultiHeadAttention({ numHeads: 1, hiddenDim: 2, weights: { ...weights, ...biases } });
  assert.deepEqual(biased.forward([1, 0], [[1, 0]], f32(3, 4)), f32(17, 29));
  const file = safetensors({ "q_proj.weight": eye, "k_proj.weight": eye, "v_proj.weight": [[2, 0], [0, 2]], "out_proj.weight": eye }, "layer.");
  const make = (weights) => new api.MultiHeadAttention({ numHeads: 1, hiddenDim: 2, weights });
  assert.deepEqual(make({ safetensors: file, prefix: "layer." }).forward([1, 0], [[1, 0]], f32(3, 4)), f32(6, 8));
  assert.throws(() => make({ safetensors: file }), refused("invalid_weights", "weights"));
  assert.throws(() => make({ safetensors: "file" }), refused("type", "safetensors"));
  assert.throws(() => new api.MultiHeadAttention({ numHeads: 1, hiddenDim: 4, weights }), refused("length", "weights"));
});

test("freed objects say so", async () => {
  const [attention, cache] = [new api.ScaledDotProductAttention(4), new api.KeyValueCache(4, 6)];
  cache.append(keys, values);
  const state = attention.state(query);
  const later = attention.forwardAsync(query, cache);
  const expected = attention.forward(query, cache);
  [attention, cache, state].forEach((each) => [each.free(), each.free()]);
  assert.deepEqual(await later, expected);
  assert.throws(() => attention.forward(query, keys, values), refused("freed", "this"));
  assert.throws(() => attention.dim, refused("freed", "this"));
  assert.throws(() => cache.append(keys, values), refused("freed", "this"));
  assert.throws(() => state.finish(), refused("freed", "this"));
  const other = new api.ScaledDotProductAttention(4);
  assert.throws(() => other.forward(query, cache), refused("freed", "keys"));
  await assert.rejects(attention.forwardAsync(query, keys, values), refused("freed", "this"));
});

test("bad input is refused with a code and the argument's name", () => {
  const attention = new api.ScaledDotProductAttention(2);
  const good = f32(1, 2);
  for (const dim of [0, -1, 1.5, NaN, Infinity, "2", undefined, null, {}, 2n, [2], true, Symbol("2")]) {
    assert.throws(() => new api.ScaledDotProductAttention(dim), (error) => error.argument === "dim", String(dim));
  }
  const wrong = [undefined, null, 1, "12", {}, new Float64Array(2), new DataView(new ArrayBuffer(8)), new ArrayBuffer(8), () => 1, 1n, [1n, 2n], ["1", "2"], [{}]];
  for (const bad of wrong) {
    for (const [place, argument] of ["query", "keys", "values"].entries()) {
      const given = [good, good, good];
      given[place] = bad;
      assert.throws(() => attention.forward(...given), refused("type", argument), `${argument}: ${typeof bad}`);
    }
  }
  const calls = [
    ["length", "query", [f32(1), good, good]], ["length", "query", [[], good, good]], ["type", "keys", [good, [1, 2], good]],
    ["length", "keys", [good, f32(1, 2, 3), good]], ["length", "keys", [good, [], good]], ["type", "keys", [good, [[1, 2, 3], [4, 5, 6]], good]],
    ["type", "keys", [good, [[1, 2], [3]], good]], ["type", "keys", [good, [good, f32(1)], good]], ["type", "keys", [good, [good, null], good]],
    ["type", "keys", [good, [[1, 2], ["3", 4]], good]], ["type", "values", [good, good, [[1], [2]]]],
    ["parameter", "neighbors", [good, good, good, 0]], ["type", "numNeighbors", [good, good, good, -1]], ["type", "numNeighbors", [good, good, good, 1.5]],
    ["all_masked", "mask", [good, good, good, [false]]], ["length", "mask", [good, good, good, [true, true]]], ["type", "mask", [good, good, good, [1]]],
    ["type", "mask", [good, good, good, new Float32Array(1)]], ["type", "mask", [good, good, good, { mask: "x" }]],
    ["type", "neighbour", [good, good, good, { neighbour: 1 }]], ["type", "numNeighbors", [good, good, good, { neighbors: 1, numNeighbors: 2 }]],
    ["type", "causal", [good, good, good, { causal: 1 }]], ["type", "options", [good, good, good, "x"]], ["type", "options", [good, good, good, () => 1]],
    ["type", "signal", [good, good, good, { signal: {} }]], ["type", "dim", [good, good, good, { dim: "2" }]],
    ["non_finite", "query", [f32(NaN, 1), good, good]], ["non_finite", "values", [good, good, f32(1, Infinity)]],
  ];
  for (const [code, argument, given] of calls) {
    assert.throws(() => attention.forward(...given), refused(code, argument), `${code} ${argument}`);
  }
  assert.throws(() => attention.forwardBatch([good, f32(1)], good, good), refused("type", "queries"));
  assert.throws(() => attention.forwardBatch([[1, 2, 3]], good, good), refused("type", "queries"));
  assert.throws(() => attention.forwardBatch([], good, good), refused("length", "queries"));
  assert.throws(() => new api.HyperbolicAttention(0), refused("parameter", "curvature"));
  assert.throws(() => new api.HyperbolicAttention(1).forward([2], [[0.1]], [[0.1]]), refused("outside_ball", "query"));
  assert.throws(() => new api.LinearAttention(2).forward(good, good, good, 1), refused("unsupported", "neighbors"));
  assert.throws(() => new api.MultiHeadAttention({ numHeads: 3, hiddenDim: 8 }), refused("parameter", "hiddenDim"));
  for (const config of [{ numHeads: 2 }, { numHeads: 2, hiddenDim: "4" }, 8, "x", null, { numHeads: 2, hiddenDim: 4, heads: 1 }, { numHeads: 2, hiddenDim: 4, dropout: 1 }]) {
    assert.throws(() => new api.MultiHeadAttention(config), api.AttentionError);
  }
  assert.throws(() => new api.MultiHeadAttention({ numHeads: 1, hiddenDim: 2, weights: { query: [[1]] } }), refused("type", "weights"));
  assert.throws(() => new api.MultiHeadAttention({ numHeads: 1, hiddenDim: 2, weights: { safetensors: Uint8Array.of(1) } }), refused("invalid_weights", "weights"));
});

test("memory that is shared, detached or resized never harms", () => {
  const attention = new api.ScaledDotProductAttention(2);
  const good = f32(1, 2);
  const shared = new Float32Array(new SharedArrayBuffer(8));
  assert.throws(() => attention.forward(shared, good, good), refused("type", "query"));
  // Rows are copied, by JavaScript, which may read such memory.
  assert.equal(attention.forward(good, [good, shared], [[1], [2]]).length, 1);
  assert.throws(() => attention.forward(good, good, good, new Uint8Array(new SharedArrayBuffer(1))), refused("type", "mask"));
  assert.throws(() => attention.forward(good, good, good, { out: shared }), refused("type", "out"));
  const gone = f32(1, 2);
  structuredClone(gone, { transfer: [gone.buffer] });
  assert.throws(() => attention.forward(gone, good, good), refused("length", "query"));
  assert.throws(() => attention.forward(good, gone, good), refused("length", "keys"));
  assert.throws(() => attention.forward(good, good, good, { out: gone }), refused("length", "out"));
  if ("resizable" in ArrayBuffer.prototype) {
    const memory = new ArrayBuffer(16, { maxByteLength: 32 });
    const x = new Float32Array(memory);
    assert.equal(attention.forward(good, x, x).length, 2);
    memory.resize(4);
    assert.throws(() => attention.forward(good, x, good), refused("length", "keys"));
    const fixed = new Float32Array(new ArrayBuffer(16, { maxByteLength: 32 }), 8, 2);
    fixed.buffer.resize(8);
    assert.throws(() => attention.forward(good, fixed, good), refused("length", "keys"));
  }
});

test("code that runs while arguments are read cannot harm", () => {
  const attention = new api.ScaledDotProductAttention(2);
  const take = (array) => structuredClone(array, { transfer: [array.buffer] });
  const q = f32(1, 2);
  const sly = Object.defineProperty([[]], "0", { get: () => (q.length && take(q), [1, 2]) });
  assert.throws(() => attention.forward(q, sly, [[1]]), refused("length", "query"));
  const out = f32(0, 0);
  const options = { out, get causal() { take(out); return false; } };
  assert.throws(() => attention.forward(f32(1, 2), f32(1, 2), f32(1, 2), options), refused("length", "out"));
  // A call inside a call, and one that frees the object it was made on.
  const inner = [[1, 2], [3, 4]];
  Object.defineProperty(inner, "1", { get: () => (attention.forward([5, 6], [[7, 8]], [[9]]), [3, 4]) });
  assert.deepEqual(attention.forward([1, 2], inner, f32(5, 6)), attention.forward([1, 2], f32(1, 2, 3, 4), f32(5, 6)));
  const shrinking = [[1, 2], [3, 4], [5, 6]];
  Object.defineProperty(shrinking, "0", { get: () => ((shrinking.length = 2), [1, 2]) });
  assert.throws(() => attention.forward([1, 2], shrinking, f32(5, 6)), refused("type", "keys"));
  assert.throws(() => attention.forward([1, 2], f32(1, 2), f32(1), { get mask() { throw new RangeError("mine"); } }), { name: "RangeError", message: "mine" });
  const other = new api.ScaledDotProductAttention(2);
  assert.throws(() => other.forward([1, 2], f32(1, 2), f32(1), { get mask() { other.free(); } }), refused("freed", "this"));
});

test("methods do not work on other objects", () => {
  const forward = api.ScaledDotProductAttention.prototype.forward;
  const good = f32(1, 2);
  for (const that of [undefined, null, {}, [], new api.LinearAttention(2), new api.KeyValueCache(2), new Proxy(new api.ScaledDotProductAttention(2), {})]) {
    assert.throws(() => forward.call(that, good, good, good), TypeError);
    assert.throws(() => api.KeyValueCache.prototype.clear.call(that instanceof api.KeyValueCache ? {} : that), TypeError);
  }
  assert.throws(() => api.ScaledDotProductAttention(2));
  assert.throws(() => api.MultiHeadAttention.fromParams.call(undefined, 2, 4), refused("type", "this"));
  assert.throws(() => new api.ScaledDotProductAttention(2).forward(good, Object.create(api.KeyValueCache.prototype)), refused("type", "keys"));
});
