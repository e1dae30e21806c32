// The npm package of the WebAssembly modules in Node.js. RUVECTOR_ATTENTION_WASM_LEVEL says which level is tested.
"use strict";
const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const test = require("node:test");
const { pathToFileURL } = require("node:url");
const api = require("ruvector-attention-wasm");

const ROOT = path.dirname(require.resolve("ruvector-attention-wasm/package.json"));
const inside = (name) => path.join(ROOT, name);
const glue = require(inside("js/cjs/glue.js"));
const { AttentionError } = api;
const LEVEL = process.env.RUVECTOR_ATTENTION_WASM_LEVEL;

/** Numbers that follow from a seed, in [-1, 1). */
function numbers(length, seed) {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const D = 16;
const data = (n, m = 1) => ({ queries: numbers(m * D, 1), keys: numbers(n * D, 2), values: numbers(n * D, 3) });
const rows = (flat, width = D) => Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width));
const is = (code, argument) => (error) =>
  error instanceof AttentionError && error.name === "AttentionError" && error.code === code && error.argument === argument;
const mechanisms = () => [
  new api.ScaledDotProductAttention(D),
  new api.MultiHeadAttention(4, D),
  new api.HyperbolicAttention(0.01),
  new api.LinearAttention(D),
  new api.CrossAttention(D),
];

test("the level is the one asked for, or the fastest that the runtime validates", () => {
  const { choose } = require(inside("js/cjs/levels.js"));
  assert.equal(api.backend.name, "wasm");
  assert.equal(api.backend.level, LEVEL);
  assert.equal(glue.kernel(), LEVEL === "baseline" ? "scalar" : LEVEL);
  const chosen = (known) => choose(undefined, (bytes) => known.some((module) => module === bytes.length)).level;
  assert.equal(chosen([]), "baseline");
  const found = choose().level;
  const file = (level) => WebAssembly.validate(fs.readFileSync(inside(`wasm/${level}.wasm`)));
  // The probes say of each module what the runtime says of the module itself.
  assert.equal(file("relaxed-simd"), found === "relaxed-simd");
  assert.equal(file("simd128"), found !== "baseline");
});

test("what a caller's getter throws comes out as it is, and leaves nothing lent", () => {
  // Raw classes: the package looks at the first element of an array before the module does.
  const fault = new RangeError("mine");
  const throwing = Object.defineProperty(Array(D).fill(0.1), D - 1, { get() { throw fault; } });
  const own = new Proxy(Array(D).fill(0.1), { get: (array, name) => { if (name === "length") throw fault; return array[name]; } });
  const is_it = (error) => error === fault;
  for (const bad of [throwing, own]) {
    const attention = new glue.WasmScaledDotProduct(D);
    const cache = new glue.KeyValueCache(D);
    const whole = new glue.WasmSelfAttention(D);
    const good = numbers(D, 1);
    // More often than the module's stack would have held, 1 MiB, had each left a little.
    for (let i = 0; i < 20_000; i++) {
      assert.throws(() => attention.forward(bad, good, good), is_it);
      assert.throws(() => attention.forward(good, [good, bad], good), is_it);
      assert.throws(() => cache.append(good, [bad]), is_it);
    }
    assert.throws(() => attention.forward(good, good, good, bad), is_it);
    assert.throws(() => attention.forward(good, good, good, { mask: bad }), is_it);
    assert.throws(() => whole.forwardBatch(bad), is_it);
    assert.equal(attention.forward(good, good, good).length, D);
    for (const object of [attention, cache, whole]) object.free();
  }
  const revoked = Proxy.revocable([], {});
  revoked.revoke();
  assert.throws(() => new glue.WasmScaledDotProduct(D).forward(revoked.proxy, revoked.proxy, revoked.proxy), is("type", "query"));
});

test("a getter may call the module, on the object that is being used as well", () => {
  const cache = new api.KeyValueCache(D);
  const [key, value] = [Array.from(numbers(D, 1)), numbers(D, 2)];
  Object.defineProperty(key, 1, { get: () => cache.length + new api.ScaledDotProductAttention(D).forward(value, value, value)[0] });
  cache.append([key], [value]);
  assert.equal(cache.length, 1);
});

