// What a backend offers before `install`: classes and functions under the shared names.
import type { AttentionError } from "./errors.js";
import type { Cache, CacheOptions, Mechanism, PreparedCall, SelfMechanism, State, Vector, AttentionConfig } from "./types.js";

/** What `install` adds to a class, so no backend has to have it. */
type Added = "forwardStream" | typeof Symbol.dispose;
/** What a backend may leave to the functions in `Home.methods`. */
type Asynchronous = "forwardAsync" | "forwardBatchAsync";
type Left = Asynchronous | "prepare";

export type RawMechanism = Omit<Mechanism, Added | Left> & Partial<Pick<Mechanism, Asynchronous>> & { prepare?: Prepare };
export type RawSelf = Omit<SelfMechanism, Added | Asynchronous> & Partial<Pick<SelfMechanism, Asynchronous>>;
/** What is prepared lacks only what `install` adds to it. */
export type Prepare = (...args: never[]) => Omit<PreparedCall, Added>;

type Class<Arguments extends unknown[], Instance> = { new (...args: Arguments): Instance; readonly prototype: Instance };

/** A backend's exports. */
export interface Raw {
  ScaledDotProductAttention: Class<[dim: number], RawMechanism & { readonly dim: number }>;
  MultiHeadAttention: Class<
    [config: AttentionConfig] | [numHeads: number, hiddenDim: number, dropout?: number],
    RawMechanism & { readonly numHeads: number; readonly hiddenDim: number; readonly headDim: number }
  > & { fromParams(numHeads: number, hiddenDim: number, dropout?: number): RawMechanism };
  HyperbolicAttention: Class<
    [curvature: number],
    RawMechanism & {
      readonly curvature: number;
      poincareDistance(x: Vector, y: Vector): number;
      toPoincare(x: Vector): Float32Array;
      fromPoincare(x: Vector): Float32Array;
      projectToBall(x: Vector): Float32Array;
    }
  >;
  LinearAttention: Class<[dim: number], RawMechanism & { readonly dim: number }>;
  CrossAttention: Class<[dim: number], RawMechanism & { readonly dim: number }>;
  SelfAttention: Class<[dim: number], RawSelf & { readonly dim: number }>;
  KeyValueCache: Class<[dim: number, valueDim?: number, options?: CacheOptions], Omit<Cache, Added>>;
  AttentionState: Class<never[], Omit<State, Added>> & { fromBytes(bytes: Uint8Array): Omit<State, Added> };
  /** The version of the package. */
  version(): string;
  /** Name of the instruction set in use. */
  kernel(): string;
  /** Names of the mechanisms. */
  getSupportedFeatures(): string[];
  poincareDistance(x: Vector, y: Vector, curvature: number): number;
  toPoincare(x: Vector, curvature: number): Float32Array;
  fromPoincare(x: Vector, curvature: number): Float32Array;
  projectToBall(x: Vector, curvature: number): Float32Array;
  /** Errors are then made by `new errorClass(message, code, argument)`. */
  setErrorClass(errorClass: typeof AttentionError): void;
}
