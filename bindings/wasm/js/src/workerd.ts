// The package in workerd, which compiles modules at deployment and none later: one level, ready at load.
import * as glue from "./glue.js";
import { homeOf } from "./home.js";
import module from "../../wasm/simd128.wasm";

const workshop = (): string => "this runtime has no workers: calls are computed on the calling thread";
const home = homeOf(glue, { workshop, shared: false });
glue.initSync({ module });
home.loaded({ level: "simd128", reason: "this runtime compiles no module at run time" });

export const {
  ScaledDotProductAttention,
  MultiHeadAttention,
  HyperbolicAttention,
  LinearAttention,
  CrossAttention,
  SelfAttention,
  ScaledDotProduct,
  MultiHead,
  Hyperbolic,
  Linear,
  WasmScaledDotProduct,
  WasmMultiHeadAttention,
  WasmHyperbolicAttention,
  WasmLinearAttention,
  WasmCrossAttention,
  WasmSelfAttention,
  KeyValueCache,
  AttentionState,
  AttentionType,
  Attention,
  AttentionBuilder,
  poincareDistance,
  toPoincare,
  fromPoincare,
  projectToBall,
  getSupportedFeatures,
  version,
  getVersion,
  init,
  backend,
} = home.api;
export { AttentionError } from "./errors.js";
export default init;
