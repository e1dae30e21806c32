//! One call of a softmax mechanism: its parts, spread over threads, and their sums.
//!
//! How a call is divided depends on its shape alone, and sums are joined in the order of the keys: any number of
//! threads gives the same bits (D50).

use super::common::Common;
use super::dropout::Dropout;
use super::memory::{self, Memory};
use super::partial::Partial;
use super::softmax::{sized, Best, Task};
use super::tiled::{self, Head, Packed, TILE};
use super::workspace::{Hand, Hands, Sums, Workspace};
use crate::error::{Error, Result};
use crate::inputs::Inputs;
use crate::kernels::rows::Pick;
use crate::options::Options;
use crate::shape;
use crate::threads::Threads;

/// What takes the finished sums of a query and head; called once for each, in any order.
pub(crate) type Take<'a> = dyn FnMut(usize, usize, &Partial) + Send + 'a;

/// Queries over a memory.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub memory: &'a Memory<'a>,
    pub queries: &'a [f32],
    /// 1 − c‖q‖² of each query; 1 outside the ball.
    pub query_gaps: &'a [f64],
    /// Number of leading keys that a query sees.
    pub visible: &'a (dyn Fn(usize) -> usize + Sync),
    pub neighbors: Option<usize>,
    pub dropout: Option<Dropout>,
}

/// One call of a softmax mechanism.
pub(crate) fn forward(
    common: &Common,
    inputs: &Inputs<'_>,
    options: &Options<'_>,
    workspace: &mut Workspace,
    out: &mut [f32],
) -> Result<()> {
    let (mechanism, settings) = (common.mechanism, &common.settings);
    let options = settings.complete(options);
    let shape = inputs.check(common.dim)?;
    mechanism.check_widths(inputs.values.len(), &shape)?;
    shape.check_output(out)?;
    let neighbors = shape::neighbors(&options)?.filter(|&k| k < shape.keys);
    let Workspace { memory: buffers, query_gaps, hands, .. } = workspace;
    let tensors = (inputs.keys, inputs.values);
    let prepare = neighbors.is_some() || tiled::is_worth_it(shape.queries);
    let what = (mechanism, settings.kernel, shape);
    let memory = Memory::new(what, tensors, options.mask, prepare, buffers)?;
    memory::query_gaps(mechanism, inputs.queries, shape.dim, settings.kernel, query_gaps)?;
    let visible = |query: usize| shape.visible(query, options.causal);
    if let Some(query) = (0..shape.queries).find(|&query| memory.pick(visible(query)).len() == 0) {
        return Err(Error::NoVisibleKey { query });
    }
    let call = Call {
        memory: &memory,
        queries: inputs.queries,
        query_gaps,
        visible: &visible,
        neighbors,
        dropout: settings.dropout(&options),
    };
    let heads = mechanism.heads();
    let width = shape.value_dim / heads;
    let outcome = call.run(&settings.threads, hands, &mut |query, head, partial| {
        let start = query * shape.value_dim + head * width;
        if let Some(result) = out.get_mut(start..start + width) {
            partial.finish(settings.kernel, mechanism.curvature(), result);
        }
    });
    hands.even();
    outcome?;
    inputs.blame(out)
}

