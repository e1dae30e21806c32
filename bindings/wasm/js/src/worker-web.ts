// A worker of the pool in a browser. Its first message is the compiled module.
import * as glue from "./glue.js";
import type { Message } from "./messages.js";
import { serve, transferOf } from "./serve.js";

interface Scope {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: unknown, transfer?: ArrayBuffer[]): void;
}
const scope = globalThis as unknown as Scope;

scope.onmessage = ({ data }) => {
  void glue.default({ module_or_path: data as WebAssembly.Module }).then(() => {
    const answer = serve(glue);
    scope.onmessage = (event) => {
      const reply = answer(event.data as Message);
      if (reply !== undefined) scope.postMessage(reply, transferOf(reply));
    };
    scope.postMessage({ kind: "ready" });
  });
};
