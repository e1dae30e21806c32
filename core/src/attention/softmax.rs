//! The one softmax of this crate: online, over blocks of keys, so that one-shot, batched, sharded and streamed calls
//! run the same code.
//!
//! Source: Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Rabe and Staats,
//! "Self-attention does not need O(n²) memory", 2021.

use crate::dispatch::Kernel;
use crate::kernels::rows::{Pick, Rows};
use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;

/// Keys a block: its scores and weights stay in the first-level cache, and `f32` sums stay short. The split depends
/// on nothing but the number of keys (D50).
pub(crate) const BLOCK: usize = 256;

/// Dropout of attention weights during training (D36).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    pub probability: f64,
    pub seed: u64,
}

impl Dropout {
    /// Factor of one weight: 0 where it is dropped, else 1/(1 − p). A function of its place alone, so that the
    /// order of evaluation does not matter.
    fn factor(&self, stream: u64, key: usize) -> f32 {
        let place = mix(self.seed ^ mix(stream)).wrapping_add(key as u64);
        let uniform = (mix(place) >> 11) as f64 / (1_u64 << 53) as f64;
        if uniform < self.probability {
            0.0
        } else {
            (1.0 / (1.0 - self.probability)) as f32
        }
    }

    /// Drops and rescales the weights of the picked keys.
    pub fn apply(&self, stream: u64, pick: Pick<'_>, weights: &mut [f32]) {
        for (i, weight) in weights.iter_mut().enumerate() {
            *weight *= self.factor(stream, pick.row(i));
        }
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014) after its increment.
fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// How a key scores and a value counts.
#[derive(Clone, Copy)]
pub(crate) enum Geometry<'a> {
    /// Score q·k·scale, weighted mean of the values.
    Dot {
        /// 1/√d.
        scale: f32,
    },
    /// Score −d(q, k) in the Poincaré ball, gyromidpoint of the values.
    Ball(Ball<'a>),
}

/// What hyperbolic attention computes once a call.
#[derive(Clone, Copy)]
pub(crate) struct Ball<'a> {
    /// c, for curvature −c.
    pub c: f64,
    /// 1 − c‖q‖² of this query.
    pub query_gap: f64,
    /// 1 − c‖k‖² of each key.
    pub key_gaps: &'a [f64],
    /// λ = 2/(1 − c‖v‖²) of each value.
    pub conformal: &'a [f64],
    /// Whether the sum of the values needs `f64`: near the boundary 1 − c‖m‖² of the midpoint would lose the digits
    /// of an `f32` sum.
    pub near_boundary: bool,
}

/// Everything about one query (of one head) but the query's own running sums.
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

/// Running softmax of one query: weights are e^(score − max).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Partial {
    /// Largest score so far, −∞ before the first.
    pub max: f32,
    /// Σ w, or Σ w(λ − 1) in the ball.
    pub sum: f64,
    /// Σ w·v, or Σ w·λ·v in the ball.
    pub total: Vec<f64>,
}

impl Partial {
    pub fn new(width: usize) -> Self {
        Partial { max: f32::NEG_INFINITY, sum: 0.0, total: vec![0.0; width] }
    }

    pub fn reset(&mut self) {
        self.max = f32::NEG_INFINITY;
        self.sum = 0.0;
        self.total.fill(0.0);
    }

    /// Raises the reference score to at least `score`.
    fn raise(&mut self, score: f32) {
        if score > self.max {
            let shrink = libm::exp(f64::from(self.max) - f64::from(score));
            self.sum *= shrink;
            self.total.iter_mut().for_each(|total| *total *= shrink);
            self.max = score;
        }
    }

    /// Raises the reference to these scores, turns them into weights and returns their sum.
    ///
    /// Scores of −∞ alone, products that all overflowed downwards, weigh nothing beside any other key: then `None`.
    pub fn weigh(&mut self, kernel: Kernel, scores: &mut [f32]) -> Option<f64> {
        let max = kernel.maximum(scores);
        if max == f32::NEG_INFINITY && !scores.iter().any(|score| score.is_nan()) {
            return None;
        }
        self.raise(max);
        Some(kernel.weigh(scores, self.max))
    }

    /// Adds the weighted sum of a block's values: in `f32` over the block, in `f64` from block to block.
    fn add(&mut self, task: &Task<'_>, block: Pick<'_>, weights: &[f32], buffer: &mut Vec<f32>) {
        let block_total = sized(buffer, self.total.len());
        task.kernel.accumulate(weights, task.values, block, block_total);
        for (sum, addend) in self.total.iter_mut().zip(block_total.iter()) {
            *sum += f64::from(*addend);
        }
    }

