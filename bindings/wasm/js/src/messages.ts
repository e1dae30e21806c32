// What the pool and its workers tell each other.

/** An object that a worker is to make once and keep. */
export interface Recipe {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

/** Rows that a worker's copy of a cache lacks. */
export interface Rows {
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

/** A cache in a worker: made if it is new there, emptied if it was cleared, then given the rows it lacks. */
export interface CacheUpdate {
  readonly recipe: Recipe;
  readonly clear: boolean;
  readonly rows: Rows | undefined;
  /** Number of rows it then has. */
  readonly length: number;
}

/** One call. */
export interface Call {
  readonly kind: "call";
  readonly id: number;
  readonly mechanism: Recipe;
  readonly method: "forward" | "forwardBatch";
  /** The arguments; in place of a cache there is `undefined`. */
  readonly args: readonly unknown[];
  readonly cache: CacheUpdate | undefined;
}

/** Objects that are no longer needed. */
export interface Drop {
  readonly kind: "drop";
  readonly ids: readonly number[];
}

export type Message = Call | Drop;

/** What went wrong, as plain data. */
export interface Fault {
  readonly message: string;
  readonly code: string;
  readonly argument: string;
}

export type Reply =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly id: number; readonly result: Float32Array | Float32Array[] }
  | { readonly kind: "failed"; readonly id: number; readonly fault: Fault };
