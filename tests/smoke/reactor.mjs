// Replays the reference cases through the WASI reactor's C interface under node:wasi, and sends a state through bytes.
// node reactor.mjs ARTIFACT_DIR VECTORS_JSON
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";
import { createRequire } from "node:module";

const { only, replay, usage } = createRequire(import.meta.url)("./cases.cjs");
const { folder, cases } = usage();
const wasi = new WASI({ version: "preview1" });
const module = await WebAssembly.compile(readFileSync(only(folder, ".wasm")));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
wasi.initialize(instance);
const c = instance.exports;

const text = (at) => {
  const bytes = new Uint8Array(c.memory.buffer, at);
  return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
};

function checked(name, ...args) {
  const status = c[name](...args);
  if (status !== 0) {
    throw new Error(`${name}: ${text(c.rvattn_status_name(status))}: ${text(c.rvattn_last_error_message())}`);
  }
}

/** Runs `body` with a function that copies bytes into the module's memory; gives all of it back afterwards. */
function scope(body) {
  const blocks = [];
  const place = (bytes) => {
    const size = Math.max(bytes.byteLength, 1);
    const at = c.rvattn_alloc(size);
    if (at === 0) throw new Error(`rvattn_alloc(${size}) failed`);
    blocks.push([at, size]);
    new Uint8Array(c.memory.buffer, at, bytes.byteLength).set(
      new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    );
    return at;
  };
  try {
    return body(place);
  } finally {
    blocks.forEach(([at, size]) => c.rvattn_dealloc(at, size));
  }
}

const floats = (at, count) => Array.from(new Float32Array(c.memory.buffer.slice(at, at + 4 * count)));
const word = (at) => new DataView(c.memory.buffer).getUint32(at, true);
const flat = (rows) => Float32Array.from(rows.flat());

// rvattn_options on wasm32: mask, mask_len, neighbors, has_neighbors, causal, training, padding, seed.
function options(place, testCase) {
  const bytes = new DataView(new ArrayBuffer(24));
  if (testCase.mask) {
    bytes.setUint32(0, place(Uint8Array.from(testCase.mask, Number)), true);
    bytes.setUint32(4, testCase.mask.length, true);
  }
  bytes.setUint32(8, testCase.neighbors ?? 0, true);
  bytes.setUint8(12, testCase.neighbors == null ? 0 : 1);
  bytes.setUint8(13, testCase.causal ? 1 : 0);
  return place(new Uint8Array(bytes.buffer));
}

const MAKE = {
  scaled_dot_product: (t, dim) => ["rvattn_scaled_dot_product_new", dim],
  cross: (t, dim) => ["rvattn_cross_new", dim],
  self: (t, dim) => ["rvattn_self_new", dim],
  linear: (t, dim) => ["rvattn_linear_new", dim],
  multi_head: (t, dim) => ["rvattn_multi_head_new", t.num_heads, dim, 0],
  hyperbolic: (t) => ["rvattn_hyperbolic_new", t.curvature],
};

function attend(testCase) {
  const { query, keys = query, values = query } = testCase;
  const [q, k, v] = [query, keys, values].map(flat);
  const count = query.length * values[0].length;
  return scope((place) => {
    const handle = place(new Uint32Array(1));
    checked(...MAKE[testCase.kind](testCase, query[0].length), handle);
    const attention = word(handle);
    const out = place(new Float32Array(count));
    try {
      const memory = [place(k), k.length, place(v), v.length, options(place, testCase), out, count];
      checked("rvattn_forward", attention, place(q), q.length, query[0].length, ...memory);
    } finally {
      c.rvattn_attention_free(attention);
    }
    return floats(out, count);
  });
}

function point(testCase) {
  const x = Float32Array.from(testCase.x);
  return scope((place) => {
    if (testCase.kind === "poincare_distance") {
      const out = place(new Float64Array(1));
      const y = place(Float32Array.from(testCase.y));
      checked("rvattn_poincare_distance", place(x), x.length, y, x.length, testCase.curvature, out);
      return [new DataView(c.memory.buffer).getFloat64(out, true)];
    }
    const out = place(new Float32Array(x.length));
    checked(`rvattn_${testCase.kind}`, place(x), x.length, testCase.curvature, out, x.length);
    return floats(out, x.length);
  });
}

/** A state travels as bytes and merges: 4 and 6, equally weighed, are 5. */
function states() {
  scope((place) => {
    const [handle, size, out] = [place(new Uint32Array(1)), place(new Uint32Array(1)), place(new Float32Array(1))];
    const made = (name, ...args) => (checked(name, ...args, handle), word(handle));
    const attention = made("rvattn_linear_new", 1);
    const [zero, one] = [place(Float32Array.of(0)), place(Float32Array.of(1))];
    const start = () => made("rvattn_state_new", attention, zero, 1, 1, 1, 0);
    const [left, right] = [start(), start()];
    checked("rvattn_state_push", left, one, 1, place(Float32Array.of(4)), 1, 0, 0);
    checked("rvattn_state_push", right, one, 1, place(Float32Array.of(6)), 1, 0, 0);
    checked("rvattn_state_to_bytes", right, 0, 0, size);
    const bytes = place(new Uint8Array(word(size)));
    checked("rvattn_state_to_bytes", right, bytes, word(size), size);
    const arrived = made("rvattn_state_from_bytes", bytes, word(size));
    checked("rvattn_state_merge", left, arrived);
    checked("rvattn_state_finish", left, out, 1);
    [left, right, arrived].forEach((state) => c.rvattn_state_free(state));
    c.rvattn_attention_free(attention);
    if (floats(out, 1)[0] !== 5) throw new Error(`merged states gave ${floats(out, 1)[0]}, not 5`);
  });
}

states();
replay(cases, (testCase) => ("x" in testCase ? point(testCase) : attend(testCase)));
