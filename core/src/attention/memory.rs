//! Keys and values prepared for any number of queries.

use super::ball::{self, Ball, Known};
use super::common::Mechanism;
use super::dropout::Dropout;
use super::softmax::{block_rows, Geometry, Task};
use crate::dispatch::Kernel;
use crate::error::Result;
use crate::kernels::rows::{Pick, Rows};
use crate::shape::{self, Shape};
use crate::tensor::Tensor;
use alloc::vec::Vec;

/// Buffers of a memory, reused from call to call.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub allowed: Vec<usize>,
    keys: Vec<f64>,
    values: Vec<f64>,
}

/// Keys and values of one call.
#[derive(Clone, Copy)]
pub(crate) struct Memory<'a> {
    pub mechanism: Mechanism,
    pub kernel: Kernel,
    pub shape: Shape,
    keys: Tensor<'a>,
    values: Tensor<'a>,
    /// Keys that take part.
    allowed: Pick<'a>,
    /// In the ball, gaps of all keys and values where they were asked for.
    known: Option<Known<'a>>,
    /// Whether one of the values that were asked for needs `f64` sums.
    pub near_boundary: bool,
}

impl<'a> Memory<'a> {
    /// Applies the mask; in the ball, `prepare` computes what depends on keys and values alone and checks all of them.
    /// Otherwise that happens as they are read, which for few queries is the one time.
    pub fn new(
        (mechanism, kernel, shape): (Mechanism, Kernel, Shape),
        (keys, values): (Tensor<'a>, Tensor<'a>),
        mask: Option<&[bool]>,
        prepare: bool,
        buffers: &'a mut Buffers,
    ) -> Result<Self> {
        let allowed = shape::allowed(mask, shape.keys, &mut buffers.allowed)?;
        let (mut known, mut near_boundary) = (None, false);
        if let (Mechanism::Ball { c }, true) = (mechanism, prepare) {
            let rows = Rows::packed(keys, shape.dim);
            ball::all_gaps("keys", rows, allowed, c, kernel, &mut buffers.keys)?;
            let rows = Rows::packed(values, shape.value_dim);
            ball::all_gaps("values", rows, allowed, c, kernel, &mut buffers.values)?;
            near_boundary = buffers.values.iter().any(|&gap| gap < 1.0 - ball::EXACT_FROM);
            known = Some(Known { keys: &buffers.keys, values: &buffers.values });
        }
        Ok(Memory { mechanism, kernel, shape, keys, values, allowed, known, near_boundary })
    }

    /// The keys among the first `visible` that take part.
    pub fn pick(&self, visible: usize) -> Pick<'a> {
        self.allowed.part(0, self.allowed.before(visible))
    }

    /// Keys that are attended to together.
    pub fn block_rows(&self) -> usize {
        let read_once = matches!(self.mechanism, Mechanism::Dot { heads: 1 });
        block_rows(self.shape.dim.max(self.shape.value_dim), read_once)
    }

    /// One head of one query over this memory. In the ball, `query_gap` is 1 − c‖q‖².
    pub fn task<'t>(
        &'t self,
        query: &'t [f32],
        query_gap: f64,
        index: usize,
        head: usize,
        dropout: Option<Dropout>,
    ) -> Task<'t> {
        let heads = self.mechanism.heads();
        let width = self.shape.dim / heads;
        let value_width = self.shape.value_dim / heads;
        let geometry = match self.mechanism {
            Mechanism::Ball { c } => Geometry::Ball(Ball { c, query_gap, known: self.known }),
            _ => Geometry::Dot { scale: 1.0 / crate::kernels::sqrt(width as f64) },
        };
        Task {
            kernel: self.kernel,
            geometry,
            query: query.get(head * width..(head + 1) * width).unwrap_or(&[]),
            keys: Rows::column_block(self.keys, self.shape.dim, head * width, width),
            values: Rows::column_block(self.values, self.shape.value_dim, head * value_width, value_width),
            dropout,
            stream: (index as u64).wrapping_mul(heads as u64).wrapping_add(head as u64),
        }
    }
}

/// 1 − c‖q‖² of each query in the ball; 1 elsewhere.
pub(crate) fn query_gaps(
    mechanism: Mechanism,
    queries: &[f32],
    dim: usize,
    kernel: Kernel,
    out: &mut Vec<f64>,
) -> Result<()> {
    let count = queries.len() / dim.max(1);
    if let Some(c) = mechanism.curvature() {
        return ball::all_gaps("queries", Rows::packed(queries, dim), Pick::first(count), c, kernel, out);
    }
    out.clear();
    out.resize(count, 1.0);
    Ok(())
}
