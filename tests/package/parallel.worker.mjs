// Compares the module with threads, as the example loads it, with the ordinary one: results bit by bit, and times.
import { load } from "/browser_parallel.mjs";

const D = 128;
const numbers = (length, scale) => Float32Array.from({ length }, (_, i) => Math.sin(i * scale) / 16);
const equal = (a, b) => a.length === b.length && a.every((x, i) => Object.is(x, b[i]));
const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];

async function compare() {
  const single = await import("/files/single/ruvector_attention_wasm.js");
  await single.default();
  const urls = { parallel: "/files/parallel/ruvector_attention_wasm.js", single: "/files/single/ruvector_attention_wasm.js" };
  const { module, threads, reason } = await load(urls, 2);
  const [keys, values, queries] = [numbers(4000 * D, 0.7), numbers(4000 * D, 0.9), numbers(256 * D, 0.3)];
  const found = {};
  const ratios = {};
  const mechanisms = {
    "scaled dot-product": (api) => new api.WasmScaledDotProduct(D),
    "8 heads": (api) => new api.WasmMultiHeadAttention(8, D),
    hyperbolic: (api) => new api.WasmHyperbolicAttention(1),
    linear: (api) => new api.WasmLinearAttention(D),
  };
  for (const [name, make] of Object.entries(mechanisms)) {
    const [alone, together] = [make(single), make(module)];
    const call = (attention) => attention.forwardBatch(queries, keys, values, { dim: D });
    const one = (attention) => attention.forward(queries.subarray(0, D), keys, values);
    found[`${name}: the bits of one thread`] = equal(call(alone), call(together)) ? null : "other bits";
    found[`${name}: of one query too`] = equal(one(alone), one(together)) ? null : "other bits";
    const times = [[], []];
    for (let round = 0; round < 5; round++) {
      [alone, together].forEach((attention, i) => {
        const start = performance.now();
        call(attention);
        times[i].push(performance.now() - start);
      });
    }
    ratios[name] = Number((median(times[0]) / median(times[1])).toFixed(2));
  }
  try {
    new module.WasmScaledDotProduct(D).forward(queries, keys, values);
    found["errors are thrown"] = "no error";
  } catch (error) {
    found["errors are thrown"] = error.code === "length" ? null : String(error);
  }
  return { found, ratios, threads, reason, cores: navigator.hardwareConcurrency };
}

compare().then(postMessage, (error) => postMessage({ fault: `${error.stack ?? error}` }));
