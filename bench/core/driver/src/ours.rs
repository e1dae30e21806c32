//! This library, set up for one measurement.

use crate::buffer::Buffer;
use crate::protocol::Prepare;
use ruvector_attention::{
    bf16, f16, Attention, HyperbolicAttention, Inputs, Kernel, LinearAttention, MultiHeadAttention, Options,
    ScaledDotProductAttention, Tensor, Threads, Workspace,
};
use std::sync::Arc;

/// A mechanism with its tensors, its scratch and the place of its result.
pub struct Ours {
    attention: Box<dyn Attention>,
    dim: usize,
    causal: bool,
    neighbors: Option<usize>,
    element: Element,
    queries: Arc<Buffer>,
    keys: Arc<Buffer>,
    values: Arc<Buffer>,
    workspace: Workspace,
    out: Vec<f32>,
}

/// What keys and values are made of.
#[derive(Clone, Copy)]
enum Element {
    F32,
    F16,
    Bf16,
}

impl Ours {
    /// Builds what a request asks for, or says why that cannot be.
    pub fn new(ask: &Prepare, tensors: [Arc<Buffer>; 3]) -> Result<Self, String> {
        let kernel = match ask.way.as_str() {
            "" => Kernel::detect(),
            name => Kernel::named(name).ok_or_else(|| format!("this processor lacks {name}"))?,
        };
        let element = match ask.element.as_str() {
            "f32" => Element::F32,
            "f16" => Element::F16,
            "bf16" => Element::Bf16,
            other => return Err(format!("no tensors of {other}")),
        };
        let [queries, keys, values] = tensors;
        let rows = tensor(&keys, element).len() / ask.dim;
        let value_dim = tensor(&values, element).len() / rows;
        let out = vec![0.0; queries.as_slice::<f32>().len() / ask.dim * value_dim];
        Ok(Self {
            attention: mechanism(ask, kernel).map_err(|error| error.to_string())?,
            dim: ask.dim,
            causal: ask.causal,
            neighbors: ask.neighbors,
            element,
            queries,
            keys,
            values,
            workspace: Workspace::new(),
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
        let (keys, values) = (tensor(&self.keys, self.element), tensor(&self.values, self.element));
        let inputs = Inputs::new(self.queries.as_slice(), self.dim, keys, values);
        self.attention
            .forward_into(&inputs, &options, &mut self.workspace, &mut self.out)
            .map_err(|error| error.to_string())
    }

    /// What the last call gave.
    pub fn result(&self) -> &[f32] {
        &self.out
    }
}

fn tensor(buffer: &Buffer, element: Element) -> Tensor<'_> {
    match element {
        Element::F32 => Tensor::F32(buffer.as_slice()),
        Element::F16 => Tensor::F16(buffer.as_slice::<f16>()),
        Element::Bf16 => Tensor::Bf16(buffer.as_slice::<bf16>()),
    }
}

fn mechanism(ask: &Prepare, kernel: Kernel) -> ruvector_attention::Result<Box<dyn Attention>> {
    let threads = Threads::new(ask.threads)?;
    macro_rules! set_up {
        ($new:expr) => {
            Box::new($new?.with_kernel(kernel).with_threads(threads))
        };
    }
    Ok(match ask.mechanism.as_str() {
        "hyperbolic" => set_up!(HyperbolicAttention::new(1.0)),
        "linear" => set_up!(LinearAttention::new(ask.dim)),
        _ if ask.heads > 1 => set_up!(MultiHeadAttention::new(ask.heads, ask.dim, 0.0)),
        _ => set_up!(ScaledDotProductAttention::new(ask.dim)),
    })
}