    /// Adds the keys of another partial softmax of the same query.
    pub fn merge(&mut self, other: &Partial) {
        if other.is_empty() {
            return;
        }
        self.raise(other.max);
        let shrink = libm::exp(f64::from(other.max) - f64::from(self.max));
        self.sum += other.sum * shrink;
        for (total, addend) in self.total.iter_mut().zip(&other.total) {
            *total += addend * shrink;
        }
    }

    /// Whether no key was added yet.
    pub fn is_empty(&self) -> bool {
        self.max == f32::NEG_INFINITY && self.sum == 0.0
    }

    /// Whether nothing went beyond the numbers.
    pub fn is_finite(&self) -> bool {
        self.sum.is_finite() && self.total.iter().all(|total| total.is_finite())
    }

    /// Writes the attention's result.
    pub fn finish(&self, c: Option<f64>, out: &mut [f32]) {
        match c {
            None => {
                for (result, total) in out.iter_mut().zip(&self.total) {
                    *result = (total / self.sum) as f32;
                }
            }
            // Every weight dropped: the midpoint of nothing is the origin.
            Some(_) if self.sum == 0.0 => out.fill(0.0),
            Some(c) => midpoint(c, &self.total, self.sum, out),
        }
    }
}

/// ½ ⊗ (total / sum), which is m / (1 + √(1 − c‖m‖²)): the gyromidpoint (D37).
fn midpoint(c: f64, total: &[f64], sum: f64, out: &mut [f32]) {
    let squared: f64 = total.iter().map(|x| (x / sum) * (x / sum)).sum();
    let root = libm::sqrt((1.0 - c * squared).max(0.0));
    // Rounding to f32 must not leave the ball.
    let norm = libm::sqrt(squared) / (1.0 + root);
    let limit = crate::poincare::LARGEST_NORM / libm::sqrt(c);
    let cut = if norm > limit { limit / norm } else { 1.0 };
    for (result, x) in out.iter_mut().zip(total) {
        *result = (x / sum / (1.0 + root) * cut) as f32;
    }
}

/// The picked elements, side by side.
fn gathered<'a>(all: &'a [f64], pick: Pick<'_>) -> Cow<'a, [f64]> {
    match pick {
        Pick::Range { start, len } => Cow::Borrowed(all.get(start..start + len).unwrap_or(&[])),
        Pick::List(list) => Cow::Owned(list.iter().filter_map(|&row| all.get(row).copied()).collect()),
    }
}

/// Buffers of one call, reused from query to query.
#[derive(Default)]
pub(crate) struct Scratch {
    scores: Vec<f32>,
    coefficients: Vec<f64>,
    block_total: Vec<f32>,
    order: Vec<usize>,
    best: Vec<f32>,
    ranks: Vec<i32>,
}

/// A buffer of exactly `len` elements; grows once.
fn sized<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    buffer.clear();
    buffer.resize(len, T::default());
    buffer
}

/// Attends to the picked keys, or to the `neighbors` best of them.
pub(crate) fn attend(
    task: &Task<'_>,
    pick: Pick<'_>,
    neighbors: Option<usize>,
    scratch: &mut Scratch,
    partial: &mut Partial,
) {
    match neighbors {
        Some(k) if k < pick.len() => {
            select(task, pick, k, scratch);
            let order = core::mem::take(&mut scratch.order);
            let best = core::mem::take(&mut scratch.best);
            attend_scored(task, Pick::List(&order), &best, scratch, partial);
            (scratch.order, scratch.best) = (order, best);
        }
        _ => {
            for from in (0..pick.len()).step_by(BLOCK) {
                let block = pick.part(from, BLOCK);
                score(task, block, sized(&mut scratch.scores, block.len()));
                absorb(task, block, scratch, partial);
            }
        }
    }
}

/// Attends to picked keys whose scores are known.
pub(crate) fn attend_scored(
    task: &Task<'_>,
    pick: Pick<'_>,
    scores: &[f32],
    scratch: &mut Scratch,
    partial: &mut Partial,
) {
    for (i, scores) in scores.chunks(BLOCK).enumerate() {
        sized(&mut scratch.scores, scores.len()).copy_from_slice(scores);
        absorb(task, pick.part(i * BLOCK, BLOCK), scratch, partial);
    }
}

/// Scores of the picked keys.
fn score(task: &Task<'_>, pick: Pick<'_>, scores: &mut [f32]) {
    match task.geometry {
        Geometry::Dot { scale } => task.kernel.products(task.query, task.keys, pick, scale, scores),
        Geometry::Ball(ball) => {
            task.kernel.squared_distances(task.query, task.keys, pick, scores);
            let gaps = gathered(ball.key_gaps, pick);
            task.kernel.ball_scores(scores, &gaps, ball.c, ball.query_gap);
        }
    }
}