impl Call<'_> {
    /// Computes all sums and hands those of each query and head to `take`.
    ///
    /// Errors: in the ball, the first row found outside it.
    pub fn run(&self, threads: &Threads, hands: &mut Hands, take: &mut Take<'_>) -> Result<()> {
        let memory = self.memory;
        if self.neighbors.is_none() && tiled::is_worth_it(memory.shape.queries) && !memory.near_boundary {
            self.run_tiles(threads, hands, take);
            return Ok(());
        }
        let segments = Segments::of(memory);
        match self.neighbors {
            _ if segments.count == 1 => self.run_queries(threads, hands, take),
            None => self.run_segments(segments, threads, hands, take),
            Some(k) => {
                self.run_best(k, segments, threads, hands, take);
                Ok(())
            }
        }
    }

    /// Nanoseconds that one thread needs, roughly: the keys and values that every query reads.
    fn duration(&self) -> f64 {
        let shape = self.memory.shape;
        let read = shape.queries as f64 * shape.keys as f64 * (shape.dim + shape.value_dim) as f64;
        read * (0.3 / self.memory.kernel.lanes() as f64).max(0.05)
    }

    /// Queries as parts, each with all its keys.
    fn run_queries(&self, threads: &Threads, hands: &mut Hands, take: &mut Take<'_>) -> Result<()> {
        let (heads, queries) = (self.memory.mechanism.heads(), self.memory.shape.queries);
        let hands = hands.of(threads.worth(self.duration()));
        let work = |hand: &mut Hand, query: usize| self.attend(query, hand);
        let mut faults = Faults::default();
        threads.run(hands, queries, &work, &mut |query, hand| {
            faults.note(query, hand);
            (0..heads).zip(&hand.partials).for_each(|(head, partial)| take(query, head, partial));
        });
        faults.first()
    }

    /// Pairs of a query and a segment of the keys as parts.
    fn run_segments(
        &self,
        segments: Segments,
        threads: &Threads,
        hands: &mut Hands,
        take: &mut Take<'_>,
    ) -> Result<()> {
        let (heads, queries) = (self.memory.mechanism.heads(), self.memory.shape.queries);
        let worth = threads.worth(self.duration());
        let (hands, Sums { partials, .. }) = hands.with_sums(worth);
        let parts = queries * segments.count;
        partials.resize_with(partials.len().max(parts * heads), || Partial::new(0));
        // They change places with those of the hands: none may be the first to need room in a later call.
        let width = self.memory.shape.value_dim / heads;
        partials.iter_mut().take(parts * heads).for_each(|partial| partial.reset(width));
        let work = |hand: &mut Hand, part: usize| {
            let pick = segments.pick(self.pick(part / segments.count), part % segments.count);
            self.attend_keys(part / segments.count, pick, hand);
        };
        let mut faults = Faults::default();
        threads.run(hands, parts, &work, &mut |part, hand| {
            faults.note(part, hand);
            partials
                .iter_mut()
                .skip(part * heads)
                .take(heads)
                .zip(&mut hand.partials)
                .for_each(|(a, b)| core::mem::swap(a, b));
        });
        faults.first()?;
        for (query, sums) in partials.chunks_mut(segments.count * heads).take(queries).enumerate() {
            let (first, others) = sums.split_at_mut(heads);
            for (head, whole) in first.iter_mut().enumerate() {
                others.iter().skip(head).step_by(heads).for_each(|sum| whole.merge(sum));
                take(query, head, whole);
            }
        }
        Ok(())
    }

    /// Top-k of many keys: their scores by segments, then the selection.
    fn run_best(
        &self,
        k: usize,
        segments: Segments,
        threads: &Threads,
        hands: &mut Hands,
        take: &mut Take<'_>,
    ) {
        let (heads, keys) = (self.memory.mechanism.heads(), self.memory.shape.keys);
        let queries = self.memory.shape.queries;
        let worth = threads.worth(self.duration() / (2 * queries) as f64);
        let (hands, Sums { scores, .. }) = hands.with_sums(worth);
        let scores = sized(scores, heads * keys);
        for query in 0..queries {
            let pick = self.pick(query);
            let work = |hand: &mut Hand, part: usize| self.score(query, segments.pick(pick, part), hand);
            threads.run(hands, segments.count, &work, &mut |part, hand| {
                let (start, len) = (part * segments.rows, segments.pick(pick, part).len());
                for (head, part) in (0..heads).zip(hand.scores.chunks_exact(len.max(1))) {
                    let to = head * keys + start;
                    scores.get_mut(to..to + len).unwrap_or(&mut []).copy_from_slice(part);
                }
            });
            let Some(hand) = hands.first_mut().map(crate::threads::exclusive) else { return };
            self.select(query, k, scores, keys, hand);
            (0..heads).zip(&hand.partials).for_each(|(head, partial)| take(query, head, partial));
        }
    }

    /// Tiles of queries of one head as parts, after the heads were packed.
    fn run_tiles(&self, threads: &Threads, hands: &mut Hands, take: &mut Take<'_>) {
        let (memory, shape) = (self.memory, self.memory.shape);
        let (heads, tiles) = (memory.mechanism.heads(), shape.queries.div_ceil(TILE));
        let (hands, Sums { packed, .. }) = hands.with_sums(threads.worth(self.tiles_duration()));
        packed.resize_with(packed.len().max(heads), Packed::default);
        let packed = packed.get_mut(..heads).unwrap_or_default();
        threads.run_each(hands, packed, &|head, packed| packed.pack(memory, head));
        let packed = &*packed;
        let place = |part: usize| {
            // Head after head, whose packed keys then stay in the caches. In causal order the last tiles see the most keys:
            // they come first, so that no thread is left alone with one.
            (part / tiles, (tiles - 1 - part % tiles) * TILE)
        };
        let work = |hand: &mut Hand, part: usize| {
            let (index, first) = place(part);
            let Some(packed) = packed.get(index) else { return };
            let (queries, query_gaps) = (self.queries, self.query_gaps);
            let head = Head { memory, packed, queries, query_gaps, index, dropout: self.dropout };
            head.attend_tile(first, TILE.min(shape.queries - first), self.visible, &mut hand.tile);
        };
        threads.run(hands, heads * tiles, &work, &mut |part, hand| {
            let (head, first) = place(part);
            (first..).zip(hand.tile.partials()).for_each(|(query, partial)| take(query, head, partial));
        });
    }

    /// Nanoseconds that one thread needs, roughly: two floating-point operations a product.
    fn tiles_duration(&self) -> f64 {
        let shape = self.memory.shape;
        let products = shape.queries as f64 * shape.keys as f64 * (shape.dim + shape.value_dim) as f64;
        products * 0.2 / self.memory.kernel.lanes() as f64
    }

    /// The keys that a query sees.
    fn pick(&self, query: usize) -> Pick<'_> {
        self.memory.pick((self.visible)(query))
    }

    pub fn task(&self, query: usize, head: usize) -> Task<'_> {
        let dim = self.memory.shape.dim;
        let row = self.queries.get(query * dim..(query + 1) * dim).unwrap_or(&[]);
        let gap = self.query_gaps.get(query).copied().unwrap_or(1.0);
        self.memory.task(row, gap, query, head, self.dropout)
    }

    /// Attends with all heads of a query, and leaves their sums with the hand.
    fn attend(&self, query: usize, hand: &mut Hand) {
        let pick = self.pick(query);
        let Some(k) = self.neighbors.filter(|&k| k < pick.len()) else {
            return self.attend_keys(query, pick, hand);
        };
        self.score(query, pick, hand);
        let scores = core::mem::take(&mut hand.scores);
        self.select(query, k, &scores, pick.len(), hand);
        hand.scores = scores;
    }

    /// Attends to these keys: block by block with all heads, so that rows are read in the order of their addresses.
    fn attend_keys(&self, query: usize, pick: Pick<'_>, hand: &mut Hand) {
        self.empty(hand);
        let rows = self.memory.block_rows();
        for from in (0..pick.len()).step_by(rows) {
            let block = pick.part(from, rows);
            for (head, partial) in (0..self.memory.mechanism.heads()).zip(&mut hand.partials) {
                self.task(query, head).add_block(block, &mut hand.scratch, partial);
            }
        }
    }

    /// Scores of these keys, head after head.
    fn score(&self, query: usize, pick: Pick<'_>, hand: &mut Hand) {
        let heads = self.memory.mechanism.heads();
        let scores = sized(&mut hand.scores, heads * pick.len());
        for (head, scores) in scores.chunks_exact_mut(pick.len().max(1)).enumerate() {
            self.task(query, head).score(pick, scores, &mut hand.scratch);
        }
    }

    /// Attends to the k best keys of each head, whose scores stand `stride` apart.
    fn select(&self, query: usize, k: usize, scores: &[f32], stride: usize, hand: &mut Hand) {
        let pick = self.pick(query);
        self.empty(hand);
        for (head, (partial, scores)) in hand.partials.iter_mut().zip(scores.chunks_exact(stride)).enumerate()
        {
            let scores = scores.get(..pick.len()).unwrap_or(scores);
            self.task(query, head).add_best(pick, k, scores, &mut hand.scratch, partial);
        }
    }

    /// The k best keys that a head of a query sees.
    pub fn best<'h>(&self, query: usize, head: usize, hand: &'h mut Hand) -> &'h Best {
        let pick = self.pick(query);
        let scores = sized(&mut hand.scores, pick.len());
        self.task(query, head).score(pick, scores, &mut hand.scratch);
        hand.scratch.best.select(scores, pick, self.neighbors.unwrap_or(usize::MAX));
        &hand.scratch.best
    }

    /// Empties the hand's sums, one a head.
    fn empty(&self, hand: &mut Hand) {
        let heads = self.memory.mechanism.heads();
        let width = self.memory.shape.value_dim / heads;
        hand.partials.resize_with(hand.partials.len().max(heads), || Partial::new(width));
        hand.partials.iter_mut().take(heads).for_each(|partial| partial.reset(width));
    }
}

