//! This library, set up for one measurement.

use crate::buffer::Buffer;
use crate::protocol::Prepare;
use ruvector_attention::{
    Attention, HyperbolicAttention, Kernel, LinearAttention, MultiHeadAttention, Options,
    ScaledDotProductAttention,
};
use std::sync::Arc;

/// A mechanism with its tensors and the place of its result.
pub struct Ours {
    attention: Box<dyn Attention>,
    dim: usize,
    causal: bool,
    neighbors: Option<usize>,
    queries: Arc<Buffer>,
    keys: Arc<Buffer>,
    values: Arc<Buffer>,
    out: Vec<f32>,
}

impl Ours {
    /// Builds what a request asks for, or says why that cannot be.
    pub fn new(ask: &Prepare, tensors: [Arc<Buffer>; 3]) -> Result<Self, String> {
        if ask.threads != 1 {
            return Err("one thread only, so far".into());
        }
        if ask.element != "f32" {
            return Err(format!("no {} tensors, so far", ask.element));
        }
        let kernel = match ask.way.as_str() {
            "" => Kernel::detect(),
            name => Kernel::named(name).ok_or_else(|| format!("this processor lacks {name}"))?,
        };
        let [queries, keys, values] = tensors;
        let rows = keys.as_slice::<f32>().len() / ask.dim;
        let value_dim = values.as_slice::<f32>().len() / rows;
        let out = vec![0.0; queries.as_slice::<f32>().len() / ask.dim * value_dim];
        Ok(Self {
            attention: mechanism(ask, kernel).map_err(|error| error.to_string())?,
            dim: ask.dim,
            causal: ask.causal,
            neighbors: ask.neighbors,
            queries,
            keys,
            values,
            out,
        })
    }

    /// The kernel that computes.
    pub fn kernel(&self) -> &'static str {
        self.attention.kernel()
    }

    /// One call.
    pub fn run(&mut self) -> Result<(), String> {
        let options = Options { causal: self.causal, neighbors: self.neighbors, ..Options::default() };
        let (queries, keys, values) =
            (self.queries.as_slice::<f32>(), self.keys.as_slice::<f32>(), self.values.as_slice::<f32>());
        self.attention
            .forward_into(queries, self.dim, keys, values, &options, &mut self.out)
            .map_err(|error| error.to_string())
    }

    /// What the last call gave.
    pub fn result(&self) -> &[f32] {
        &self.out
    }
}

fn mechanism(ask: &Prepare, kernel: Kernel) -> ruvector_attention::Result<Box<dyn Attention>> {
    Ok(match ask.mechanism.as_str() {
        "hyperbolic" => Box::new(HyperbolicAttention::new(1.0)?.with_kernel(kernel)),
        "linear" => Box::new(LinearAttention::new(ask.dim)?.with_kernel(kernel)),
        _ if ask.heads > 1 => Box::new(MultiHeadAttention::new(ask.heads, ask.dim, 0.0)?.with_kernel(kernel)),
        _ => Box::new(ScaledDotProductAttention::new(ask.dim)?.with_kernel(kernel)),
    })
}
