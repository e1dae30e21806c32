//! Cross attention.

use super::*;

/// Softmax attention of queries over another memory.
#[napi]
pub struct CrossAttention {
    engine: Arc<Engine>,
}

#[napi]
impl CrossAttention {
    /// For queries and keys of length `dim`.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, #[napi(ts_arg_type = "number")] dim: Unknown<'_>) -> napi::Result<Self> {
        let make = || Engine::new(attention::CrossAttention::new(types::count(&dim, "dim")?));
        Ok(Self { engine: throw(&env, make())? })
    }

    /// Length of a query.
    #[napi(getter, catch_unwind)]
    pub fn dim(&self) -> f64 {
        self.engine.dim()
    }
}

forward_methods!(CrossAttention);
