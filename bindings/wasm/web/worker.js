// Measures synchronous calls at one instruction level: the first message sets it up, each further one asks for a round.
let call;

self.onmessage = async ({ data }) => {
  try {
    if (call === undefined) call = await prepare(data);
    self.postMessage({ microseconds: round(call) });
  } catch (error) {
    self.postMessage({ fault: error.message });
  }
};

async function prepare({ entry, level, dim, count }) {
  const { default: init, KeyValueCache, ScaledDotProductAttention, backend } = await import(entry);
  await init({ level });
  if (backend.level !== level) throw new Error(`not here: ${backend.reason}`);
  const numbers = (length) => Float32Array.from({ length }, (_, i) => Math.sin(i * 0.7));
  const attention = new ScaledDotProductAttention(dim);
  const cache = new KeyValueCache(dim);
  cache.append(numbers(count * dim), numbers(count * dim));
  const query = numbers(dim);
  const out = new Float32Array(dim);
  return () => attention.forward(query, cache, { out });
}

/** Microseconds a call. A page's clock is coarse, so calls are timed many at once. */
function round(call) {
  const start = performance.now();
  let calls = 0;
  let spent = 0;
  while (spent < 20) {
    call();
    calls += 1;
    spent = performance.now() - start;
  }
  return (1000 * spent) / calls;
}
