//! Linear attention.

use super::common::{configurable, Common, Mechanism};
use super::softmax::BLOCK;
use super::stream::AttentionState;
use super::workspace::Workspace;
use super::Attention;
use crate::dispatch::Kernel;
use crate::error::{Error, Result};
use crate::inputs::Inputs;
use crate::kernels::panels::Matrices;
use crate::kernels::rows::{Pick, Rows};
use crate::options::Options;
use crate::shape::{self, Shape};
use crate::tensor::Tensor;
use alloc::vec;
use alloc::vec::Vec;

/// Queries that are answered together; in causal order their own keys are compared with each of them.
const TILE: usize = 24;

/// φ(q)·Σ φ(k)vᵀ / φ(q)·Σ φ(k) with φ(x) = elu(x) + 1: linear in the number of keys.
///
/// Shapes: query `[d]`, keys `[n, d]`, values `[n, dv]`, result `[dv]`. Cost: O((n + m)·d·dv), also in causal order,
/// where a running state follows the queries. Top-k and dropout in training are refused: there are no single
/// weights to select by or to drop.
///
/// Source: Katharopoulos et al., "Transformers are RNNs", 2020, equations 5 to 12.
///
/// ```
/// use ruvector_attention::{Attention, LinearAttention};
/// let attention = LinearAttention::new(1)?;
/// // φ(0) = 1 and φ(1) = 2: the second value counts twice.
/// assert_eq!(attention.forward(&[0.0], &[0.0, 1.0], &[0.0, 3.0])?, [2.0]);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LinearAttention {
    common: Common,
}

impl LinearAttention {
    /// For queries and keys of length `dim` ≥ 1.
    pub fn new(dim: usize) -> Result<Self> {
        let dim = shape::positive("dim", dim)?;
        Ok(Self { common: Common::new("linear", Some(dim), Mechanism::Linear) })
    }
}

configurable!(LinearAttention);

impl Attention for LinearAttention {
    fn common(&self) -> &Common {
        &self.common
    }

    fn stream(
        &self,
        queries: &[f32],
        dim: usize,
        value_dim: usize,
        options: &Options<'_>,
    ) -> Result<AttentionState> {
        refuse(&self.common, options)?;
        AttentionState::start(&self.common, queries, dim, value_dim, options)
    }
}

/// One call of linear attention.
pub(crate) fn forward(
    common: &Common,
    inputs: &Inputs<'_>,
    options: &Options<'_>,
    workspace: &mut Workspace,
    out: &mut [f32],
) -> Result<()> {
    let shape = inputs.check(common.dim)?;
    shape.check_output(out)?;
    refuse(common, options)?;
    let chunk = Chunk::new(shape, inputs.keys, inputs.values, options.mask, &mut workspace.memory.allowed)?;
    let mut sums = Sums::new(shape.dim, shape.value_dim);
    let visible = |query| shape.visible(query, options.causal);
    sums.attend(common.settings.kernel, inputs.queries, &chunk, visible, out)?;
    inputs.blame(out)
}

/// Refuses what takes single weights: there are none to select by or to drop.
fn refuse(common: &Common, options: &Options<'_>) -> Result<()> {
    let refused = |argument| Err(Error::Unsupported { argument, by: "linear attention" });
    match options {
        Options { neighbors: Some(_), .. } => refused("neighbors"),
        options if common.settings.dropout(options).is_some() => refused("training"),
        _ => Ok(()),
    }
}

/// Keys and values that arrive together, with those that take part.
pub(crate) struct Chunk<'a> {
    keys: Rows<'a>,
    values: Rows<'a>,
    allowed: Pick<'a>,
}

impl<'a> Chunk<'a> {
    pub fn new(
        shape: Shape,
        keys: Tensor<'a>,
        values: Tensor<'a>,
        mask: Option<&[bool]>,
        buffer: &'a mut Vec<usize>,
    ) -> Result<Self> {
        let allowed = shape::allowed(mask, shape.keys, buffer)?;
        Ok(Chunk {
            keys: Rows::packed(keys, shape.dim),
            values: Rows::packed(values, shape.value_dim),
            allowed,
        })
    }

    /// Rows of which none may take part.
    pub fn held(
        shape: Shape,
        keys: Tensor<'a>,
        values: Tensor<'a>,
        mask: &[bool],
        buffer: &'a mut Vec<usize>,
    ) -> Self {
        let allowed = shape::allowed(Some(mask), shape.keys, buffer).unwrap_or(Pick::first(0));
        Chunk { keys: Rows::packed(keys, shape.dim), values: Rows::packed(values, shape.value_dim), allowed }
    }

