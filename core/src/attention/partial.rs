//! The running softmax of one query: what is kept of the keys seen so far.
//!
//! Source: Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018.

use crate::dispatch::Kernel;
use alloc::vec;
use alloc::vec::Vec;

/// Running softmax of one query: weights are e^(score − max).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Partial {
    /// Largest score so far, −∞ before the first.
    pub max: f64,
    /// Σ w, or Σ w(λ − 1) in the ball.
    pub sum: f64,
    /// Σ w·v, or Σ w·λ·v in the ball.
    pub total: Vec<f64>,
}

/// Largest |score| whose `f32` rounding the result does not show: a dot product errs by about two units of its last
/// place, 2·16·2⁻²⁴ = 2e-6, and an error e in one score moves the result by at most e/2 of the largest value.
const EXACT_FROM: f32 = 16.0;

/// Scores so far below the largest weigh less than a unit of an `f32`'s last place: e⁻²⁴ = 4e-11.
const NEGLIGIBLE: f32 = 24.0;

impl Partial {
    pub fn new(width: usize) -> Self {
        Partial { max: f64::NEG_INFINITY, sum: 0.0, total: vec![0.0; width] }
    }

    /// Empties it, for results of this width.
    pub fn reset(&mut self, width: usize) {
        self.max = f64::NEG_INFINITY;
        self.sum = 0.0;
        self.total.resize(width, 0.0);
        self.total.fill(0.0);
    }

    /// Raises the reference score to at least `score`.
    fn raise(&mut self, score: f64) {
        if self.max == f64::NEG_INFINITY {
            // Nothing to shrink yet.
            self.max = self.max.max(score);
        } else if score > self.max {
            let shrink = libm::exp(self.max - score);
            self.sum *= shrink;
            self.total.iter_mut().for_each(|total| *total *= shrink);
            self.max = score;
        }
    }

    /// Raises the reference to these scores, turns them into weights and returns their sum.
    ///
    /// Where scores are so large that rounding them to `f32` would show, those that count are taken from `exact`, which
    /// computes the i-th in `f64`. Scores of −∞ alone, products that all overflowed downwards, weigh nothing beside any
    /// other key: then `None`.
    pub fn weigh(
        &mut self,
        kernel: Kernel,
        scores: &mut [f32],
        mut exact: impl FnMut(usize) -> f64,
    ) -> Option<f64> {
        let max = kernel.maximum(scores);
        if max == f32::NEG_INFINITY && !scores.iter().any(|score| score.is_nan()) {
            return None;
        }
        if max.abs() < EXACT_FROM {
            self.raise(f64::from(max));
            return Some(kernel.weigh(scores, self.max as f32));
        }
        // From here on the scores are relative to `origin`, small where they count, so that an `f32` holds them well.
        let origin = f64::from(max);
        for (i, score) in scores.iter_mut().enumerate() {
            *score = if *score >= max - NEGLIGIBLE { (exact(i) - origin) as f32 } else { *score - max };
        }
        self.raise(origin + f64::from(kernel.maximum(scores)));
        Some(kernel.weigh(scores, (self.max - origin) as f32))
    }

    /// Adds the keys of another partial softmax of the same query.
    pub fn merge(&mut self, other: &Partial) {
        if other.is_empty() {
            return;
        }
        self.raise(other.max);
        let shrink = libm::exp(other.max - self.max);
        self.sum += other.sum * shrink;
        for (total, addend) in self.total.iter_mut().zip(&other.total) {
            *total += addend * shrink;
        }
    }

    /// Whether no key was added yet.
    pub fn is_empty(&self) -> bool {
        self.max == f64::NEG_INFINITY && self.sum == 0.0
    }

    /// Whether nothing went beyond the numbers.
    pub fn is_finite(&self) -> bool {
        self.sum.is_finite() && self.total.iter().all(|total| total.is_finite())
    }

    /// Writes the attention's result.
    pub fn finish(&self, kernel: Kernel, c: Option<f64>, out: &mut [f32]) {
        match c {
            None => kernel.scaled(&self.total, 1.0 / self.sum, out),
            // Every weight dropped: the midpoint of nothing is the origin.
            Some(_) if self.sum == 0.0 => out.fill(0.0),
            Some(c) => midpoint(c, &self.total, self.sum, out),
        }
    }
}

/// ½ ⊗ (total / sum), which is m / (1 + √(1 − c‖m‖²)): the gyromidpoint (D37).
fn midpoint(c: f64, total: &[f64], sum: f64, out: &mut [f32]) {
    let squared = total.iter().map(|x| x * x).sum::<f64>() / (sum * sum);
    let root = libm::sqrt((1.0 - c * squared).max(0.0));
    // Rounding to f32 must not leave the ball.
    let norm = libm::sqrt(squared) / (1.0 + root);
    let limit = crate::poincare::LARGEST_NORM / libm::sqrt(c);
    let cut = if norm > limit { limit / norm } else { 1.0 };
    let factor = cut / (sum * (1.0 + root));
    for (result, x) in out.iter_mut().zip(total) {
        *result = (x * factor) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::midpoint;

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
