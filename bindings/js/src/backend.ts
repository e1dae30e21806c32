// Native first, then WebAssembly; the reason says why it came to the second.
import { AttentionError } from "./errors.js";
import type { Api } from "./install.js";
import type { Backend } from "./types.js";

/** The variable that asks for one backend: `native` or `wasm`. */
export const VARIABLE = "RUVECTOR_ATTENTION_BACKEND";

/**
 * The native exports, or those of the WebAssembly package where the addon does not load.
 *
 * @param native - Loads the addon and installs it.
 * @param wasm - Loads the installed package `ruvector-attention-wasm`.
 * @param wanted - One backend to use and no other; the value of `RUVECTOR_ATTENTION_BACKEND`.
 * @throws {@link AttentionError} with the code `native_unavailable` where neither loads.
 */
export function choose(native: () => Api, wasm: () => Api, wanted?: string): Api {
  if (wanted === "wasm") return because(wasm(), `${VARIABLE} is wasm`);
  if (wanted === "native") return because(native(), `${VARIABLE} is native`);
  if (wanted) throw new AttentionError(`${VARIABLE}: needed native or wasm, found ${wanted}`, "parameter", VARIABLE);
  let fault: unknown;
  try {
    return native();
  } catch (error) {
    fault = error;
  }
  const reason = `the native addon did not load: ${textOf(fault)}`;
  try {
    return because(wasm(), reason);
  } catch (error) {
    // The loader says how to get either; a WebAssembly package that is there and fails has a reason of its own.
    const other = isAbsent(error) ? "" : `\nruvector-attention-wasm did not load either: ${textOf(error)}`;
    const whole = fault instanceof Error ? fault.message : String(fault);
    throw new AttentionError(`${whole}${other}`, "native_unavailable", "", { cause: fault });
  }
}

function isAbsent(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "MODULE_NOT_FOUND";
}

/** The same exports with another reason. */
function because(api: Api, reason: string): Api {
  const { backend } = api;
  const chosen: Backend = {
    name: backend.name,
    get level() {
      return backend.level;
    },
    get workers() {
      return backend.workers;
    },
    reason,
  };
  return { ...api, backend: chosen };
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // A loader's message lists every file that it tried; its first line says what is wrong.
  return text.split("\n")[0]!.trim();
}
