//! Keys and values prepared for any number of queries.

use super::common::Mechanism;
use super::dropout::Dropout;
use super::softmax::{Ball, Geometry, Task};
use crate::dispatch::Kernel;
use crate::error::{Error, Result};
use crate::kernels::rows::{Pick, Rows};
use crate::poincare;
use crate::shape::{self, Shape};
use crate::tensor::Tensor;
use alloc::vec::Vec;

/// Buffers of a memory, reused from call to call.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub allowed: Vec<usize>,
    key_gaps: Vec<f64>,
    conformal: Vec<f64>,
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
    key_gaps: &'a [f64],
    conformal: &'a [f64],
    /// Whether sums of the values need `f64`.
    near_boundary: bool,
}

impl<'a> Memory<'a> {
    /// Applies the mask and, in the ball, computes what depends on keys and values alone.
    pub fn new(
        mechanism: Mechanism,
        kernel: Kernel,
        shape: Shape,
        (keys, values): (Tensor<'a>, Tensor<'a>),
        mask: Option<&[bool]>,
        buffers: &'a mut Buffers,
    ) -> Result<Self> {
        let allowed = shape::allowed(mask, shape.keys, &mut buffers.allowed)?;
        let mut near_boundary = false;
        buffers.key_gaps.clear();
        buffers.conformal.clear();
        if let Mechanism::Ball { c } = mechanism {
            gaps("keys", keys, shape.dim, allowed, c, kernel, &mut buffers.key_gaps)?;
            gaps("values", values, shape.value_dim, allowed, c, kernel, &mut buffers.conformal)?;
            near_boundary = buffers.conformal.iter().any(|&gap| gap < 1.0 - EXACT_FROM);
            buffers.conformal.iter_mut().for_each(|gap| *gap = 2.0 / *gap);
        }
        let (key_gaps, conformal) = (&buffers.key_gaps, &buffers.conformal);
        Ok(Memory { mechanism, kernel, shape, keys, values, allowed, key_gaps, conformal, near_boundary })
    }

    /// The keys among the first `visible` that take part.
    pub fn pick(&self, visible: usize) -> Pick<'a> {
        self.allowed.part(0, self.allowed.before(visible))
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
            Mechanism::Ball { c } => Geometry::Ball(Ball {
                c,
                query_gap,
                key_gaps: self.key_gaps,
                conformal: self.conformal,
                near_boundary: self.near_boundary,
            }),
            _ => Geometry::Dot { scale: 1.0 / libm::sqrt(width as f64) },
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

/// c‖x‖² from which 1 − c‖x‖² and sums of points are computed in `f64`: below, 1 − c‖x‖² ≥ 1/4 keeps all but two bits of
/// an `f32`, and so does the midpoint, whose √(1 − c‖m‖²) is then at least (1 − 3/4)/(1 + 3/4) = 1/7.
const EXACT_FROM: f64 = 0.75;

/// Writes 1 − c‖row‖² of the picked rows (1 for the others), or returns the error that names tensor and row.
fn gaps(
    argument: &'static str,
    tensor: Tensor<'_>,
    width: usize,
    pick: Pick<'_>,
    c: f64,
    kernel: Kernel,
    gaps: &mut Vec<f64>,
) -> Result<()> {
    let rows = Rows::packed(tensor, width);
    gaps.clear();
    gaps.resize(rows.count(), 0.0);
    kernel.squared_norms(rows, Pick::first(rows.count()), EXACT_FROM / c, gaps);
    let check = |row: usize, squared: f64| {
        if squared.is_finite() {
            return poincare::gap_of(argument, row, squared, c);
        }
        // A finite f32 squared cannot overflow an f64.
        let index = rows.get(row).and_then(|row| row.first_non_finite()).unwrap_or(0);
        Err(Error::NonFinite { argument, index: row * width + index })
    };
    for i in 0..pick.len() {
        let row = pick.row(i);
        if let Some(gap) = gaps.get_mut(row) {
            *gap = check(row, *gap)?;
        }
    }
    Ok(())
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
        return gaps("queries", queries.into(), dim, Pick::first(count), c, kernel, out);
    }
    out.clear();
    out.resize(count, 1.0);
    Ok(())
}