test("an array over shared memory is refused, in rows too", async () => {
  const shared = new Float32Array(new SharedArrayBuffer(4 * D));
  const good = numbers(D, 1);
  for (const attention of mechanisms()) {
    assert.throws(() => attention.forward(shared, good, good), is("type", "query"));
    assert.throws(() => attention.forward(good, [good, shared], good), is("type", "keys"));
    await assert.rejects(attention.forwardBatchAsync(good, good, shared), is("type", "values"));
  }
  assert.throws(() => new api.SelfAttention(D).forward(shared), is("type", "sequence"));
  assert.throws(() => api.toPoincare(shared, 1), is("type", "x"));
});

test("require and import give the same things", async () => {
  const imported = await import("ruvector-attention-wasm");
  for (const name of Object.keys(api)) assert.equal(imported[name], api[name], name);
  assert.equal(imported.default, api.init);
  assert.equal((await import("ruvector-attention-wasm/nodejs")).init, api.init);
  assert.equal(await api.init(), undefined);
});

test("asynchronous calls give the bits of synchronous ones", async () => {
  const { queries, keys, values } = data(50, 10);
  const query = queries.slice(0, D);
  for (const attention of mechanisms()) {
    const options = { dim: D, mask: Uint8Array.from({ length: 50 }, (_, i) => i % 3) };
    assert.deepEqual(await attention.forwardAsync(query, keys, values), attention.forward(query, keys, values));
    assert.deepEqual(await attention.forwardAsync([...query], rows(keys), rows(values).map((row) => [...row])), attention.forward(query, keys, values));
    const batch = attention.forwardBatch(queries, keys, values, options);
    assert.deepEqual(await attention.forwardBatchAsync(queries, keys, values, options), batch);
    assert.deepEqual(await attention.forwardBatchAsync(rows(queries), keys, rows(values), options.mask), rows(batch));
  }
  const own = new api.SelfAttention(D);
  assert.deepEqual(await own.forwardAsync(keys, { causal: true }), own.forward(keys, { causal: true }));
  assert.deepEqual(await own.forwardBatchAsync([keys, rows(values)]), own.forwardBatch([keys, values]));
});

test("a large batch is divided among the workers without changing a bit", async () => {
  const { queries, keys, values } = data(1_000, 1_003);
  const attention = new api.ScaledDotProductAttention(D);
  assert.deepEqual(await attention.forwardBatchAsync(queries, keys, values), attention.forwardBatch(queries, keys, values));
  queries[700 * D + 3] = NaN;
  await assert.rejects(attention.forwardBatchAsync(queries, keys, values), (error) => {
    return is("non_finite", "queries")(error) && error.message.includes(`${700 * D + 3}`);
  });
});

test("inputs may change once the call has returned", async () => {
  const { queries, keys, values } = data(300);
  const attention = new api.ScaledDotProductAttention(D);
  const expected = attention.forward(queries, keys, values);
  const mask = new Uint8Array(300).fill(1);
  const promises = [attention.forwardAsync(queries, keys, values, { mask }), attention.forwardAsync(queries, rows(keys), values, mask)];
  for (const array of [queries, keys, values, mask]) array.fill(0);
  for (const result of await Promise.all(promises)) assert.deepEqual(result, expected);
});

