//! What the softmax mechanisms share: one call's tensors, seen query by query and head by head.

use super::softmax::{self, Ball, Dropout, Geometry, Partial, Scratch, Task};
use super::tiled;
use crate::dispatch::Kernel;
use crate::error::{Error, Result};
use crate::kernels::rows::{Pick, Rows};
use crate::options::Options;
use crate::poincare;
use crate::shape::{self, Shape};
use alloc::vec;
use alloc::vec::Vec;

/// Which mathematics a computation follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mechanism {
    /// Scaled dot-product attention in one or more heads.
    Dot {
        /// Number of heads that split each row.
        heads: usize,
    },
    /// Hyperbolic attention of curvature −c.
    Ball {
        /// c.
        c: f64,
    },
    /// Linear attention.
    Linear,
}

impl Mechanism {
    pub fn heads(&self) -> usize {
        match self {
            Mechanism::Dot { heads } => *heads,
            _ => 1,
        }
    }

    pub fn curvature(&self) -> Option<f64> {
        match self {
            Mechanism::Ball { c } => Some(*c),
            _ => None,
        }
    }

    /// Checks the widths that follow from the mechanism: heads divide them, points keep their dimension.
    pub fn check_widths(&self, values: usize, shape: &Shape) -> Result<()> {
        let heads = self.heads();
        if !shape.value_dim.is_multiple_of(heads) {
            // The smallest length that keeps the number of rows and divides.
            let needed = crate::error::Needed::MultipleOf(shape.keys.saturating_mul(heads));
            return Err(shape::length("values", values, needed));
        }
        Ok(())
    }
}

/// What a mechanism was configured with beyond its mathematics.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Settings {
    pub kernel: Kernel,
    /// k of top-k where a call names none.
    pub neighbors: Option<usize>,
    /// Probability that training drops a weight.
    pub dropout: f64,
}

impl Settings {
    /// A call's options, completed from the settings.
    pub fn complete<'a>(&self, options: &Options<'a>) -> Options<'a> {
        Options { neighbors: options.neighbors.or(self.neighbors), ..*options }
    }

    /// The dropout of this call: none at inference.
    pub fn dropout(&self, options: &Options<'_>) -> Option<Dropout> {
        let probability = self.dropout;
        options.training.filter(|_| probability > 0.0).map(|seed| Dropout { probability, seed })
    }
}

/// Keys and values prepared for any number of queries.
pub(crate) struct Memory<'a> {
    pub mechanism: Mechanism,
    pub kernel: Kernel,
    pub shape: Shape,
    keys: &'a [f32],
    values: &'a [f32],
    /// Keys that take part; `None` means all.
    allowed: Option<Vec<usize>>,
    key_gaps: Vec<f64>,
    conformal: Vec<f64>,
    /// Whether sums of the values need `f64`.
    near_boundary: bool,
}

impl<'a> Memory<'a> {
    /// Applies the mask and, in the ball, computes what depends on keys and values alone.
    pub fn new(
        mechanism: Mechanism,
        kernel: Kernel,
        shape: Shape,
        keys: &'a [f32],
        values: &'a [f32],
        mask: Option<&[bool]>,
    ) -> Result<Self> {
        let allowed = shape::allowed(mask, shape.keys)?;
        let mut memory = Memory {
            mechanism,
            kernel,
            shape,
            keys,
            values,
            allowed,
            key_gaps: Vec::new(),
            conformal: Vec::new(),
            near_boundary: false,
        };
        if let Mechanism::Ball { c } = mechanism {
            let pick = memory.pick(shape.keys);
            let key_gaps = gaps("keys", keys, shape.dim, pick, c, kernel)?;
            let mut conformal = gaps("values", values, shape.value_dim, pick, c, kernel)?;
            let near_boundary = conformal.iter().any(|&gap| gap < 1.0 - EXACT_FROM);
            conformal.iter_mut().for_each(|gap| *gap = 2.0 / *gap);
            memory.key_gaps = key_gaps;
            memory.conformal = conformal;
            memory.near_boundary = near_boundary;
        }
        Ok(memory)
    }

