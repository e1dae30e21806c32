//! Softmax attention of one query of one head, block by block of keys: scores, weights and their sums.
//!
//! Source: Rabe and Staats, "Self-attention does not need O(n²) memory", 2021, for the order of the blocks.

use super::ball::{self, Ball, EXACT_FROM};
use super::dropout::Dropout;
use super::partial::Partial;
use super::top;
use super::workspace::Room;
use crate::dispatch::Kernel;
use crate::error::{Error, Result};
use crate::kernels::rows::{Pick, Rows};
use crate::tensor::Tensor;
use alloc::vec::Vec;

/// Most keys whose values are summed in `f32`, and most keys a block of what reads a block twice.
pub(crate) const BLOCK: usize = 128;

/// Keys a block for rows of this width. A function of the shape alone (D50).
///
/// What reads a block twice, the ball for norms and sums and heads side by side for each head, finds both keys and values
/// in the second-level cache. Where all is read once, only the scores have to stay in the first-level one, and long blocks
/// cost least: each is four runs through memory, which take their time to get going.
pub(crate) fn block_rows(width: usize, read_once: bool) -> usize {
    const ELEMENTS: usize = 1 << 17;
    let (least, most) = if read_once { (160, 8 * BLOCK) } else { (BLOCK / 4, 2 * BLOCK) };
    (ELEMENTS / width.max(1)).clamp(least, most).next_multiple_of(16)
}

/// How a key scores and a value counts.
#[derive(Clone, Copy)]
pub(crate) enum Geometry<'a> {
    /// Score q·k·scale, weighted mean of the values.
    Dot {
        /// 1/√d.
        scale: f64,
    },
    /// Score −d(q, k) in the Poincaré ball, gyromidpoint of the values.
    Ball(Ball<'a>),
}

/// Everything about one query of one head but its own running sums.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    pub kernel: Kernel,
    pub geometry: Geometry<'a>,
    pub query: &'a [f32],
    pub keys: Rows<'a>,
    pub values: Rows<'a>,
    pub dropout: Option<Dropout>,
    /// Names this query and head among all, for dropout.
    pub stream: u64,
}

/// Buffers of one thread, reused from query to query and call to call.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub scores: Vec<f32>,
    coefficients: Vec<f64>,
    block_total: Vec<f32>,
    gaps: Vec<f64>,
    pub best: Best,
    /// The first row found outside the ball; taken by who starts a computation.
    pub fault: Option<Error>,
}

/// The keys that top-k selected.
#[derive(Debug, Default)]
pub(crate) struct Best {
    /// Their rows, ascending.
    pub rows: Vec<usize>,
    pub scores: Vec<f32>,
    ranks: Vec<i32>,
}

impl Room for Scratch {
    fn match_room(&mut self, other: &Self) {
        let Scratch { scores, coefficients, block_total, gaps, best, fault: _ } = self;
        scores.match_room(&other.scores);
        coefficients.match_room(&other.coefficients);
        block_total.match_room(&other.block_total);
        gaps.match_room(&other.gaps);
        best.match_room(&other.best);
    }
}

impl Room for Best {
    fn match_room(&mut self, other: &Self) {
        let Best { rows, scores, ranks } = self;
        rows.match_room(&other.rows);
        scores.match_room(&other.scores);
        ranks.match_room(&other.ranks);
    }
}

/// A buffer of exactly `len` elements, whatever they are; grows once.
pub(crate) fn sized<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    buffer.resize(len, T::default());
    buffer
}

