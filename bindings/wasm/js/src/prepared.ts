// prepare: calls whose arrays are bound once. The module copies what it reads, so a run is a `forward` that keeps its result.
import { refuseShared } from "./classes.js";
import { AttentionError, kindError } from "./errors.js";
import type { Prepare, Raw } from "./raw.js";
import type { AttentionArgument, AttentionOptions, Cache, Mechanism } from "./types.js";

export function prepare(raw: Raw): Prepare {
  return function (this: Mechanism, query: unknown, keys: unknown, values: unknown, options: unknown) {
    const cache = keys instanceof raw.KeyValueCache ? (keys as Cache) : undefined;
    const [given, own] = fixed(cache === undefined ? options : values);
    const [q, k, v] = [array(query, "query"), cache ?? array(keys, "keys"), cache === undefined ? array(values, "values") : undefined];
    const length = cache?.valueDim ?? v!.length / ((k as Float32Array).length / q.length);
    // What fits nothing is refused by the run, which knows what is wrong.
    const out = own ?? zeros(Number.isInteger(length) ? length : 0);
    let freed = false;
    const overCache = given ?? { out };
    return {
      out,
      run: () => {
        if (freed) throw new AttentionError("this: was freed", "freed", "this");
        const result = cache === undefined ? this.forward(q, k as Float32Array, v!, given) : this.forward(q, cache, overCache);
        if (result === out) return out;
        if (out.length !== result.length) {
          throw new AttentionError(`out: ${out.length} elements, needed ${result.length}`, "length", "out");
        }
        out.set(result);
        return out;
      },
      free: () => {
        freed = true;
      },
    };
  } as Prepare;
}

/** The options as they are now, without the caller's array, and that. */
function fixed(options: unknown): [AttentionArgument | undefined, Float32Array | undefined] {
  if (typeof options !== "object" || options === null || Array.isArray(options) || ArrayBuffer.isView(options)) {
    return [copied(options ?? undefined), undefined];
  }
  const { out, signal, ...rest } = options as AttentionOptions;
  if (signal !== undefined && signal !== null) {
    throw kindError("signal", "an asynchronous call, because this one cannot be interrupted");
  }
  const given = Object.keys(rest).length > 0 ? copied(rest) : undefined;
  return [given, out === undefined || out === null ? undefined : array(out, "out")];
}

function zeros(length: number): Float32Array<ArrayBuffer> {
  try {
    return new Float32Array(length);
  } catch (cause) {
    throw new AttentionError("out: the result would not fit in this machine's memory", "too_large", "out", { cause });
  }
}

/** What cannot be copied is no option: the run refuses it. */
function copied(options: unknown): AttentionArgument | undefined {
  try {
    return structuredClone(options) as AttentionArgument | undefined;
  } catch {
    return options as AttentionArgument;
  }
}

function array(value: unknown, argument: string): Float32Array {
  refuseShared([value], [argument]);
  if (!(value instanceof Float32Array)) throw kindError(argument, "a Float32Array, which each run reads anew");
  return value;
}
