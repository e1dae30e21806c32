// The SDK on whichever backend serves: which one, why, and what it computes.
import { Attention, AttentionBuilder, AttentionType, ScaledDotProductAttention, backend } from "ruvector-attention";

const numbers = (length, seed) => Float32Array.from({ length }, (_, i) => Math.sin(i * 0.37 + seed));
const [dim, count] = [128, 100];
const [query, keys, values] = [numbers(dim, 0), numbers(count * dim, 1), numbers(count * dim, 2)];
console.log(`${backend.name}: ${backend.reason}`);

const built = new AttentionBuilder().type(AttentionType.ScaledDotProduct, { neighbors: 100 }).hiddenDim(dim).build();
const result = await built.forwardAsync(query, keys, values);
const same = new ScaledDotProductAttention(dim).forward(query, keys, values).every((x, i) => Math.abs(x - result[i]) <= 2e-6);
console.log(result instanceof Float32Array, result.length, same);

// Every type, by every way.
for (const type of Object.values(AttentionType)) {
  const attention = new Attention({ type, hiddenDim: 4, numHeads: 2, curvature: 1 });
  const rows = [[0.1, 0.2, 0.3, 0.1], [0.2, 0.1, 0.1, 0.3]];
  const one = type === "self-attention" ? [rows] : [rows[0], rows, rows];
  const many = type === "self-attention" ? [[rows]] : [rows, rows, rows];
  const forward = attention.forward(...one);
  const streamed = [];
  for await (const row of attention.forwardStream(type === "self-attention" ? [rows] : [rows[0]], ...one.slice(1))) streamed.push(row);
  const all = [await attention.forwardAsync(...one), attention.forwardBatch(...many)[0], (await attention.forwardBatchAsync(...many))[0], ...streamed];
  const agree = all.every((row) => row.length === forward.length && row.every((x, i) => Math.abs(x - forward[i]) <= 2e-6));
  console.log(`${type} -> ${attention.type}: ${all.length} ways, ${agree ? "the same" : "different"}`);
}
