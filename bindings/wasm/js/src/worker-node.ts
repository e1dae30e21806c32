// A worker of the pool in Node.js.
import * as glue from "./glue.js";
import type { Message } from "./messages.js";
import { serve, transferOf } from "./serve.js";

interface ParentPort {
  on(event: "message", listener: (message: Message) => void): void;
  postMessage(message: unknown, transfer?: ArrayBuffer[]): void;
}
declare const require: (name: "node:worker_threads") => { parentPort: ParentPort; workerData: WebAssembly.Module };

const { parentPort, workerData } = require("node:worker_threads");
glue.initSync({ module: workerData });
const answer = serve(glue);
parentPort.on("message", (message) => {
  const reply = answer(message);
  if (reply !== undefined) parentPort.postMessage(reply, transferOf(reply));
});
parentPort.postMessage({ kind: "ready" });
