 {
  /** Attends from one query. */
  forward(query: Vector, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Float32Array;
  /** Attends from one query to what the cache holds. */
  forward(query: Vector, cache: KeyValueCache, options?: AttentionArgument | null): Float32Array;
  /** Attends from several queries over the same keys. */
  forwardBatch(queries: Float32Array, keys: Matrix, values: Matrix, options?: AttentionArgument | null): Float32Array;
  /** Rows are answered as rows. */
  forwardBatch(queries: readonly Vector[], keys: Matrix, values: Matrix, options?: AttentionArgument | null): Float32Array[];
  /** Attends from several queries to what the cache holds. */
  forwardBatch(queries: Float32Array, cache: KeyValueCache, options?: AttentionArgument | null): Float32Array;
  /** Rows are answered as rows. */
  forwardBatch(queries: readonly Vector[], cache: KeyValueCache, options?: AttentionArgument | null): Float32Array[];
}
