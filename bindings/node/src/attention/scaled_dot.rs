//! Scaled dot-product attention.

use super::*;

/// Softmax attention with scores scaled by 1/sqrt(dim).
#[napi]
pub struct ScaledDotProductAttention {
    engine: Arc<Engine>,
}

#[napi]
impl ScaledDotProductAttention {
    /// For queries and keys of length `dim`.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, #[napi(ts_arg_type = "number")] dim: Unknown<'_>) -> napi::Result<Self> {
        let make = || Engine::new(attention::ScaledDotProductAttention::new(types::count(&dim, "dim")?));
        Ok(Self { engine: throw(&env, make())? })
    }

    /// Length of a query.
    #[napi(getter, catch_unwind)]
    pub fn dim(&self) -> f64 {
        self.engine.dim()
    }
}

forward_methods!(ScaledDotProductAttention);
