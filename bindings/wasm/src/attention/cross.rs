//! Cross attention.

super::class_of_dim! {
    /// Softmax attention of queries over another memory.
    WasmCrossAttention, CrossAttention, Cross
}
