//! Linear attention.

super::class_of_dim! {
    /// Linear attention with the feature map elu(x) + 1; it has no top-k.
    WasmLinearAttention, LinearAttention, Linear
}
