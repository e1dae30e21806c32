import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";

const api = createRequire(import.meta.url)("../index.js");
const f32 = (...numbers) => Float32Array.from(numbers);
const refused = (code, argument) => (error) =>
  error instanceof Error && error.code === code && error.argument === argument && error.message.includes(argument);

test("version and features", () => {
  assert.match(api.getVersion(), /^\d+\.\d+\.\d+/);
  assert.deepEqual(api.getSupportedFeatures().sort(), [
    "cross-attention", "hyperbolic", "linear", "multi-head", "scaled-dot-product", "self-attention",
  ]);
});

test("getters give what the constructors took", () => {
  const heads = new api.MultiHeadAttention({ numHeads: 2, hiddenDim: 6, dropout: 0.1 });
  assert.deepEqual([heads.numHeads, heads.hiddenDim, heads.headDim], [2, 6, 3]);
  assert.equal(api.MultiHeadAttention.fromParams(2, 8).headDim, 4);
  assert.equal(new api.ScaledDotProductAttention(5).dim, 5);
  assert.equal(new api.HyperbolicAttention(0.5).curvature, 0.5);
});

test("the last argument is a count, a mask or an object", () => {
  const attention = new api.ScaledDotProductAttention(1);
  const [query, keys, values] = [f32(1), f32(3, 1), f32(10, 20)];
  assert.deepEqual(attention.forward(query, keys, values, 1), f32(10));
  assert.deepEqual(attention.forward(query, keys, values, [false, true]), f32(20));
  assert.deepEqual(attention.forward(query, keys, values, Uint8Array.of(0, 1)), f32(20));
  assert.deepEqual(attention.forward(query, keys, values, { neighbors: 1, mask: [false, true] }), f32(20));
  assert.deepEqual(attention.forward(query, keys, values, null), attention.forward(query, keys, values));
});

test("a batch is answered as it was given", async () => {
  const attention = new api.CrossAttention(2);
  const [keys, values] = [f32(1, 0, 0, 1), f32(1, 2, 3, 4, 5, 6)];
  const rows = attention.forwardBatch([f32(1, 0), f32(0, 1)], keys, values);
  const flat = attention.forwardBatch(f32(1, 0, 0, 1), keys, values);
  assert.deepEqual(rows.map((row) => row.length), [3, 3]);
  assert.deepEqual([...flat], rows.flatMap((row) => [...row]));
  assert.deepEqual(await attention.forwardBatchAsync([f32(1, 0), f32(0, 1)], keys, values), rows);
  assert.deepEqual(await attention.forwardBatchAsync(f32(1, 0, 0, 1), keys, values), flat);
  assert.deepEqual(await attention.forwardAsync(f32(1, 0), keys, values), rows[0]);
});

test("a flat batch of hyperbolic queries needs their length", () => {
  const ball = new api.HyperbolicAttention(1);
  const points = f32(0.1, 0.2, 0.3, 0.4);
  assert.equal(ball.forwardBatch(points, points, points, { dim: 2 }).length, 4);
  assert.throws(() => ball.forwardBatch(points, points, points), refused("type", "options"));
});

test("self attention works on each sequence", async () => {
  const attention = new api.SelfAttention(2);
  const [a, b] = [f32(1, 2, 3, 4), f32(0, 1)];
  assert.deepEqual(attention.forwardBatch([a, b], { causal: true }), [
    attention.forward(a, { causal: true }), attention.forward(b, { causal: true }),
  ]);
  assert.deepEqual(await attention.forwardAsync(a), attention.forward(a));
  assert.deepEqual(await attention.forwardBatchAsync([a, b]), [attention.forward(a), attention.forward(b)]);
});

test("points go to the ball and back", () => {
  const ball = new api.HyperbolicAttention(2);
  const x = f32(0.3, -0.4);
  ball.fromPoincare(ball.toPoincare(x)).forEach((number, i) => assert.ok(Math.abs(number - x[i]) < 1e-5));
  assert.ok(Math.hypot(...ball.projectToBall(f32(3, 4))) < 1 / Math.sqrt(2));
  assert.equal(ball.poincareDistance(ball.toPoincare(x), ball.toPoincare(x)), 0);
});

test("bad input is refused with a code and the argument's name", () => {
  const attention = new api.ScaledDotProductAttention(2);
  const good = f32(1, 2);
  for (const dim of [0, -1, 1.5, NaN, Infinity, "2", undefined, null, {}, 2n]) {
    assert.throws(() => new api.ScaledDotProductAttention(dim), (error) => error.argument === "dim", String(dim));
  }
  assert.throws(() => attention.forward(f32(1), good, good), refused("length", "query"));
  assert.throws(() => attention.forward([1, 2], good, good), refused("type", "query"));
  assert.throws(() => attention.forward(good, f32(1, 2, 3), good), refused("length", "keys"));
  assert.throws(() => attention.forward(good, good, new Float64Array(2)), refused("type", "values"));
  assert.throws(() => attention.forward(good, good, good, 0), (error) => error.argument === "neighbors");
  assert.throws(() => attention.forward(good, good, good, -1), refused("type", "numNeighbors"));
  assert.throws(() => attention.forward(good, good, good, [false]), refused("all_masked", "mask"));
  assert.throws(() => attention.forward(good, good, good, { neighbour: 1 }), refused("type", "neighbour"));
  assert.throws(() => attention.forward(f32(NaN, 1), good, good), refused("non_finite", "query"));
  assert.throws(() => attention.forwardBatch([good, f32(1)], good, good), refused("type", "queries"));
  assert.throws(() => new api.HyperbolicAttention(0), refused("parameter", "curvature"));
  assert.throws(() => new api.MultiHeadAttention({ numHeads: 3, hiddenDim: 8 }), (error) => /^(numHeads|hiddenDim)$/.test(error.argument));
  assert.throws(() => new api.MultiHeadAttention(8), (error) => typeof error.code === "string");
});

test("asynchronous calls reject, they do not throw", async () => {
  const attention = new api.ScaledDotProductAttention(2);
  const good = f32(1, 2);
  await assert.rejects(attention.forwardAsync([1, 2], good, good), refused("type", "query"));
  await assert.rejects(attention.forwardAsync(f32(1), good, good), refused("length", "query"));
  await assert.rejects(attention.forwardBatchAsync([good], good, f32(NaN, 1)), refused("non_finite", "values"));
});
