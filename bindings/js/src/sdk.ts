// One class over all mechanisms, and its builder.
import { AttentionError, kindError } from "./errors.js";
import type { Raw } from "./raw.js";
import type {
  AttentionArgument, AttentionConfig, AttentionOptions, AttentionTypeName, Cache, Mask, Matrix, Mechanism, MultiHeadWeights, Rows, SelfMechanism, Source,
  Disposable, PreparedCall, State, Stream, Vector,
} from "./types.js";

/** The mechanisms, and `Auto`. A name written as a string does as well. */
export enum AttentionType {
  /** softmax(q·k / sqrt(d)). */
  ScaledDotProduct = "scaled-dot-product",
  /** Scaled dot-product attention on each of `numHeads` parts. */
  MultiHead = "multi-head",
  /** By distance in the Poincaré ball. */
  Hyperbolic = "hyperbolic",
  /** Feature maps in place of softmax: linear in the number of keys. */
  Linear = "linear",
  /** Scaled dot-product attention of m queries to another memory. */
  Cross = "cross-attention",
  /** Scaled dot-product attention of a sequence to itself. */
  Self = "self-attention",
  /** Multi-head attention where `numHeads` is more than 1, else scaled dot-product; both are exact. `Attention.type` says which. */
  Auto = "auto",
}

/** A mechanism by its one name: no `auto`, no short names. */
type Resolved = Exclude<`${AttentionType}`, "auto">;

type Ready = Mechanism | SelfMechanism;
type Maker = (classes: Raw, config: Filled) => Ready;

const MAKERS: Record<Resolved, Maker> = {
  "scaled-dot-product": (classes, { hiddenDim }) => new classes.ScaledDotProductAttention(hiddenDim) as unknown as Mechanism,
  "multi-head": (classes, { numHeads, hiddenDim, dropout, weights }) =>
    new classes.MultiHeadAttention({ numHeads, hiddenDim, dropout, weights }) as unknown as Mechanism,
  hyperbolic: (classes, { curvature }) => new classes.HyperbolicAttention(curvature) as unknown as Mechanism,
  linear: (classes, { hiddenDim }) => new classes.LinearAttention(hiddenDim) as unknown as Mechanism,
  "cross-attention": (classes, { hiddenDim }) => new classes.CrossAttention(hiddenDim) as unknown as Mechanism,
  "self-attention": (classes, { hiddenDim }) => new classes.SelfAttention(hiddenDim) as unknown as SelfMechanism,
};
const SHORT: Partial<Record<string, Resolved>> = { cross: "cross-attention", self: "self-attention" };
const NAMES = [...Object.keys(MAKERS), ...Object.keys(SHORT), "auto"];

let classes: Raw | undefined;

/** Says which backend the SDK builds with. */
export function useClasses(raw: Raw): void {
  classes = raw;
}

/** A configuration with its defaults. */
interface Filled {
  readonly type: AttentionTypeName;
  readonly hiddenDim: number;
  readonly numHeads: number;
  readonly dropout: number;
  readonly neighbors: number | undefined;
  readonly curvature: number;
  readonly weights: MultiHeadWeights | undefined;
}

function isName(type: unknown): type is AttentionTypeName {
  return typeof type === "string" && NAMES.includes(type);
}

/** An integer above 0. */
function positive(value: unknown, argument: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw kindError(argument, "a positive integer");
  if (value === 0) throw new AttentionError(`${argument}: needed a positive integer, found 0`, "parameter", argument);
  return value;
}

const KNOWN = ["type", "hiddenDim", "numHeads", "dropout", "neighbors", "weights", "curvature"];

function fill(config: AttentionConfig): Filled {
  if (typeof config !== "object" || config === null) throw kindError("config", "an object");
  const stranger = Object.keys(config).find((name) => !KNOWN.includes(name));
  if (stranger !== undefined) throw kindError(stranger, `one of ${KNOWN.join(", ")}`);
  const type = config.type ?? undefined;
  if (type === undefined) throw new AttentionError("Attention type not specified", "type_not_specified", "type");
  if (!isName(type)) {
    const known = NAMES.join(", ");
    throw new AttentionError(`Unknown attention type: ${String(type)}; known are ${known}`, "unknown_type", "type");
  }
  if ((config.hiddenDim ?? undefined) === undefined) {
    throw new AttentionError("Hidden dimension not specified", "dim_not_specified", "hiddenDim");
  }
  const dropout = config.dropout ?? 0;
  if (typeof dropout !== "number") throw kindError("dropout", "a number");
  if (!(dropout >= 0 && dropout < 1)) {
    throw new AttentionError(`dropout: needed a number in [0, 1), found ${dropout}`, "parameter", "dropout");
  }
  const neighbors = config.neighbors ?? undefined;
  return {
    type,
    hiddenDim: positive(config.hiddenDim, "hiddenDim"),
    // Auto is multi-head only where it was asked for more than one head.
    numHeads: positive(config.numHeads ?? (type === "auto" ? 1 : 8), "numHeads"),
    dropout,
    neighbors: neighbors === undefined ? undefined : positive(neighbors, "neighbors"),
    curvature: config.curvature ?? 1,
    weights: config.weights ?? undefined,
  };
}

