// The published npm packages: `node npm.mjs <folder with node_modules> <package>`, lines of JSON in and out.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { time } from "./answer.mjs";
import { now, serve, tensor } from "./serve.mjs";

const [folder, name] = process.argv.slice(2);
const load = createRequire(join(folder, "package.json"));
const home = join(folder, "node_modules", name);
const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));

// Each gives, for a width and rows of one head, a function of a query.
const makers = name.endsWith("-wasm") ? await wasm() : native(load(name));

function native(library) {
  return {
    DotProductAttention: (width, keys, values) => {
      const attention = new library.DotProductAttention(width);
      return (query) => attention.compute(query, keys, values);
    },
    FlashAttention: (width, keys, values) => {
      const attention = new library.FlashAttention(width, 64);
      return (query) => attention.compute(query, keys, values);
    },
  };
}

async function wasm() {
  const library = await import(pathToFileURL(join(home, "ruvector_attention_wasm.js")).href);
  library.initSync({ module: readFileSync(join(home, "ruvector_attention_wasm_bg.wasm")) });
  const attend = (keys, values) => (query) => library.scaled_dot_attention(query, keys, values);
  return {
    "Float32Array rows": (_, keys, values) => attend(keys, values),
    "number[] rows": (_, keys, values) => attend(keys.map((row) => Array.from(row)), values.map((row) => Array.from(row))),
  };
}

// Rows of all heads as, for each head, an array of its rows.
function split(flat, row, heads) {
  const width = row / heads;
  const rows = flat.length / row;
  return Array.from({ length: heads }, (_, head) =>
    Array.from({ length: rows }, (_, i) => flat.slice(i * row + head * width, i * row + (head + 1) * width)),
  );
}

function prepare(ask) {
  const keys = tensor(ask.keys);
  const rows = keys.length / ask.dim;
  const values = tensor(ask.values);
  const valueRow = values.length / rows;
  const queries = split(tensor(ask.queries), ask.dim, ask.heads);
  const keyHeads = split(keys, ask.dim, ask.heads);
  const valueHeads = split(values, valueRow, ask.heads);
  const attends = keyHeads.map((head, h) => makers[ask.way](ask.dim / ask.heads, head, valueHeads[h]));
  const out = new Float32Array(queries[0].length * valueRow);
  const width = valueRow / ask.heads;
  const call = () => {
    for (let h = 0; h < ask.heads; h++) {
      for (let i = 0; i < queries[h].length; i++) out.set(attends[h](queries[h][i]), i * valueRow + h * width);
    }
  };
  return { with: ask.way, run: (seconds, most) => time(call, now, seconds, most), result: () => out, free: () => {} };
}

await serve(() => ({ [name]: version, node: process.version }), prepare);
