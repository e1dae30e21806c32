// A worker's side of the pool: makes the objects it is told of and answers calls.
import { AttentionError } from "./errors.js";
import type { Call, CacheUpdate, Fault, Message, Recipe, Reply } from "./messages.js";
import type { OwnerClass } from "./glue.js";

type Glue = typeof import("./glue.js");
type Methods = Record<string, (...args: unknown[]) => Float32Array | Float32Array[]>;
interface Kept {
  free(): void;
}
interface CacheLike extends Kept {
  append(keys: Float32Array, values: Float32Array): void;
  clear(): void;
  readonly length: number;
}

/** What answers messages: a reply, if the message asks for one. */
export function serve(glue: Glue): (message: Message) => Reply | undefined {
  glue.setErrorClass(AttentionError);
  const classes: Record<string, OwnerClass> = {
    ScaledDotProductAttention: glue.WasmScaledDotProduct,
    MultiHeadAttention: glue.WasmMultiHeadAttention,
    HyperbolicAttention: glue.WasmHyperbolicAttention,
    LinearAttention: glue.WasmLinearAttention,
    CrossAttention: glue.WasmCrossAttention,
    SelfAttention: glue.WasmSelfAttention,
    KeyValueCache: glue.KeyValueCache,
  };
  const kept = new Map<number, Kept>();

  const make = (recipe: Recipe): Kept => {
    let object = kept.get(recipe.id);
    if (object === undefined) {
      object = new classes[recipe.name]!(...recipe.args);
      kept.set(recipe.id, object);
    }
    return object;
  };
  const update = ({ recipe, clear, rows, length }: CacheUpdate): CacheLike => {
    const cache = make(recipe) as CacheLike;
    if (clear) cache.clear();
    if (rows !== undefined) cache.append(rows.keys, rows.values);
    // An earlier update may have failed.
    if (cache.length !== length) throw new AttentionError("the worker's copy of the cache is not whole", "internal", "keys");
    return cache;
  };
  const answer = ({ mechanism, method, args, cache }: Call): Float32Array | Float32Array[] => {
    const given = [...args];
    if (cache !== undefined) given[1] = update(cache);
    return (make(mechanism) as unknown as Methods)[method]!(...given);
  };
  return (message) => {
    if (message.kind === "drop") {
      for (const id of message.ids) {
        kept.get(id)?.free();
        kept.delete(id);
      }
      return undefined;
    }
    try {
      return { kind: "done", id: message.id, result: answer(message) };
    } catch (error) {
      return { kind: "failed", id: message.id, fault: faultOf(error) };
    }
  };
}

/** The buffers of a reply, which need not be copied. */
export function transferOf(reply: Reply): ArrayBuffer[] {
  if (reply.kind !== "done") return [];
  const rows = Array.isArray(reply.result) ? reply.result : [reply.result];
  return rows.map((row) => row.buffer as ArrayBuffer);
}

function faultOf(error: unknown): Fault {
  if (error instanceof AttentionError) return { message: error.message, code: error.code, argument: error.argument };
  return { message: error instanceof Error ? error.message : String(error), code: "internal", argument: "" };
}
