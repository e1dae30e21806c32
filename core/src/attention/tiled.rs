//! Many queries at once: scores and weighted sums as products of tiles of matrices, with the same online softmax.
//!
//! Keys and values are packed once a head into the panels that the micro-kernel reads; what a mask leaves out is never
//! packed. Then each tile of queries walks the blocks of keys; tiles depend on nothing but the packed head, so any
//! number of threads may share it.
//!
//! Source: Dao et al., "FlashAttention", 2022, for the order of the tiles.

use super::common::Mechanism;
use super::dropout::Dropout;
use super::memory::Memory;
use super::partial::Partial;
use super::softmax::BLOCK;
use crate::kernels::panels::Matrices;
use alloc::vec::Vec;

/// Queries a tile: a multiple of every micro-kernel's rows, so many that a block of packed keys and values, once it is in
/// the second-level cache, serves often.
pub(crate) const TILE: usize = 96;

/// Queries whose scores over a block of keys stay in the first-level cache together with one panel of keys.
const GROUP: usize = 24;

/// From this many queries on, packing the keys costs less than it saves.
const WORTH_PACKING: usize = 8;

/// Keys and values of one head in panels, block after block of keys; the buffers serve again.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    keys: Vec<f32>,
    values: Vec<f32>,
    /// Number of keys.
    len: usize,
}

impl Packed {
    /// Packs the keys of this head that take part.
    pub fn pack(&mut self, memory: &Memory<'_>, head: usize) {
        let task = memory.task(&[], 1.0, 0, head, None);
        let pick = memory.pick(memory.shape.keys);
        let (kernel, stride) = (memory.kernel, memory.kernel.padded(task.values.width()));
        self.len = pick.len();
        self.keys.resize(kernel.padded(self.len) * task.keys.width(), 0.0);
        self.values.resize(self.len * stride, 0.0);
        // Panels of keys follow each other in the same order with blocks and without: a block is a multiple of a panel.
        kernel.across(task.keys, pick, &mut self.keys);
        for (index, values) in self.values.chunks_mut(BLOCK * stride).enumerate() {
            kernel.along(task.values, pick.part(index * BLOCK, BLOCK), values);
        }
    }

    /// The packed keys and values of the block that starts at key `from`, and how many there are.
    fn block(&self, from: usize, widths: Widths) -> (&[f32], &[f32], usize) {
        let len = BLOCK.min(self.len.saturating_sub(from));
        let part = |all: &'_ [f32], width: usize, rows: usize| {
            let start = (from * width).min(all.len());
            start..(start + rows * width).min(all.len())
        };
        let keys = self.keys.get(part(&self.keys, widths.key, len.next_multiple_of(widths.panel)));
        let values = self.values.get(part(&self.values, widths.stride, len));
        (keys.unwrap_or(&[]), values.unwrap_or(&[]), len)
    }
}

/// Widths of one head.
#[derive(Clone, Copy)]
struct Widths {
    key: usize,
    value: usize,
    panel: usize,
    /// Elements of a value padded to whole panels.
    stride: usize,
}

impl Widths {
    fn new(memory: &Memory<'_>) -> Self {
        let heads = memory.mechanism.heads();
        let (value, panel) = (memory.shape.value_dim / heads, memory.kernel.panel_width());
        Widths { key: memory.shape.dim / heads, value, panel, stride: value.next_multiple_of(panel) }
    }
}

/// Whether these queries are enough for tiles, and their mechanism is one that tiles know.
pub(crate) fn is_worth_it(mechanism: Mechanism, queries: usize) -> bool {
    queries >= WORTH_PACKING && matches!(mechanism, Mechanism::Dot { .. })
}

/// Buffers of one tile of queries of one head, for one thread; they serve again.
#[derive(Debug, Default)]
pub(crate) struct TileScratch {
    /// Keys that each query of the tile sees, counted among those that take part.
    visible: Vec<usize>,
    queries: Vec<f32>,
    scores: Vec<f32>,
    products: Vec<f32>,
    partials: Vec<Partial>,
}

impl TileScratch {
    /// The running sums of the last tile's queries.
    pub fn partials(&self) -> &[Partial] {
        self.partials.get(..self.visible.len()).unwrap_or(&self.partials)
    }

    fn prepare(&mut self, widths: Widths) {
        self.queries.resize(TILE * widths.key, 0.0);
        self.scores.resize(GROUP * BLOCK, 0.0);
        self.products.resize(GROUP * widths.stride, 0.0);
        self.partials.resize_with(TILE, || Partial::new(widths.value));
        self.partials.iter_mut().for_each(|partial| partial.reset(widths.value));
    }
}

