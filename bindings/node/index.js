// The package's entry for require: the addon, or the WebAssembly package where there is none for this platform.
"use strict";

const { choose } = require("./js/cjs/backend.js");
const { install } = require("./js/cjs/install.js");

function native() {
  const raw = require("./native.js");
  const level = raw.kernel();
  return install(raw, { backend: { name: "native", level, reason: "the native addon loaded; it is preferred" } });
}

const api = choose(native, () => require("ruvector-attention-wasm"), process.env.RUVECTOR_ATTENTION_BACKEND);
module.exports = Object.assign(Object.defineProperty({}, "__esModule", { value: true }), api, { default: api.init });