test("a worker's copy of a cache follows the cache", async () => {
  const { queries, keys, values } = data(40, 3);
  const attention = new api.ScaledDotProductAttention(D);
  for (const precision of ["f32", "f16", "bf16"]) {
    const cache = new api.KeyValueCache(D, D, { precision });
    const promises = [];
    const expected = [];
    for (let step = 0; step < 8; step++) {
      if (step === 5) cache.clear();
      cache.append(keys.slice(step * 5 * D, (step + 1) * 5 * D), values.slice(step * 5 * D, (step + 1) * 5 * D));
      expected.push(attention.forwardBatch(queries, cache));
      promises.push(attention.forwardBatchAsync(queries, cache));
    }
    assert.equal(cache.length, 15);
    assert.equal(cache.bytes, 15 * 2 * D * (precision === "f32" ? 4 : 2));
    assert.deepEqual(await Promise.all(promises), expected);
    await assert.rejects(attention.forwardAsync([1], cache), is("length", "query"));
    const query = queries.slice(0, D);
    assert.deepEqual(await attention.forwardAsync(query, cache, 2), attention.forward(query, cache, 2));
    const last = attention.forwardAsync(query, cache);
    cache.free();
    await last;
    assert.throws(() => attention.forward(query, cache), is("freed", "keys"));
    await assert.rejects(attention.forwardAsync(query, cache), is("freed", "keys"));
  }
});

test("bad input is refused alike with and without a worker", async () => {
  const { queries, keys, values } = data(4);
  const attention = new api.ScaledDotProductAttention(D);
  const cases = [
    [[queries.slice(1), keys, values], "length", "query"],
    [[queries, keys.slice(1), values], "length", "keys"],
    [[queries, keys, values, { neighbours: 1 }], "type", "neighbours"],
    [[queries, keys, values, 0], "parameter", "neighbors"],
    [[queries, keys, values, new Uint8Array(4)], "all_masked", "mask"],
    [[queries, keys, values, { causal: 1 }], "type", "causal"],
    [["text", keys, values], "type", "query"],
    [[queries, () => 1, values], "type", "keys"],
    [[queries, Symbol("keys"), values], "type", "keys"],
    [[queries, [[1], [1, 2]], values], "type", "keys"],
    [[queries, keys, undefined], "type", "values"],
    [[queries.map(() => NaN), keys, values], "non_finite", "query"],
    [[queries, keys, values, { training: true }], "type", "seed"],
    [[queries, keys, values, { get mask() { throw new Error("no"); } }], "type", "options"],
  ];
  for (const [args, code, argument] of cases) {
    assert.throws(() => attention.forward(...args), is(code, argument), `${code} ${argument}`);
    await assert.rejects(attention.forwardAsync(...args), is(code, argument), `${code} ${argument}`);
  }
  await assert.rejects(attention.forwardAsync(queries, keys, values, { out: new Float32Array(D) }), is("type", "out"));
});

test("an abort rejects with the signal's reason", async () => {
  const { queries, keys, values } = data(20_000, 200);
  const attention = new api.ScaledDotProductAttention(D);
  const controller = new AbortController();
  const { signal } = controller;
  const calls = [0, 1, 2, 3].map(() => attention.forwardBatchAsync(queries, keys, values, { signal }));
  const reason = new Error("enough");
  controller.abort(reason);
  for (const call of calls) await assert.rejects(call, (error) => error === reason);
  await assert.rejects(attention.forwardAsync(queries, keys, values, { signal }), (error) => error === reason);
  const few = data(2);
  assert.equal((await attention.forwardAsync(few.queries, few.keys, few.values)).length, D);
});

test("a result may go into the caller's array, which may be the query's", () => {
  const { queries, keys, values } = data(9);
  const attention = new api.ScaledDotProductAttention(D);
  const expected = attention.forward(queries, keys, values);
  assert.equal(attention.forward(queries, keys, values, { out: queries }), queries);
  assert.deepEqual(queries, expected);
});

