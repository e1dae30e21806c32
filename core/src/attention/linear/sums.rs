//! The running state of linear attention.

use super::super::softmax::{sized, BLOCK};
use super::super::workspace::Room;
use super::chunk::{room, Chunk};
use super::map::{Features, Map};
use super::random::RandomFeatures;
use crate::kernels::panels::Matrices;
use crate::kernels::rows::{Pick, Rows};
use alloc::vec::Vec;

/// What is kept of the keys seen so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Sums {
    /// Σ v·φ(k)ᵀ, `[dv, d]`.
    pub products: Vec<f64>,
    /// Σ φ(k), `[d]`.
    pub features: Vec<f64>,
    /// Of random features, the logarithm of what all φ(k) are relative to, −∞ before the first; else 0.
    pub log: f64,
    /// Number of keys added.
    pub keys: usize,
}

/// Buffers of one thread for a block of keys.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// φ of the keys, in panels.
    features: Vec<f32>,
    random: Features,
    /// The values, where they do not stand together in memory as `f32`.
    values: Vec<f32>,
    products: Vec<f32>,
    total: Vec<f32>,
}

impl Room for Sums {
    fn match_room(&mut self, other: &Self) {
        let Sums { products, features, log: _, keys: _ } = self;
        products.match_room(&other.products);
        features.match_room(&other.features);
    }
}

impl Room for Scratch {
    fn match_room(&mut self, other: &Self) {
        let Scratch { features, random, values, products, total } = self;
        features.match_room(&other.features);
        random.match_room(&other.random);
        values.match_room(&other.values);
        products.match_room(&other.products);
        total.match_room(&other.total);
    }
}

impl Sums {
    /// Empties it, for keys of `dim` elements.
    pub fn reset(&mut self, random: Option<RandomFeatures>, dim: usize, value_dim: usize) {
        let width = random.map_or(dim, |random| random.features);
        sized(&mut self.products, width.saturating_mul(value_dim)).fill(0.0);
        sized(&mut self.features, width).fill(0.0);
        self.log = if random.is_some() { f64::NEG_INFINITY } else { 0.0 };
        self.keys = 0;
    }

    /// Makes all φ(k) relative to at least e^`log`.
    fn raise(&mut self, log: f64) {
        if log > self.log {
            let shrink = libm::exp(self.log - log);
            self.products.iter_mut().chain(&mut self.features).for_each(|sum| *sum *= shrink);
            self.log = log;
        }
    }

    pub fn merge(&mut self, other: &Sums) {
        if other.keys == 0 {
            return;
        }
        self.raise(other.log);
        let shrink = libm::exp(other.log - self.log);
        self.products.iter_mut().zip(&other.products).for_each(|(sum, addend)| *sum += addend * shrink);
        self.features.iter_mut().zip(&other.features).for_each(|(sum, addend)| *sum += addend * shrink);
        self.keys += other.keys;
    }

    pub fn is_finite(&self) -> bool {
        self.products.iter().chain(&self.features).all(|sum| sum.is_finite())
    }

    /// Adds the picked keys: in `f32` over a block, in `f64` from block to block.
    pub(super) fn absorb(&mut self, map: Map<'_>, chunk: &Chunk<'_>, pick: Pick<'_>, scratch: &mut Scratch) {
        for from in (0..pick.len()).step_by(BLOCK) {
            let next = pick.part(from + BLOCK, BLOCK);
            self.absorb_block(map, chunk, [pick.part(from, BLOCK), next], scratch);
        }
    }

    fn absorb_block(
        &mut self,
        map: Map<'_>,
        chunk: &Chunk<'_>,
        [block, next]: [Pick<'_>; 2],
        scratch: &mut Scratch,
    ) {
        let kernel = map.kernel;
        let (width, value_dim) = (self.features.len(), chunk.values.width());
        let stride = kernel.padded(width);
        let features = room(&mut scratch.features, stride * block.len());
        match map.random {
            None => {
                kernel.along(chunk.keys, block, features);
                kernel.feature_map(features);
            }
            Some(random) => {
                let log = map.apply_together(random, chunk.keys, block, self.log, &mut scratch.random);
                self.raise(log);
                kernel.along(scratch.random.rows(), Pick::first(block.len()), features);
            }
        }
        // Vᵀ·φ(K): the values serve as they stand, a column of them is a row of the left matrix.
        let products = room(&mut scratch.products, value_dim * stride);
        kernel.multiply(Matrices {
            a: chunk.values_of(block, &mut scratch.values),
            a_stride: 1,
            a_step: value_dim,
            rows: value_dim,
            b: features,
            b_rows: block.len(),
            depth: block.len(),
            c: products,
            c_stride: stride,
            ahead: chunk.stored(next),
        });
        for (sums, products) in self.products.chunks_exact_mut(width).zip(products.chunks_exact(stride)) {
            kernel.add(products.get(..width).unwrap_or(products), sums);
        }
        // The sum of a panel's rows; what pads the last panel is not read.
        let panel = kernel.panel_width();
        let ones = [1.0_f32; BLOCK];
        let ones = ones.get(..block.len()).unwrap_or(&ones);
        let panels = features.chunks_exact(block.len() * panel).zip(self.features.chunks_mut(panel));
        for (features, sums) in panels {
            let total = sized(&mut scratch.total, panel);
            total.fill(0.0);
            kernel.accumulate(ones, Rows::packed(features, panel), Pick::first(block.len()), total);
            kernel.add(total.get(..sums.len()).unwrap_or(total), sums);
        }
        self.keys += block.len();
    }
}
