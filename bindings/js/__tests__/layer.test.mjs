// The TypeScript layer over a backend in plain JavaScript. LAYER is the folder with the compiled modules.
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { makeFake } from "./fake.mjs";

const load = (name) => import(pathToFileURL(path.join(process.env.LAYER, `${name}.js`)));
const [{ AttentionError }, { install }, { choose }, { Attention, AttentionBuilder, AttentionType }] = await Promise.all(
  ["errors", "install", "backend", "sdk"].map(load),
);
const home = { backend: { name: "native", level: "none", reason: "a test" } };
const f32 = (...numbers) => Float32Array.from(numbers);
const [keys, values] = [f32(1, 2), f32(3, 4)];

/** A fresh backend, installed. */
function installed() {
  const fake = makeFake();
  return { ...fake, api: install(fake.raw, home) };
}

function refused(code, argument, text = "") {
  return (error) =>
    error instanceof AttentionError && error.code === code && error.argument === argument && error.message.includes(text);
}

/** A source that counts what is asked of it. */
function counting(items) {
  const seen = { pulled: 0, ended: 0 };
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: async () => (seen.pulled < items.length ? { value: items[seen.pulled++], done: false } : { value: undefined, done: true }),
      return: async () => {
        seen.ended += 1;
        return { value: undefined, done: true };
      },
    }),
  };
  return { source, seen };
}

test("errors are errors, with a name, a code and an argument", () => {
  const error = new AttentionError("text", "length", "keys", { cause: 1 });
  assert.ok(error instanceof Error);
  assert.deepEqual([error.name, error.message, error.code, error.argument, error.cause], ["AttentionError", "text", "length", "keys", 1]);
  assert.match(String(error), /^AttentionError: text/);
  assert.deepEqual(Object.keys(error), ["code", "argument"]);
});

test("installing registers the error class and adds members to the classes themselves", () => {
  const { api, raw, errorClass } = installed();
  assert.equal(errorClass(), AttentionError);
  assert.equal(api.ScaledDotProductAttention, raw.ScaledDotProductAttention);
  assert.equal(api.WasmLinearAttention, api.Linear);
  for (const each of [api.CrossAttention, api.SelfAttention]) assert.equal(typeof each.prototype.forwardStream, "function");
  if (Symbol.dispose) assert.equal(typeof api.KeyValueCache.prototype[Symbol.dispose], "function");
  assert.ok(!("setErrorClass" in api) && !("kernel" in api));
});

test("a prepared call can be disposed of, and an Attention adds its options", () => {
  const { api, calls } = installed();
  const query = f32(1);
  const call = new api.LinearAttention(1).prepare(query, keys, values);
  assert.equal(call.run(), query);
  if (Symbol.dispose) {
    call[Symbol.dispose]();
    assert.deepEqual(calls.at(-1), ["free", "call"]);
    assert.deepEqual(Object.keys(call), ["out", "run", "free"]);
  }
  const attention = new Attention({ type: "cross", hiddenDim: 1, neighbors: 3 });
  attention.prepare(query, keys, values, [true, false]);
  assert.deepEqual(calls.at(-1), ["prepare", query, keys, values, { mask: [true, false], neighbors: 3, dim: undefined }]);
});

test("a stream answers in order and pulls when it is asked", async () => {
  const { api, calls } = installed();
  const { source, seen } = counting([f32(1), f32(2), f32(3)]);
  const stream = new api.ScaledDotProductAttention(1).forwardStream(source, keys, values, { neighbors: 1 });
  assert.equal(seen.pulled, 0);
  assert.deepEqual((await stream.next()).value, f32(1));
  await new Promise((later) => setTimeout(later, 5));
  assert.equal(seen.pulled, 1, "nothing is pulled ahead");
  assert.deepEqual((await stream.next()).value, f32(2));
  assert.deepEqual((await stream.next()).value, f32(3));
  assert.deepEqual(await stream.next(), { value: undefined, done: true });
  assert.equal(seen.ended, 0, "a source at its end is not ended again");
  const appended = calls.filter(([name]) => name === "append");
  assert.deepEqual(appended, [["append", keys, values]], "keys are copied once");
  assert.deepEqual(calls.find(([name]) => name === "KeyValueCache"), ["KeyValueCache", 1, 1]);
  assert.ok(calls.filter(([name]) => name === "forwardAsync").every((call) => call[3].neighbors === 1), "options pass through");
  await null;
  assert.deepEqual(calls.at(-1), ["free", "KeyValueCache"]);
});

test("a stream over a cache leaves the cache alone", async () => {
  const { api, calls } = installed();
  const cache = new api.KeyValueCache(1);
  for await (const row of new api.Linear(1).forwardStream([[7]], cache, 3)) assert.deepEqual(row, f32(7));
  assert.deepEqual(calls.at(-1), ["forwardAsync", [7], cache, 3]);
  assert.ok(!calls.some(([name]) => name === "free"));
});

test("leaving a stream ends its source", async () => {
  const { api } = installed();
  const { source, seen } = counting([f32(1), f32(2)]);
  for await (const _ of new api.Hyperbolic(1).forwardStream(source, keys, values)) break;
  assert.deepEqual(seen, { pulled: 1, ended: 1 });
});