test("the short way over a cache gives the bits, the arrays and the errors of the long one", () => {
  const { queries, keys, values } = data(30);
  const cache = new api.KeyValueCache(D);
  for (const attention of mechanisms()) {
    const short = () => attention.forward(queries, cache);
    cache.clear();
    assert.throws(short, (error) => error instanceof AttentionError && error.argument === "keys");
    cache.append(keys, values);
    // Options of any kind lead the long way; an array of numbers does too.
    const expected = attention.forward(queries, cache, {});
    const first = short();
    assert.deepEqual(first, expected);
    assert.deepEqual(attention.forward([...queries], cache), expected);
    assert.notEqual(short(), first, "each call has a result of its own");
    const { __forwardPlaced: placed } = attention;
    let taken = 0;
    attention.__forwardPlaced = (handle) => ++taken && placed.call(attention, handle);
    short();
    attention.forward(queries, cache, {});
    assert.equal(taken, 1);
    assert.equal(first.buffer.byteLength, 4 * D);
    const out = new Float32Array(D);
    assert.equal(attention.forward(queries, cache, { out }), out);
    assert.deepEqual(out, expected);
    const own = queries.slice();
    assert.equal(attention.forward(own, cache, { out: own }), own);
    assert.deepEqual(own, expected);
    assert.throws(() => attention.forward(queries, cache, { out: new Float32Array(D - 1) }), is("length", "out"));
    assert.throws(() => attention.forward(queries, cache, { out: null, dims: 1 }), is("type", "dims"));
    assert.throws(() => attention.forward(queries.slice(1), cache), (error) => error.code === "length");
    const notFinite = queries.slice();
    notFinite[3] = NaN;
    assert.throws(() => attention.forward(notFinite, cache), is("non_finite", "query"));
    assert.throws(() => attention.forward(new Float32Array(new SharedArrayBuffer(4 * D)), cache), is("type", "query"));
    // Memory grows: what was seen of it before is gone.
    const many = 5000 * D;
    const large = new api.KeyValueCache(D);
    large.append(numbers(many, 4), numbers(many, 5));
    assert.deepEqual(short(), expected);
    large.free();
  }
  const wide = new api.KeyValueCache(D, 3);
  wide.append(keys, values.slice(0, 90));
  const dot = new api.ScaledDotProductAttention(D);
  assert.deepEqual(dot.forward(queries, wide), dot.forward(queries, wide, {}));
  assert.throws(() => new api.ScaledDotProductAttention(D + 1).forward(queries, cache), is("length", "query"));
  const half = new api.KeyValueCache(D, null, { precision: "f16" });
  half.append(keys, values);
  assert.deepEqual(dot.forward(queries, half), dot.forward(queries, half, {}));
  half.free();
  // What moved would be written to after it was given back: the others take the room behind the first.
  const caches = Array.from({ length: 50 }, () => new api.KeyValueCache(D));
  const places = caches.map((each) => each.__place());
  assert.deepEqual(caches.map((each) => each.__place()), places);
  caches.forEach((each) => each.free());
  cache.free();
  assert.throws(() => dot.forward(queries, cache), is("freed", "keys"));
});

test("a freed object says so, and giving back twice does nothing", async () => {
  const { queries, keys, values } = data(2);
  for (const attention of [...mechanisms(), new api.SelfAttention(D)]) {
    attention[Symbol.dispose ?? "free"]();
    attention.free();
    assert.throws(() => attention.forward(queries, keys, values), is("freed", ""));
    await assert.rejects(attention.forwardAsync(queries, keys, values), is("freed", ""));
    assert.throws(() => attention.curvature ?? attention.hiddenDim ?? attention.dim, is("freed", ""));
    assert.ok(attention instanceof attention.constructor);
  }
  const state = new api.ScaledDotProductAttention(D).state(queries);
  const other = new api.ScaledDotProductAttention(D).state(queries);
  other.push(keys, values);
  other.free();
  assert.throws(() => state.merge(other), is("freed", "other"));
});

test("states merge and travel", () => {
  const { queries, keys, values } = data(30);
  for (const attention of mechanisms()) {
    const whole = attention.state(queries);
    const [first, second] = [attention.state(queries), attention.state(queries)];
    assert.ok(first instanceof api.AttentionState);
    whole.push(keys, values);
    first.push(keys.slice(0, 10 * D), rows(values.slice(0, 10 * D)));
    second.push(rows(keys.slice(10 * D)), values.slice(10 * D));
    first.merge(api.AttentionState.fromBytes(second.toBytes()));
    const [got, expected] = [first.finish(), whole.finish()];
    assert.ok(got.every((x, i) => Math.abs(x - expected[i]) < 2e-6));
    assert.throws(() => first.merge({}), is("type", "other"));
  }
});

