// Replays the reference cases through a built Node.js addon, loading the .node file itself.
"use strict";
const { compute, only, replay, usage } = require("./cases.cjs");

const names = {
  scaledDot: "ScaledDotProductAttention",
  cross: "CrossAttention",
  self: "SelfAttention",
  hyperbolic: "HyperbolicAttention",
  linear: "LinearAttention",
  makeMultiHead: (api, heads, dim) => api.MultiHeadAttention.fromParams(heads, dim),
};

const { folder, cases } = usage();
const api = require(only(folder, ".node"));
replay(cases, (testCase) => compute(api, names, testCase));
