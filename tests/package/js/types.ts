// Compiled by tsc --strict, never run: what users write compiles, what cannot work does not.
import init, {
  Attention, AttentionBuilder, AttentionError, AttentionState, AttentionType, CrossAttention, Hyperbolic, HyperbolicAttention,
  KeyValueCache, Linear, LinearAttention, MultiHead, MultiHeadAttention, ScaledDotProduct, ScaledDotProductAttention, SelfAttention,
  WasmCrossAttention, WasmHyperbolicAttention, WasmLinearAttention, WasmMultiHeadAttention, WasmScaledDotProduct,
  WasmSelfAttention, backend, fromPoincare, getSupportedFeatures, getVersion, init as named, poincareDistance, projectToBall,
  toPoincare, version,
} from "ruvector-attention";
import type {
  AttentionArgument, AttentionConfig, AttentionErrorCode, AttentionOptions, AttentionTypeName, Backend, CacheOptions, InitOptions, Mask, Matrix,
  PreparedCall, Rows, Source, Stream, Vector,
} from "ruvector-attention";

/** The two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(): T => true as T;

const x = new Float32Array(4);
const options: AttentionOptions = { neighbors: 2, mask: [true, false], causal: false, out: x, signal: new AbortController().signal };
const attention = new ScaledDotProductAttention(2);
const cache = new KeyValueCache(2, 2, { precision: "f16" });

// Results have the shape of the queries.
const one: Float32Array = attention.forward(x, x, x, 3);
const rows = new CrossAttention(2).forwardBatch([x], x, x, options);
const flat = new LinearAttention(2).forwardBatch(x, x, x);
const later = new HyperbolicAttention(1).forwardBatchAsync([[1, 2]], [[1, 2]], [[1, 2]], { dim: 2 });
holds<Same<typeof rows, Float32Array[]>>();
holds<Same<typeof flat, Float32Array>>();
holds<Same<typeof later, Promise<Float32Array[]>>>();
const either = (queries: Matrix): Float32Array | Float32Array[] => attention.forwardBatch(queries, cache);

// Everywhere: numbers, rows, a cache, null for options.
attention.forward([1, 2], [[1, 2]], [x], null);
attention.forward(x, cache, Uint8Array.of(1));
void attention.forwardAsync(x, cache, { numNeighbors: 1 });
const sequence: Promise<Float32Array[]> = new SelfAttention(2).forwardBatchAsync([x], { causal: true });
const masked: Float32Array = MultiHeadAttention.fromParams(2, 4).forward(x, x, x, [true] as const);

// Aliases are the classes, as values and as types.
const alias: ScaledDotProduct = attention;
holds<Same<typeof WasmScaledDotProduct, typeof ScaledDotProductAttention>>();
holds<Same<typeof WasmCrossAttention, typeof CrossAttention>>();
holds<Same<typeof WasmSelfAttention, typeof SelfAttention>>();
holds<Same<typeof WasmLinearAttention, typeof Linear>>();
holds<Same<typeof WasmHyperbolicAttention, typeof Hyperbolic>>();
holds<Same<typeof WasmMultiHeadAttention, typeof MultiHead>>();

// Both configurations of the specification.
const heads: AttentionConfig = { numHeads: 8, hiddenDim: 128, dropout: 0.1 };
const sdk: AttentionConfig = { type: AttentionType.MultiHead, hiddenDim: 128 };
new MultiHeadAttention(heads);
new MultiHeadAttention(8, 128);
const made: Attention = new Attention(sdk);
const built = new AttentionBuilder().type(AttentionType.Auto, { numHeads: 2 }).type("linear").hiddenDim(4).dropout(0.1).build();
const name: "scaled-dot-product" | "multi-head" | "hyperbolic" | "linear" | "cross-attention" | "self-attention" = built.type;
const names: AttentionTypeName[] = [AttentionType.Hyperbolic, "cross", "self", "auto"];

// Streams and states.
async function* queries(): AsyncGenerator<Vector> {
  yield x;
}
async function read(source: Source<Vector>): Promise<number> {
  let count = 0;
  for await (const row of attention.forwardStream(source, cache, { signal: AbortSignal.timeout(1) })) count += row.length;
  for await (const row of made.forwardStream(queries(), x, x)) count += row.length;
  return count;
}

// Prepared calls hold arrays, so plain numbers are none of theirs.
const prepared: PreparedCall = attention.prepare(x, x, x, { neighbors: 1, out: x });
{
  using call = made.prepare(x, cache, [true, false]);
  holds<Same<ReturnType<typeof call.run>, Float32Array>>();
}
const stream: Stream = new SelfAttention(2).forwardStream([[x]]);
const state = attention.state(x);
state.merge(AttentionState.fromBytes(state.toBytes()));
const points: number = poincareDistance(toPoincare(x, 1), fromPoincare(projectToBall(x, 1), 1), 1);

// Memory.
{
  using short = new KeyValueCache(2);
  short.append(x, x);
}
class Mine extends ScaledDotProductAttention {}
new Mine(2).free();

// Errors.
try {
  await init();
  await named({ level: "simd128", workers: 2 });
} catch (error) {
  if (error instanceof AttentionError) {
    const code: AttentionErrorCode | (string & {}) = error.code;
    const argument: string = error.argument;
    void [code, argument];
  }
}
const where: Backend = backend;
const texts: string[] = [...getSupportedFeatures(), getVersion(), version(), where.reason];
export { alias, either, masked, name, names, one, points, prepared, read, sequence, stream, texts };
export type { AttentionArgument, CacheOptions, InitOptions, Mask, Rows };

// @ts-expect-error keys are rows or flat, not numbers
attention.forward(x, [1, 2], x);
// @ts-expect-error numbers are copied, so a later run could not see them change
attention.prepare([1, 2], x, x);
// @ts-expect-error a sequence attends to itself once
new SelfAttention(2).prepare(x, x, x);
// @ts-expect-error what a prepared call writes to stays
prepared.out = x;
// @ts-expect-error unknown options do not pass
attention.forward(x, x, x, { neighbour: 1 });
// @ts-expect-error a configuration needs its size
new MultiHeadAttention({ numHeads: 2 });
// @ts-expect-error no such attention
new Attention({ type: "sideways", hiddenDim: 2 });
// @ts-expect-error values without keys
attention.forward(x, x);
// @ts-expect-error a state comes from a mechanism or from bytes
new AttentionState();
// @ts-expect-error what a class tells cannot be set
attention.dim = 3;
// @ts-expect-error precision has three names
new KeyValueCache(2, 2, { precision: "f8" });
// @ts-expect-error init knows no such option
void init({ levels: "simd128" });
