// Loads the module with threads (scripts/build-wasm-parallel.sh) where the page may share memory, and the ordinary
// module of the `web` target elsewhere. Best inside a Worker: a call waits for its threads.

/** Why memory cannot be shared here; undefined where it can. */
export function obstacle() {
  if (typeof SharedArrayBuffer === "undefined" || !globalThis.crossOriginIsolated) {
    return "the page is not cross-origin isolated: serve it with Cross-Origin-Opener-Policy: same-origin and " +
      "Cross-Origin-Embedder-Policy: require-corp";
  }
  return undefined;
}

/**
 * @param {{ parallel: string | URL, single: string | URL }} urls of the two modules' ruvector_attention_wasm.js
 * @param {number} count threads that a call may use
 * @returns the module, how many threads its calls use, and why it is only one
 */
export async function load({ parallel, single }, count = navigator.hardwareConcurrency) {
  const reason = obstacle();
  const module = await import(String(reason === undefined ? parallel : single));
  await module.default();
  if (reason !== undefined) return { module, threads: 1, reason };
  await module.initThreads(count);
  return { module, threads: module.threads(), reason };
}
