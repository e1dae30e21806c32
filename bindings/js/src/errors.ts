// The one error class of both packages. The backends construct it themselves: see `Raw.setErrorClass`.

/**
 * Stable name of a fault, for programs. More may come; messages are for people and may change.
 *
 * - `type`: an argument is not of the kind that is needed, or an option's name is unknown
 * - `length`: an array has the wrong number of elements
 * - `parameter`: a number lies outside its domain
 * - `non_finite`: an input holds a NaN or an infinity
 * - `overflow`: all inputs are finite, a result is beyond the range of float32
 * - `outside_ball`: a point does not lie inside the Poincaré ball
 * - `all_masked`, `no_visible_key`: a query is left without a key
 * - `unsupported`: the mechanism does not offer what an option asks for
 * - `too_large`: the sizes do not fit the address space or the memory
 * - `invalid_state`, `state_mismatch`: bytes that are no state; states of different computations
 * - `invalid_weights`: a file of weights that cannot be used
 * - `freed`: the object's memory was given back by `free()`
 * - `type_not_specified`, `dim_not_specified`, `unknown_type`: the builder was not told what to build
 * - `unavailable`: the WebAssembly module is not loaded yet, or cannot be
 * - `native_unavailable`: neither the addon nor the WebAssembly package loads
 * - `internal`: a fault of the library, please report it
 */
export type AttentionErrorCode =
  | "type"
  | "length"
  | "parameter"
  | "non_finite"
  | "overflow"
  | "outside_ball"
  | "all_masked"
  | "no_visible_key"
  | "unsupported"
  | "too_large"
  | "invalid_state"
  | "state_mismatch"
  | "invalid_weights"
  | "freed"
  | "type_not_specified"
  | "dim_not_specified"
  | "unknown_type"
  | "unavailable"
  | "native_unavailable"
  | "internal";

/**
 * What every function throws or rejects with, except that an aborted call rejects with its signal's reason.
 *
 * @example
 * ```js
 * try {
 *   new ScaledDotProductAttention(2).forward([1], keys, values);
 * } catch (error) {
 *   if (!(error instanceof AttentionError)) throw error;
 *   console.log(error.code, error.argument); // length query
 * }
 * ```
 */
export class AttentionError extends Error {
  /** Stable name of the fault. */
  readonly code: AttentionErrorCode | (string & {});
  /** The argument at fault, in camelCase; empty where there is none. */
  readonly argument: string;

  /** An error with this text, code and argument. */
  constructor(message: string, code: AttentionErrorCode | (string & {}) = "internal", argument = "", options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.argument = argument;
  }

  static {
    // On the prototype, as with the language's own errors.
    Object.defineProperty(this.prototype, "name", { value: "AttentionError", writable: true, configurable: true });
  }
}

/** An argument is not of the kind that is needed. */
export function kindError(argument: string, needed: string): AttentionError {
  return new AttentionError(`${argument}: needed ${needed}`, "type", argument);
}
