// What the entries of the package share: the exports over one module, and its workers.
import { rawOf } from "./classes.js";
import { AttentionError } from "./errors.js";
import { install, type Api } from "./install.js";
import type { Choice } from "./levels.js";
import { Dispatcher } from "./methods.js";
import { Pool, type Workshop } from "./pool.js";
import { serve } from "./serve.js";
import type { Backend } from "./types.js";

type Glue = typeof import("./glue.js");

/** Where a module lives. */
export interface Place {
  /** How workers are started here; a text says why there are none. */
  readonly workshop: () => Workshop | string;
  /** Whether workers can read this thread's memory. */
  readonly shared: boolean;
  /** Makes the module ready. */
  readonly init?: (input?: unknown) => Promise<void>;
}

/** The package's exports, and what the entry tells them. */
export interface Home {
  readonly api: Api;
  /** The module is ready. */
  loaded(choice: Choice): void;
}

export function homeOf(glue: Glue, place: Place): Home {
  let choice: Choice | undefined;
  let pool: Pool | undefined;
  let absent: string | undefined;

  const start = (): Pool | undefined => {
    if (pool === undefined && absent === undefined && choice !== undefined) {
      const workshop = place.workshop();
      if (typeof workshop === "string") absent = workshop;
      else pool = new Pool(workshop, serve(glue));
    }
    return pool?.broken === undefined ? pool : undefined;
  };
  const ready = (): void => {
    if (choice === undefined) throw new AttentionError("the module is not loaded yet: await init() first", "unavailable", "");
  };
  const backend: Backend = {
    name: "wasm",
    get level() {
      return choice?.level ?? "none";
    },
    get reason() {
      return choice?.reason ?? "init() was not called yet";
    },
    get workers() {
      const there = start();
      if (there !== undefined) {
        const reason = place.shared ? "inputs are shared with the workers" : "the page is not cross-origin isolated: inputs are copied";
        return { count: there.workshop.size, shared: place.shared, reason };
      }
      return { count: 0, shared: false, reason: pool?.broken ?? absent ?? "init() was not called yet" };
    },
  };
  const dispatcher = new Dispatcher(start, place.shared);
  const raw = rawOf(glue, ready, dispatcher);
  const api = install(raw, { backend, methods: (raw) => dispatcher.methods(raw), ...(place.init && { init: place.init }) });
  return {
    api,
    loaded: (made) => {
      choice = made;
      glue.setErrorClass(AttentionError);
    },
  };
}

/** A number of workers that was asked for; undefined if it is none. */
export function countOf(value: unknown): number | undefined {
  const count = typeof value === "string" && value !== "" ? Number(value) : value;
  if (count === undefined || count === null || count === "") return undefined;
  if (typeof count !== "number" || !Number.isInteger(count) || count < 0 || count > 64) {
    throw new AttentionError("workers: needed an integer from 0 to 64", "parameter", "workers");
  }
  return count;
}
