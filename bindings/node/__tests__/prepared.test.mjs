// Calls whose arrays are bound once: they see what the arrays hold now, and refuse what the arrays no longer hold.
import assert from "node:assert/strict";
import test from "node:test";
import v8 from "node:v8";
import vm from "node:vm";
import { Worker } from "node:worker_threads";
import * as api from "ruvector-attention";

const random = (length) => Float32Array.from({ length }, () => Math.random() - 0.5);
const refused = (code, argument) => (error) =>
  error instanceof api.AttentionError && error.code === code && error.argument === argument && error.message.includes(argument);
const mechanisms = () => [
  new api.ScaledDotProductAttention(4), new api.MultiHeadAttention(2, 4), new api.HyperbolicAttention(0.5),
  new api.LinearAttention(4), new api.CrossAttention(4),
];
const tensors = () => [random(4), random(20), random(30)];

function full(keys, values) {
  const cache = new api.KeyValueCache(4, 6);
  cache.append(keys, values);
  return cache;
}

test("every mechanism computes what forward does, from what the arrays hold at each run", () => {
  for (const attention of mechanisms()) {
    const [query, keys, values] = tensors();
    const call = attention.prepare(query, keys, values);
    for (let round = 0; round < 3; round++) {
      assert.equal(call.run(), call.out);
      assert.deepEqual(call.out, attention.forward(query, keys, values));
      query.set(random(4));
      keys[round] += 0.1;
    }
  }
});

test("views in the middle of a buffer are read and written where they lie", () => {
  const buffer = new Float32Array(100).fill(7).buffer;
  const place = (start, numbers) => {
    const view = new Float32Array(buffer, 4 * start, numbers.length);
    view.set(numbers);
    return view;
  };
  const [query, keys, values] = tensors();
  const attention = new api.ScaledDotProductAttention(4);
  const out = place(80, new Float32Array(6));
  attention.prepare(place(1, query), place(10, keys), place(40, values), { out }).run();
  assert.deepEqual(out, attention.forward(query, keys, values));
  assert.deepEqual([...new Float32Array(buffer, 4 * 86)], Array(14).fill(7));
});

test("a result that lies over an input is written when the input was read", () => {
  const [query, keys] = [random(4), random(20)];
  const attention = new api.ScaledDotProductAttention(4);
  const expected = attention.forward(query, keys, keys);
  attention.prepare(query, keys, keys, { out: query }).run();
  assert.deepEqual(query, expected);
});

test("a cache is read as it is when the call runs, without a copy of it", () => {
  const [query, keys, values] = tensors();
  const attention = new api.LinearAttention(4);
  const cache = new api.KeyValueCache(4, 6);
  const call = attention.prepare(query, cache);
  assert.equal(call.out.length, 6);
  assert.throws(() => call.run(), refused("length", "keys"));
  for (let round = 0; round < 3; round++) {
    cache.append(keys, values);
    assert.deepEqual(call.run(), attention.forward(query, cache));
  }
  cache.clear();
  assert.throws(() => call.run(), refused("length", "keys"));
});

test("options are those of the moment of preparing", () => {
  const [query, keys, values] = tensors();
  const attention = new api.ScaledDotProductAttention(4);
  const mask = Uint8Array.of(1, 1, 0, 1, 0);
  const options = { mask, neighbors: 2, out: new Float32Array(6) };
  const expected = attention.forward(query, keys, values, { mask, neighbors: 2 });
  const call = attention.prepare(query, keys, values, options);
  mask.fill(0);
  options.neighbors = 5;
  assert.deepEqual(call.run(), expected);
  assert.equal(call.out, options.out);
  assert.deepEqual(attention.prepare(query, full(keys, values), 1).run(), attention.forward(query, keys, values, 1));
});

test("buffers that were transferred or shrunk are refused, and good again only where they are", () => {
  for (const place of [0, 1, 2, 3]) {
    const given = [...tensors(), new Float32Array(6)];
    const call = new api.ScaledDotProductAttention(4).prepare(given[0], given[1], given[2], { out: given[3] });
    call.run();
    structuredClone(given[place], { transfer: [given[place].buffer] });
    assert.throws(() => call.run(), refused("length", ["query", "keys", "values", "out"][place]));
    assert.throws(() => call.run(), refused("length", ["query", "keys", "values", "out"][place]));
  }
  const buffer = new ArrayBuffer(80, { maxByteLength: 160 });
  if (!buffer.resizable) return;
  const [query, , values] = tensors();
  const call = new api.ScaledDotProductAttention(4).prepare(query, new Float32Array(buffer), values);
  call.run();
  buffer.resize(76);
  assert.throws(() => call.run(), refused("length", "keys"));
  buffer.resize(160);
  assert.equal(call.run().length, 6);
});

test("memory of WebAssembly that grows takes its arrays away", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const [, keys, values] = tensors();
  const query = new Float32Array(memory.buffer, 8, 4);
  const call = new api.ScaledDotProductAttention(4).prepare(query, keys, values);
  call.run();
  memory.grow(1);
  assert.throws(() => call.run(), refused("length", "query"));
});

