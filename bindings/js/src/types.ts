// What both packages take and give. The classes themselves come from the backends: index.d.ts declares them.
import type { AttentionType } from "./sdk.js";

/** One row of numbers. A Float32Array is the fast path. */
export type Vector = Float32Array | readonly number[];

/**
 * Rows of numbers: flat and row-major, which is the fast path, or one array a row.
 *
 * In a flat matrix the number of keys is its length divided by the query's; the width of a value is the length of
 * `values` divided by the number of keys.
 */
export type Matrix = Float32Array | readonly Float32Array[] | readonly (readonly number[])[];

/** One flag a key; true, or a byte that is not 0, lets the key take part. */
export type Mask = Uint8Array | readonly boolean[];

/** What a call may ask for beyond its tensors. An unknown name is an error. */
export interface AttentionOptions {
  /** Attend to this many keys with the best scores only; ties go to the lower index. All keys unless given; 0 is an error. */
  neighbors?: number | null;
  /** The same as `neighbors`; give one of the two. */
  numNeighbors?: number | null;
  /** One flag a key, applied before `neighbors`. */
  mask?: Mask | null;
  /** Query i of m sees keys j <= i + n - m only. */
  causal?: boolean | null;
  /** Length of one query of a flat batch, where the class has no dimension of its own. */
  dim?: number | null;
  /** Takes the result, which is also returned; its length is the result's. Synchronous calls with flat results only. */
  out?: Float32Array | null;
  /** Ends an asynchronous call or a stream: it rejects with the signal's reason. */
  signal?: AbortSignal | null;
  /** Apply dropout, drawn from `seed`. */
  training?: boolean | null;
  /** Where the random numbers of `training` start: an integer from 0 to 2^53 - 1. */
  seed?: number | null;
}

/** A number is the neighbors, an array is the mask; an object names what it gives. */
export type AttentionArgument = number | Mask | AttentionOptions;

/** Keys and values kept by the backend, so that many queries cross the boundary without them. */
export interface Cache {
  /** Number of keys held. */
  readonly length: number;
  /** Length of a key. */
  readonly dim: number;
  /** Length of a value. */
  readonly valueDim: number;
  /** Memory that the keys and values take. */
  readonly bytes: number;
  /** Copies more keys and their values behind those that are there. */
  append(keys: Matrix, values: Matrix): void;
  /** Forgets all keys and values. */
  clear(): void;
  /** Gives the memory back. Any use afterwards is an error with the code `freed`. */
  free(): void;
  /** As `free`, for `using`. */
  [Symbol.dispose](): void;
}

/** How a `KeyValueCache` keeps its numbers. */
export interface CacheOptions {
  /** `f32` keeps them as they are; `f16` and `bf16` round them to half the memory. `f32` unless given. */
  precision?: "f32" | "f16" | "bf16" | null;
}

/**
 * Attention over keys that arrive in pieces: what one or more queries have seen so far.
 *
 * Any division into pieces gives the result of one call over all keys, up to rounding. States over different keys
 * merge, so keys may be spread over workers, processes or machines.
 */
export interface State {
  /** Attends to more keys; shapes as in `forward`. */
  push(keys: Matrix, values: Matrix): void;
  /** Takes in what another state of the same queries has seen. */
  merge(other: State): void;
  /** The result over everything seen so far: flat, one row a query. The state can go on. */
  finish(): Float32Array;
  /** The state as bytes, which `AttentionState.fromBytes` reads on any machine. */
  toBytes(): Uint8Array;
  /** Gives the memory back. Any use afterwards is an error with the code `freed`. */
  free(): void;
  /** As `free`, for `using`. */
  [Symbol.dispose](): void;
}

/** What every attention object has. */
export interface Disposable {
  /** Gives the memory back. Any use afterwards is an error with the code `freed`. */
  free(): void;
  /** As `free`, for `using`. */
  [Symbol.dispose](): void;
}

/** A call whose arrays are bound, made by `prepare`: it computes again and again, and makes nothing new. */
export interface PreparedCall extends Disposable {
  /** What each run writes its result to. */
  readonly out: Float32Array;
  /** Computes from what the arrays or the cache hold now; returns `out`. */
  run(): Float32Array;
}

