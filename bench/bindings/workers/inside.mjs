// The core itself, timed in this process over the same arrays.

/** A task of the library at `file`, which makes the calls and keeps the time. */
export function insideOf(file, [q, k, v]) {
  const addon = { exports: {} };
  process.dlopen(addon, file);
  const out = new Float32Array(v.length / (k.length / q.length));
  const ns = new Float64Array(100_000);
  const run = (seconds, most) => {
    const count = addon.exports.timeInside(q, k, v, out, seconds, ns.subarray(0, most));
    if (count === 0) throw new Error("the core refused the call");
    return Array.from(ns.subarray(0, count));
  };
  return { with: "", run, result: () => (run(0, 1), out), free: () => undefined };
}
