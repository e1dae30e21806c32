// The glue's classes under the shared names; a freed object answers with an error of the package's own kind.
import { AttentionError, kindError } from "./errors.js";
import type { Owner, OwnerClass } from "./glue.js";
import type { Raw } from "./raw.js";
import { shortened } from "./short.js";

type Glue = typeof import("./glue.js");

/** The mechanisms, by their shared names. */
export const MECHANISMS = [
  "ScaledDotProductAttention",
  "MultiHeadAttention",
  "HyperbolicAttention",
  "LinearAttention",
  "CrossAttention",
  "SelfAttention",
] as const;

export type MechanismName = (typeof MECHANISMS)[number];

/** The tensors that each method takes first, by name. */
const TENSORS: Readonly<Record<string, readonly string[]>> = {
  forward: ["query", "keys", "values"],
  forwardBatch: ["queries", "keys", "values"],
  state: ["query"],
  append: ["keys", "values"],
  push: ["keys", "values"],
  poincareDistance: ["x", "y"],
  toPoincare: ["x"],
  fromPoincare: ["x"],
  projectToBall: ["x"],
};
const SEQUENCES: typeof TENSORS = { forward: ["sequence"], forwardBatch: ["sequences"] };

/** Names of the tensors that a method of a class takes first. */
export function tensorsOf(name: string, method: string): readonly string[] {
  return (name === "SelfAttention" && SEQUENCES[method]) || (TENSORS[method] ?? []);
}

/** Refuses arrays that another thread may write to while they are read, as the native addon does. */
export function refuseShared(args: readonly unknown[], names: readonly string[]): void {
  for (let place = 0; place < names.length; place++) {
    const value = args[place];
    const isRows = Array.isArray(value) && typeof value[0] === "object";
    if (isShared(value) || (isRows && value.some(isShared))) {
      throw kindError(names[place]!, "an array of this thread, not one over a SharedArrayBuffer");
    }
  }
}

function isShared(value: unknown): boolean {
  return typeof SharedArrayBuffer !== "undefined" && value instanceof Float32Array && value.buffer instanceof SharedArrayBuffer;
}

/** What an object was made with: a worker makes another with the same. */
export const made = new WeakMap<object, { readonly name: string; readonly args: readonly unknown[] }>();

/** Hears of objects that are given back and of rows that are forgotten. */
export interface Watcher {
  freed(owner: object): void;
  cleared(cache: object): void;
}

/** The exports of a module as `install` takes them. `ready` throws where the module was not loaded yet. */
export function rawOf(glue: Glue, ready: () => void, watcher: Watcher): Raw {
  const named = <T extends OwnerClass>(name: string, base: T): T => subclass(name, base, ready, watcher);
  const heads = named("MultiHeadAttention", glue.WasmMultiHeadAttention);
  Object.defineProperty(heads, "fromParams", {
    configurable: true,
    writable: true,
    value: (...args: unknown[]) => {
      ready();
      // Refuses what is no number; the object itself is made by the class, which remembers its arguments.
      glue.WasmMultiHeadAttention.fromParams(...args).free();
      return new heads(...args);
    },
  });
  const cache = named("KeyValueCache", glue.KeyValueCache);
  const clear = (cache.prototype as unknown as { clear(): void }).clear;
  define(cache.prototype, "clear", function (this: object) {
    clear.call(this);
    watcher.cleared(this);
  });
  const state = named("AttentionState", glue.AttentionState);
  Object.defineProperty(state, "fromBytes", {
    configurable: true,
    writable: true,
    value: (bytes: unknown) => {
      ready();
      return Object.setPrototypeOf(glue.AttentionState.fromBytes(bytes), state.prototype) as Owner;
    },
  });
  const raw = {
    ScaledDotProductAttention: named("ScaledDotProductAttention", glue.WasmScaledDotProduct),
    MultiHeadAttention: heads,
    HyperbolicAttention: named("HyperbolicAttention", glue.WasmHyperbolicAttention),
    LinearAttention: named("LinearAttention", glue.WasmLinearAttention),
    CrossAttention: named("CrossAttention", glue.WasmCrossAttention),
    SelfAttention: named("SelfAttention", glue.WasmSelfAttention),
    KeyValueCache: cache,
    AttentionState: state,
  };
  const isCache = (value: unknown): boolean => value instanceof cache;
  for (const name of MECHANISMS) {
    const { prototype } = raw[name] as unknown as { prototype: { forward(...args: unknown[]): unknown } };
    adoptStates(prototype, state.prototype);
    if (name !== "SelfAttention") define(prototype, "forward", shortened(prototype.forward, isCache, isShared));
  }
  const functions = ["version", "getSupportedFeatures", "poincareDistance", "toPoincare", "fromPoincare", "projectToBall"] as const;
  for (const name of functions) {
    const call = glue[name] as (...args: unknown[]) => unknown;
    Object.assign(raw, {
      [name]: (...args: unknown[]) => {
        ready();
        refuseShared(args, tensorsOf("", name));
        return call(...args);
      },
    });
  }
  // Each module keeps the class for itself, so it is told when it is ready.
  return Object.assign(raw, { setErrorClass: () => undefined }) as unknown as Raw;
}

