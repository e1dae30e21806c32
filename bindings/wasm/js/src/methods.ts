// forwardAsync and forwardBatchAsync: copies of the inputs go to a worker, or the call is computed at once.
import { MECHANISMS, made, refuseShared, tensorsOf, type Watcher } from "./classes.js";
import { AttentionError, kindError } from "./errors.js";
import type { Call, CacheUpdate, Recipe, Rows } from "./messages.js";
import type { Member, Pool } from "./pool.js";
import { prepare } from "./prepared.js";
import type { Raw } from "./raw.js";
import { signalOf } from "./stream.js";
import type { AttentionArgument } from "./types.js";

type Method = "forward" | "forwardBatch";
type Result = Float32Array | Float32Array[];
type Methods = Record<Method, (...args: unknown[]) => Result>;
interface RawCache {
  readonly __wbg_ptr: number;
  readonly length: number;
  __rows(first: number): [Float32Array, Float32Array];
}

/** What of a cache a worker has. */
interface Mirror {
  readonly recipe: Recipe;
  member: Member;
  rows: number;
  cleared: boolean;
}

/** Queries that the core computes together: parts of this size give the bits of the whole. */
const TILE = 96;
/** Fewest queries that the core takes as a tile. */
const FEWEST = 8;
/** Multiplications from which on several workers are worth it: some milliseconds. */
const WORTH = 1e7;

/** The asynchronous side of a module. */
export class Dispatcher implements Watcher {
  readonly #recipes = new WeakMap<object, Recipe>();
  readonly #mirrors = new WeakMap<object, Mirror>();
  readonly #forgotten = new FinalizationRegistry<number>((id) => this.pool()?.drop([id]));
  #ids = 0;

  /**
   * @param pool - The workers; undefined where there are none.
   * @param shared - Whether workers can read this thread's memory.
   */
  constructor(
    readonly pool: () => Pool | undefined,
    readonly shared: boolean,
  ) {}

  freed(owner: object): void {
    const recipe = this.#recipes.get(owner);
    if (recipe === undefined) return;
    this.#recipes.delete(owner);
    this.#mirrors.delete(owner);
    this.#forgotten.unregister(owner);
    this.pool()?.drop([recipe.id]);
  }

  cleared(cache: object): void {
    const mirror = this.#mirrors.get(cache);
    if (mirror !== undefined) Object.assign(mirror, { rows: 0, cleared: true });
  }

  /** What `install` adds to the classes: these, and `prepare`. */
  *methods(raw: Raw): Generator<readonly [object, string, (...args: never[]) => unknown]> {
    const dispatcher = this;
    for (const name of MECHANISMS) {
      for (const method of ["forward", "forwardBatch"] as const) {
        const call = async function (this: object, ...args: unknown[]): Promise<Result> {
          return dispatcher.#call(raw, this, name === "SelfAttention", method, args);
        };
        yield [raw[name].prototype, `${method}Async`, call];
      }
      if (name !== "SelfAttention") yield [raw[name].prototype, "prepare", prepare(raw)];
    }
  }

