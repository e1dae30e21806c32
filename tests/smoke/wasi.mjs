// Runs a WASI command as a program: `node wasi.mjs MODULE ARGUMENT...`; the working folder is its only folder.
import fs from "node:fs";
import { WASI } from "node:wasi";

const [file, ...words] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: ["ruvector-attention", ...words], preopens: { ".": "." } });
const module = await WebAssembly.compile(fs.readFileSync(file));
process.exitCode = wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));
