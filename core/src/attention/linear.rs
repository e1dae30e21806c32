//! Linear attention.

use super::engine::{Mechanism, Settings};
use super::stream::AttentionState;
use super::Attention;
use crate::dispatch::Kernel;
use crate::error::{Error, Result};
use crate::kernels::rows::{Pick, Rows};
use crate::options::Options;
use crate::shape::{self, Shape};
use alloc::vec;
use alloc::vec::Vec;

/// Keys a block; `f32` sums stay short, and the split depends on the number of keys only.
const BLOCK: usize = 64;

/// φ(q)·Σ φ(k)vᵀ / φ(q)·Σ φ(k) with φ(x) = elu(x) + 1: linear in the number of keys.
///
/// Shapes: query `[d]`, keys `[n, d]`, values `[n, dv]`, result `[dv]`. Cost: O((n + m)·d·dv), also in causal order,
/// where a running state follows the queries. Top-k does not exist here and is refused; there are no attention weights
/// to drop.
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
    dim: usize,
    settings: Settings,
}

impl LinearAttention {
    /// For queries and keys of length `dim` ≥ 1.
    pub fn new(dim: usize) -> Result<Self> {
        Ok(Self { dim: shape::positive("dim", dim)?, settings: Settings::default() })
    }

    /// Computes with this kernel instead of the detected one.
    pub fn with_kernel(mut self, kernel: Kernel) -> Self {
        self.settings.kernel = kernel;
        self
    }
}

impl Attention for LinearAttention {
    fn kind(&self) -> &'static str {
        "linear"
    }

    fn dim(&self) -> Option<usize> {
        Some(self.dim)
    }

    fn kernel(&self) -> &'static str {
        self.settings.kernel.name()
    }

    fn forward_into(
        &self,
        queries: &[f32],
        dim: usize,
        keys: &[f32],
        values: &[f32],
        options: &Options<'_>,
        out: &mut [f32],
    ) -> Result<()> {
        shape::batch_dim(dim, self.dim())?;
        let shape = Shape::check("queries", queries, dim, keys, values)?;
        shape.check_output(out)?;
        refuse(options)?;
        shape.check_causal(options.causal)?;
        let chunk = Chunk::new(shape, keys, values, options.mask)?;
        let mut sums = Sums::new(dim, shape.value_dim);
        sums.attend(
            self.settings.kernel,
            queries,
            &chunk,
            |query| shape.visible(query, options.causal),
            out,
        )?;
        shape::blame(out, &[("queries", queries), ("keys", keys), ("values", values)])
    }

    fn stream(
        &self,
        queries: &[f32],
        dim: usize,
        value_dim: usize,
        options: &Options<'_>,
    ) -> Result<AttentionState> {
        shape::batch_dim(dim, self.dim())?;
        refuse(options)?;
        AttentionState::start(Mechanism::Linear, &self.settings, queries, dim, value_dim, options)
    }
}

/// Linear attention has no scores to select by.
fn refuse(options: &Options<'_>) -> Result<()> {
    match options.neighbors {
        Some(_) => Err(Error::Unsupported { argument: "neighbors", by: "linear attention" }),
        None => Ok(()),
    }
}

/// Keys and values that arrive together, with those that take part.
pub(crate) struct Chunk<'a> {
    keys: Rows<'a>,
    values: Rows<'a>,
    allowed: Option<Vec<usize>>,
}

impl<'a> Chunk<'a> {
    pub fn new(shape: Shape, keys: &'a [f32], values: &'a [f32], mask: Option<&[bool]>) -> Result<Self> {
        Ok(Chunk {
            keys: Rows::packed(keys, shape.dim),
            values: Rows::packed(values, shape.value_dim),
            allowed: shape::allowed(mask, shape.keys)?,
        })
    }