test("what is no Float32Array of this thread is refused at once", () => {
  const [query, keys, values] = tensors();
  const attention = new api.ScaledDotProductAttention(4);
  const shared = new Float32Array(new SharedArrayBuffer(16));
  for (const wrong of [[1, 2, 3, 4], new Float64Array(4), shared, null, undefined]) {
    assert.throws(() => attention.prepare(wrong, keys, values), refused("type", "query"));
    assert.throws(() => attention.prepare(query, keys, values, { out: wrong ?? 1 }), refused("type", "out"));
  }
  assert.throws(() => attention.prepare(query, [keys.subarray(0, 4)], [values.subarray(0, 4)]), refused("type", "keys"));
  assert.throws(() => attention.prepare(random(3), keys, values), refused("length", "query"));
  assert.throws(() => attention.prepare(query, keys, values, { out: new Float32Array(5) }), refused("length", "out"));
  assert.throws(() => attention.prepare(query, keys, values, { signal: new AbortController().signal }), refused("type", "signal"));
  assert.throws(() => attention.prepare(query, keys, values, { speed: 1 }), refused("type", "speed"));
  assert.equal(api.SelfAttention.prototype.prepare, undefined);
});

test("what was freed is used no more", () => {
  const [query, keys, values] = tensors();
  const call = new api.ScaledDotProductAttention(4).prepare(query, keys, values);
  const { run, free } = call;
  assert.deepEqual(run(), call.out); // needs no this
  free();
  free();
  assert.throws(run, refused("freed", "this"));
  const attention = new api.ScaledDotProductAttention(4);
  const cache = full(keys, values);
  const over = attention.prepare(query, cache);
  cache.free();
  assert.throws(() => over.run(), refused("freed", "keys"));
  const other = attention.prepare(query, keys, values);
  attention.free();
  assert.throws(() => other.run(), refused("freed", "this"));
  if (Symbol.dispose) {
    const disposed = new api.LinearAttention(4).prepare(query, keys, values);
    disposed[Symbol.dispose]();
    assert.throws(() => disposed.run(), refused("freed", "this"));
  }
  assert.throws(() => {
    "use strict";
    call.out = query;
  }, TypeError);
});

test("a class over all mechanisms prepares too", () => {
  const [query, keys, values] = tensors();
  const attention = new api.Attention({ type: "scaled-dot-product", hiddenDim: 4, neighbors: 2 });
  assert.deepEqual(attention.prepare(query, keys, values).run(), attention.forward(query, keys, values));
  assert.throws(() => new api.Attention({ type: "self", hiddenDim: 4 }).prepare(query, keys, values), (error) => error.code === "unsupported");
});

v8.setFlagsFromString("--expose-gc");
const collect = vm.runInNewContext("gc");

test("a call keeps what it reads, and is collected with it", async () => {
  const [query, keys, values] = tensors();
  const expected = new api.ScaledDotProductAttention(4).forward(query, keys, values);
  // Nothing else refers to the mechanism, the cache and the arrays.
  const kept = new api.ScaledDotProductAttention(4).prepare(Float32Array.from(query), full(keys, values));
  const { run } = new api.ScaledDotProductAttention(4).prepare(...[query, keys, values].map((array) => Float32Array.from(array)));
  const collected = new Set();
  const registry = new FinalizationRegistry((index) => collected.add(index));
  for (let index = 0; index < 1000; index++) {
    const cache = full(keys, values);
    const call = new api.ScaledDotProductAttention(4).prepare(query, cache);
    call.run();
    for (const object of [call, cache, call.out]) registry.register(object, index);
  }
  for (let round = 0; round < 20 && collected.size < 900; round++) {
    collect();
    await new Promise(setImmediate);
  }
  assert.ok(collected.size >= 900, `${collected.size} of 1000 were collected`);
  assert.deepEqual(kept.run(), expected);
  assert.deepEqual(run(), expected);
});

test("a collected call that throws is still whole while its error is made", () => {
  const fresh = () => new api.ScaledDotProductAttention(4).prepare(Float32Array.of(NaN, 0, 0, 0), random(20), random(30)).run;
  for (let round = 0; round < 50; round++) {
    assert.throws(() => fresh()(), refused("non_finite", "query"));
    collect();
  }
});

test("each thread prepares its own, and ends with them in use", async () => {
  const code = `
    const api = require("ruvector-attention");
    const { parentPort } = require("node:worker_threads");
    const cache = new api.KeyValueCache(2);
    cache.append(Float32Array.of(1, 0, 0, 1), Float32Array.of(1, 2, 3, 4));
    globalThis.call = new api.ScaledDotProductAttention(2).prepare(Float32Array.of(0, 0), cache);
    parentPort.postMessage(Array.from(globalThis.call.run()));
  `;
  const answers = Array.from({ length: 4 }, () => new Promise((resolve, reject) => {
    const worker = new Worker(code, { eval: true });
    let answer;
    worker.on("message", (message) => (answer = message)).on("error", reject).on("exit", () => resolve(answer));
  }));
  assert.deepEqual(await Promise.all(answers), Array(4).fill([2, 3]));
});
