// Makes a backend's exports the package's: one error class, the members that only JavaScript has, the aliases.
import { AttentionError } from "./errors.js";
import type { Prepare, Raw } from "./raw.js";
import { Attention, AttentionBuilder, AttentionType, useClasses } from "./sdk.js";
import { signalOf, streamOf } from "./stream.js";
import type { AttentionArgument, Backend, Cache, Matrix, Mechanism, PreparedCall, Rows, SelfMechanism, Source, Stream, Vector } from "./types.js";

/** What only the package around a backend knows. */
export interface Home {
  /** Which backend this is. Its properties may be getters, where the module is loaded later. */
  backend: Backend;
  /** Makes the backend ready; nothing is left to do where it is ready at load. */
  init?: (input?: unknown) => Promise<void>;
  /** Asynchronous methods for a backend that has none of its own, by class. */
  methods?: (raw: Raw) => Iterable<readonly [prototype: object, name: string, method: (...args: never[]) => unknown]>;
}

/** Gives a backend's classes what they lack and returns the public exports. Called once a backend. */
export function install(raw: Raw, home: Home) {
  raw.setErrorClass(AttentionError);
  for (const [prototype, name, method] of home.methods?.(raw) ?? []) define(prototype, name, method);
  const mechanisms = [
    raw.ScaledDotProductAttention, raw.MultiHeadAttention, raw.HyperbolicAttention, raw.LinearAttention, raw.CrossAttention,
  ] as const;
  for (const { prototype } of mechanisms) {
    define(prototype, "forwardStream", forwardStream(raw));
    define(prototype, "prepare", disposable(prototype.prepare));
  }
  define(raw.SelfAttention.prototype, "forwardStream", selfStream);
  for (const each of [...mechanisms, raw.SelfAttention, raw.KeyValueCache, raw.AttentionState]) {
    // Runtimes older than the symbol have nothing that would look for the method.
    if (Symbol.dispose) define(each.prototype, Symbol.dispose, dispose);
  }
  useClasses(raw);
  return {
    ScaledDotProductAttention: raw.ScaledDotProductAttention,
    MultiHeadAttention: raw.MultiHeadAttention,
    HyperbolicAttention: raw.HyperbolicAttention,
    LinearAttention: raw.LinearAttention,
    CrossAttention: raw.CrossAttention,
    SelfAttention: raw.SelfAttention,
    ScaledDotProduct: raw.ScaledDotProductAttention,
    MultiHead: raw.MultiHeadAttention,
    Hyperbolic: raw.HyperbolicAttention,
    Linear: raw.LinearAttention,
    WasmScaledDotProduct: raw.ScaledDotProductAttention,
    WasmMultiHeadAttention: raw.MultiHeadAttention,
    WasmHyperbolicAttention: raw.HyperbolicAttention,
    WasmLinearAttention: raw.LinearAttention,
    WasmCrossAttention: raw.CrossAttention,
    WasmSelfAttention: raw.SelfAttention,
    KeyValueCache: raw.KeyValueCache,
    AttentionState: raw.AttentionState,
    AttentionError,
    AttentionType,
    Attention,
    AttentionBuilder,
    poincareDistance: raw.poincareDistance,
    toPoincare: raw.toPoincare,
    fromPoincare: raw.fromPoincare,
    projectToBall: raw.projectToBall,
    getSupportedFeatures: raw.getSupportedFeatures,
    version: raw.version,
    getVersion: raw.version,
    init: home.init ?? (async (): Promise<void> => undefined),
    backend: home.backend,
  };
}

/** The public exports of a package, as values. */
export type Api = ReturnType<typeof install>;

function define(prototype: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(prototype, name, { value, writable: true, configurable: true, enumerable: false });
}

function dispose(this: { free(): void }): void {
  this.free();
}

/** The same method, whose answer can be disposed of. */
function disposable(prepare: Prepare | undefined) {
  return function (this: unknown, ...args: never[]): PreparedCall {
    const call = prepare!.apply(this, args);
    if (Symbol.dispose) define(call, Symbol.dispose, call.free);
    return call as PreparedCall;
  };
}

function forwardStream(raw: Raw) {
  return function (
    this: Mechanism,
    queries: Source<Vector>,
    keys: Matrix | Cache,
    values?: Matrix | AttentionArgument | null,
    options?: AttentionArgument | null,
  ): Stream {
    if (keys instanceof raw.KeyValueCache) {
      const [cache, given] = [keys as Cache, values as AttentionArgument | null | undefined];
      return streamOf(queries, "queries", (query) => this.forwardAsync(query, cache, given), signalOf(given));
    }
    return overCopy(raw, this, queries, keys as Matrix, values as Matrix, options);
  };
}

/** A stream over a copy of the keys and values, which otherwise would be copied for every query. */
async function* overCopy(
  raw: Raw,
  mechanism: Mechanism,
  queries: Source<Vector>,
  keys: Matrix,
  values: Matrix,
  options: AttentionArgument | null | undefined,
): Stream {
  let cache: Cache | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const compute = (query: Vector): Promise<Float32Array> => {
    // What is no vector has no length to make a cache for; the call itself refuses it.
    if (!((query as Vector | null | undefined)?.length)) return mechanism.forwardAsync(query, keys, values, options);
    cache ??= copied(raw, query, keys, values);
    const result = mechanism.forwardAsync(query, cache, options);
    last = result.catch(() => undefined);
    return result;
  };
  try {
    yield* streamOf(queries, "queries", async (query) => compute(query), signalOf(options));
  } finally {
    // After an abort a computation may still be reading.
    void last.then(() => cache?.free());
  }
}

function copied(raw: Raw, query: Vector, keys: Matrix, values: Matrix): Cache {
  // What does not fit, or is no matrix at all, is refused by append, which names the argument.
  const count = ArrayBuffer.isView(keys) ? keys.length / query.length : (keys as Matrix | null | undefined)?.length ?? 0;
  const valueDim = ArrayBuffer.isView(values) ? values.length / count : (values as Rows | null | undefined)?.[0]?.length;
  const whole = valueDim !== undefined && Number.isInteger(valueDim) && valueDim > 0 ? valueDim : 1;
  const cache = new raw.KeyValueCache(query.length, whole) as Cache;
  try {
    cache.append(keys, values);
  } catch (error) {
    cache.free();
    throw error;
  }
  return cache;
}

function selfStream(this: SelfMechanism, sequences: Source<Matrix>, options?: AttentionArgument | null): Stream {
  return streamOf(sequences, "sequences", (sequence) => this.forwardAsync(sequence, options), signalOf(options));
}
