//! Many queries at once: scores and weighted sums as products of tiles of matrices, with the same online softmax.
//!
//! Keys and values are packed once a head into the panels that the micro-kernel reads; what a mask leaves out is never
//! packed. Then each tile of queries walks the blocks of keys.
//!
//! Source: Dao et al., "FlashAttention", 2022, for the order of the tiles.

use super::engine::{Mechanism, Memory};
use super::softmax::{Dropout, Partial, BLOCK};
use crate::dispatch::Kernel;
use crate::kernels::panels::{across, along, Matrices};
use crate::kernels::rows::{Pick, Rows};
use alloc::vec;
use alloc::vec::Vec;

/// Queries a tile: a multiple of every micro-kernel's rows, and few enough that their scores over a block of keys stay
/// in the first-level cache.
pub(crate) const TILE: usize = 24;

/// From this many queries on, packing the keys costs less than it saves.
const WORTH_PACKING: usize = 8;

/// Keys and values of one head in panels, block after block of keys.
struct Packed {
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
}

impl Packed {
    fn new(kernel: Kernel, keys: Rows<'_>, values: Rows<'_>, pick: Pick<'_>) -> Self {
        let blocks = (0..pick.len()).step_by(BLOCK).map(|from| pick.part(from, BLOCK));
        Packed {
            keys: blocks.clone().map(|block| across(kernel.panel_width(), keys, block)).collect(),
            values: blocks.map(|block| along(kernel.panel_width(), values, block)).collect(),
        }
    }
}

/// Whether these queries are enough for tiles, and their mechanism is one that tiles know.
pub(crate) fn is_worth_it(memory: &Memory<'_>) -> bool {
    memory.shape.queries >= WORTH_PACKING && matches!(memory.mechanism, Mechanism::Dot { .. })
}

/// Scaled dot-product attention of all queries with all heads, each query over the first `visible(query)` keys.
///
/// Hands the sums of each query and head to `take`.
pub(crate) fn attend(
    memory: &Memory<'_>,
    queries: &[f32],
    visible: &dyn Fn(usize) -> usize,
    dropout: Option<Dropout>,
    mut take: impl FnMut(usize, usize, &Partial),
) {
    let everything = memory.pick(memory.shape.keys);
    for head in 0..memory.mechanism.heads() {
        let task = memory.task(&[], 1.0, 0, head);
        let packed = Packed::new(memory.kernel, task.keys, task.values, everything);
        let mut tile = Tile::new(memory, head, &packed, dropout);
        for first in (0..memory.shape.queries).step_by(TILE) {
            let end = memory.shape.queries.min(first + TILE);
            tile.visible.clear();
            tile.visible.extend((first..end).map(|query| memory.pick(visible(query)).len()));
            tile.attend(first, queries);
            (first..end).zip(&tile.partials).for_each(|(query, partial)| take(query, head, partial));
        }
    }
}

/// Buffers of one tile of queries of one head.
struct Tile<'a> {
    memory: &'a Memory<'a>,
    head: usize,
    packed: &'a Packed,
    dropout: Option<Dropout>,
    /// Keys that each query of the tile sees, counted among those that take part.
    visible: Vec<usize>,
    queries: Vec<f32>,
    scores: Vec<f32>,
    products: Vec<f32>,
    partials: Vec<Partial>,
}

impl<'a> Tile<'a> {
    fn new(memory: &'a Memory<'a>, head: usize, packed: &'a Packed, dropout: Option<Dropout>) -> Self {
        let heads = memory.mechanism.heads();
        let (width, value_width) = (memory.shape.dim / heads, memory.shape.value_dim / heads);
        Tile {
            memory,
            head,
            packed,
            dropout,
            visible: Vec::with_capacity(TILE),
            queries: vec![0.0; TILE * width],
            scores: vec![0.0; TILE * BLOCK],
            products: vec![0.0; TILE * value_width.next_multiple_of(memory.kernel.panel_width())],
            partials: vec![Partial::new(value_width); TILE],
        }
    }

    /// Attends with the queries from `first` on, as many as `self.visible` counts keys for.
    fn attend(&mut self, first: usize, queries: &[f32]) {
        let (kernel, shape) = (self.memory.kernel, self.memory.shape);
        let heads = self.memory.mechanism.heads();
        let (width, value_width) = (shape.dim / heads, shape.value_dim / heads);
        let count = self.visible.len();
        let rows = queries.chunks_exact(shape.dim).skip(first);
        // Scaled here, once, instead of every score.
        let scale = (1.0 / libm::sqrt(width as f64)) as f32;
        for (to, from) in self.queries.chunks_exact_mut(width).zip(rows) {
            let from = from.get(self.head * width..).unwrap_or(&[]);
            to.iter_mut().zip(from).for_each(|(to, from)| *to = from * scale);
        }
        self.partials.iter_mut().for_each(Partial::reset);
        let last = self.visible.iter().copied().max().unwrap_or(0);
        let stride = value_width.next_multiple_of(kernel.panel_width());
        for (from, (keys, values)) in
            (0..last).step_by(BLOCK).zip(self.packed.keys.iter().zip(&self.packed.values))
        {
            // In causal order the tile may see the first keys of a block only.
            let (len, panel) = (values.len() / stride, kernel.panel_width());
            let seen = len.min(last - from);
            kernel.multiply(Matrices {
                a: &self.queries,
                a_stride: width,
                a_step: 1,
                rows: count,
                b: keys.get(..seen.div_ceil(panel) * panel * width).unwrap_or(keys),
                b_rows: width,
                depth: width,
                c: &mut self.scores,
                c_stride: BLOCK,
            });
            self.weigh(first, from, seen);
            kernel.multiply(Matrices {
                a: &self.scores,
                a_stride: BLOCK,
                a_step: 1,
                rows: count,
                b: values,
                b_rows: len,
                depth: seen,
                c: &mut self.products,
                c_stride: stride,
            });
            for (partial, products) in self.partials.iter_mut().zip(self.products.chunks_exact(stride)) {
                partial.total.iter_mut().zip(products).for_each(|(sum, &x)| *sum += f64::from(x));
            }
        }
    }

    /// Turns the scores of the block that starts at key `from` into weights.
    fn weigh(&mut self, first: usize, from: usize, len: usize) {
        let kernel = self.memory.kernel;
        let heads = self.memory.mechanism.heads() as u64;
        let rows = self.scores.chunks_exact_mut(BLOCK).zip(&mut self.partials).zip(&self.visible);
        for (index, ((row, partial), visible)) in rows.enumerate() {
            let seen = visible.saturating_sub(from).min(len);
            let (scores, unseen) = row.split_at_mut(seen);
            unseen.fill(0.0);
            let stream = ((first + index) as u64).wrapping_mul(heads).wrapping_add(self.head as u64);
            match partial.weigh(kernel, scores) {
                Some(sum) => partial.sum += sum,
                None => scores.fill(0.0),
            }
            if let Some(dropout) = self.dropout {
                let block = self.memory.pick(self.memory.shape.keys).part(from, seen);
                dropout.apply(stream, block, scores);
            }
        }
    }
}