/** The ways to attend to keys and values; all mechanisms but self attention have them. */
export interface Mechanism extends Disposable {
  /**
   * Attends from one query: a row as long as a value.
   *
   * @param query - d numbers.
   * @param keys - n x d numbers.
   * @param values - n x v numbers; a `KeyValueCache` may stand in place of keys and values.
   * @throws {@link AttentionError} with `code` and `argument`.
   * @example
   * ```js
   * const attention = new ScaledDotProductAttention(2);
   * const keys = Float32Array.of(1, 0, 0, 1); // two keys
   * const values = Float32Array.of(1, 2, 3, 4, 5, 6); // two values of three numbers
   * attention.forward(Float32Array.of(1, 0), keys, values); // three numbers
   * attention.forward(Float32Array.of(1, 0), keys, values, { neighbors: 1, mask: [true, false] });
   * ```
   */
  forward(query: Vector, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Float32Array;
  forward(query: Vector, cache: Cache, options?: AttentionArgument | null): Float32Array;
  /**
   * Binds the arrays of a call that is made many times: `run` looks at no argument and makes nothing new.
   *
   * The arrays are read anew by each run, so a loop writes its next query into the same array. Options are copied. Kinds
   * are checked now, lengths and numbers by each run at the latest; a buffer that was transferred away is an error then.
   *
   * @param options - As for `forward`; `out` takes each result, a new array unless given.
   * @example
   * ```js
   * const query = new Float32Array(2);
   * const call = attention.prepare(query, cache);
   * for (const next of queries) {
   *   query.set(next);
   *   use(call.run()); // the same array each time
   * }
   * ```
   */
  prepare(query: Float32Array, keys: Float32Array, values: Float32Array, options?: AttentionArgument | null): PreparedCall;
  prepare(query: Float32Array, cache: Cache, options?: AttentionArgument | null): PreparedCall;
  /** As `forward`, off this thread where the backend can. The inputs are copied before it returns. */
  forwardAsync(query: Vector, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Promise<Float32Array>;
  forwardAsync(query: Vector, cache: Cache, options?: AttentionArgument | null): Promise<Float32Array>;
  /**
   * Attends from m queries over the same keys.
   *
   * Flat queries give a flat result of m x v numbers, an array of rows gives an array of rows.
   */
  forwardBatch(queries: Float32Array, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Float32Array;
  forwardBatch(queries: Rows, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Float32Array[];
  forwardBatch(queries: Matrix, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Float32Array | Float32Array[];
  forwardBatch(queries: Float32Array, cache: Cache, options?: AttentionArgument | null): Float32Array;
  forwardBatch(queries: Rows, cache: Cache, options?: AttentionArgument | null): Float32Array[];
  forwardBatch(queries: Matrix, cache: Cache, options?: AttentionArgument | null): Float32Array | Float32Array[];
  /** As `forwardBatch`, off this thread where the backend can. */
  forwardBatchAsync(queries: Float32Array, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Promise<Float32Array>;
  forwardBatchAsync(queries: Rows, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Promise<Float32Array[]>;
  forwardBatchAsync(queries: Matrix, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Promise<Float32Array | Float32Array[]>;
  forwardBatchAsync(queries: Float32Array, cache: Cache, options?: AttentionArgument | null): Promise<Float32Array>;
  forwardBatchAsync(queries: Rows, cache: Cache, options?: AttentionArgument | null): Promise<Float32Array[]>;
  forwardBatchAsync(queries: Matrix, cache: Cache, options?: AttentionArgument | null): Promise<Float32Array | Float32Array[]>;
  /**
   * One result a query, in order.
   *
   * A query is pulled only when its result is asked for, so a slow consumer slows the source down. Keys and values
   * are copied once, when the first result is asked for. Leaving the loop, an abort or an error ends the source.
   *
   * @example
   * ```js
   * for await (const row of attention.forwardStream(queries, keys, values, { signal })) use(row);
   * ```
   */
  forwardStream(queries: Source<Vector>, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Stream;
  forwardStream(queries: Source<Vector>, cache: Cache, options?: AttentionArgument | null): Stream;
  /** Starts an `AttentionState` of one query, which takes keys and values in pieces. */
  state(query: Vector, options?: AttentionArgument | null): State;
}

/** Attention of a sequence to itself: n x d numbers in, as many out. */
export interface SelfMechanism extends Disposable {
  /**
   * Attends from every row of a sequence to its rows.
   *
   * @param sequence - n x d numbers.
   * @returns n x d numbers, flat.
   * @throws {@link AttentionError} with `code` and `argument`.
   * @example
   * ```js
   * new SelfAttention(2).forward(Float32Array.of(1, 0, 0, 1), { causal: true }); // four numbers
   * ```
   */
  forward(sequence: Matrix, options?: AttentionArgument | null): Float32Array;
  /** As `forward`, off this thread where the backend can. */
  forwardAsync(sequence: Matrix, options?: AttentionArgument | null): Promise<Float32Array>;
  /** Several sequences, each by itself. */
  forwardBatch(sequences: readonly Matrix[], options?: AttentionArgument | null): Float32Array[];
  /** As `forwardBatch`, off this thread where the backend can. */
  forwardBatchAsync(sequences: readonly Matrix[], options?: AttentionArgument | null): Promise<Float32Array[]>;
  /** One result a sequence, in order, each pulled when its result is asked for. */
  forwardStream(sequences: Source<Matrix>, options?: AttentionArgument | null): Stream;
}

/** Several rows, one array each. */
export type Rows = readonly Float32Array[] | readonly (readonly number[])[];

/** Anything that `for await` reads. */
export type Source<T> = AsyncIterable<T> | Iterable<T>;

/** Results as they come. */
export type Stream = AsyncGenerator<Float32Array, void, undefined>;

/** Which backend computes, and why that one. */
export interface Backend {
  /** `native` is the addon for Node.js, `wasm` the WebAssembly module. */
  readonly name: "native" | "wasm";
  /** The instruction set in use, such as `avx2`, `neon`, `scalar`, `simd128` or `baseline`. */
  readonly level: string;
  /** Why this backend and level serve. */
  readonly reason: string;
  /** The workers that asynchronous calls run in; only WebAssembly has them. */
  readonly workers?: Workers;
}

/** Where the asynchronous calls of WebAssembly run. */
export interface Workers {
  /** How many there are at most; 0 where calls are computed on the calling thread. */
  readonly count: number;
  /** Whether they read the inputs' copies in place; otherwise copies are handed over. */
  readonly shared: boolean;
  /** Why so. */
  readonly reason: string;
}

/** Names of the mechanisms, two short ones, and `auto`; as a string or from the enum `AttentionType`. */
export type AttentionTypeName = AttentionType | `${AttentionType}` | "cross" | "self";

/**
 * Projections of multi-head attention: matrices of hiddenDim x hiddenDim, row-major, y = x W^T + b as in
 * torch.nn.MultiheadAttention, all biases or none. Or the bytes of a safetensors file that holds them as q_proj, k_proj,
 * v_proj and out_proj, or torch's in_proj, with `prefix` before each name: the native backend only.
 */
export type MultiHeadWeights = Projections | { safetensors: Uint8Array; prefix?: string | null };

interface Projections {
  query: Matrix;
  key: Matrix;
  value: Matrix;
  output: Matrix;
  queryBias?: Vector | null;
  keyBias?: Vector | null;
  valueBias?: Vector | null;
  outputBias?: Vector | null;
}

/** Sizes and parameters, for `Attention` and, without a type, for `MultiHeadAttention`. */
export interface AttentionConfig {
  /** Which attention; `Attention` needs it, `MultiHeadAttention` refuses it. */
  type?: AttentionTypeName | null;
  /** Length of a query: all heads together, a multiple of `numHeads`. */
  hiddenDim: number;
  /** Number of heads: 8 for multi-head attention unless given; `MultiHeadAttention` needs it. */
  numHeads?: number | null;
  /** In [0, 1), 0 unless given; does nothing at inference. */
  dropout?: number | null;
  /** Attend to this many keys wherever a call's options name no other number. All keys unless given. */
  neighbors?: number | null;
  /** Projections; without them nothing is projected. Multi-head attention only. */
  weights?: MultiHeadWeights | null;
  /** c for curvature -c, 1 unless given; hyperbolic attention only, `MultiHeadAttention` refuses it. */
  curvature?: number | null;
}
