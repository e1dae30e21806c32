// forward over a cache by a short way: the query goes to a place in the module's memory and the result comes from there,
// so that numbers alone cross the border. Whatever is out of the ordinary goes the long way, which knows what is wrong.
import type { Owner } from "./glue.js";

type Method = (...args: unknown[]) => unknown;

interface Placed {
  __forwardPlaced(cache: number): boolean;
}
interface CacheOwner extends Owner {
  readonly dim: number;
  readonly valueDim: number;
  readonly __handle: number;
  __place(): number;
  __memory(): WebAssembly.Memory;
}

/** Where a cache's query and result are, counted in numbers. */
interface Place {
  readonly memory: WebAssembly.Memory;
  readonly handle: number;
  readonly query: number;
  readonly result: number;
  readonly end: number;
}

/** `forward` of a mechanism, for a query in a Float32Array over a cache without options, or with `out` alone. */
export function shortened(forward: Method, isCache: (value: unknown) => boolean, isShared: (value: unknown) => boolean): Method {
  return function (this: Placed, ...args: unknown[]) {
    const [query, cache, options] = args;
    if (query instanceof Float32Array && isCache(cache) && !isShared(query)) {
      const place = placeOf(cache as CacheOwner);
      const out = options === undefined ? undefined : onlyOut(options);
      if (place !== undefined && out !== null && query.length === place.result - place.query && fits(out, place) && !isShared(out)) {
        numbers(place).set(query, place.query);
        if (this.__forwardPlaced(place.handle)) return answer(numbers(place), place, out);
      }
    }
    return forward.apply(this, args);
  };
}

const places = new WeakMap<object, Place>();

/** A freed cache has no place any more, and one of 16-bit numbers never had. */
function placeOf(cache: CacheOwner): Place | undefined {
  if (cache.__wbg_ptr === 0) return undefined;
  const known = places.get(cache);
  if (known !== undefined) return known.query === 0 ? undefined : known;
  const query = cache.__place() / Float32Array.BYTES_PER_ELEMENT;
  const result = query + cache.dim;
  places.set(cache, { memory: cache.__memory(), handle: cache.__handle, query, result, end: result + cache.valueDim });
  return placeOf(cache);
}

/** The caller's array if it is all that the options say; null if there is more to them. */
function onlyOut(options: unknown): Float32Array | null {
  if (typeof options !== "object" || options === null || Array.isArray(options)) return null;
  for (const name in options) if (name !== "out") return null;
  const { out } = options as { out?: unknown };
  return out instanceof Float32Array ? out : null;
}

function fits(out: Float32Array | undefined | null, place: Place): boolean {
  return out === undefined || out?.length === place.end - place.result;
}

let view = new Float32Array(0);
let viewed: WebAssembly.Memory | undefined;

/** The module's memory. A view of it ends when it grows, and then has no length; one over shared memory is too short. */
function numbers(place: Place): Float32Array {
  if (view.length < place.end || viewed !== place.memory) {
    view = new Float32Array(place.memory.buffer);
    viewed = place.memory;
  }
  return view;
}

function answer(memory: Float32Array, place: Place, out: Float32Array | undefined): Float32Array {
  if (out === undefined) return memory.slice(place.result, place.end);
  out.set(memory.subarray(place.result, place.end));
  return out;
}
