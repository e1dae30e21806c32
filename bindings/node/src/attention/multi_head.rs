//! Multi-head attention.

use super::*;

/// Softmax attention of several heads, each over its share of the dimension; nothing is projected.
#[napi]
pub struct MultiHeadAttention {
    engine: Arc<Engine>,
    num_heads: usize,
    hidden_dim: usize,
}

impl MultiHeadAttention {
    fn make(
        num_heads: &Unknown<'_>,
        hidden_dim: &Unknown<'_>,
        dropout: Option<&Unknown<'_>>,
    ) -> Result<Self, Failure> {
        let num_heads = types::count(num_heads, "numHeads")?;
        let hidden_dim = types::count(hidden_dim, "hiddenDim")?;
        let dropout = dropout.map_or(Ok(0.0), |value| types::number_or_zero(value, "dropout"))?;
        let attention = attention::MultiHeadAttention::new(num_heads, hidden_dim, dropout);
        Ok(Self { engine: Engine::new(attention)?, num_heads, hidden_dim })
    }
}

#[napi]
impl MultiHeadAttention {
    /// hiddenDim has to be a multiple of numHeads; dropout lies in [0, 1) and does nothing at inference.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, #[napi(ts_arg_type = "AttentionConfig")] config: Unknown<'_>) -> napi::Result<Self> {
        let make = || {
            let config = types::object(&config, "config")?;
            let given = |name| types::property(&config, name);
            Self::make(&given("numHeads")?, &given("hiddenDim")?, Some(&given("dropout")?))
        };
        throw(&env, make())
    }

    /// As the constructor, from single parameters; dropout is 0 if it is not given.
    #[napi(factory, catch_unwind)]
    pub fn from_params(
        env: Env,
        #[napi(ts_arg_type = "number")] num_heads: Unknown<'_>,
        #[napi(ts_arg_type = "number")] hidden_dim: Unknown<'_>,
        #[napi(ts_arg_type = "number | null")] dropout: Option<Unknown<'_>>,
    ) -> napi::Result<Self> {
        throw(&env, Self::make(&num_heads, &hidden_dim, dropout.as_ref()))
    }

    /// Number of heads.
    #[napi(getter, catch_unwind)]
    pub fn num_heads(&self) -> f64 {
        self.num_heads as f64
    }

    /// Length of a query: all heads together.
    #[napi(getter, catch_unwind)]
    pub fn hidden_dim(&self) -> f64 {
        self.hidden_dim as f64
    }

    /// Length of one head: hiddenDim / numHeads.
    #[napi(getter, catch_unwind)]
    pub fn head_dim(&self) -> f64 {
        (self.hidden_dim / self.num_heads) as f64
    }
}

forward_methods!(MultiHeadAttention);