  #call(raw: Raw, mechanism: object, own: boolean, method: Method, args: unknown[]): Promise<Result> | Result {
    const cache = !own && args[1] instanceof raw.KeyValueCache ? (args[1] as unknown as RawCache) : undefined;
    const place = own ? 1 : cache !== undefined ? 2 : 3;
    const given = args[place] as AttentionArgument | null | undefined;
    const signal = signalOf(given);
    signal?.throwIfAborted();
    refuseShared(args, tensorsOf(own ? "SelfAttention" : "", method));
    if (cache?.__wbg_ptr === 0) throw new AttentionError("keys: was freed", "freed", "keys");
    const pool = this.pool();
    if (pool === undefined) return (mechanism as Methods)[method](...args);
    let inputs: unknown[];
    let options: unknown;
    try {
      options = copiedOptions(given);
      inputs = args.slice(0, place);
      if (cache !== undefined) inputs = [copied(inputs[0]), undefined];
      else inputs = this.#copies(mechanism, own, method, inputs);
    } catch (error) {
      if (error instanceof AttentionError) throw error;
      // What cannot be copied is no tensor and no option: the module says so in its own words.
      return (mechanism as Methods)[method](...args);
    }
    if (cache === undefined) return this.#run(pool, mechanism, method, inputs, options, rowCount(mechanism, own, method, args[0]), signal);
    return this.#runCached(pool, mechanism, method, [...inputs, options], cache, signal);
  }

  /** Copies of the tensors. Queries are few; keys and values may go to several workers. */
  #copies(mechanism: object, own: boolean, method: Method, args: readonly unknown[]): unknown[] {
    const memory = (value: unknown): unknown => {
      const flat = joined(value);
      return this.shared ? sharedCopy(flat) : flat === value ? copied(flat) : flat;
    };
    const [first, ...rest] = args;
    if (own) return [method === "forward" ? memory(first) : copied(first)];
    const queries = rowCount(mechanism, own, method, first) === undefined ? copied(first) : flatten(first);
    return [queries, ...rest.map(memory)];
  }

  /** @param count - Number of the queries that were rows and are flat now. */
  async #run(
    pool: Pool,
    mechanism: object,
    method: Method,
    inputs: readonly unknown[],
    options: unknown,
    count: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Result> {
    const [first, ...rest] = inputs;
    const recipe = this.#recipe(mechanism);
    const send = (queries: unknown): Promise<Result> => {
      const transfer = this.shared ? [] : inputs.filter((input) => input instanceof Float32Array).map(({ buffer }) => buffer as ArrayBuffer);
      return pool.run(pool.place(), this.#message(recipe, method, [queries, ...rest, options]), transfer, signal);
    };
    const divisible = method === "forwardBatch" && rest.length > 0 && this.shared;
    const parts = divisible ? partsOf(first, rest, dimOf(mechanism), options, pool.workshop.size) : [];
    let result: Result;
    if (parts.length > 1) {
      result = await Promise.all(parts.map(send)).then(
        (results) => concatenated(results as Float32Array[]),
        // A fault's index counts from its part, so the whole is asked again.
        () => (signal?.throwIfAborted(), send(first)),
      );
    } else {
      result = await send(first);
    }
    return count === undefined ? result : split(result as Float32Array, count);
  }

  async #runCached(
    pool: Pool,
    mechanism: object,
    method: Method,
    args: unknown[],
    cache: RawCache,
    signal: AbortSignal | undefined,
  ): Promise<Result> {
    const mirror = this.#mirror(pool, cache);
    const rows = cache.length > mirror.rows ? rowsFrom(cache, mirror.rows) : undefined;
    const update: CacheUpdate = { recipe: mirror.recipe, clear: mirror.cleared, rows, length: cache.length };
    Object.assign(mirror, { rows: cache.length, cleared: false });
    const transfer = rows === undefined ? [] : [rows.keys.buffer, rows.values.buffer] as ArrayBuffer[];
    const call = this.#message(this.#recipe(mechanism), method, args, update);
    try {
      return await pool.run(mirror.member, call, transfer, signal);
    } catch (error) {
      // Whether the rows arrived is not known: the next call brings all of them.
      if (rows !== undefined) Object.assign(mirror, { rows: 0, cleared: true });
      throw error;
    }
  }

  #message(mechanism: Recipe, method: Method, args: readonly unknown[], cache?: CacheUpdate): Call {
    return { kind: "call", id: ++this.#ids, mechanism, method, args, cache };
  }

  #recipe(owner: object): Recipe {
    let recipe = this.#recipes.get(owner);
    if (recipe === undefined) {
      const { name, args } = made.get(owner)!;
      recipe = { id: ++this.#ids, name, args };
      this.#recipes.set(owner, recipe);
      this.#forgotten.register(owner, recipe.id, owner);
    }
    return recipe;
  }

  /** A cache's copy stays with one worker. */
  #mirror(pool: Pool, cache: RawCache): Mirror {
    let mirror = this.#mirrors.get(cache);
    if (mirror === undefined || mirror.member.fault !== undefined) {
      mirror = { recipe: this.#recipe(cache), member: pool.place(), rows: 0, cleared: false };
      this.#mirrors.set(cache, mirror);
    }
    return mirror;
  }
}