test("a failed query ends the stream and its source", async () => {
  const { api } = installed();
  const { source, seen } = counting([f32(1), f32(NaN), f32(3)]);
  const got = [];
  await assert.rejects(async () => {
    for await (const row of new api.Linear(1).forwardStream(source, keys, values)) got.push(row[0]);
  }, refused("non_finite", "query"));
  assert.deepEqual([got, seen], [[1], { pulled: 2, ended: 1 }]);
});

test("a source that fails is passed on", async () => {
  const { api } = installed();
  async function* failing() {
    yield f32(1);
    throw new RangeError("dry");
  }
  const stream = new api.Linear(1).forwardStream(failing(), keys, values);
  await stream.next();
  await assert.rejects(stream.next(), RangeError);
});

test("an abort ends a stream, before, between and while its source is waited for", async () => {
  const { api } = installed();
  const reason = new Error("enough");
  const attention = new api.Linear(1);
  await assert.rejects(attention.forwardStream([[1]], keys, values, { signal: AbortSignal.abort(reason) }).next(), reason);

  const between = new AbortController();
  const { source, seen } = counting([f32(1), f32(2)]);
  const stream = attention.forwardStream(source, keys, values, { signal: between.signal });
  await stream.next();
  between.abort(reason);
  await assert.rejects(stream.next(), reason);
  assert.deepEqual(seen, { pulled: 1, ended: 1 });

  const waiting = new AbortController();
  let ended = 0;
  const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}), return: () => (ended++, new Promise(() => {})) }) };
  const held = attention.forwardStream(silent, keys, values, { signal: waiting.signal }).next();
  setTimeout(() => waiting.abort(reason), 5);
  await assert.rejects(held, reason);
  assert.equal(ended, 1);
});

test("what cannot be iterated is refused", async () => {
  const { api } = installed();
  for (const wrong of [f32(1, 2), "text", 3, null, undefined, {}]) {
    await assert.rejects(new api.Linear(1).forwardStream(wrong, keys, values).next(), refused("type", "queries"));
    await assert.rejects(new api.SelfAttention(1).forwardStream(wrong).next(), refused("type", "sequences"));
  }
});

test("a query that is no row goes to the mechanism, which refuses it", async () => {
  const { api, calls } = installed();
  for (const wrong of [null, undefined, 3, [], f32()]) {
    await api.Linear.prototype.forwardStream.call(new api.Linear(1), [wrong], keys, values).next().catch(() => undefined);
    assert.deepEqual(calls.at(-1), ["forwardAsync", wrong, keys, values, undefined]);
  }
});

test("keys that are refused leave no cache behind", async () => {
  const { api, calls } = installed();
  await assert.rejects(new api.Linear(1).forwardStream([[1]], f32(), f32()).next(), refused("length", "keys"));
  assert.deepEqual(calls.at(-1), ["free", "KeyValueCache"]);
});

test("the SDK builds by name, with defaults that leave zeros alone", () => {
  const { calls } = installed();
  const built = (config) => {
    new Attention(config);
    return calls.at(-1);
  };
  assert.deepEqual(built({ type: AttentionType.ScaledDotProduct, hiddenDim: 4 }), ["ScaledDotProductAttention", 4]);
  assert.deepEqual(built({ type: "multi-head", hiddenDim: 16 }), ["MultiHeadAttention", { numHeads: 8, hiddenDim: 16, dropout: 0, weights: undefined }]);
  assert.deepEqual(built({ type: "hyperbolic", hiddenDim: 4 }), ["HyperbolicAttention", 1]);
  assert.deepEqual(built({ type: "hyperbolic", hiddenDim: 4, curvature: 0 }), ["HyperbolicAttention", 0]);
  assert.deepEqual(built({ type: "cross", hiddenDim: 4 }), ["CrossAttention", 4]);
  assert.deepEqual(built({ type: AttentionType.Self, hiddenDim: 4 }), ["SelfAttention", 4]);
  assert.deepEqual(built({ type: "linear", hiddenDim: 4 }), ["LinearAttention", 4]);
});

test("auto is exact, and says what it chose", () => {
  installed();
  const one = new AttentionBuilder().type(AttentionType.Auto).hiddenDim(4).build();
  const four = new AttentionBuilder().type(AttentionType.Auto, { numHeads: 4 }).hiddenDim(4).build();
  assert.deepEqual([one.type, one.config.type, four.type], ["scaled-dot-product", "auto", "multi-head"]);
});

