// Replays the reference cases through a built Node.js addon, loading the .node file itself; or, where the folder is a
// project into which npm put a package, through that package, by require, once import has given the same objects.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { createRequire } = require("node:module");
const { pathToFileURL } = require("node:url");
const { compute, only, replay, usage } = require("./cases.cjs");

const PACKAGES = { "ruvector-attention": "native", "ruvector-attention-wasm": "wasm" };
const names = {
  scaledDot: "ScaledDotProductAttention",
  cross: "CrossAttention",
  self: "SelfAttention",
  hyperbolic: "HyperbolicAttention",
  linear: "LinearAttention",
  makeMultiHead: (api, heads, dim) => new api.MultiHeadAttention(heads, dim),
};

async function installed(folder) {
  const name = Object.keys(PACKAGES).find((known) => fs.existsSync(path.join(folder, "node_modules", known)));
  if (!name) throw new Error(`${folder} holds neither of ${Object.keys(PACKAGES)}`);
  const api = createRequire(path.join(folder, "package.json"))(name);
  const entry = path.join(folder, "entry.mjs");
  fs.writeFileSync(entry, `export * from "${name}";\n`);
  const imported = await import(pathToFileURL(entry));
  const apart = Object.keys(api).filter((key) => key !== "default" && api[key] !== imported[key]);
  if (apart.length || !api.MultiHeadAttention) throw new Error(`import gives other objects than require: ${apart}`);
  if (api.backend.name !== PACKAGES[name]) throw new Error(`${name} computes by ${api.backend.name}`);
  return api;
}

async function main() {
  const { folder, cases } = usage();
  if (fs.existsSync(path.join(folder, "node_modules"))) {
    const api = await installed(folder);
    return replay(cases, (testCase) => compute(api, names, testCase));
  }
  const api = require(only(folder, ".node"));
  const own = { ...names, makeMultiHead: (_, heads, dim) => api.MultiHeadAttention.fromParams(heads, dim) };
  return replay(cases, (testCase) => compute(api, own, testCase));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
