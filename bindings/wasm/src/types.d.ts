/** Numbers of one row. */
export type Vector = Float32Array | readonly number[];

/** Rows: flat and row-major, which is the fast path, or one array a row. */
export type Matrix = Float32Array | readonly Float32Array[] | readonly (readonly number[])[];

/** What a call may ask for beyond its tensors. */
export interface AttentionOptions {
  /** Attend to this many keys with the best scores only; ties go to the lower index. 0 is an error. */
  neighbors?: number | null;
  /** The same as `neighbors`. */
  numNeighbors?: number | null;
  /** One flag a key, true or not 0 = the key takes part. */
  mask?: Uint8Array | readonly boolean[] | null;
  /** Query i of m sees keys j <= i + n - m. */
  causal?: boolean | null;
  /** Length of one query of a flat batch, where the class has no dimension of its own. */
  dim?: number | null;
  /** Where a flat result is written to; it is returned too. */
  out?: Float32Array | null;
  /** For asynchronous methods. */
  signal?: AbortSignal | null;
  /** Applies dropout, drawn from `seed`. */
  training?: boolean | null;
  /** An integer from 0 to 2^53 - 1, needed with `training`. */
  seed?: number | null;
}

/** A number is numNeighbors, an array is the mask; an object names what it gives. */
export type AttentionArgument = number | Uint8Array | readonly boolean[] | AttentionOptions;

/** What every function throws. */
export interface AttentionError extends Error {
  /** Stable name of the fault, such as "length" or "non_finite". */
  code: string;
  /** The argument at fault. */
  argument: string;
}
