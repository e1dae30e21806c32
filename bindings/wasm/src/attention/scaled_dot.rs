//! Scaled dot-product attention.

super::class_of_dim! {
    /// Softmax attention with scores scaled by 1/sqrt(dim).
    WasmScaledDotProduct, ScaledDotProductAttention, Dot
}
