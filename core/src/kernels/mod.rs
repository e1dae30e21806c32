//! Arithmetic kernels: one file an instruction set, each algorithm once, over a vector type.

// Kernels index inside bounds they have just established; everything outside this module goes without.
#![allow(clippy::indexing_slicing)]

pub(crate) mod ball;
pub(crate) mod elements;
pub(crate) mod matrix;
pub(crate) mod panels;
pub(crate) mod rows;
pub(crate) mod single;
pub(crate) mod vector;

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
pub(crate) mod neon;
pub(crate) mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) mod simd128;
#[cfg(target_arch = "x86_64")]
pub(crate) mod sse2;

#[cfg(test)]
mod tests;

use panels::Matrices;
use rows::{Pick, Rows};

/// One instruction set's instances of the generic algorithms; see there for what each asks of its caller.
pub(crate) struct Table {
    pub name: &'static str,
    pub available: fn() -> bool,
    pub products: unsafe fn(&[f32], Rows<'_>, Pick<'_>, f32, &mut [f32]),
    pub squared_distances: unsafe fn(&[f32], Rows<'_>, Pick<'_>, f32, &mut [f32]),
    pub maximum: unsafe fn(&[f32]) -> f32,
    pub weigh: unsafe fn(&mut [f32], f32) -> f64,
    pub feature_map: unsafe fn(&mut [f32]),
    pub add: unsafe fn(&[f32], &mut [f64]),
    pub accumulate: unsafe fn(&[f32], Rows<'_>, Pick<'_>, &mut [f32]),
    pub accumulate_f64: unsafe fn(&[f64], Rows<'_>, Pick<'_>, &mut [f64]),
    pub squared_norms: unsafe fn(Rows<'_>, f64, &mut [f64]),
    pub ball_scores: unsafe fn(&mut [f32], &[f64], f64, f64),
    pub panel_width: usize,
    pub multiply: unsafe fn(Matrices<'_>),
}

/// Instantiates the generic algorithms for a vector type, inside functions that enable its instruction set.
macro_rules! table {
    ($vector:ty, $name:literal, $available:expr $(, $feature:literal)?) => {
        /// The kernels of this instruction set.
        pub(crate) static TABLE: super::Table = {
            use super::{ball, elements, matrix, single};
            use super::panels::Matrices;
            use super::rows::{Pick, Rows};

            $(#[target_feature(enable = $feature)])?
            unsafe fn products(query: &[f32], rows: Rows<'_>, pick: Pick<'_>, scale: f32, out: &mut [f32]) {
                // SAFETY: the caller keeps the generic function's contract; the set is enabled here.
                unsafe { single::compare_all::<$vector, single::Product>(query, rows, pick, scale, out) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn squared_distances(
                query: &[f32], rows: Rows<'_>, pick: Pick<'_>, scale: f32, out: &mut [f32],
            ) {
                // SAFETY: as above.
                unsafe {
                    single::compare_all::<$vector, single::SquaredDifference>(query, rows, pick, scale, out)
                }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn maximum(values: &[f32]) -> f32 {
                // SAFETY: as above.
                unsafe { elements::maximum::<$vector>(values) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn weigh(scores: &mut [f32], max: f32) -> f64 {
                // SAFETY: as above.
                unsafe { elements::weigh::<$vector>(scores, max) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn feature_map(values: &mut [f32]) {
                // SAFETY: as above.
                unsafe { elements::feature_map::<$vector>(values) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn add(addends: &[f32], totals: &mut [f64]) {
                elements::add(addends, totals)
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn accumulate(weights: &[f32], rows: Rows<'_>, pick: Pick<'_>, out: &mut [f32]) {
                // SAFETY: as above.
                unsafe { single::accumulate::<$vector>(weights, rows, pick, out) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn accumulate_f64(weights: &[f64], rows: Rows<'_>, pick: Pick<'_>, out: &mut [f64]) {
                // SAFETY: as above.
                unsafe { single::accumulate_f64(weights, rows, pick, out) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn squared_norms(rows: Rows<'_>, exact_from: f64, out: &mut [f64]) {
                // SAFETY: as above.
                unsafe { single::squared_norms::<$vector>(rows, exact_from, out) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn ball_scores(scores: &mut [f32], gaps: &[f64], c: f64, query_gap: f64) {
                ball::ball_scores(scores, gaps, c, query_gap)
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn multiply(matrices: Matrices<'_>) {
                // SAFETY: as above.
                unsafe { matrix::multiply::<$vector>(matrices) }
            }

            super::Table {
                name: $name,
                available: || $available,
                products,
                squared_distances,
                maximum,
                weigh,
                feature_map,
                add,
                accumulate,
                accumulate_f64,
                squared_norms,
                ball_scores,
                panel_width: matrix::panel_width::<$vector>(),
                multiply,
            }
        };
    };
}
use table;
