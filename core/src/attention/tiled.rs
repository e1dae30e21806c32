//! Many queries at once: scores and weighted sums as products of tiles of matrices, with the same online softmax.
//!
//! Keys and values are packed once a head into the panels that the micro-kernel reads; what a mask leaves out is never
//! packed. Then each tile of queries walks the blocks of keys; tiles depend on nothing but the packed head, so any
//! number of threads may share it.
//!
//! Source: Dao et al., "FlashAttention", 2022, for the order of the tiles.

use super::ball::{gathered, Ball};
use super::common::Mechanism;
use super::dropout::Dropout;
use super::memory::Memory;
use super::partial::Partial;
use super::softmax::{sized, Geometry, Task, BLOCK};
use super::workspace::Room;
use crate::dispatch::has_lost;
use crate::kernels::panels::Matrices;
use crate::kernels::rows::{Pick, Rows};
use alloc::vec::Vec;

/// Queries a tile: a multiple of every micro-kernel's rows, so many that a block of packed keys and values, once it is in
/// the second-level cache, serves often.
pub(crate) const TILE: usize = 96;

/// Queries whose scores stay in the first-level cache together with one panel of keys.
const GROUP: usize = 12;

/// Keys whose scores are computed together: more than a block, because each time costs a few steps a query.
const SCORES: usize = 4 * BLOCK;

/// From this many queries on, packing the keys costs less than it saves.
const WORTH_PACKING: usize = 8;

/// Keys and values of one head in panels, block after block of keys; the buffers serve again.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    keys: Vec<f32>,
    values: Vec<f32>,
    /// In the ball, what else belongs to each key.
    points: Points,
    /// Number of keys.
    len: usize,
}

/// What the ball needs of keys and values, in the order of the panels.
#[derive(Debug, Default)]
struct Points {
    /// ‖k‖².
    norms: Vec<f32>,
    /// 1 − c‖k‖².
    gaps: Vec<f64>,
    /// λ − 1 of each value, which is packed times λ.
    factors: Vec<f32>,
}

impl Points {
    fn pack(&mut self, ball: &Ball<'_>, task: &Task<'_>, pick: Pick<'_>) {
        let norms = sized(&mut self.gaps, pick.len());
        task.kernel.squared_norms(task.keys, pick, f64::INFINITY, norms);
        self.norms.clear();
        self.norms.extend(norms.iter().map(|&norm| norm as f32));
        let Some(known) = ball.known else { return };
        gathered(known.keys, pick, &mut self.gaps);
        self.factors.clear();
        let gap = |i| known.values.get(pick.row(i)).copied().unwrap_or(1.0);
        self.factors.extend((0..pick.len()).map(|i| (2.0 / gap(i) - 1.0) as f32));
    }