test("a million calls leave the memory as it was", () => {
  const { memory } = glue.initSync();
  const { queries, keys, values } = data(2);
  const attention = new api.ScaledDotProductAttention(D);
  const cache = new api.KeyValueCache(D);
  cache.append(keys, values);
  const round = (count) => {
    for (let i = 0; i < count; i++) {
      attention.forward(queries, keys, values);
      attention.forward(queries, cache, { neighbors: 1, out: queries });
      if (i % 50 === 0) assert.throws(() => attention.forward(queries, keys), AttentionError);
      if (i % 50 !== 0) continue;
      const short = new api.KeyValueCache(D);
      short.append(keys, values);
      new api.MultiHeadAttention(2, D).free();
      const state = attention.state(queries);
      state.push(keys, values);
      state.free();
      short.free();
    }
  };
  round(1_000);
  const before = memory.buffer.byteLength;
  round(500_000);
  assert.equal(memory.buffer.byteLength, before);
});

test("the event loop turns while a worker computes, and a thousand calls complete", async () => {
  const { queries, keys, values } = data(20_000, 200);
  const attention = new api.ScaledDotProductAttention(D);
  const few = data(50);
  await attention.forwardAsync(few.queries, few.keys, few.values);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const started = process.hrtime.bigint();
  await attention.forwardBatchAsync(queries, keys, values);
  const took = Number(process.hrtime.bigint() - started) / 1e6;
  clearInterval(timer);
  assert.ok(turns >= took / 20, `${turns} turns in ${took} ms`);
  const expected = attention.forward(few.queries, few.keys, few.values);
  const results = await Promise.all(Array.from({ length: 1_000 }, () => attention.forwardAsync(few.queries, few.keys, few.values)));
  for (const result of results) assert.deepEqual(result, expected);
});

test("without shared memory the copies are handed over", async () => {
  const { homeOf } = require(inside("js/cjs/home.js"));
  const { Worker } = require("node:worker_threads");
  const compiled = new WebAssembly.Module(fs.readFileSync(inside(`wasm/${LEVEL}.wasm`)));
  const spawn = (heard, failed) => {
    const worker = new Worker(inside("js/cjs/worker-node.js"), { workerData: compiled });
    worker.on("message", heard).on("error", (error) => failed(error.message));
    worker.unref();
    return { post: (m, t) => worker.postMessage(m, t), hold: (on) => (on ? worker.ref() : worker.unref()), end: () => worker.terminate() };
  };
  const home = homeOf(glue, { workshop: () => ({ size: 2, spawn }), shared: false });
  home.loaded({ level: LEVEL, reason: "test" });
  const { queries, keys, values } = data(100, 100);
  const attention = new home.api.ScaledDotProductAttention(D);
  assert.deepEqual(await attention.forwardBatchAsync(queries, keys, values), attention.forwardBatch(queries, keys, values));
  assert.equal(home.api.backend.workers.shared, false);
  // Still the caller's own.
  assert.equal(keys.length, 100 * D);
});

test("where no worker starts, calls are computed here and the reason can be read", async () => {
  const { homeOf } = require(inside("js/cjs/home.js"));
  const spawn = (_, failed) => {
    setImmediate(failed, "no such file");
    return { post: () => assert.fail("nothing may be sent"), hold: () => undefined, end: () => undefined };
  };
  const home = homeOf(glue, { workshop: () => ({ size: 1, spawn }), shared: false });
  home.loaded({ level: LEVEL, reason: "test" });
  const { queries, keys, values } = data(5);
  const attention = new home.api.ScaledDotProductAttention(D);
  const cache = new home.api.KeyValueCache(D);
  cache.append(keys, values);
  const expected = attention.forward(queries, keys, values);
  const both = [attention.forwardAsync(queries, keys, values), attention.forwardAsync(queries, cache)];
  assert.deepEqual(await Promise.all(both), [expected, expected]);
  assert.deepEqual(await attention.forwardAsync(queries, keys, values), expected);
  assert.deepEqual({ ...home.api.backend.workers }, { count: 0, shared: false, reason: "no such file" });
});