test("what the SDK cannot build is refused by name", () => {
  installed();
  const build = (config) => () => new Attention(config);
  assert.throws(() => new AttentionBuilder().build(), refused("type_not_specified", "type", "Attention type not specified"));
  assert.throws(
    () => new AttentionBuilder().type("linear").build(),
    refused("dim_not_specified", "hiddenDim", "Hidden dimension not specified"),
  );
  assert.throws(build({ type: "sideways", hiddenDim: 4 }), refused("unknown_type", "type", "sideways"));
  assert.throws(build({ type: "toString", hiddenDim: 4 }), refused("unknown_type", "type", "toString"));
  assert.throws(build({ type: "linear", hiddenDim: 0 }), refused("parameter", "hiddenDim"));
  assert.throws(build({ type: "linear", hiddenDim: 1.5 }), refused("type", "hiddenDim"));
  assert.throws(build({ type: "linear", hiddenDim: 4, dropout: 1 }), refused("parameter", "dropout"));
  assert.throws(build({ type: "linear", hiddenDim: 4, dropout: NaN }), refused("parameter", "dropout"));
  assert.throws(build({ type: "linear", hiddenDim: 4, neighbors: 3 }), refused("unsupported", "neighbors"));
  assert.throws(build({ type: "cross", hiddenDim: 4, neighbors: 0 }), refused("parameter", "neighbors"));
  assert.throws(build({ type: "multi-head", hiddenDim: 4, numHeads: 0 }), refused("parameter", "numHeads"));
  assert.throws(build({ type: "linear", hiddenDim: 4, heads: 3 }), refused("type", "heads"));
  assert.throws(build(null), refused("type", "config"));
});

test("configured neighbors hold where a call names none", () => {
  const { api, calls } = installed();
  const attention = new Attention({ type: "cross", hiddenDim: 1, neighbors: 5 });
  const given = (...options) => {
    attention.forward([1], keys, values, ...options);
    return calls.at(-1)[4];
  };
  const filled = (more) => ({ neighbors: 5, dim: undefined, ...more });
  assert.deepEqual(given(), filled());
  assert.deepEqual(given(null), filled());
  assert.deepEqual(given(2), filled({ neighbors: 2 }));
  assert.deepEqual(given([true, false]), filled({ mask: [true, false] }));
  assert.deepEqual(given({ causal: true }), filled({ causal: true }));
  assert.deepEqual(given({ numNeighbors: 0 }), filled({ neighbors: 0 }));
  assert.equal(given("five"), "five");
  attention.forward([1], new api.KeyValueCache(1));
  assert.deepEqual(calls.at(-1)[3], filled());
});

test("the SDK knows the length of a hyperbolic query, which the class does not", async () => {
  const { calls } = installed();
  const attention = new Attention({ type: "hyperbolic", hiddenDim: 2 });
  attention.forwardBatch(f32(1, 2, 3, 4), keys, values);
  assert.equal(calls.at(-1)[4].dim, 2);
  attention.forwardBatch([f32(1, 2)], keys, values);
  assert.equal(calls.at(-1)[4], undefined);
  assert.throws(() => attention.forward([1, 2, 3], keys, values), refused("length", "query", "length 3, needed 2"));
  await assert.rejects(attention.forwardAsync([1], keys, values), refused("length", "query"));
});

test("the SDK's methods reach the mechanism", async () => {
  const { calls } = installed();
  const attention = new Attention({ type: "cross", hiddenDim: 1 });
  assert.deepEqual(await attention.forwardAsync([3], keys, values), f32(3));
  attention.forwardBatch([[1]], keys, values, 2);
  await attention.forwardBatchAsync([[1]], keys, values, 2);
  assert.deepEqual(calls.at(-1), ["forwardBatchAsync", [[1]], keys, values, 2]);
  assert.deepEqual(attention.state([1], { causal: true }), [[1], { causal: true }]);
  for await (const row of attention.forwardStream([[4]], keys, values)) assert.deepEqual(row, f32(4));
  await assert.rejects(attention.forwardAsync([1], keys, values, 1, 2), refused("type", "options"));
  const self = new Attention({ type: "self", hiddenDim: 1 });
  self.forward([[1]], { causal: true });
  assert.deepEqual(calls.at(-1), ["forward", [[1]], { causal: true }]);
  self.free();
  assert.deepEqual(calls.at(-1), ["free", "SelfAttention"]);
});

test("native is chosen first, WebAssembly with the reason, and one may be asked for", () => {
  const api = (name) => ({ backend: { name, level: "x", reason: "itself" }, version: () => name });
  const fails = () => {
    throw new Error("no addon\nsecond line");
  };
  assert.equal(choose(() => api("native"), fails).backend.reason, "itself");
  const second = choose(fails, () => api("wasm")).backend;
  assert.deepEqual([second.name, second.level, second.reason], ["wasm", "x", "the native addon did not load: no addon"]);
  assert.match(choose(fails, () => api("wasm"), "wasm").backend.reason, /RUVECTOR_ATTENTION_BACKEND is wasm/);
  assert.throws(() => choose(fails, () => api("wasm"), "native"), /no addon/);
  const absent = () => {
    throw Object.assign(new Error("Cannot find module"), { code: "MODULE_NOT_FOUND" });
  };
  assert.throws(() => choose(fails, absent), { code: "native_unavailable", message: "no addon\nsecond line" });
  assert.throws(() => choose(fails, fails), refused("native_unavailable", "", "second line\nruvector-attention-wasm did not load either"));
  assert.throws(() => choose(fails, fails, "gpu"), refused("parameter", "RUVECTOR_ATTENTION_BACKEND", "gpu"));
});
