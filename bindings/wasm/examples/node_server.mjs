// A server in Node.js, for this machine alone: POST /attention computes in WebAssembly, GET serves a folder of pages.
//
//   node node_server.mjs [FOLDER] [PORT]
//   curl -d '{"query":[1,0],"keys":[[1,0],[0,1]],"values":[[1,2],[3,4]]}' http://127.0.0.1:8080/attention
//
// The two headers on every answer isolate the pages, which is what SharedArrayBuffer asks for.
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { Attention, AttentionError } from "ruvector-attention-wasm";

const MOST_BYTES = 1_000_000;
const KINDS = new Map([
  [".html", "text/html; charset=utf-8"],
  [".js", "text/javascript"],
  [".mjs", "text/javascript"],
  [".wasm", "application/wasm"],
  [".json", "application/json"],
]);
const ALWAYS = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "x-content-type-options": "nosniff",
};

/** An answer to a request that cannot be served. */
class Refused extends Error {
  /** @param {number} status @param {string} code @param {string} message */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** @param {import("node:http").IncomingMessage} request */
async function bodyOf(request) {
  const parts = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    // What is too much is read and dropped, until requestTimeout: a client that still sends would not see the answer.
    if (bytes <= MOST_BYTES) parts.push(part);
  }
  if (bytes > MOST_BYTES) throw new Refused(413, "too_large", `at most ${MOST_BYTES} bytes`);
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch {
    throw new Refused(400, "json", "the body is not JSON");
  }
}

/** @param {import("node:http").IncomingMessage} request */
async function compute(request) {
  const { type = "scaled-dot-product", query, keys, values, neighbors, ...rest } = (await bodyOf(request)) ?? {};
  if (!Array.isArray(query)) throw new Refused(400, "type", "query: needed an array of numbers");
  const attention = new Attention({ type, hiddenDim: query.length, ...rest });
  try {
    return { result: Array.from(await attention.forwardAsync(query, keys, values, { neighbors })) };
  } finally {
    attention.free();
  }
}

/** The file below the folder that an address names. @param {string} folder @param {string} address */
async function fileOf(folder, address) {
  try {
    const { pathname } = new URL(address, "http://127.0.0.1");
    const name = decodeURIComponent(pathname.endsWith("/") ? `${pathname}index.html` : pathname);
    // A package that is linked into node_modules lies elsewhere; what counts is that the address does not climb.
    const wanted = path.resolve(folder, `.${path.sep}${name}`);
    if (wanted.startsWith(folder + path.sep) && (await stat(wanted)).isFile()) return await realpath(wanted);
  } catch {
    // No such file, or no address.
  }
  throw new Refused(404, "not_found", "no such page");
}

/** @param {string} folder */
export function serve(folder) {
  return createServer({ requestTimeout: 10_000 }, async (request, response) => {
    /** @param {number} status @param {object} body */
    const answer = (status, body) => {
      response.writeHead(status, { ...ALWAYS, "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
    };
    try {
      const address = request.url ?? "/";
      if (request.method === "POST" && address === "/attention") answer(200, await compute(request));
      else if (request.method === "GET") {
        const file = await fileOf(folder, address);
        const kind = KINDS.get(path.extname(file)) ?? "application/octet-stream";
        createReadStream(file).pipe(response.writeHead(200, { ...ALWAYS, "content-type": kind }));
      } else throw new Refused(405, "method", "GET a page, or POST to /attention");
    } catch (error) {
      if (error instanceof AttentionError) answer(400, { error: { code: error.code, message: error.message, argument: error.argument } });
      else if (error instanceof Refused) answer(error.status, { error: { code: error.code, message: error.message } });
      else answer(500, { error: { code: "internal", message: "the server failed" } });
    }
  });
}

const [folder = ".", port = "8080"] = process.argv.slice(2);
const server = serve(path.resolve(folder));
server.listen(Number(port), "127.0.0.1", () => {
  const { port: taken } = /** @type {import("node:net").AddressInfo} */ (server.address());
  console.log(`http://127.0.0.1:${taken}`);
});