    /// The rows from `start` to before `end` that take part.
    fn pick(&self, start: usize, end: usize) -> Pick<'_> {
        let before = |limit| self.allowed.before(limit);
        self.allowed.part(before(start), before(end).saturating_sub(before(start)))
    }
}

/// The running state: Σ φ(k)·vᵀ and Σ φ(k).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sums {
    /// Σ φ(k)·vᵀ, `[d, dv]`.
    pub products: Vec<f64>,
    /// Σ φ(k), `[d]`.
    pub features: Vec<f64>,
    /// Number of keys added.
    pub keys: usize,
}

impl Sums {
    pub fn new(dim: usize, value_dim: usize) -> Self {
        Sums { products: vec![0.0; dim.saturating_mul(value_dim)], features: vec![0.0; dim], keys: 0 }
    }

    pub fn merge(&mut self, other: &Sums) {
        self.products.iter_mut().zip(&other.products).for_each(|(sum, addend)| *sum += addend);
        self.features.iter_mut().zip(&other.features).for_each(|(sum, addend)| *sum += addend);
        self.keys += other.keys;
    }

    pub fn is_finite(&self) -> bool {
        self.products.iter().chain(&self.features).all(|sum| sum.is_finite())
    }

    /// Answers each query in turn after adding the keys that it sees and its predecessors did not; `visible` must
    /// not fall from query to query.
    pub fn attend(
        &mut self,
        kernel: Kernel,
        queries: &[f32],
        chunk: &Chunk<'_>,
        visible: impl Fn(usize) -> usize,
        out: &mut [f32],
    ) -> Result<()> {
        let (dim, value_dim) = (self.features.len(), chunk.values.width());
        let mut panels = Vec::new();
        let mut seen = None;
        let tiles = queries.chunks(TILE * dim).zip(out.chunks_mut(TILE * value_dim));
        for (index, (queries, out)) in tiles.enumerate() {
            let first = index * TILE;
            let count = queries.len() / dim;
            let common = visible(first);
            if seen.is_none_or(|seen| seen < common) {
                self.absorb(kernel, chunk, seen.unwrap_or(0), common);
                panels = self.panels(kernel);
                seen = Some(common);
            }
            if self.keys == 0 {
                return Err(Error::NoVisibleKey { query: first });
            }
            let mut tile = Tile::new(kernel, self, queries, &panels);
            let last = visible(first + count - 1);
            if last > common {
                tile.add_own(kernel, chunk, common, |row| visible(first + row));
            }
            tile.finish(value_dim, out);
        }
        Ok(())
    }

    /// Adds the keys from `start` to before `end`.
    pub fn absorb(&mut self, kernel: Kernel, chunk: &Chunk<'_>, start: usize, end: usize) {
        let (dim, value_dim) = (self.features.len(), chunk.values.width());
        let stride = value_dim.next_multiple_of(kernel.panel_width());
        let all = chunk.pick(start, end);
        let mut products = vec![0.0_f32; dim * stride];
        let mut total = vec![0.0_f32; dim];
        let ones = [1.0_f32; BLOCK];
        for from in (0..all.len()).step_by(BLOCK) {
            let block = all.part(from, BLOCK);
            let features = features(kernel, chunk.keys, block);
            // φ(K)ᵀ·V: a column of φ(K) is a row of the left matrix.
            kernel.multiply(Matrices {
                a: &features,
                a_stride: 1,
                a_step: dim,
                rows: dim,
                b: &along(kernel, chunk.values, block),
                b_rows: block.len(),
                depth: block.len(),
                c: &mut products,
                c_stride: stride,
            });
            let rows = self.products.chunks_exact_mut(value_dim).zip(products.chunks_exact(stride));
            for (sums, products) in rows {
                sums.iter_mut().zip(products).for_each(|(sum, &x)| *sum += f64::from(x));
            }
            total.fill(0.0);
            let weights = ones.get(..block.len()).unwrap_or(&ones);
            let rows = Rows::packed(&features, dim);
            kernel.accumulate(weights, rows, Pick::first(block.len()), &mut total);
            self.features.iter_mut().zip(&total).for_each(|(sum, &x)| *sum += f64::from(x));
            self.keys += block.len();
        }
    }

