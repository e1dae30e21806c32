// Results one by one, in order, at the consumer's pace.
import { kindError } from "./errors.js";
import type { AttentionArgument, Source, Stream } from "./types.js";

/** The signal that a call's options carry, if any. */
export function signalOf(options: AttentionArgument | null | undefined): AbortSignal | undefined {
  if (typeof options !== "object" || options === null || Array.isArray(options) || ArrayBuffer.isView(options)) return undefined;
  const signal = (options as { signal?: AbortSignal | null }).signal ?? undefined;
  if (signal !== undefined && typeof signal.throwIfAborted !== "function") throw kindError("signal", "an AbortSignal");
  return signal;
}

/**
 * One result for each item of `source`, in order.
 *
 * An item is pulled when its result is asked for and not before: that is the back-pressure. The source is ended
 * when the consumer leaves, when `compute` fails and when the signal aborts, also while the source is waited for.
 */
export async function* streamOf<T>(
  source: Source<T>,
  argument: string,
  compute: (item: T) => Promise<Float32Array>,
  signal: AbortSignal | undefined,
): Stream {
  signal?.throwIfAborted();
  const iterator = iterate(source, argument);
  const aborted = whenAborted(signal);
  let ended = false;
  try {
    for (;;) {
      signal?.throwIfAborted();
      // A source that fails or is at its end has ended itself.
      ended = true;
      const item = await aborted.before(Promise.resolve(iterator.next()));
      if (item.done === true) return;
      ended = false;
      yield await aborted.before(compute(await item.value));
    }
  } finally {
    aborted.forget();
    if (signal?.aborted) {
      // A source that never answers must not hold up the abort.
      void Promise.resolve(iterator.return?.()).catch(() => undefined);
    } else if (!ended) {
      await iterator.return?.();
    }
  }
}

function iterate<T>(source: Source<T>, argument: string): AsyncIterator<T> | Iterator<T> {
  const given = source as Partial<AsyncIterable<T> & Iterable<T>> | null | undefined;
  // A typed array or a string can be iterated, but its items are no rows.
  if (typeof given === "object" && given !== null && !ArrayBuffer.isView(given)) {
    const iterator = given[Symbol.asyncIterator]?.() ?? given[Symbol.iterator]?.();
    if (iterator !== undefined) return iterator;
  }
  throw kindError(argument, "an iterable or async iterable of rows");
}

interface Aborted {
  /** What `promise` gives, or a rejection with the signal's reason if that comes first. */
  before<T>(promise: Promise<T>): Promise<T>;
  /** Takes the listener off the signal. */
  forget(): void;
}

function whenAborted(signal: AbortSignal | undefined): Aborted {
  if (signal === undefined) return { before: (promise) => promise, forget: () => undefined };
  let reject: (reason: unknown) => void = () => undefined;
  const listener = (): void => reject(signal.reason);
  signal.addEventListener("abort", listener, { once: true });
  return {
    before: (promise) =>
      // One short-lived promise a wait: racing against one for the whole stream would keep every result alive.
      new Promise((resolve, fail) => {
        reject = fail;
        promise.then(resolve, fail);
        if (signal.aborted) listener();
      }),
    forget: () => signal.removeEventListener("abort", listener),
  };
}
