//! The running state of linear attention.

use super::super::softmax::{sized, BLOCK};
use super::super::workspace::Room;
use super::chunk::{room, Chunk};
use crate::dispatch::Kernel;
use crate::kernels::panels::Matrices;
use crate::kernels::rows::{Pick, Rows};
use alloc::vec;
use alloc::vec::Vec;

/// What is kept of the keys seen so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Sums {
    /// Σ v·φ(k)ᵀ, `[dv, d]`.
    pub products: Vec<f64>,
    /// Σ φ(k), `[d]`.
    pub features: Vec<f64>,
    /// Number of keys added.
    pub keys: usize,
}

/// Buffers of one thread for a block of keys.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// φ of the keys, in panels.
    features: Vec<f32>,
    /// The values, where they do not stand together in memory as `f32`.
    values: Vec<f32>,
    products: Vec<f32>,
    total: Vec<f32>,
}

impl Room for Sums {
    fn match_room(&mut self, other: &Self) {
        let Sums { products, features, keys: _ } = self;
        products.match_room(&other.products);
        features.match_room(&other.features);
    }
}

impl Room for Scratch {
    fn match_room(&mut self, other: &Self) {
        let Scratch { features, values, products, total } = self;
        features.match_room(&other.features);
        values.match_room(&other.values);
        products.match_room(&other.products);
        total.match_room(&other.total);
    }
}

impl Sums {
    pub fn new(width: usize, value_dim: usize) -> Self {
        Sums { products: vec![0.0; width.saturating_mul(value_dim)], features: vec![0.0; width], keys: 0 }
    }

    /// Empties it, for these sizes.
    pub fn reset(&mut self, width: usize, value_dim: usize) {
        sized(&mut self.products, width * value_dim);
        sized(&mut self.features, width);
        self.keys = 0;
    }

    pub fn merge(&mut self, other: &Sums) {
        self.products.iter_mut().zip(&other.products).for_each(|(sum, addend)| *sum += addend);
        self.features.iter_mut().zip(&other.features).for_each(|(sum, addend)| *sum += addend);
        self.keys += other.keys;
    }

    pub fn is_finite(&self) -> bool {
        self.products.iter().chain(&self.features).all(|sum| sum.is_finite())
    }

    /// Adds the picked keys: in `f32` over a block, in `f64` from block to block.
    pub(super) fn absorb(
        &mut self,
        kernel: Kernel,
        chunk: &Chunk<'_>,
        pick: Pick<'_>,
        scratch: &mut Scratch,
    ) {
        for from in (0..pick.len()).step_by(BLOCK) {
            self.absorb_block(kernel, chunk, pick.part(from, BLOCK), scratch);
        }
    }

    fn absorb_block(&mut self, kernel: Kernel, chunk: &Chunk<'_>, block: Pick<'_>, scratch: &mut Scratch) {
        let (width, value_dim) = (self.features.len(), chunk.values.width());
        let stride = kernel.padded(width);
        let features = room(&mut scratch.features, stride * block.len());
        kernel.along(chunk.keys, block, features);
        kernel.feature_map(features);
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
            kernel.accumulate(ones, Rows::packed(features, panel), Pick::first(block.len()), total);
            kernel.add(total.get(..sums.len()).unwrap_or(total), sums);
        }
        self.keys += block.len();
    }
}