/// Leaves the k best picks in `scratch.order`, ascending, and their scores in `scratch.best`.
pub(crate) fn select(task: &Task<'_>, pick: Pick<'_>, k: usize, scratch: &mut Scratch) {
    let scores = sized(&mut scratch.scores, pick.len());
    score(task, pick, scores);
    best_places(scores, k, &mut scratch.order, &mut scratch.ranks);
    scratch.best.clear();
    scratch.best.extend(scratch.order.iter().filter_map(|&i| scores.get(i)));
    // From places in the pick to rows; a pick ascends, so the order stays.
    scratch.order.iter_mut().for_each(|place| *place = pick.row(*place));
}

impl Scratch {
    /// The rows and scores that [`select`] left.
    pub fn selected(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        self.order.iter().copied().zip(self.best.iter().copied())
    }
}

/// Places of the k largest scores, ascending; ties go to the lower place, a NaN counts as largest so that it reaches
/// the result and is found there. `ranks` is a buffer.
///
/// Selects the k-th largest without sorting, then passes once over the scores: O(n).
pub(crate) fn best_places(scores: &[f32], k: usize, places: &mut Vec<usize>, ranks: &mut Vec<i32>) {
    places.clear();
    if k == 0 || k >= scores.len() {
        places.extend(0..scores.len().min(k));
        return;
    }
    ranks.clear();
    ranks.extend(scores.iter().map(|&score| rank(score)));
    let (_, &mut threshold, better) = ranks.select_nth_unstable(scores.len() - k);
    let mut ties = k - better.iter().filter(|&&rank| rank > threshold).count();
    for (place, &score) in scores.iter().enumerate() {
        let rank = rank(score);
        if rank > threshold {
            places.push(place);
        } else if rank == threshold && ties > 0 {
            ties -= 1;
            places.push(place);
        }
    }
}

/// An integer that orders as the scores do: the bits of a positive float ascend, those of a negative one descend.
fn rank(score: f32) -> i32 {
    if score.is_nan() {
        return i32::MAX;
    }
    let bits = score.to_bits() as i32;
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

/// Adds a block of keys whose scores stand in `scratch.scores`.
fn absorb(task: &Task<'_>, block: Pick<'_>, scratch: &mut Scratch, partial: &mut Partial) {
    let scores = scratch.scores.as_mut_slice();
    let Some(sum) = partial.weigh(task.kernel, scores) else { return };
    if let Some(dropout) = task.dropout {
        dropout.apply(task.stream, block, scores);
    }
    match task.geometry {
        Geometry::Dot { .. } => {
            partial.sum += sum;
            partial.add(task, block, scores, &mut scratch.block_total);
        }
        Geometry::Ball(ball) => {
            let conformal = gathered(ball.conformal, block);
            let pairs = || scores.iter().zip(conformal.iter());
            partial.sum += pairs().map(|(weight, lambda)| f64::from(*weight) * (lambda - 1.0)).sum::<f64>();
            if ball.near_boundary {
                let coefficients = sized(&mut scratch.coefficients, scores.len());
                for (coefficient, (weight, lambda)) in coefficients.iter_mut().zip(pairs()) {
                    *coefficient = f64::from(*weight) * lambda;
                }
                task.kernel.accumulate_f64(coefficients, task.values, block, &mut partial.total);
            } else {
                for (weight, lambda) in scores.iter_mut().zip(conformal.iter()) {
                    *weight = (f64::from(*weight) * lambda) as f32;
                }
                partial.add(task, block, scores, &mut scratch.block_total);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{best_places, midpoint};
    use alloc::vec::Vec;

    #[test]
    fn the_best_places_are_those_of_a_stable_sort() {
        let some =
            [0.5, -0.5, f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.5, 1e-40, -1e-40, 3.0, 0.0];
        let (mut places, mut ranks) = (Vec::new(), Vec::new());
        for n in 0..60 {
            // Few different values, so that there are ties.
            let scores: Vec<f32> = (0..n).map(|i| some[(i * i * 7 + i * 3 + n) % some.len()]).collect();
            let mut sorted: Vec<usize> = (0..n).collect();
            let key = |i: &usize| if scores[*i].is_nan() { f32::NAN.abs() } else { scores[*i] };
            sorted.sort_by(|a, b| key(b).total_cmp(&key(a)));
            for k in 0..=n + 1 {
                let mut expected = sorted[..k.min(n)].to_vec();
                expected.sort_unstable();
                best_places(&scores, k, &mut places, &mut ranks);
                assert_eq!(places, expected, "n = {n}, k = {k}");
            }
        }
    }

    #[test]
    fn a_sum_that_rounding_carried_across_comes_back_inside() {
        for (c, total) in [(1.0, [0.6, 0.8]), (4.0, [0.3, 0.4]), (1.0, [0.600_000_1, 0.8])] {
            let mut out = [0.0; 2];
            midpoint(c, &total, 1.0, &mut out);
            let squared = out.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() * c;
            assert!(squared < 1.0 && squared > 0.999_999, "{out:?}");
        }
    }
}
