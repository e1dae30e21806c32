// The package in browsers and for bundlers: init() loads the module.
import * as glue from "./glue.js";
import { AttentionError } from "./errors.js";
import { countOf, homeOf } from "./home.js";
import { choose, isLevel, type Choice, type Level } from "./levels.js";
import type { Message, Reply } from "./messages.js";
import type { Port, Workshop } from "./pool.js";

/** What `init` may be told. */
interface Input {
  /** Where the module is, or the module; found beside this file unless given. */
  readonly module?: Source;
  /** A level, in place of the fastest one that the browser can run. */
  readonly level?: Level;
  /** Number of workers; 0 computes asynchronous calls on the calling thread. */
  readonly workers?: number;
}
type Source = WebAssembly.Module | BufferSource | Response | Request | URL | string;

let compiled: WebAssembly.Module | undefined;
let workers: number | undefined;
let loading: Promise<void> | undefined;

/** Loads the module; does nothing more once that was done. */
function init(input?: unknown): Promise<void> {
  loading ??= load(inputOf(input)).catch((error: unknown) => {
    // The next call may bring another address, or a better connection.
    loading = undefined;
    throw error;
  });
  return loading;
}

function inputOf(input: unknown): Input {
  if (input === undefined || input === null) return {};
  return Object.getPrototypeOf(input) === Object.prototype ? (input as Input) : { module: input as Source };
}

async function load({ module, level, workers: count }: Input): Promise<void> {
  if (level !== undefined && !isLevel(level)) {
    throw new AttentionError("level: needed relaxed-simd, simd128 or baseline", "parameter", "level");
  }
  workers = countOf(count);
  const choice: Choice = choose(level);
  try {
    compiled = await compile(module ?? (await addressOf(choice.level)));
    await glue.default({ module_or_path: compiled });
  } catch (cause) {
    throw new AttentionError(`the module cannot be loaded: ${String(cause)}`, "unavailable", "module", { cause });
  }
  home.loaded(module === undefined ? choice : { level: glue.kernel(), reason: "the module was given to init" } as Choice);
}

/** Bundlers follow these imports: each becomes a file of its own. */
async function addressOf(level: Level): Promise<URL> {
  switch (level) {
    case "relaxed-simd":
      return (await import("./level-relaxed-simd.js")).default;
    case "simd128":
      return (await import("./level-simd128.js")).default;
    case "baseline":
      return (await import("./level-baseline.js")).default;
  }
}

async function compile(source: Source): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return WebAssembly.compile(source as BufferSource);
  const response = source instanceof Response ? source : await fetch(source as RequestInfo | URL);
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${response.statusText}`);
  // A server that does not know the type is no reason to fail.
  const typed = response.headers.get("Content-Type")?.startsWith("application/wasm") ?? false;
  return typed ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}

function workshop(): Workshop | string {
  if (typeof Worker === "undefined") return "there are no workers here: calls are computed on the calling thread";
  const size = workers ?? Math.max(1, Math.min(8, (globalThis.navigator?.hardwareConcurrency ?? 2) - 1));
  if (size === 0) return "init was asked for 0 workers: calls are computed on the calling thread";
  return { size, spawn };
}

function spawn(heard: (reply: Reply) => void, failed: (reason: string) => void): Port {
  const worker = new Worker(new URL("./worker-web.js", import.meta.url), { type: "module" });
  worker.onmessage = (event: MessageEvent<Reply>) => heard(event.data);
  worker.onerror = (event) => failed(event.message || "a worker could not start");
  worker.postMessage(compiled);
  return {
    post: (message: Message, transfer) => worker.postMessage(message, transfer),
    hold: () => undefined,
    end: () => worker.terminate(),
  };
}

const shared = typeof SharedArrayBuffer !== "undefined" && globalThis.crossOriginIsolated === true;
const home = homeOf(glue, { workshop, shared, init });

export const {
  ScaledDotProductAttention,
  MultiHeadAttention,
  HyperbolicAttention,
  LinearAttention,
  CrossAttention,
  SelfAttention,
  ScaledDotProduct,
  MultiHead,
  Hyperbolic,
  Linear,
  WasmScaledDotProduct,
  WasmMultiHeadAttention,
  WasmHyperbolicAttention,
  WasmLinearAttention,
  WasmCrossAttention,
  WasmSelfAttention,
  KeyValueCache,
  AttentionState,
  AttentionType,
  Attention,
  AttentionBuilder,
  poincareDistance,
  toPoincare,
  fromPoincare,
  projectToBall,
  getSupportedFeatures,
  version,
  getVersion,
  backend,
} = home.api;
export { AttentionError } from "./errors.js";
export { init };
export default init;
