//! Queries that are answered together.

use super::super::workspace::Room;
use super::chunk::{copied, room, Chunk};
use super::sums::Sums;
use crate::dispatch::Kernel;
use crate::kernels::panels::Matrices;
use crate::kernels::rows::{Pick, Rows};
use alloc::vec::Vec;

/// Queries that are answered together; in causal order their own keys are compared with each of them.
pub(super) const TILE: usize = 24;

/// Sums over the keys that all queries of a tile see, as the micro-kernel reads them.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Σ φ(k)·vᵀ in `f32` panels.
    panels: Vec<f32>,
    rounded: Vec<f32>,
}

impl Seen {
    /// Takes over the sums.
    pub fn pack(&mut self, kernel: Kernel, sums: &Sums) {
        let width = sums.features.len();
        let rounded = room(&mut self.rounded, sums.products.len());
        kernel.scaled(&sums.products, 1.0, rounded);
        let rows = Rows::packed(&*rounded, width);
        self.panels.resize(kernel.padded(rows.count()) * width, 0.0);
        kernel.across(rows, Pick::first(rows.count()), &mut self.panels);
    }
}

/// A tile of queries, with buffers that serve again: what its queries see in common, and then their own keys.
#[derive(Debug, Default)]
pub(super) struct Tile {
    /// φ(q), a row a query.
    features: Vec<f32>,
    /// Length of such a row.
    width: usize,
    /// φ(q)·Σ φ(k)vᵀ, a row a query, padded to whole panels.
    products: Vec<f32>,
    stride: usize,
    /// φ(q)·Σ φ(k).
    norms: Vec<f64>,
    own: Own,
}

/// Buffers for the keys that only some queries of a tile see; causal order runs on one thread.
#[derive(Debug, Default)]
struct Own {
    keys: Vec<f32>,
    panels: Vec<f32>,
    scores: Vec<f32>,
    values: Vec<f32>,
    products: Vec<f32>,
}

impl Room for Tile {
    fn match_room(&mut self, other: &Self) {
        let Tile { features, products, norms, width: _, stride: _, own: _ } = self;
        features.match_room(&other.features);
        products.match_room(&other.products);
        norms.match_room(&other.norms);
    }
}

impl Tile {
    /// Starts with the sums over the keys that all queries of the tile see, packed as `seen`.
    pub fn start(&mut self, kernel: Kernel, queries: &[f32], sums: &Sums, seen: &Seen) {
        self.width = sums.features.len();
        let rows = Rows::packed(queries, self.width);
        let count = rows.count();
        kernel.feature_map(copied(rows, Pick::first(count), &mut self.features));
        let norm = |features: &[f32]| -> f64 {
            features.iter().zip(&sums.features).map(|(&feature, sum)| f64::from(feature) * sum).sum()
        };
        self.norms.clear();
        self.norms.extend(self.features.chunks_exact(self.width).map(norm));
        self.stride = seen.panels.len() / self.width;
        kernel.multiply(Matrices {
            a: &self.features,
            a_stride: self.width,
            a_step: 1,
            rows: count,
            b: &seen.panels,
            b_rows: self.width,
            depth: self.width,
            c: room(&mut self.products, count * self.stride),
            c_stride: self.stride,
        });
    }

    /// Adds the keys from `common` on that only some queries see, up to `visible(row)` for each.
    pub fn add_own(
        &mut self,
        kernel: Kernel,
        chunk: &Chunk<'_>,
        common: usize,
        visible: impl Fn(usize) -> usize,
    ) {
        let (count, width) = (self.norms.len(), self.width);
        let pick = chunk.pick(common, visible(count - 1));
        if pick.len() == 0 {
            return;
        }
        let own = &mut self.own;
        let keys = copied(chunk.keys, pick, &mut own.keys);
        kernel.feature_map(keys);
        let stride = kernel.padded(pick.len());
        let panels = room(&mut own.panels, stride * width);
        kernel.across(Rows::packed(&*keys, width), Pick::first(pick.len()), panels);
        let scores = room(&mut own.scores, count * stride);
        kernel.multiply(Matrices {
            a: &self.features,
            a_stride: width,
            a_step: 1,
            rows: count,
            b: panels,
            b_rows: width,
            depth: width,
            c: scores,
            c_stride: stride,
        });
        for (row, (scores, norm)) in scores.chunks_exact_mut(stride).zip(&mut self.norms).enumerate() {
            let (seen, unseen) = scores.split_at_mut(chunk.pick(common, visible(row)).len());
            *norm += seen.iter().map(|&score| f64::from(score)).sum::<f64>();
            unseen.fill(0.0);
        }
        let values = room(&mut own.values, self.stride * pick.len());
        kernel.along(chunk.values, pick, values);
        let products = room(&mut own.products, count * self.stride);
        kernel.multiply(Matrices {
            a: scores,
            a_stride: stride,
            a_step: 1,
            rows: count,
            b: values,
            b_rows: pick.len(),
            depth: pick.len(),
            c: products,
            c_stride: self.stride,
        });
        self.products.iter_mut().zip(products).for_each(|(sum, x)| *sum += *x);
    }

    /// Writes the results.
    pub fn finish(&self, value_dim: usize, out: &mut [f32]) {
        let rows = out.chunks_exact_mut(value_dim).zip(self.products.chunks_exact(self.stride));
        for ((result, products), norm) in rows.zip(&self.norms) {
            result.iter_mut().zip(products).for_each(|(x, &sum)| *x = (f64::from(sum) / norm) as f32);
        }
    }
}
