// Compiled by tsc --strict, never run: the declarations say what the tests do.
import {
  AttentionOptions, CrossAttention, HyperbolicAttention, LinearAttention, MultiHeadAttention,
  ScaledDotProductAttention, SelfAttention, getSupportedFeatures, getVersion,
} from "../index.js";

const x = new Float32Array(4);
const options: AttentionOptions = { neighbors: 2, mask: [true, false], causal: false };
const one: Float32Array = new ScaledDotProductAttention(2).forward(x, x, x, 3);
const masked: Float32Array = MultiHeadAttention.fromParams(2, 4).forward(x, x, x, [true]);
const rows: Float32Array[] = new CrossAttention(2).forwardBatch([x], x, x, options);
const flat: Float32Array = new LinearAttention(2).forwardBatch(x, x, x);
const later: Promise<Float32Array> = new HyperbolicAttention(1).forwardAsync(x, x, x);
const sequence: Promise<Float32Array[]> = new SelfAttention(2).forwardBatchAsync([x], { causal: true });
const names: string[] = getSupportedFeatures();
const version: string = getVersion();
export { one, masked, rows, flat, later, sequence, names, version };

// @ts-expect-error arrays of numbers are not tensors
new ScaledDotProductAttention(2).forward([1, 2], x, x);
// @ts-expect-error the configuration needs both sizes
new MultiHeadAttention({ numHeads: 2 });
