//! Queries that are answered together.

use super::super::workspace::Room;
use super::chunk::{room, Chunk};
use super::map::{Features, Map};
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
    /// φ(q), a row a query; what random features leave out is the same factor above and below.
    features: Features,
    /// Length of φ(q).
    width: usize,
    /// What the sums are relative to.
    log: f64,
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
    keys: Features,
    /// e^(what the features of a key leave out − what a query's sums are relative to).
    factors: Vec<f32>,
    panels: Vec<f32>,
    scores: Vec<f32>,
    values: Vec<f32>,
    products: Vec<f32>,
}

impl Room for Tile {
    fn match_room(&mut self, other: &Self) {
        let Tile { features, products, norms, width: _, log: _, stride: _, own: _ } = self;
        features.match_room(&other.features);
        products.match_room(&other.products);
        norms.match_room(&other.norms);
    }
}

impl Tile {
    /// Starts with the sums over the keys that all queries of the tile see, packed as `seen`.
    pub fn start(&mut self, map: Map<'_>, queries: Rows<'_>, sums: &Sums, seen: &Seen) {
        (self.width, self.log) = (sums.features.len(), sums.log);
        let count = queries.count();
        map.apply(queries, Pick::first(count), &mut self.features);
        let norm = |features: &[f32]| -> f64 {
            features.iter().zip(&sums.features).map(|(&feature, sum)| f64::from(feature) * sum).sum()
        };
        self.norms.clear();
        self.norms.extend(self.features.elements().chunks_exact(self.features.stride()).map(norm));
        self.stride = seen.panels.len() / self.width;
        map.kernel.multiply(Matrices {
            a: self.features.elements(),
            a_stride: self.features.stride(),
            a_step: 1,
            rows: count,
            b: &seen.panels,
            b_rows: self.width,
            depth: self.width,
            c: room(&mut self.products, count * self.stride),
            c_stride: self.stride,
            ahead: [&[]; 2],
        });
    }

    /// Adds the keys from `common` on that only some queries see, up to `visible(row)` for each.
    pub fn add_own(
        &mut self,
        map: Map<'_>,
        chunk: &Chunk<'_>,
        common: usize,
        visible: impl Fn(usize) -> usize,
    ) {
        let (count, width, kernel) = (self.norms.len(), self.width, map.kernel);
        let pick = chunk.pick(common, visible(count - 1));
        if pick.len() == 0 {
            return;
        }
        let own = &mut self.own;
        map.apply(chunk.keys, pick, &mut own.keys);
        let stride = kernel.padded(pick.len());
        let panels = room(&mut own.panels, stride * width);
        kernel.across(own.keys.rows(), Pick::first(pick.len()), panels);
        let scores = room(&mut own.scores, count * stride);
        kernel.multiply(Matrices {
            a: self.features.elements(),
            a_stride: self.features.stride(),
            a_step: 1,
            rows: count,
            b: panels,
            b_rows: width,
            depth: width,
            c: scores,
            c_stride: stride,
            ahead: [&[]; 2],
        });
        for (row, (scores, norm)) in scores.chunks_exact_mut(stride).zip(&mut self.norms).enumerate() {
            let (seen, unseen) = scores.split_at_mut(chunk.pick(common, visible(row)).len());
            if map.random.is_some() {
                // A query's own keys may outweigh those before; what comes after a query must not touch it.
                let logs = own.keys.logs.get(..seen.len()).unwrap_or(&[]);
                let largest = logs.iter().fold(self.log, |largest, &log| largest.max(log));
                let factors = room(&mut own.factors, seen.len());
                factors.iter_mut().zip(logs).for_each(|(factor, &log)| *factor = (log - largest) as f32);
                kernel.weigh(factors, 0.0);
                seen.iter_mut().zip(factors).for_each(|(score, factor)| *score *= *factor);
                let shrink = libm::exp(self.log - largest);
                *norm *= shrink;
                let products = self.products.chunks_exact_mut(self.stride).nth(row).unwrap_or_default();
                products.iter_mut().for_each(|sum| *sum *= shrink as f32);
            }
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
            ahead: [&[]; 2],
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