/// The fault of the first part that met one, whichever thread came first.
#[derive(Default)]
struct Faults(Option<(usize, Error)>);

impl Faults {
    fn note(&mut self, part: usize, hand: &mut Hand) {
        if let Some(error) = hand.scratch.fault.take() {
            if self.0.as_ref().is_none_or(|(first, _)| part < *first) {
                self.0 = Some((part, error));
            }
        }
    }

    fn first(self) -> Result<()> {
        self.0.map_or(Ok(()), |(_, error)| Err(error))
    }
}

/// How the keys of one query are divided among threads.
#[derive(Clone, Copy)]
struct Segments {
    count: usize,
    rows: usize,
}

impl Segments {
    /// Segments long enough that sharing them out costs little, and at most 64; a function of the shape alone.
    fn of(memory: &Memory<'_>) -> Self {
        /// A mebibyte of `f32`: 20 µs from the caches, 60 from memory.
        const ELEMENTS: usize = 1 << 18;
        /// Queries from which on the queries themselves are parts enough.
        const QUERIES: usize = 8;
        let shape = memory.shape;
        let width = shape.dim.saturating_add(shape.value_dim);
        if shape.queries >= QUERIES {
            return Segments { count: 1, rows: shape.keys };
        }
        let block = memory.block_rows();
        let rows = (ELEMENTS / width.max(1)).max(shape.keys.div_ceil(64)).next_multiple_of(block);
        Segments { count: shape.keys.div_ceil(rows), rows }
    }

    /// A segment of these keys; empty where they are fewer.
    fn pick<'a>(&self, pick: Pick<'a>, segment: usize) -> Pick<'a> {
        pick.part(segment * self.rows, self.rows)
    }
}
