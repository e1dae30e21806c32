// Calls that end later: what they answer, how they are called off, what they cost the thread that made them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import test from "node:test";
import { AttentionError, AttentionState, CrossAttention, KeyValueCache, ScaledDotProductAttention, SelfAttention } from "ruvector-attention";

const random = (length) => Float32Array.from({ length }, () => Math.random() - 0.5);
const refused = (code, argument) => (error) => error instanceof AttentionError && error.code === code && error.argument === argument;
const good = Float32Array.of(1, 2);

/** A batch that takes this thread about so many milliseconds, and how long it took. */
function work(milliseconds) {
  const [dim, n] = [128, 4000];
  const attention = new CrossAttention(dim);
  const memory = [random(n * dim), random(n * dim)];
  for (let m = 64; ; m *= 2) {
    const queries = random(m * dim);
    const start = performance.now();
    attention.forwardBatch(queries, ...memory);
    const took = performance.now() - start;
    if (took >= milliseconds) return { attention, queries, memory, took };
  }
}

test("arguments are read at once, the answer is that of the synchronous call", async () => {
  const attention = new ScaledDotProductAttention(8);
  const [query, keys, values] = [random(8), random(80_000), random(80_000)];
  const expected = attention.forward(query, keys, values, { causal: true, neighbors: 50 });
  const promise = attention.forwardAsync(query, keys, values, { causal: true, neighbors: 50 });
  [query, keys, values].forEach((array) => array.fill(0));
  assert.deepEqual(await promise, expected);
});

test("equal inputs are held once, changed ones are not mistaken", async () => {
  const attention = new ScaledDotProductAttention(2);
  const [keys, values] = [new Float32Array(8192), new Float32Array(4096).fill(1)];
  const first = attention.forwardAsync(good, keys, values);
  values.fill(2);
  const second = attention.forwardAsync(good, keys, values);
  values.fill(-0);
  const third = attention.forwardAsync(good, keys, values);
  const answers = await Promise.all([first, second, third]);
  assert.deepEqual(answers.map((answer) => answer[0]), [1, 2, 0]);
});

test("a call that is refused rejects, it does not throw", async () => {
  const attention = new ScaledDotProductAttention(2);
  const cases = [
    ["type", "query", [null, good, good]], ["length", "query", [Float32Array.of(1), good, good]], ["type", "numNeighbors", [good, good, good, -1]],
    ["type", "speed", [good, good, good, { speed: 1 }]], ["non_finite", "values", [good, good, Float32Array.of(NaN, 1)]],
    ["type", "out", [good, good, good, { out: good }]], ["type", "signal", [good, good, good, { signal: {} }]],
  ];
  for (const [code, argument, given] of cases) {
    await assert.rejects(attention.forwardAsync(...given), refused(code, argument), `${code} ${argument}`);
  }
  await assert.rejects(attention.forwardBatchAsync([good], good, Float32Array.of(NaN, 1)), refused("non_finite", "values"));
  await assert.rejects(new SelfAttention(2).forwardAsync(Float32Array.of(NaN, 1)), refused("non_finite", "sequence"));
  await assert.rejects(attention.forwardAsync(good, good, good, { get mask() { throw new RangeError("mine"); } }), { message: "mine" });
  await assert.rejects(ScaledDotProductAttention.prototype.forwardAsync.call({}, good, good, good), TypeError);
});

test("a signal ends a call with its reason, before, while it waits, and while it runs", async () => {
  const { attention, queries, memory } = work(50);
  const [before, running] = [new AbortController(), new AbortController()];
  before.abort("never");
  await assert.rejects(attention.forwardBatchAsync(queries, ...memory, { signal: before.signal }), (reason) => reason === "never");
  assert.throws(() => attention.forwardBatch(queries, ...memory, { signal: before.signal }), (reason) => reason === "never");
  // As many as the pool has threads, so that the next one waits.
  const busy = Array.from({ length: 4 }, () => attention.forwardBatchAsync(queries, ...memory));
  const waiting = new AbortController();
  const calls = [waiting, running].map(({ signal }) => attention.forwardBatchAsync(queries, ...memory, { signal }));
  const reason = new Error("enough");
  let ended = 0;
  busy.forEach((promise) => promise.then(() => ended++));
  waiting.abort(reason);
  await assert.rejects(calls[0], (error) => error === reason);
  assert.equal(ended, 0, "the waiting call was ended at once");
  await Promise.all(busy);
  running.abort();
  await assert.rejects(calls[1], { name: "AbortError" }).catch(async () => assert.ok((await calls[1]).length > 0));
  // What was called off in the middle leaves the pool to others.
  assert.deepEqual(await attention.forwardAsync(queries.slice(0, 128), ...memory), attention.forward(queries.slice(0, 128), ...memory));
});

test("a signal may serve many calls, and is left as it was", async () => {
  const attention = new ScaledDotProductAttention(2);
  const { signal } = new AbortController();
  const [add, remove] = [signal.addEventListener, signal.removeEventListener];
  let listeners = 0;
  signal.addEventListener = (...given) => (listeners++, add.apply(signal, given));
  signal.removeEventListener = (...given) => (listeners--, remove.apply(signal, given));
  await Promise.all(Array.from({ length: 50 }, () => attention.forwardAsync(good, good, good, { signal })));
  assert.equal(listeners, 0);
  signal.removeEventListener = () => { throw new Error("no"); };
  assert.deepEqual(await attention.forwardAsync(good, good, good, { signal }), good);
});

