/** What `WasmMultiHeadAttention` is made of. */
export interface MultiHeadConfig {
  numHeads: number;
  /** A multiple of `numHeads`. */
  hiddenDim: number;
  /** In [0, 1), 0 unless given; does nothing at inference. */
  dropout?: number | null;
  /** k of top-k wherever a call names no other. */
  neighbors?: number | null;
  /** Without them nothing is projected. */
  weights?: MultiHeadWeights | null;
}

/** Matrices of hiddenDim x hiddenDim, y = x W^T + b as in torch.nn.MultiheadAttention; all biases or none. */
export interface MultiHeadWeights {
  query: Matrix;
  key: Matrix;
  value: Matrix;
  output: Matrix;
  queryBias?: Float32Array | null;
  keyBias?: Float32Array | null;
  valueBias?: Float32Array | null;
  outputBias?: Float32Array | null;
}