impl Task<'_> {
    /// Adds these keys, at most a block.
    pub fn add_block(&self, block: Pick<'_>, scratch: &mut Scratch, partial: &mut Partial) {
        let mut scores = core::mem::take(&mut scratch.scores);
        self.score(block, sized(&mut scores, block.len()), scratch);
        self.add_scored(block, &mut scores, scratch, partial);
        scratch.scores = scores;
    }

    /// Adds the k best of the picked keys, whose scores are these.
    pub fn add_best(
        &self,
        pick: Pick<'_>,
        k: usize,
        scores: &[f32],
        scratch: &mut Scratch,
        partial: &mut Partial,
    ) {
        let mut best = core::mem::take(&mut scratch.best);
        best.select(scores, pick, k);
        let rows = best.rows.chunks(BLOCK).zip(best.scores.chunks_mut(BLOCK));
        rows.for_each(|(rows, scores)| self.add_scored(Pick::List(rows), scores, scratch, partial));
        scratch.best = best;
    }

    /// Scores of the picked keys.
    pub fn score(&self, pick: Pick<'_>, scores: &mut [f32], scratch: &mut Scratch) {
        match self.geometry {
            Geometry::Dot { scale } => {
                self.kernel.products(self.query, self.keys, pick, scale as f32, scores);
            }
            Geometry::Ball(ball) => {
                let gaps = match ball.known {
                    Some(known) => {
                        self.kernel.squared_distances(self.query, self.keys, pick, scores);
                        ball::gathered(known.keys, pick, &mut scratch.gaps)
                    }
                    None => {
                        let norms = sized(&mut scratch.gaps, pick.len());
                        let (query, exact_from) = (self.query, EXACT_FROM / ball.c);
                        self.kernel
                            .squared_distances_and_norms(query, self.keys, pick, exact_from, scores, norms);
                        let found = ball::gaps("keys", self.keys, pick, (ball.c, self.kernel), norms);
                        noted(&mut scratch.fault, found);
                        norms
                    }
                };
                self.kernel.ball_scores(scores, gaps, ball.c, ball.query_gap);
            }
        }
    }

    /// Adds the first keys, whose scores are these.
    pub fn add_all_scored(
        &self,
        scores: &[f32],
        exact: &[f64],
        scratch: &mut Scratch,
        partial: &mut Partial,
    ) {
        let mut block = core::mem::take(&mut scratch.scores);
        for (i, (scores, exact)) in scores.chunks(BLOCK).zip(exact.chunks(BLOCK)).enumerate() {
            sized(&mut block, scores.len()).copy_from_slice(scores);
            let pick = Pick::Range { start: i * BLOCK, len: scores.len() };
            let exact = |i: usize| exact.get(i).copied().unwrap_or(f64::NAN);
            self.add_weighed(pick, &mut block, exact, scratch, partial);
        }
        scratch.scores = block;
    }

    /// Adds keys, at most a block, whose scores are known; turns these into weights.
    fn add_scored(&self, block: Pick<'_>, scores: &mut [f32], scratch: &mut Scratch, partial: &mut Partial) {
        self.add_weighed(block, scores, |i| self.exact_score(block.row(i)), scratch, partial);
    }

    /// The same with the scores in `f64` too.
    fn add_weighed(
        &self,
        block: Pick<'_>,
        scores: &mut [f32],
        exact: impl FnMut(usize) -> f64,
        scratch: &mut Scratch,
        partial: &mut Partial,
    ) {
        let Some(sum) = partial.weigh(self.kernel, scores, exact) else { return };
        if let Some(dropout) = self.dropout {
            dropout.apply(self.stream, block, scores);
        }
        match self.geometry {
            Geometry::Dot { .. } => {
                partial.sum += sum;
                self.add_values(block, scores, scratch, partial);
            }
            Geometry::Ball(ball) => self.add_points(ball, block, scores, scratch, partial),
        }
    }

    /// Adds the weighted sum of the values: in `f32` over [`BLOCK`] of them, in `f64` beyond.
    fn add_values(&self, block: Pick<'_>, weights: &[f32], scratch: &mut Scratch, partial: &mut Partial) {
        for (i, weights) in weights.chunks(BLOCK).enumerate() {
            let block_total = sized(&mut scratch.block_total, partial.total.len());
            block_total.fill(0.0);
            self.kernel.accumulate(weights, self.values, block.part(i * BLOCK, BLOCK), block_total);
            self.kernel.add(block_total, &mut partial.total);
        }
    }

    /// The same for points of the ball, each weighted by its λ too.
    fn add_points(
        &self,
        ball: Ball<'_>,
        block: Pick<'_>,
        weights: &mut [f32],
        scratch: &mut Scratch,
        partial: &mut Partial,
    ) {
        let mut buffer = core::mem::take(&mut scratch.gaps);
        let (gaps, least) = match ball.known {
            Some(known) => {
                let gaps = ball::gathered(known.values, block, &mut buffer);
                let least = gaps.iter().copied().fold(1.0, f64::min);
                (gaps, least)
            }
            None => {
                let norms = sized(&mut buffer, block.len());
                self.kernel.squared_norms(self.values, block, EXACT_FROM / ball.c, norms);
                let found = ball::gaps("values", self.values, block, (ball.c, self.kernel), norms);
                (norms, noted(&mut scratch.fault, found))
            }
        };
        // Near the boundary 1 − c‖m‖² of the midpoint would lose the digits of an `f32` sum.
        if least < 1.0 - EXACT_FROM {
            let coefficients = sized(&mut scratch.coefficients, weights.len());
            for (coefficient, (&weight, gap)) in coefficients.iter_mut().zip(weights.iter().zip(&*gaps)) {
                *coefficient = f64::from(weight) * (2.0 / gap);
                partial.sum += *coefficient - f64::from(weight);
            }
            self.kernel.accumulate_f64(coefficients, self.values, block, &mut partial.total);
        } else {
            partial.sum += self.kernel.weigh_points(weights, gaps);
            self.add_values(block, weights, scratch, partial);
        }
        scratch.gaps = buffer;
    }

    /// One score in `f64`.
    pub fn exact_score(&self, row: usize) -> f64 {
        let mut exact = [0.0];
        match self.geometry {
            Geometry::Dot { scale } => {
                self.kernel.products_f64(self.query, self.keys, Pick::List(&[row]), scale, &mut exact);
            }
            Geometry::Ball(ball) => {
                let key = self.keys.get(row).unwrap_or(Tensor::F32(&[]));
                let pairs = || self.query.iter().zip(key.iter()).map(|(&q, k)| (f64::from(q), f64::from(k)));
                let squared: f64 = pairs().map(|(q, k)| (q - k) * (q - k)).sum();
                let gap = 1.0 - ball.c * pairs().map(|(_, k)| k * k).sum::<f64>();
                let squared_sinh = ball.c * squared / (ball.query_gap * gap);
                exact = [-2.0 / libm::sqrt(ball.c) * libm::asinh(libm::sqrt(squared_sinh))];
            }
        }
        let [exact] = exact;
        exact
    }
}

/// The smallest gap, or 1 where a fault was found, of which the first one is kept.
fn noted(fault: &mut Option<Error>, found: Result<f64>) -> f64 {
    found.unwrap_or_else(|error| {
        fault.get_or_insert(error);
        1.0
    })
}

impl Best {
    /// Selects the k best of the picked rows by their scores.
    pub fn select(&mut self, scores: &[f32], pick: Pick<'_>, k: usize) {
        top::best_places(scores, k, &mut self.rows, &mut self.ranks);
        self.scores.clear();
        self.scores.extend(self.rows.iter().filter_map(|&i| scores.get(i)));
        // From places in the pick to rows; a pick ascends, so the order stays.
        self.rows.iter_mut().for_each(|place| *place = pick.row(*place));
    }
}