function define(target: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}

function subclass<T extends OwnerClass>(name: string, base: T, ready: () => void, watcher: Watcher): T {
  const Base = base as OwnerClass;
  const Class = class extends Base {
    constructor(...args: unknown[]) {
      ready();
      super(...args);
      made.set(this, { name, args: hasWeights(args[0]) ? (structuredClone(args) as unknown[]) : args });
    }

    override free(): void {
      super.free();
      Object.setPrototypeOf(this, (freed ??= freedPrototype(Class.prototype, name)));
      watcher.freed(this);
    }
  };
  for (const method of Object.keys(TENSORS)) {
    const call = (base.prototype as unknown as Record<string, ((...args: unknown[]) => unknown) | undefined>)[method];
    if (call === undefined) continue;
    const names = tensorsOf(name, method);
    define(Class.prototype, method, function (this: object, ...args: unknown[]) {
      refuseShared(args, names);
      return call.apply(this, args);
    });
  }
  let freed: object | undefined;
  Object.defineProperty(Class, "name", { value: name });
  return Class as unknown as T;
}

/** Weights may change later, and then a worker must not see it. */
function hasWeights(config: unknown): boolean {
  return typeof config === "object" && config !== null && "weights" in config;
}

/** `state` makes an object of the glue's class, which is to be one of the public class. */
function adoptStates(prototype: object, statePrototype: object): void {
  const start = (prototype as { state?: (...args: unknown[]) => object }).state;
  if (start === undefined) return;
  define(prototype, "state", function (this: object, ...args: unknown[]) {
    return Object.setPrototypeOf(start.apply(this, args), statePrototype) as object;
  });
}

/** What a freed object inherits from: every member says so, and giving back twice does nothing. */
function freedPrototype(prototype: object, name: string): object {
  const fault = (): AttentionError => new AttentionError(`${name}: was freed`, "freed", "");
  const throwing = (): never => {
    throw fault();
  };
  const freed = Object.create(prototype) as object;
  for (let level = prototype; level !== Object.prototype; level = Object.getPrototypeOf(level) as object) {
    for (const key of Reflect.ownKeys(level)) {
      if (Object.hasOwn(freed, key) || key === "constructor") continue;
      const { get } = Object.getOwnPropertyDescriptor(level, key)!;
      const isAsync = typeof key === "string" && key.endsWith("Async");
      if (get !== undefined) Object.defineProperty(freed, key, { configurable: true, get: throwing });
      else define(freed, key, isAsync ? () => Promise.reject(fault()) : throwing);
    }
  }
  define(freed, "free", () => undefined);
  if (Symbol.dispose) define(freed, Symbol.dispose, () => undefined);
  return freed;
}
