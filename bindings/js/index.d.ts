// The public declarations of ruvector-attention and ruvector-attention-wasm: one file, one set of names (both packages
// export the same, so that code runs on either).
import type { AttentionError } from "./js/cjs/errors.js";
import type { AttentionType } from "./js/cjs/sdk.js";
import type {
  AttentionArgument,
  AttentionConfig,
  AttentionOptions,
  AttentionTypeName,
  Backend,
  Cache,
  CacheOptions,
  Mask,
  Matrix,
  Mechanism,
  MultiHeadWeights,
  PreparedCall,
  Rows,
  SelfMechanism,
  Source,
  State,
  Stream,
  Vector,
} from "./js/cjs/types.js";

export { AttentionError, type AttentionErrorCode } from "./js/cjs/errors.js";
export { Attention, AttentionBuilder, AttentionType } from "./js/cjs/sdk.js";
export type {
  AttentionArgument, AttentionConfig, AttentionOptions, AttentionTypeName, Backend, CacheOptions, Mask, Matrix, MultiHeadWeights, PreparedCall, Rows, Source, Stream,
  Vector,
};

/** Softmax attention with scores scaled by 1 / sqrt(dim). */
export declare class ScaledDotProductAttention {
  /** For queries and keys of length `dim`. */
  constructor(dim: number);
  /** Length of a query. */
  readonly dim: number;
}
export interface ScaledDotProductAttention extends Mechanism {}

/** Scaled dot-product attention on each of `numHeads` parts of query, key and value; nothing is projected. */
export declare class MultiHeadAttention {
  /** Needs `numHeads` and `hiddenDim`. */
  constructor(config: AttentionConfig);
  /** The same as numbers. */
  constructor(numHeads: number, hiddenDim: number, dropout?: number | null);
  /** The same as a function. */
  static fromParams(numHeads: number, hiddenDim: number, dropout?: number | null): MultiHeadAttention;
  /** Number of heads. */
  readonly numHeads: number;
  /** Length of a query: all heads together. */
  readonly hiddenDim: number;
  /** Length of a head: hiddenDim / numHeads. */
  readonly headDim: number;
}
export interface MultiHeadAttention extends Mechanism {}

/** Attention by distance between points of the Poincaré ball of curvature -c; the result is a point of the ball. */
export declare class HyperbolicAttention {
  /** For curvature `-curvature`; the number given is positive. */
  constructor(curvature: number);
  /** c, where the curvature is -c. */
  readonly curvature: number;
  /** Distance of two points of the ball. */
  poincareDistance(x: Vector, y: Vector): number;
  /** The point of the ball that a vector at the origin leads to: the exponential map. */
  toPoincare(x: Vector): Float32Array;
  /** The vector that leads to a point of the ball: the inverse of `toPoincare`. */
  fromPoincare(x: Vector): Float32Array;
  /** The same point, moved inside the ball where it lay outside. */
  projectToBall(x: Vector): Float32Array;
}
export interface HyperbolicAttention extends Mechanism {}

/** Attention with the feature map elu(x) + 1 in place of softmax: its cost grows with n, not with m n. */
export declare class LinearAttention {
  /** For queries and keys of length `dim`. */
  constructor(dim: number);
  /** Length of a query. */
  readonly dim: number;
}
export interface LinearAttention extends Mechanism {}

/** Scaled dot-product attention of queries to a memory of their own. */
export declare class CrossAttention {
  /** For queries and keys of length `dim`. */
  constructor(dim: number);
  /** Length of a query. */
  readonly dim: number;
}
export interface CrossAttention extends Mechanism {}

/** Scaled dot-product attention of a sequence to itself. */
export declare class SelfAttention {
  /** For rows of length `dim`. */
  constructor(dim: number);
  /** Length of a row. */
  readonly dim: number;
}
export interface SelfAttention extends SelfMechanism {}

/**
 * Keys and values kept by the backend, so that many queries cross the boundary without them.
 *
 * @example
 * ```js
 * const cache = new KeyValueCache(2, 3);
 * cache.append(Float32Array.of(1, 0, 0, 1), Float32Array.of(1, 2, 3, 4, 5, 6));
 * new ScaledDotProductAttention(2).forward(Float32Array.of(1, 0), cache); // three numbers
 * ```
 */
export declare class KeyValueCache {
  /** For keys of length `dim` and values of length `valueDim`, which is `dim` unless given. */
  constructor(dim: number, valueDim?: number | null, options?: CacheOptions | null);
}
export interface KeyValueCache extends Cache {}

/**
 * What one query has seen of keys that arrive in pieces; made by the `state` method of a mechanism.
 *
 * @example
 * ```js
 * const state = new ScaledDotProductAttention(2).state(Float32Array.of(1, 0));
 * for (const [keys, values] of pieces) state.push(keys, values);
 * state.finish(); // as one call over all pieces
 * ```
 */
export declare class AttentionState {
  private constructor();
  /** The state that `toBytes` wrote. */
  static fromBytes(bytes: Uint8Array): AttentionState;
}
export interface AttentionState extends State {}

export { ScaledDotProductAttention as ScaledDotProduct, ScaledDotProductAttention as WasmScaledDotProduct };
export { MultiHeadAttention as MultiHead, MultiHeadAttention as WasmMultiHeadAttention };
export { HyperbolicAttention as Hyperbolic, HyperbolicAttention as WasmHyperbolicAttention };
export { LinearAttention as Linear, LinearAttention as WasmLinearAttention };
export { CrossAttention as WasmCrossAttention, SelfAttention as WasmSelfAttention };

/** Distance of two points of the Poincaré ball of curvature -c, where `curvature` is c. */
export declare function poincareDistance(x: Vector, y: Vector, curvature: number): number;
/** The point of the ball that a vector at the origin leads to: the exponential map. */
export declare function toPoincare(x: Vector, curvature: number): Float32Array;
/** The vector that leads to a point of the ball: the inverse of `toPoincare`. */
export declare function fromPoincare(x: Vector, curvature: number): Float32Array;
/** The same point, moved inside the ball where it lay outside. */
export declare function projectToBall(x: Vector, curvature: number): Float32Array;

/** Names of the mechanisms. */
export declare function getSupportedFeatures(): string[];
/** Version of the package. */
export declare function version(): string;
/** Version of the package. */
export declare function getVersion(): string;

/** What `init` of the WebAssembly package may be told in a browser; elsewhere it is ready at load and takes no notice. */
export interface InitOptions {
  /** A WebAssembly.Module, its bytes, a Response, a Request or an address; found beside the script unless given. */
  module?: unknown;
  /** An instruction set in place of the fastest one that runs here. */
  level?: "baseline" | "simd128" | "relaxed-simd";
  /** Number of workers for asynchronous calls; 0 computes them on the calling thread. */
  workers?: number;
}

/**
 * Makes the library ready; any number of calls does it once.
 *
 * In Node.js it is ready at load. In a browser the WebAssembly module is fetched.
 *
 * @param input - Options, or where the module is.
 * @throws {@link AttentionError} with the code `unavailable` where it cannot be loaded.
 */
export declare function init(input?: InitOptions | URL | string | ArrayBuffer | ArrayBufferView | null): Promise<void>;
export default init;

/** Which backend computes, and why that one. */
export declare const backend: Backend;
