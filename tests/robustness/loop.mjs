// The event loop during asynchronous calls, and a thousand of them at once: `node loop.mjs PACKAGE`.
import { performance } from "node:perf_hooks";

const module = await import(process.argv[2]);
const api = "ScaledDotProductAttention" in module ? module : module.default;
await api.init();

const DIM = 64;
const KEYS = 2000;
const LONG_MS = 200;
const MOST_MS = 5;
const ATTEMPTS = 8;

const filled = (length) => Float32Array.from({ length }, (_, i) => Math.sin(i));
const attention = new api.ScaledDotProductAttention(DIM);
const [keys, values] = [filled(DIM * KEYS), filled(DIM * KEYS)];

/** Queries whose batch takes about 200 ms on this thread. */
function work() {
  let queries = filled(DIM * 64);
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    attention.forwardBatch(queries, keys, values);
    const factor = LONG_MS / (performance.now() - start);
    queries = filled(DIM * Math.max(16, Math.ceil((queries.length / DIM) * Math.min(factor, 20))));
  }
  return queries;
}

/**
 * How long the loop was busy while a call ran, after the call itself had returned: with nothing else to do, no single
 * block was longer. Unlike the delay of a timer, it leaves out the time in which other programs had the processor while
 * the loop was waiting.
 */
async function longest(queries) {
  const start = performance.now();
  const promise = attention.forwardBatchAsync(queries, keys, values);
  const copied = performance.now() - start;
  // From here on the loop is free, or not.
  await new Promise((resolve) => setImmediate(resolve));
  const before = performance.eventLoopUtilization();
  await promise;
  const blocked = performance.eventLoopUtilization(before).active;
  const took = performance.now() - start;
  return { copied, took, blocked };
}

const queries = work();
let best;
for (let i = 0; i < ATTEMPTS; i++) {
  const found = await longest(queries);
  // Other programs may hold this one up; what the call itself does, it does every time.
  if (!best || found.blocked < best.blocked) best = found;
  if (best.blocked <= MOST_MS) break;
}

const small = 100;
const bytes = 4 * DIM * (2 * small + 1);
async function wave() {
  const calls = Array.from({ length: 1000 }, () => attention.forwardAsync(filled(DIM), keys.subarray(0, DIM * small), values.subarray(0, DIM * small)));
  const results = await Promise.all(calls);
  if (!results.every((row) => row.length === DIM && row.every(Number.isFinite))) throw new Error("a wrong result");
  return process.memoryUsage().rss;
}
await wave();
const first = await wave();
let last = first;
for (let i = 0; i < 5; i++) last = await wave();
const grown = last - first;
// Every call holds a copy of what it was given until it is done, and no more than a few of each.
const allowed = 1000 * bytes * 4;
const good = best.blocked <= MOST_MS && best.took > LONG_MS / 4 && grown <= allowed;
const round = (number) => Math.round(number * 100) / 100;
console.log(JSON.stringify({
  backend: api.backend.name,
  call_ms: round(best.took), copy_ms: round(best.copied), busy_ms: round(best.blocked), wanted_ms: MOST_MS,
  concurrent: 1000, grown_mib: round(grown / 2 ** 20), allowed_mib: round(allowed / 2 ** 20), rss_mib: round(last / 2 ** 20), good,
}));
process.exit(good ? 0 : 1);