    /// The keys among the first `visible` that take part.
    pub fn pick(&self, visible: usize) -> Pick<'_> {
        match &self.allowed {
            None => Pick::first(visible),
            Some(allowed) => {
                let end = allowed.partition_point(|&key| key < visible);
                Pick::List(allowed.get(..end).unwrap_or(allowed))
            }
        }
    }

    /// One head of one query over this memory. In the ball, `query_gap` is 1 − c‖q‖².
    pub fn task<'t>(&'t self, query: &'t [f32], query_gap: f64, index: usize, head: usize) -> Task<'t> {
        let heads = self.mechanism.heads();
        let width = self.shape.dim / heads;
        let value_width = self.shape.value_dim / heads;
        let geometry = match self.mechanism {
            Mechanism::Ball { c } => Geometry::Ball(Ball {
                c,
                query_gap,
                key_gaps: &self.key_gaps,
                conformal: &self.conformal,
                near_boundary: self.near_boundary,
            }),
            _ => Geometry::Dot { scale: (1.0 / libm::sqrt(width as f64)) as f32 },
        };
        Task {
            kernel: self.kernel,
            geometry,
            query: query.get(head * width..(head + 1) * width).unwrap_or(&[]),
            keys: Rows::column_block(self.keys, self.shape.dim, head * width, width),
            values: Rows::column_block(self.values, self.shape.value_dim, head * value_width, value_width),
            dropout: None,
            stream: (index as u64).wrapping_mul(heads as u64).wrapping_add(head as u64),
        }
    }
}

/// c‖x‖² from which 1 − c‖x‖² and sums of points are computed in `f64`: below, 1 − c‖x‖² ≥ 1/4 keeps all but two bits of
/// an `f32`, and so does the midpoint, whose √(1 − c‖m‖²) is then at least (1 − 3/4)/(1 + 3/4) = 1/7.
const EXACT_FROM: f64 = 0.75;

/// 1 − c‖row‖² of the picked rows (1 for the others), or the error that names tensor and row.
pub(crate) fn gaps(
    argument: &'static str,
    tensor: &[f32],
    width: usize,
    pick: Pick<'_>,
    c: f64,
    kernel: Kernel,
) -> Result<Vec<f64>> {
    let rows = Rows::packed(tensor, width);
    let mut gaps = vec![0.0; rows.count()];
    kernel.squared_norms(rows, EXACT_FROM / c, &mut gaps);
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
    Ok(gaps)
}

/// 1 − c‖q‖² of each query in the ball; 1 elsewhere.
pub(crate) fn query_gaps(
    mechanism: Mechanism,
    argument: &'static str,
    queries: &[f32],
    dim: usize,
    kernel: Kernel,
) -> Result<Vec<f64>> {
    let count = queries.len() / dim.max(1);
    match mechanism.curvature() {
        Some(c) => gaps(argument, queries, dim, Pick::first(count), c, kernel),
        None => Ok(vec![1.0; count]),
    }
}

/// One call of a softmax mechanism.
#[allow(clippy::too_many_arguments)] // The tensors of the public trait and where they go.
pub(crate) fn forward(
    mechanism: Mechanism,
    settings: &Settings,
    queries: &[f32],
    dim: usize,
    keys: &[f32],
    values: &[f32],
    options: &Options<'_>,
    out: &mut [f32],
) -> Result<()> {
    let options = settings.complete(options);
    let shape = Shape::check("queries", queries, dim, keys, values)?;
    mechanism.check_widths(values.len(), &shape)?;
    shape.check_output(out)?;
    let neighbors = shape::neighbors(&options)?;
    let memory = Memory::new(mechanism, settings.kernel, shape, keys, values, options.mask)?;
    let query_gaps = query_gaps(mechanism, "queries", queries, dim, settings.kernel)?;

    let dropout = settings.dropout(&options);
    let visible = |query: usize| shape.visible(query, options.causal);
    if let Some(query) = (0..shape.queries).find(|&query| memory.pick(visible(query)).len() == 0) {
        return Err(Error::NoVisibleKey { query });
    }
    let heads = mechanism.heads();
    let value_width = shape.value_dim / heads;
    if neighbors.is_none_or(|k| k >= shape.keys) && tiled::is_worth_it(&memory) {
        tiled::attend(&memory, queries, &visible, dropout, |query, head, partial| {
            if let Some(result) = out.chunks_exact_mut(value_width).nth(query * heads + head) {
                partial.finish(None, result);
            }
        });
    } else {
        let mut scratch = Scratch::default();
        let mut partial = Partial::new(value_width);
        let pairs = queries.chunks_exact(dim).zip(out.chunks_exact_mut(shape.value_dim));
        for (index, ((query, result), &query_gap)) in pairs.zip(&query_gaps).enumerate() {
            let pick = memory.pick(visible(index));
            for (head, result) in result.chunks_exact_mut(value_width).enumerate() {
                let task = Task { dropout, ..memory.task(query, query_gap, index, head) };
                partial.reset();
                softmax::attend(&task, pick, neighbors, &mut scratch, &mut partial);
                partial.finish(mechanism.curvature(), result);
            }
        }
    }
    shape::blame(out, &[("queries", queries), ("keys", keys), ("values", values)])
}