test("a prepared call sees what its arrays and its cache hold when it runs", () => {
  const { queries, keys, values } = data(5);
  const query = queries.slice(0, D);
  const attention = new api.ScaledDotProductAttention(D);
  const cache = new api.KeyValueCache(D);
  const out = new Float32Array(D);
  const mask = Uint8Array.of(1, 1, 0, 1, 0);
  const calls = [
    [attention.prepare(query, keys, values), () => attention.forward(query, keys, values)],
    [attention.prepare(query, cache), () => attention.forward(query, cache)],
    [attention.prepare(query, keys, values, { out, neighbors: 2 }), () => attention.forward(query, keys, values, 2)],
    [attention.prepare(query, keys, values, mask), () => attention.forward(query, keys, values, [true, true, false, true, false])],
  ];
  mask.fill(0);
  for (let round = 0; round < 3; round++) {
    cache.append(keys, values);
    for (const [call, expected] of calls) {
      assert.equal(call.run(), call.out);
      assert.deepEqual(call.out, expected());
    }
    query[round] += 1;
  }
  assert.equal(calls[2][0].out, out);
  structuredClone(out, { transfer: [out.buffer] });
  assert.throws(() => calls[2][0].run(), is("length", "out"));
  assert.throws(() => attention.prepare([1, 2], keys, values), is("type", "query"));
  assert.throws(() => attention.prepare(query, keys, values, { signal: new AbortController().signal }), is("type", "signal"));
  calls[0][0].free();
  assert.throws(() => calls[0][0].run(), is("freed", "this"));
  cache.free();
  assert.throws(() => calls[1][0].run(), is("freed", "keys"));
  attention.free();
  assert.throws(() => attention.prepare(query, keys, values), (error) => error.code === "freed");
});

test("the web entry refuses work before init, which loads once", async () => {
  const web = await import(pathToFileURL(inside("js/esm/web.js")));
  assert.equal(web.backend.level, "none");
  assert.throws(() => new web.ScaledDotProductAttention(2), (error) => error.code === "unavailable" && /init/.test(error.message));
  assert.throws(() => web.version(), (error) => error.code === "unavailable");
  await assert.rejects(web.init({ module: new Uint8Array(4) }), (error) => error.code === "unavailable");
  await assert.rejects(web.init({ level: "fast" }), (error) => error.code === "parameter" && error.argument === "level");
  const bytes = fs.readFileSync(inside(`wasm/${LEVEL}.wasm`));
  await Promise.all([web.init(bytes), web.default()]);
  assert.equal(web.version(), api.version());
  assert.deepEqual(new web.Linear(1).forward([1], [[1]], [[7]]), Float32Array.of(7));
  assert.equal(web.backend.workers.count, 0);
  assert.deepEqual(Object.keys(web).sort(), [...Object.keys(api)].sort());
});

test("a process ends by itself, whatever its workers did", () => {
  const run = (code, env) =>
    execFileSync(process.execPath, ["-e", `const a = require("ruvector-attention-wasm"); ${code}`], {
      env: { ...process.env, ...env },
      timeout: 30_000,
      encoding: "utf8",
    });
  const call = "new a.Linear(1).forwardAsync([1], [[1]], [[7]]).then((r) => console.log(r[0], a.backend.workers.count));";
  assert.equal(run(call, { RUVECTOR_ATTENTION_WASM_WORKERS: "2" }), "7 2\n");
  assert.equal(run(call, { RUVECTOR_ATTENTION_WASM_WORKERS: "0" }), "7 0\n");
  assert.throws(() => run(call, { RUVECTOR_ATTENTION_WASM_WORKERS: "-1" }));
  assert.throws(() => run(call, { RUVECTOR_ATTENTION_WASM_LEVEL: "avx2" }));
});
