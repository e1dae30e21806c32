// The protocol of a worker in Node.js: lines of JSON in, lines of JSON out.
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import v8 from "node:v8";
import { answerer } from "./answer.mjs";

export const now = () => Number(process.hrtime.bigint());

/** The numbers of a file, in a buffer of their own: small files come out of a shared one. */
export function tensor(path) {
  return new Float32Array(new Uint8Array(readFileSync(path)).buffer);
}

/** Whether this V8 knows a module's instructions. Node 20 and older know relaxed SIMD only behind a flag. */
export function knows(module) {
  if (!WebAssembly.validate(module)) v8.setFlagsFromString("--experimental-wasm-relaxed-simd");
  return WebAssembly.validate(module);
}

/** Answer requests until standard input ends. */
export async function serve(versions, prepare) {
  const keep = (result, path) => (writeFileSync(path, new Uint8Array(Float32Array.from(result).buffer)), {});
  const answer = answerer({ versions, prepare, keep });
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + "\n");
  }
}