test("a thousand calls at once hold their inputs once", async () => {
  const [dim, n] = [64, 8000];
  const attention = new ScaledDotProductAttention(dim);
  const [keys, values] = [random(n * dim), random(n * dim)];
  const query = random(dim);
  const expected = attention.forward(query, keys, values);
  const before = process.memoryUsage().rss;
  const calls = Array.from({ length: 1000 }, () => attention.forwardAsync(query, keys, values));
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  for (const answer of await Promise.all(calls)) assert.deepEqual(answer, expected);
  // A copy each would be 4 GB.
  assert.ok(grown < 64, `${grown.toFixed(0)} MiB more`);
});

/** The longest time between two turns of the event loop until `promise` ends, and the number of turns. */
async function heldUp(promise) {
  let [running, worst, last, turns] = [true, 0, performance.now(), 0];
  const tick = () => {
    const now = performance.now();
    worst = Math.max(worst, now - last);
    last = now;
    turns++;
    if (running) setImmediate(tick);
  };
  setImmediate(tick);
  await promise;
  running = false;
  await sleep(1);
  return { worst, turns };
}

test("the event loop turns while 200 ms are computed", async () => {
  const { attention, queries, memory, took } = work(200);
  const runs = [];
  // A busy machine holds any thread up, an idle loop too: it is allowed twice as much, but never half of the work.
  for (let run = 0; run < 10; run++) {
    const idle = await heldUp(sleep(took));
    const { worst, turns } = await heldUp(attention.forwardBatchAsync(queries, ...memory));
    runs.push({ worst, idle: idle.worst, turns });
    if (worst <= Math.max(5, Math.min(2 * idle.worst, took / 2)) && turns > 20) return;
  }
  assert.fail(JSON.stringify(runs));
});

test("worker threads have classes of their own", async () => {
  const script = `
    const { parentPort, workerData } = require("node:worker_threads");
    const { AttentionError, AttentionState, ScaledDotProductAttention } = require(workerData.entry);
    (async () => {
      const attention = new ScaledDotProductAttention(2);
      let refused = false;
      try { attention.forward(1, 2, 3) } catch (error) { refused = error instanceof AttentionError && error.argument === "query" }
      const x = Float32Array.of(1, 2);
      const state = attention.state(x);
      state.push(x, x);
      const first = await attention.forwardAsync(x, x, x);
      parentPort.postMessage({ refused, first, bytes: state.toBytes() });
    })();
  `;
  const entry = fileURLToPath(import.meta.resolve("ruvector-attention")).replace(/\.mjs$/, ".js");
  const workers = Array.from({ length: 4 }, () => new Worker(script, { eval: true, workerData: { entry } }));
  const told = await Promise.all(workers.map(async (worker) => (await once(worker, "message"))[0]));
  for (const { refused, first, bytes } of told) {
    assert.ok(refused);
    assert.deepEqual(first, good);
    assert.deepEqual(AttentionState.fromBytes(bytes).finish(), good);
  }
  // Stopped in the middle of a call.
  const busy = `
    const { parentPort, workerData } = require("node:worker_threads");
    const { CrossAttention } = require(workerData.entry);
    const x = new Float32Array(64 * 6000).fill(0.5);
    for (let i = 0; i < 8; i++) new CrossAttention(64).forwardBatchAsync(x, x, x, { signal: new AbortController().signal });
    parentPort.postMessage("busy");
  `;
  const stopped = new Worker(busy, { eval: true, workerData: { entry } });
  await once(stopped, "message");
  await stopped.terminate();
  assert.deepEqual(new ScaledDotProductAttention(2).forward(good, good, good), good);
});

test("a process that loads the addon in a worker only ends well", async () => {
  const entry = fileURLToPath(import.meta.resolve("ruvector-attention")).replace(/\.mjs$/, ".js");
  const inner = `
    const { CrossAttention } = require(${JSON.stringify(entry)});
    const x = new Float32Array(64 * 2000).fill(0.5);
    console.log(new CrossAttention(64).forwardBatch(x, x, x).length);
  `;
  const outer = `
    const { Worker } = require("node:worker_threads");
    const run = () => new Promise((resolve) => new Worker(${JSON.stringify(inner)}, { eval: true }).on("exit", resolve));
    run().then(run).then(() => setTimeout(() => console.log("end"), 200));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", outer]);
  assert.deepEqual(stdout.trim().split("\n"), ["128000", "128000", "end"]);
});

test("a cache in flight keeps its rows", async () => {
  const cache = new KeyValueCache(2);
  cache.append(good, good);
  const calls = Array.from({ length: 20 }, () => new ScaledDotProductAttention(2).forwardAsync(good, cache));
  cache.free();
  for (const answer of await Promise.all(calls)) assert.deepEqual(answer, good);
});