/// One head of all queries with its packed keys and values.
pub(crate) struct Head<'a> {
    pub memory: &'a Memory<'a>,
    pub packed: &'a Packed,
    /// The queries of all heads.
    pub queries: &'a [f32],
    pub index: usize,
    pub dropout: Option<Dropout>,
}

impl Head<'_> {
    /// Attends with `count` ≤ [`TILE`] queries from `first` on, each over the first `visible(query)` keys; leaves their
    /// running sums in the scratch.
    pub fn attend_tile(
        &self,
        first: usize,
        count: usize,
        visible: &dyn Fn(usize) -> usize,
        scratch: &mut TileScratch,
    ) {
        let widths = Widths::new(self.memory);
        scratch.prepare(widths);
        scratch.visible.clear();
        let seen = |query| self.memory.pick(visible(query)).len();
        scratch.visible.extend((first..first + count.min(TILE)).map(seen));
        self.scale(first, widths, &mut scratch.queries);
        let last = scratch.visible.iter().copied().max().unwrap_or(0);
        for from in (0..last).step_by(BLOCK) {
            for group in (0..count).step_by(GROUP) {
                self.attend_block(first, group, from, widths, scratch);
            }
        }
    }

    /// Copies the tile's queries, scaled here, once, instead of every score.
    fn scale(&self, first: usize, widths: Widths, to: &mut [f32]) {
        let scale = (1.0 / libm::sqrt(widths.key as f64)) as f32;
        let rows = self.queries.chunks_exact(self.memory.shape.dim).skip(first);
        for (to, from) in to.chunks_exact_mut(widths.key).zip(rows) {
            let from = from.get(self.index * widths.key..).unwrap_or(&[]);
            to.iter_mut().zip(from).for_each(|(to, from)| *to = from * scale);
        }
    }

    /// Adds the block of keys that starts at `from` to the group of queries that starts at `group` in the tile.
    fn attend_block(
        &self,
        first: usize,
        group: usize,
        from: usize,
        widths: Widths,
        scratch: &mut TileScratch,
    ) {
        let kernel = self.memory.kernel;
        let (keys, values, len) = self.packed.block(from, widths);
        let TileScratch { visible, queries, scores, products, partials } = scratch;
        let visible = visible.get(group..visible.len().min(group + GROUP)).unwrap_or(&[]);
        let partials = partials.get_mut(group..group + visible.len()).unwrap_or(&mut []);
        // In causal order the group may see the first keys of a block only, or none.
        let last = visible.iter().copied().max().unwrap_or(0);
        let seen = last.saturating_sub(from).min(len);
        if seen == 0 {
            return;
        }
        kernel.multiply(Matrices {
            a: queries.get(group * widths.key..).unwrap_or(&[]),
            a_stride: widths.key,
            a_step: 1,
            rows: visible.len(),
            b: keys.get(..seen.next_multiple_of(widths.panel) * widths.key).unwrap_or(keys),
            b_rows: widths.key,
            depth: widths.key,
            c: scores,
            c_stride: BLOCK,
        });
        for (i, ((row, partial), visible)) in
            scores.chunks_exact_mut(BLOCK).zip(partials.iter_mut()).zip(visible).enumerate()
        {
            let row = row.get_mut(..seen).unwrap_or(&mut []);
            self.weigh(first + group + i, from, visible.saturating_sub(from), row, partial);
        }
        kernel.multiply(Matrices {
            a: scores,
            a_stride: BLOCK,
            a_step: 1,
            rows: visible.len(),
            b: values,
            b_rows: len,
            depth: seen,
            c: products,
            c_stride: widths.stride,
        });
        for (partial, products) in partials.iter_mut().zip(products.chunks_exact(widths.stride)) {
            kernel.add(products, &mut partial.total);
        }
    }

    /// Turns the scores of one query over the block that starts at key `from` into weights; only the first `visible` are
    /// seen.
    fn weigh(&self, query: usize, from: usize, visible: usize, row: &mut [f32], partial: &mut Partial) {
        let (scores, unseen) = row.split_at_mut(visible.min(row.len()));
        unseen.fill(0.0);
        let (memory, dim) = (self.memory, self.memory.shape.dim);
        let block = memory.pick(memory.shape.keys).part(from, scores.len());
        let own = self.queries.get(query * dim..).unwrap_or(&[]);
        let task = memory.task(own, 1.0, query, self.index, self.dropout);
        match partial.weigh(memory.kernel, scores, |i| task.exact_score(block.row(i))) {
            Some(sum) => partial.sum += sum,
            None => scores.fill(0.0),
        }
        if let Some(dropout) = self.dropout {
            dropout.apply(task.stream, block, scores);
        }
    }
}
