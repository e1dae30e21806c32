// A backend in plain JavaScript: what each call was given, and a result that tells its query.
export function makeFake() {
  const calls = [];
  let errorClass = Error;
  class Mechanism {
    constructor(...given) {
      calls.push([this.constructor.name, ...given]);
    }
    forward(...given) {
      calls.push(["forward", ...given]);
      return Float32Array.of(given[0][0]);
    }
    async forwardAsync(...given) {
      calls.push(["forwardAsync", ...given]);
      if (Number.isNaN(given[0][0])) throw new errorClass("query: NaN", "non_finite", "query");
      return Float32Array.of(given[0][0]);
    }
    forwardBatch(...given) {
      calls.push(["forwardBatch", ...given]);
      return [];
    }
    async forwardBatchAsync(...given) {
      calls.push(["forwardBatchAsync", ...given]);
      return [];
    }
    prepare(...given) {
      calls.push(["prepare", ...given]);
      return { out: given[0], run: () => given[0], free: () => calls.push(["free", "call"]) };
    }
    state(...given) {
      calls.push(["state", ...given]);
      return given;
    }
    free() {
      calls.push(["free", this.constructor.name]);
    }
  }
  class KeyValueCache {
    constructor(dim, valueDim) {
      calls.push(["KeyValueCache", dim, valueDim]);
    }
    append(keys, values) {
      calls.push(["append", keys, values]);
      if (keys.length === 0) throw new errorClass("keys: empty", "length", "keys");
    }
    free() {
      calls.push(["free", "KeyValueCache"]);
    }
  }
  const raw = {
    ScaledDotProductAttention: class ScaledDotProductAttention extends Mechanism {},
    MultiHeadAttention: class MultiHeadAttention extends Mechanism {},
    HyperbolicAttention: class HyperbolicAttention extends Mechanism {},
    LinearAttention: class LinearAttention extends Mechanism {},
    CrossAttention: class CrossAttention extends Mechanism {},
    SelfAttention: class SelfAttention extends Mechanism {},
    KeyValueCache,
    AttentionState: class AttentionState {
      free() {}
    },
    setErrorClass: (given) => (errorClass = given),
    version: () => "1.2.3",
    kernel: () => "none",
    getSupportedFeatures: () => [],
    poincareDistance() {},
    toPoincare() {},
    fromPoincare() {},
    projectToBall() {},
  };
  return { raw, calls, errorClass: () => errorClass };
}
