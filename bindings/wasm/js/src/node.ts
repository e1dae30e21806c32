// The package in Node.js, for require: the module is ready when this file is loaded.
import * as glue from "./glue.js";
import { AttentionError } from "./errors.js";
import { countOf, homeOf } from "./home.js";
import { choose, isLevel, type Choice, type Level } from "./levels.js";
import type { Message, Reply } from "./messages.js";
import type { Port, Workshop } from "./pool.js";

interface NodeWorker {
  on(event: string, listener: (value: never) => void): void;
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  ref(): void;
  unref(): void;
  terminate(): Promise<number>;
}
interface Modules {
  "node:fs": { readFileSync(path: string): Uint8Array<ArrayBuffer> };
  "node:os": { availableParallelism?: () => number; cpus(): unknown[] };
  "node:path": { join(...parts: string[]): string };
  "node:worker_threads": { Worker: new (path: string, options: object) => NodeWorker };
}
declare const require: <K extends keyof Modules>(name: K) => Modules[K];
declare const module: { exports: unknown };
declare const __dirname: string;
declare const process: { env: Record<string, string | undefined> };

/** Asks for one level: for tests and comparisons. */
const LEVEL = "RUVECTOR_ATTENTION_WASM_LEVEL";
/** Number of workers; 0 computes asynchronous calls on the calling thread. */
const WORKERS = "RUVECTOR_ATTENTION_WASM_WORKERS";

function wanted(): Level | undefined {
  const text = process.env[LEVEL];
  if (text === undefined || text === "" || isLevel(text)) return text === "" ? undefined : text;
  throw new AttentionError(`${LEVEL}: needed relaxed-simd, simd128 or baseline, found ${text}`, "parameter", LEVEL);
}

function compile(level: Level): WebAssembly.Module {
  const path = require("node:path").join(__dirname, "..", "..", "wasm", `${level}.wasm`);
  try {
    return new WebAssembly.Module(require("node:fs").readFileSync(path));
  } catch (cause) {
    throw new AttentionError(`${path} cannot be loaded: ${String(cause)}`, "unavailable", "", { cause });
  }
}

const choice: Choice = choose(wanted());
const compiled = compile(choice.level);

function workshop(): Workshop | string {
  const os = require("node:os");
  // This thread has a core of its own to keep.
  const cores = os.availableParallelism?.() ?? os.cpus().length;
  const size = countOf(process.env[WORKERS]) ?? Math.max(1, Math.min(8, cores - 1));
  if (size === 0) return `${WORKERS} is 0: calls are computed on the calling thread`;
  return { size, spawn };
}

function spawn(heard: (reply: Reply) => void, failed: (reason: string) => void): Port {
  const path = require("node:path").join(__dirname, "worker-node.js");
  // Flags of the process, such as --test or a loader, are not for the worker.
  const worker = new (require("node:worker_threads").Worker)(path, { workerData: compiled, execArgv: [] });
  worker.on("message", heard as (value: never) => void);
  worker.on("error", ((error: Error) => failed(error.message)) as (value: never) => void);
  worker.on("exit", (() => failed("it ended")) as (value: never) => void);
  // An idle pool does not keep the process alive.
  worker.unref();
  return {
    post: (message: Message, transfer) => worker.postMessage(message, transfer),
    hold: (busy) => (busy ? worker.ref() : worker.unref()),
    end: () => void worker.terminate(),
  };
}

const home = homeOf(glue, { workshop, shared: true });
glue.initSync({ module: compiled });
home.loaded(choice);
module.exports = { ...home.api, default: home.api.init };
