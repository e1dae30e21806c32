//! Random features of softmax attention.
//!
//! Source: Choromanski et al., "Rethinking Attention with Performers", 2021: FAVOR+, positive orthogonal random features.

use super::super::dropout::mix;
use crate::error::{Error, Result};
use crate::shape;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// Which random features: the same two numbers give the same features on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RandomFeatures {
    pub features: usize,
    pub seed: u64,
}

/// Most elements of a projection: 128 MiB.
const LARGEST: usize = 1 << 25;

/// The directions that queries and keys are projected on.
#[derive(Clone, PartialEq)]
pub(crate) struct Projection {
    /// Wᵀ/d^(1/4), `[d, features]`: the rows of W are Gaussian, those of a block of d orthogonal to each other.
    pub columns: Vec<f32>,
    pub features: usize,
    dim: usize,
}

impl Projection {
    /// Draws it; O(features·d²) time.
    pub fn new(dim: usize, RandomFeatures { features, seed }: RandomFeatures) -> Result<Self> {
        shape::positive("features", features)?;
        if features > LARGEST / dim.max(1) {
            return Err(Error::Parameter {
                argument: "features",
                found: features as f64,
                needed: "at most 2^25 / dim",
            });
        }
        shape::room("features", &[dim, features])?;
        let mut random = SplitMix(seed);
        let scale = 1.0 / libm::sqrt(libm::sqrt(dim as f64));
        let mut columns = vec![0.0; dim * features];
        let mut block: Vec<f64> = Vec::new();
        for feature in 0..features {
            if feature % dim == 0 {
                block.clear();
            }
            let start = block.len();
            random.append_direction(dim, &mut block);
            // The length of a Gaussian vector of its own, so that each row by itself is Gaussian.
            let squared: f64 = (0..dim).map(|_| random.normal()).map(|x| x * x).sum();
            let length = libm::sqrt(squared) * scale;
            let row = block.get(start..).unwrap_or(&[]);
            for (column, x) in columns.chunks_exact_mut(features).zip(row) {
                if let Some(element) = column.get_mut(feature) {
                    *element = (x * length) as f32;
                }
            }
        }
        Ok(Projection { columns, features, dim })
    }

    /// ‖x‖²/2 of a row scaled by d^(−1/4).
    pub fn half_square(&self, row: &[f32]) -> f64 {
        let squared: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        squared / (2.0 * libm::sqrt(self.dim as f64))
    }
}

impl fmt::Debug for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Projection({} features)", self.features)
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    /// Uniform in (0, 1].
    fn uniform(&mut self) -> f64 {
        let bits = mix(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal (Box and Muller 1958); `libm` gives the same bits everywhere.
    fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(self.uniform()));
        radius * libm::cos(2.0 * core::f64::consts::PI * self.uniform())
    }

    /// Appends a unit vector, uniform among those orthogonal to the ones in the block.
    fn append_direction(&mut self, dim: usize, block: &mut Vec<f64>) {
        /// A remainder so short would lose its digits; one in a million is, at most.
        const SHORTEST: f64 = 1e-6;
        let start = block.len();
        loop {
            block.truncate(start);
            block.extend((0..dim).map(|_| self.normal()));
            let (others, own) = block.split_at_mut(start);
            // Gram-Schmidt; the second time removes what rounding left the first time.
            for _ in 0..2 {
                for other in others.chunks_exact(dim) {
                    let along: f64 = own.iter().zip(other).map(|(x, y)| x * y).sum();
                    own.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
                }
            }
            let length = libm::sqrt(own.iter().map(|x| x * x).sum());
            if length > SHORTEST {
                own.iter_mut().for_each(|x| *x /= length);
                return;
            }
        }
    }
}