function rowsFrom(cache: RawCache, first: number): Rows {
  const [keys, values] = cache.__rows(first);
  return { keys, values };
}

/** The options without the signal, which stays here. */
function copiedOptions(given: AttentionArgument | null | undefined): unknown {
  if (typeof given !== "object" || given === null || Array.isArray(given) || ArrayBuffer.isView(given)) return copied(given);
  const { signal: _, out, ...rest } = given as { signal?: unknown; out?: unknown };
  if (out !== undefined && out !== null) throw kindError("out", "a synchronous call");
  return structuredClone(rest);
}

/** A copy; of a view, without what else lies in its buffer. */
function copied(value: unknown): unknown {
  return value instanceof Float32Array || value instanceof Uint8Array ? value.slice() : structuredClone(value);
}

/** A copy that all workers read. */
function sharedCopy(value: unknown): unknown {
  if (!(value instanceof Float32Array)) return copied(value);
  const copy = new Float32Array(new SharedArrayBuffer(value.byteLength));
  copy.set(value);
  return copy;
}

/** Rows of one length as a flat matrix; anything else as it is, for the module to judge. */
function joined(value: unknown): unknown {
  return rowsOf(value, undefined) === undefined ? value : flatten(value);
}

/** Number and width of rows that are all of one length, which has to be `dim` if that is given. */
function rowsOf(value: unknown, dim: number | undefined): { count: number; width: number } | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const rows = value as unknown[];
  const width = lengthOf(rows[0]);
  if (width === undefined || width === 0 || (dim !== undefined && width !== dim)) return undefined;
  return rows.every((row) => lengthOf(row) === width) ? { count: rows.length, width } : undefined;
}

/** Number of queries that are rows of the mechanism's length; undefined for anything else, which the module judges as it is. */
function rowCount(mechanism: object, own: boolean, method: Method, queries: unknown): number | undefined {
  const dim = dimOf(mechanism);
  return own || method === "forward" || dim === undefined ? undefined : rowsOf(queries, dim)?.count;
}

/** Length of a row of numbers. */
function lengthOf(row: unknown): number | undefined {
  if (row instanceof Float32Array) return row.length;
  return Array.isArray(row) && row.every((x) => typeof x === "number") ? row.length : undefined;
}

function flatten(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const rows = value as ArrayLike<number>[];
  const width = rows[0]!.length;
  const flat = new Float32Array(rows.length * width);
  rows.forEach((row, index) => flat.set(row, index * width));
  return flat;
}

/** Length of a query that a mechanism was made for; undefined if it has none of its own. */
function dimOf(mechanism: object): number | undefined {
  const { dim, hiddenDim } = mechanism as { dim?: number; hiddenDim?: number };
  return dim ?? hiddenDim;
}

/** Flat queries in as many parts as there are workers; one part where that would not be worth it. */
function partsOf(queries: unknown, rest: unknown[], dim: number | undefined, options: unknown, workers: number): Float32Array[] {
  const asked = typeof options === "object" && options !== null ? (options as { dim?: unknown; causal?: unknown; training?: unknown }) : {};
  const width = dim ?? (typeof asked.dim === "number" ? asked.dim : undefined);
  // Causal order and dropout depend on a query's place among all of them.
  if (!(queries instanceof Float32Array) || width === undefined || width === 0 || asked.causal || asked.training) return [];
  const count = queries.length / width;
  const elements = rest.reduce<number>((sum, tensor) => sum + (tensor instanceof Float32Array ? tensor.length : 0), 0);
  if (!Number.isInteger(count) || count * elements < WORTH) return [];
  const size = Math.ceil(Math.ceil(count / TILE) / workers) * TILE;
  const parts: Float32Array[] = [];
  for (let first = 0; first < count; ) {
    const last = count - (first + size) < FEWEST ? count : first + size;
    parts.push(queries.slice(first * width, last * width));
    first = last;
  }
  return parts;
}

function concatenated(parts: Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function split(flat: Float32Array, count: number): Float32Array[] {
  const width = flat.length / count;
  return Array.from({ length: count }, (_, index) => flat.slice(index * width, (index + 1) * width));
}