    /// Multiplies a block of packed values, of the keys from `from` on, by their λ.
    fn scale(&self, from: usize, panel: usize, values: &mut [f32]) {
        let factors = self.factors.get(from..).unwrap_or(&[]);
        let len = factors.len().min(BLOCK);
        for panel in values.chunks_exact_mut(len * panel) {
            for (line, factor) in panel.chunks_exact_mut(panel.len() / len).zip(factors) {
                line.iter_mut().for_each(|x| *x *= factor + 1.0);
            }
        }
    }
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
        if let Geometry::Ball(ball) = &task.geometry {
            self.points.pack(ball, &task, pick);
            for (index, values) in self.values.chunks_mut(BLOCK * stride).enumerate() {
                self.points.scale(index * BLOCK, kernel.panel_width(), values);
            }
        }
    }

    /// The packed keys from the one at `from` on, `len` of them and what fills their last panel.
    fn keys(&self, from: usize, len: usize, widths: Widths) -> &[f32] {
        let start = from * widths.key;
        self.keys.get(start..start + len.next_multiple_of(widths.panel) * widths.key).unwrap_or(&[])
    }

    /// The packed values of the block that starts at `from`, and how many they are.
    fn values(&self, from: usize, widths: Widths) -> (&[f32], usize) {
        let len = BLOCK.min(self.len.saturating_sub(from));
        (self.values.get(from * widths.stride..(from + len) * widths.stride).unwrap_or(&[]), len)
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

/// Whether these queries are enough for tiles.
pub(crate) fn is_worth_it(queries: usize) -> bool {
    queries >= WORTH_PACKING
}

/// Buffers of one tile of queries of one head, for one thread; they serve again.
#[derive(Debug, Default)]
pub(crate) struct TileScratch {
    /// Keys that each query of the tile sees, counted among those that take part.
    visible: Vec<usize>,
    queries: Vec<f32>,
    /// In the ball, ‖q‖² of each query.
    norms: Vec<f64>,
    scores: Vec<f32>,
    products: Vec<f32>,
    partials: Vec<Partial>,
}

impl Room for TileScratch {
    fn match_room(&mut self, other: &Self) {
        let TileScratch { visible, queries, norms, scores, products, partials } = self;
        visible.match_room(&other.visible);
        queries.match_room(&other.queries);
        norms.match_room(&other.norms);
        scores.match_room(&other.scores);
        products.match_room(&other.products);
        partials.match_room(&other.partials);
    }
}

impl TileScratch {
    /// The running sums of the last tile's queries.
    pub fn partials(&self) -> &[Partial] {
        self.partials.get(..self.visible.len()).unwrap_or(&self.partials)
    }

    fn prepare(&mut self, count: usize, widths: Widths) {
        self.queries.resize(TILE * widths.key, 0.0);
        self.scores.resize(GROUP * SCORES, 0.0);
        self.products.resize(GROUP * widths.stride, 0.0);
        self.partials.resize_with(TILE, || Partial::new(widths.value));
        let own = self.partials.iter_mut().take(count);
        own.for_each(|partial| partial.reset(widths.value));
    }
}

/// One head of all queries with its packed keys and values.
pub(crate) struct Head<'a> {
    pub memory: &'a Memory<'a>,
    pub packed: &'a Packed,
    /// The queries of all heads.
    pub queries: &'a [f32],
    /// 1 − c‖q‖² of each query; 1 outside the ball.
    pub query_gaps: &'a [f64],
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
        scratch.prepare(count, widths);
        scratch.visible.clear();
        let seen = |query| self.memory.pick(visible(query)).len();
        scratch.visible.extend((first..first + count.min(TILE)).map(seen));
        self.prepare(first, widths, scratch);
        let last = scratch.visible.iter().copied().max().unwrap_or(0);
        for from in (0..last).step_by(SCORES) {
            for group in (0..count).step_by(GROUP) {
                self.attend_block(first, group, from, widths, scratch);
            }
        }
    }

    /// Copies the tile's queries times what their products with keys need: here, once, instead of every product.
    fn prepare(&self, first: usize, widths: Widths, scratch: &mut TileScratch) {
        let dim = self.memory.shape.dim;
        let scale = match self.task(first).geometry {
            Geometry::Dot { scale } => scale as f32,
            Geometry::Ball(_) => {
                let norms = sized(&mut scratch.norms, scratch.visible.len());
                let pick = Pick::Range { start: first, len: norms.len() };
                let rows = Rows::packed(self.queries, dim);
                self.memory.kernel.squared_norms(rows, pick, f64::INFINITY, norms);
                -2.0
            }
        };
        let rows = self.queries.chunks_exact(dim).skip(first);
        for (to, from) in scratch.queries.chunks_exact_mut(widths.key).zip(rows) {
            let from = from.get(self.index * widths.key..).unwrap_or(&[]);
            to.iter_mut().zip(from).for_each(|(to, from)| *to = from * scale);
        }
    }

    /// One query of this head.
    fn task(&self, query: usize) -> Task<'_> {
        let dim = self.memory.shape.dim;
        let row = self.queries.get(query * dim..(query + 1) * dim).unwrap_or(&[]);
        let gap = self.query_gaps.get(query).copied().unwrap_or(1.0);
        self.memory.task(row, gap, query, self.index, self.dropout)
    }

    /// Adds the keys that start at `from`, as many as are scored together, to the group of queries that starts at `group` in the tile.
    fn attend_block(
        &self,
        first: usize,
        group: usize,
        from: usize,
        widths: Widths,
        scratch: &mut TileScratch,
    ) {
        let kernel = self.memory.kernel;
        let TileScratch { visible, queries, norms, scores, products, partials } = scratch;
        let visible = visible.get(group..visible.len().min(group + GROUP)).unwrap_or(&[]);
        let partials = partials.get_mut(group..group + visible.len()).unwrap_or(&mut []);
        // In causal order the group may see the first of these keys only, or none.
        let last = visible.iter().copied().max().unwrap_or(0);
        let seen = last.saturating_sub(from).min(SCORES);
        if seen == 0 {
            return;
        }
        kernel.multiply(Matrices {
            a: queries.get(group * widths.key..).unwrap_or(&[]),
            a_stride: widths.key,
            a_step: 1,
            rows: visible.len(),
            b: self.packed.keys(from, seen, widths),
            b_rows: widths.key,
            depth: widths.key,
            c: scores,
            c_stride: SCORES,
            ahead: [&[]; 2],
        });
        let rows = scores.chunks_exact_mut(SCORES).zip(partials.iter_mut()).zip(visible);
        for (i, ((row, partial), visible)) in rows.enumerate() {
            let row = row.get_mut(..seen).unwrap_or(&mut []);
            let (row, unseen) = row.split_at_mut(visible.saturating_sub(from).min(row.len()));
            unseen.fill(0.0);
            let norm = norms.get(group + i).copied().unwrap_or(0.0);
            self.weigh(first + group + i, from, norm, row, partial);
        }
        // Sums of values are in `f32` over a block, and in `f64` from block to block.
        for start in (0..seen).step_by(BLOCK) {
            let (values, len) = self.packed.values(from + start, widths);
            kernel.multiply(Matrices {
                a: scores.get(start..).unwrap_or(&[]),
                a_stride: SCORES,
                a_step: 1,
                rows: visible.len(),
                b: values,
                b_rows: len,
                depth: len.min(seen - start),
                c: products,
                c_stride: widths.stride,
                ahead: [&[]; 2],
            });
            for (partial, products) in partials.iter_mut().zip(products.chunks_exact(widths.stride)) {
                kernel.add(products, &mut partial.total);
            }
        }
    }

    /// Turns the products of one query, whose squared norm is `norm`, with the keys from `from` on into weights.
    fn weigh(&self, query: usize, from: usize, norm: f64, row: &mut [f32], partial: &mut Partial) {
        if row.is_empty() {
            return;
        }
        let kernel = self.memory.kernel;
        let block = self.memory.pick(self.memory.shape.keys).part(from, row.len());
        if matches!(self.memory.mechanism, Mechanism::Ball { .. }) {
            self.score_points(&self.task(query), block, from, norm as f32, row);
        }
        // Only large scores need the task.
        let sum = partial.weigh(kernel, row, |i| self.task(query).exact_score(block.row(i)));
        if sum.is_none() {
            row.fill(0.0);
        }
        if let Some(dropout) = self.dropout {
            dropout.apply(self.task(query).stream, block, row);
        }
        partial.sum += match self.memory.mechanism {
            Mechanism::Ball { .. } => {
                let factors = self.packed.points.factors.get(from..from + row.len()).unwrap_or(&[]);
                let mut sum = 0.0;
                let only = core::slice::from_mut(&mut sum);
                kernel.products(row, Rows::packed(factors, row.len()), Pick::first(1), 1.0, only);
                f64::from(sum)
            }
            _ => sum.unwrap_or(0.0),
        };
    }

    /// Turns products −2·q·k into scores in the ball; distances that lost digits are computed anew.
    fn score_points(&self, task: &Task<'_>, block: Pick<'_>, from: usize, norm: f32, row: &mut [f32]) {
        // In parts, so that one near key does not cost a look at all of them.
        const PART: usize = 64;
        let Points { norms, gaps, .. } = &self.packed.points;
        let norms = norms.get(from..from + row.len()).unwrap_or(&[]);
        let gaps = gaps.get(from..from + row.len()).unwrap_or(&[]);
        let Geometry::Ball(ball) = &task.geometry else { return };
        for (part, (row, norms)) in row.chunks_mut(PART).zip(norms.chunks(PART)).enumerate() {
            if task.kernel.distances(row, norms, norm) {
                again(task, block.part(part * PART, PART), norm, norms, row);
            }
        }
        task.kernel.ball_scores(row, gaps, ball.c, ball.query_gap);
    }
}

/// Computes those squared distances anew that lost digits; all of them where that is less work.
fn again(task: &Task<'_>, keys: Pick<'_>, norm: f32, norms: &[f32], row: &mut [f32]) {
    let lost = |squared: f32, key_norm: f32| has_lost(squared, norm + key_norm);
    let count = row.iter().zip(norms).filter(|&(&squared, &key_norm)| lost(squared, key_norm)).count();
    if count > row.len() / 8 {
        return task.kernel.squared_distances(task.query, task.keys, keys, row);
    }
    for (i, (squared, &key_norm)) in row.iter_mut().zip(norms).enumerate() {
        if lost(*squared, key_norm) {
            let only = core::slice::from_mut(squared);
            task.kernel.squared_distances(task.query, task.keys, keys.part(i, 1), only);
        }
    }
}
