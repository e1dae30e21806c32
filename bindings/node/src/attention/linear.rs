//! Linear attention.

use super::*;

/// Linear attention with the feature map elu(x) + 1; it has no top-k.
#[napi]
pub struct LinearAttention {
    engine: Arc<Engine>,
}

#[napi]
impl LinearAttention {
    /// For queries and keys of length `dim`.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, #[napi(ts_arg_type = "number")] dim: Unknown<'_>) -> napi::Result<Self> {
        let make = || Engine::new(attention::LinearAttention::new(types::count(&dim, "dim")?));
        Ok(Self { engine: throw(&env, make())? })
    }

    /// Length of a query.
    #[napi(getter, catch_unwind)]
    pub fn dim(&self) -> f64 {
        self.engine.dim()
    }
}

forward_methods!(LinearAttention);