    /// Rows of which none may take part.
    pub fn held(shape: Shape, keys: &'a [f32], values: &'a [f32], mask: &[bool]) -> Self {
        let allowed = mask.iter().enumerate().filter_map(|(key, &keep)| keep.then_some(key)).collect();
        Chunk {
            keys: Rows::packed(keys, shape.dim),
            values: Rows::packed(values, shape.value_dim),
            allowed: Some(allowed),
        }
    }

    /// The rows from `start` to before `end` that take part.
    fn pick(&self, start: usize, end: usize) -> Pick<'_> {
        match &self.allowed {
            None => Pick::Range { start, len: end.saturating_sub(start) },
            Some(allowed) => {
                let place = |limit: usize| allowed.partition_point(|&key| key < limit);
                Pick::List(allowed.get(place(start)..place(end)).unwrap_or(&[]))
            }
        }
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
        let mut reader = Reader::default();
        let mut seen = 0;
        let pairs = queries.chunks_exact(dim).zip(out.chunks_exact_mut(value_dim));
        for (index, (query, result)) in pairs.enumerate() {
            let end = visible(index);
            if end > seen || index == 0 {
                self.absorb(kernel, chunk, seen, end);
                reader.load(self);
                seen = end;
            }
            if self.keys == 0 {
                return Err(Error::NoVisibleKey { query: index });
            }
            reader.answer(kernel, self, query, result);
        }
        Ok(())
    }

    /// Adds the keys from `start` to before `end`.
    pub fn absorb(&mut self, kernel: Kernel, chunk: &Chunk<'_>, start: usize, end: usize) {
        let (dim, value_dim) = (self.features.len(), chunk.values.width());
        let all = chunk.pick(start, end);
        // One row a feature, so that a row is the list of weights its values are summed with.
        let mut transposed = Vec::new();
        let mut total = vec![0.0_f32; value_dim];
        for from in (0..all.len()).step_by(BLOCK) {
            let block = all.part(from, BLOCK);
            transposed.clear();
            transposed.resize(dim * block.len(), 0.0_f32);
            for (place, column) in (0..block.len()).enumerate() {
                let key = chunk.keys.get(block.row(column)).unwrap_or(&[]);
                for (row, &value) in transposed.chunks_exact_mut(block.len()).zip(key) {
                    if let Some(element) = row.get_mut(place) {
                        *element = value;
                    }
                }
            }
            kernel.feature_map(&mut transposed);
            let rows = transposed.chunks_exact(block.len()).zip(self.products.chunks_exact_mut(value_dim));
            for ((weights, products), feature) in rows.zip(&mut self.features) {
                total.fill(0.0);
                kernel.accumulate(weights, chunk.values, block, &mut total);
                products.iter_mut().zip(&total).for_each(|(sum, addend)| *sum += f64::from(*addend));
                *feature += weights.iter().map(|&weight| f64::from(weight)).sum::<f64>();
            }
            self.keys += block.len();
        }
    }
}

/// A single-precision copy of the sums, from which queries are answered.
#[derive(Default)]
pub(crate) struct Reader {
    products: Vec<f32>,
    query: Vec<f32>,
}

impl Reader {
    /// Copies the sums as they stand.
    pub fn load(&mut self, sums: &Sums) {
        self.products.clear();
        self.products.extend(sums.products.iter().map(|&sum| sum as f32));
    }

    /// φ(q)·Σ φ(k)vᵀ / φ(q)·Σ φ(k).
    pub fn answer(&mut self, kernel: Kernel, sums: &Sums, query: &[f32], result: &mut [f32]) {
        self.query.clear();
        self.query.extend_from_slice(query);
        kernel.feature_map(&mut self.query);
        let norm: f64 = self.query.iter().zip(&sums.features).map(|(&q, sum)| f64::from(q) * sum).sum();
        result.fill(0.0);
        let rows = Rows::packed(&self.products, result.len());
        kernel.accumulate(&self.query, rows, Pick::first(self.query.len()), result);
        result.iter_mut().for_each(|x| *x = (f64::from(*x) / norm) as f32);
    }
}