    /// Σ φ(k)·vᵀ in single precision, packed for the micro-kernel.
    fn panels(&self, kernel: Kernel) -> Vec<f32> {
        let products: Vec<f32> = self.products.iter().map(|&sum| sum as f32).collect();
        let rows = Rows::packed(&products, products.len() / self.features.len());
        along(kernel, rows, Pick::first(self.features.len()))
    }
}

/// The picked rows in panels.
fn along(kernel: Kernel, rows: Rows<'_>, pick: Pick<'_>) -> Vec<f32> {
    let mut panels = vec![0.0; kernel.padded(rows.width()) * pick.len()];
    kernel.along(rows, pick, &mut panels);
    panels
}

/// φ of the picked rows, packed.
fn features(kernel: Kernel, rows: Rows<'_>, pick: Pick<'_>) -> Vec<f32> {
    let mut out = Vec::with_capacity(pick.len() * rows.width());
    for i in 0..pick.len() {
        if let Some(row) = rows.get(pick.row(i)) {
            row.append_to(&mut out);
        }
    }
    kernel.feature_map(&mut out);
    out
}

/// Some queries that are answered together: what they see in common, and then their own keys.
struct Tile {
    /// φ(q), a row a query.
    features: Vec<f32>,
    dim: usize,
    /// φ(q)·Σ φ(k)vᵀ, a row a query, padded to whole panels.
    products: Vec<f32>,
    stride: usize,
    /// φ(q)·Σ φ(k).
    norms: Vec<f64>,
}

impl Tile {
    /// Starts with the sums over the keys that all queries of the tile see, also given as `panels`.
    fn new(kernel: Kernel, sums: &Sums, queries: &[f32], panels: &[f32]) -> Self {
        let dim = sums.features.len();
        let rows = Rows::packed(queries, dim);
        let features = features(kernel, rows, Pick::first(rows.count()));
        let norm = |query: &[f32]| query.iter().zip(&sums.features).map(|(&q, sum)| f64::from(q) * sum).sum();
        let norms = features.chunks_exact(dim).map(norm).collect();
        let stride = panels.len() / dim;
        let mut products = vec![0.0; rows.count() * stride];
        kernel.multiply(Matrices {
            a: &features,
            a_stride: dim,
            a_step: 1,
            rows: rows.count(),
            b: panels,
            b_rows: dim,
            depth: dim,
            c: &mut products,
            c_stride: stride,
        });
        Tile { features, dim, products, stride, norms }
    }

    /// Adds the keys from `common` on that only some queries see, up to `visible(row)` for each.
    fn add_own(
        &mut self,
        kernel: Kernel,
        chunk: &Chunk<'_>,
        common: usize,
        visible: impl Fn(usize) -> usize,
    ) {
        let count = self.norms.len();
        let pick = chunk.pick(common, visible(count - 1));
        if pick.len() == 0 {
            return;
        }
        let keys = features(kernel, chunk.keys, pick);
        let stride = kernel.padded(pick.len());
        let mut panels = vec![0.0; stride * self.dim];
        kernel.across(Rows::packed(&keys, self.dim), Pick::first(pick.len()), &mut panels);
        let mut scores = vec![0.0; count * stride];
        kernel.multiply(Matrices {
            a: &self.features,
            a_stride: self.dim,
            a_step: 1,
            rows: count,
            b: &panels,
            b_rows: self.dim,
            depth: self.dim,
            c: &mut scores,
            c_stride: stride,
        });
        for (row, (scores, norm)) in scores.chunks_exact_mut(stride).zip(&mut self.norms).enumerate() {
            let (seen, unseen) = scores.split_at_mut(chunk.pick(common, visible(row)).len());
            *norm += seen.iter().map(|&score| f64::from(score)).sum::<f64>();
            unseen.fill(0.0);
        }
        let mut own = vec![0.0; self.products.len()];
        kernel.multiply(Matrices {
            a: &scores,
            a_stride: stride,
            a_step: 1,
            rows: count,
            b: &along(kernel, chunk.values, pick),
            b_rows: pick.len(),
            depth: pick.len(),
            c: &mut own,
            c_stride: self.stride,
        });
        self.products.iter_mut().zip(&own).for_each(|(sum, x)| *sum += x);
    }

    fn finish(&self, value_dim: usize, out: &mut [f32]) {
        let rows = out.chunks_exact_mut(value_dim).zip(self.products.chunks_exact(self.stride));
        for ((result, products), norm) in rows.zip(&self.norms) {
            result.iter_mut().zip(products).for_each(|(x, &sum)| *x = (f64::from(sum) / norm) as f32);
        }
    }
}