/** Auto: multi-head where there is more than one head, else scaled dot-product. Never an approximation. */
function resolve({ type, numHeads }: Filled): Resolved {
  if (type === "auto") return numHeads > 1 ? "multi-head" : "scaled-dot-product";
  return SHORT[type] ?? (`${type}` as Resolved);
}

/**
 * Any attention, by name.
 *
 * @example
 * ```js
 * const attention = new Attention({ type: AttentionType.MultiHead, hiddenDim: 128, numHeads: 4 });
 * const result = await attention.forwardAsync(query, keys, values, { neighbors: 32 });
 * ```
 */
export class Attention implements Disposable {
  /** The mechanism that computes. For `auto` it is the one chosen. */
  readonly type: Resolved;
  /** The configuration, defaults filled in; `type` is as it was asked for. */
  readonly config: Readonly<AttentionConfig>;
  /** The object that does the work, for what only its own class has. */
  readonly mechanism: Ready;

  /**
   * Checks the configuration and builds.
   *
   * @throws {@link AttentionError} "Attention type not specified", "Hidden dimension not specified", or what is wrong with a parameter.
   */
  constructor(config: AttentionConfig) {
    if (classes === undefined) throw new AttentionError("no backend is installed");
    const filled = fill(config);
    this.type = resolve(filled);
    if (this.type === "linear" && filled.neighbors !== undefined) {
      throw new AttentionError("neighbors: linear attention has no top-k", "unsupported", "neighbors");
    }
    this.config = Object.freeze(filled);
    this.mechanism = MAKERS[this.type](classes, filled);
  }

  /**
   * Attends from one query; `self-attention` takes (sequence, options).
   *
   * @throws {@link AttentionError} with `code` and `argument`.
   */
  forward(query: Vector, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Float32Array;
  forward(query: Vector, cache: Cache, options?: AttentionArgument | null): Float32Array;
  forward(sequence: Matrix, options?: AttentionArgument | null): Float32Array;
  forward(...given: unknown[]): Float32Array {
    return this.#call("forward", given) as Float32Array;
  }

  /** Binds the arrays of a call that is made many times; self attention has none. */
  prepare(query: Float32Array, keys: Float32Array, values: Float32Array, options?: AttentionArgument | null): PreparedCall;
  prepare(query: Float32Array, cache: Cache, options?: AttentionArgument | null): PreparedCall;
  prepare(...given: unknown[]): PreparedCall {
    if (!("prepare" in this.mechanism)) throw new AttentionError(`${this.type} attention prepares no call`, "unsupported", "type");
    return this.#call("prepare", given) as PreparedCall;
  }

  /** As `forward`, off this thread where the backend can. */
  forwardAsync(query: Vector, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Promise<Float32Array>;
  forwardAsync(query: Vector, cache: Cache, options?: AttentionArgument | null): Promise<Float32Array>;
  forwardAsync(sequence: Matrix, options?: AttentionArgument | null): Promise<Float32Array>;
  async forwardAsync(...given: unknown[]): Promise<Float32Array> {
    return this.#call("forwardAsync", given) as Promise<Float32Array>;
  }

  /** Attends from several queries; flat queries give a flat result, rows give rows. */
  forwardBatch(queries: Float32Array, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Float32Array;
  forwardBatch(queries: Rows, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Float32Array[];
  forwardBatch(queries: Float32Array, cache: Cache, options?: AttentionArgument | null): Float32Array;
  forwardBatch(queries: Rows, cache: Cache, options?: AttentionArgument | null): Float32Array[];
  forwardBatch(sequences: readonly Matrix[], options?: AttentionArgument | null): Float32Array[];
  forwardBatch(...given: unknown[]): Float32Array | Float32Array[] {
    return this.#call("forwardBatch", given) as Float32Array | Float32Array[];
  }

  /** As `forwardBatch`, off this thread where the backend can. */
  forwardBatchAsync(queries: Float32Array, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Promise<Float32Array>;
  forwardBatchAsync(queries: Rows, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Promise<Float32Array[]>;
  forwardBatchAsync(queries: Float32Array, cache: Cache, options?: AttentionArgument | null): Promise<Float32Array>;
  forwardBatchAsync(queries: Rows, cache: Cache, options?: AttentionArgument | null): Promise<Float32Array[]>;
  forwardBatchAsync(sequences: readonly Matrix[], options?: AttentionArgument | null): Promise<Float32Array[]>;
  async forwardBatchAsync(...given: unknown[]): Promise<Float32Array | Float32Array[]> {
    return this.#call("forwardBatchAsync", given) as Promise<Float32Array | Float32Array[]>;
  }

  /**
   * One result a query, in order; a query is pulled only when its result is asked for.
   *
   * @example
   * ```js
   * for await (const row of attention.forwardStream(queries, keys, values, { signal })) use(row);
   * ```
   */
  forwardStream(queries: Source<Vector>, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Stream;
  forwardStream(queries: Source<Vector>, cache: Cache, options?: AttentionArgument | null): Stream;
  forwardStream(sequences: Source<Matrix>, options?: AttentionArgument | null): Stream;
  forwardStream(...given: unknown[]): Stream {
    return this.#call("forwardStream", given) as Stream;
  }

  /** Starts an `AttentionState` of one query, which takes keys and values in pieces. */
  state(query: Vector, options?: AttentionArgument | null): State {
    if (!("state" in this.mechanism)) throw new AttentionError(`${this.type} attention has no state`, "unsupported", "type");
    return this.mechanism.state(query, this.#options(options, false) as AttentionArgument | null | undefined);
  }

  /** Gives the memory back. Any use afterwards is an error with the code `freed`. */
  free(): void {
    this.mechanism.free();
  }

  /** As `free`, for `using`. */
  declare [Symbol.dispose]: () => void;

  static {
    if (Symbol.dispose) {
      Object.defineProperty(this.prototype, Symbol.dispose, { value: this.prototype.free, writable: true, configurable: true });
    }
  }

  /** The method of the mechanism, with what the configuration says of the options. */
  #call(method: Method, given: unknown[]): unknown {
    const place = this.type === "self-attention" ? 1 : given[1] instanceof classes!.KeyValueCache ? 2 : 3;
    if (given.length > place + 1) throw kindError("options", `at most ${place + 1} arguments`);
    const tensors = Array.from({ length: place }, (_, i) => given[i]);
    const isBatch = method.startsWith("forwardBatch");
    if (!isBatch && method !== "forwardStream") this.#checkLength(tensors[0]);
    const run = (this.mechanism as unknown as Record<string, (...all: unknown[]) => unknown>)[method]!;
    return run.call(this.mechanism, ...tensors, this.#options(given[place], isBatch && ArrayBuffer.isView(tensors[0])));
  }

  /** The other classes know the length of a query themselves. */
  #checkLength(query: unknown): void {
    const [found, needed] = [(query as Vector | null | undefined)?.length, this.config.hiddenDim];
    if (this.type === "hyperbolic" && found !== undefined && found !== needed) {
      throw new AttentionError(`query: length ${found}, needed ${needed}`, "length", "query");
    }
  }

  /** A call's options, with what the configuration says where they do not. */
  #options(given: unknown, isFlatBatch: boolean): unknown {
    const neighbors = this.config.neighbors ?? undefined;
    const dim = this.type === "hyperbolic" && isFlatBatch ? this.config.hiddenDim : undefined;
    if (neighbors === undefined && dim === undefined) return given;
    const named = namedOptions(given);
    if (named === undefined) return given;
    const { neighbors: own, numNeighbors, dim: ownDim, ...rest } = named;
    return { ...rest, neighbors: own ?? numNeighbors ?? neighbors, dim: ownDim ?? dim };
  }
}

type Method = "forward" | "forwardAsync" | "forwardBatch" | "forwardBatchAsync" | "forwardStream" | "prepare";

/** A call's options as an object; undefined for what is none, which the mechanism refuses. */
function namedOptions(given: unknown): AttentionOptions | undefined {
  if (given === undefined || given === null) return {};
  if (typeof given === "number") return { neighbors: given };
  if (Array.isArray(given) || ArrayBuffer.isView(given)) return { mask: given as Mask };
  return typeof given === "object" ? given : undefined;
}

/**
 * Builds an `Attention` step by step.
 *
 * @example
 * ```js
 * const attention = new AttentionBuilder()
 *   .type(AttentionType.ScaledDotProduct, { neighbors: 100 })
 *   .hiddenDim(128)
 *   .build();
 * ```
 */
export class AttentionBuilder {
  #config: Partial<AttentionConfig> = {};

  /** Sets the type and the parameters that belong to it. */
  type(type: AttentionTypeName, parameters: Pick<AttentionConfig, "numHeads" | "neighbors" | "curvature" | "weights"> = {}): this {
    this.#config = { ...this.#config, ...parameters, type };
    return this;
  }

  /** Sets the length of a query. */
  hiddenDim(hiddenDim: number): this {
    this.#config = { ...this.#config, hiddenDim };
    return this;
  }

  /** Sets the dropout of training passes, 0 unless set. */
  dropout(dropout: number): this {
    this.#config = { ...this.#config, dropout };
    return this;
  }

  /**
   * Checks everything and builds.
   *
   * @throws {@link AttentionError} "Attention type not specified", "Hidden dimension not specified", or what is wrong with a parameter.
   */
  build(): Attention {
    return new Attention(this.#config as AttentionConfig);
  }
}
