//! Arithmetic kernels: one file an instruction set, each algorithm once, over a vector type.

// Kernels index inside bounds they have just established; everything outside this module goes without.
#![allow(clippy::indexing_slicing)]
// Loops over arrays of vectors count: the closures of iterators would be compiled without the instruction set.
#![allow(clippy::needless_range_loop)]

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
#[cfg(test)]
mod tests_single;

#[cfg(feature = "f16")]
use crate::tensor::{bf16, f16};
use panels::Matrices;
use rows::{Pick, View};

/// √x, correctly rounded: by an instruction where the compiler offers it, because in WebAssembly `libm` computes it step by
/// step.
pub(crate) fn sqrt(x: f64) -> f64 {
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    return simd128::sqrt(x);
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    libm::sqrt(x)
}

/// One instruction set's instances of the generic algorithms; see there for what each asks of its caller.
pub(crate) struct Table {
    pub name: &'static str,
    pub available: fn() -> bool,
    pub f32: RowTable<f32>,
    #[cfg(feature = "f16")]
    pub f16: RowTable<f16>,
    #[cfg(feature = "f16")]
    pub bf16: RowTable<bf16>,
    pub maximum: unsafe fn(&[f32]) -> f32,
    pub weigh: unsafe fn(&mut [f32], f32) -> f64,
    pub feature_map: unsafe fn(&mut [f32]),
    pub add: unsafe fn(&[f32], &mut [f64]),
    pub scaled: unsafe fn(&[f64], f64, &mut [f32]),
    pub ball_scores: unsafe fn(&mut [f32], &[f64], f64, f64),
    pub gaps: unsafe fn(&mut [f64], f64) -> f64,
    pub weigh_points: unsafe fn(&mut [f32], &[f64]) -> f64,
    pub distances: unsafe fn(&mut [f32], &[f32], f32) -> bool,
    pub panel_width: usize,
    pub multiply: unsafe fn(Matrices<'_>),
}

/// The same for what reads rows of one type of element.
#[allow(clippy::type_complexity)] // Names for the types of functions would say less than the types.
pub(crate) struct RowTable<E: 'static> {
    pub products: unsafe fn(View<'_, E>, &[f32], Pick<'_>, f32, &mut [f32]),
    #[allow(dead_code)] // The engine is about to call it.
    pub products_f64: unsafe fn(View<'_, E>, &[f32], Pick<'_>, f64, &mut [f64]),
    pub squared_distances: unsafe fn(View<'_, E>, &[f32], Pick<'_>, &mut [f32]),
    #[allow(dead_code)] // The same.
    pub squared_distances_and_norms: unsafe fn(View<'_, E>, &[f32], Pick<'_>, f64, &mut [f32], &mut [f64]),
    pub accumulate: unsafe fn(View<'_, E>, &[f32], Pick<'_>, &mut [f32]),
    pub accumulate_f64: unsafe fn(View<'_, E>, &[f64], Pick<'_>, &mut [f64]),
    pub squared_norms: unsafe fn(View<'_, E>, Pick<'_>, f64, &mut [f64]),
    pub across: unsafe fn(View<'_, E>, Pick<'_>, &mut [f32]),
    pub along: unsafe fn(View<'_, E>, Pick<'_>, &mut [f32]),
}

/// Instantiates the generic algorithms for a vector type, inside functions that enable its instruction set.
macro_rules! table {
    ($vector:ty, $name:literal, $available:expr $(, $feature:literal)?) => {
        /// The kernels of this instruction set.
        pub(crate) static TABLE: super::Table = {
            use super::{ball, elements, matrix, single, RowTable};
            use super::panels::{self, Matrices};
            use super::rows::{Pick, View};
            use super::vector::Element;

            $(#[target_feature(enable = $feature)])?
            unsafe fn products<E: Element>(
                rows: View<'_, E>, query: &[f32], pick: Pick<'_>, scale: f32, out: &mut [f32],
            ) {
                // SAFETY: the caller keeps the generic function's contract; the set is enabled here.
                unsafe { single::products::<$vector, E>(rows, query, pick, scale, out) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn products_f64<E: Element>(
                rows: View<'_, E>, query: &[f32], pick: Pick<'_>, scale: f64, out: &mut [f64],
            ) {
                // SAFETY: as above.
                unsafe { single::products_f64(rows, query, pick, scale, out) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn squared_distances<E: Element>(
                rows: View<'_, E>, query: &[f32], pick: Pick<'_>, out: &mut [f32],
            ) {
                // SAFETY: as above.
                unsafe { single::squared_distances::<$vector, E>(rows, query, pick, out) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn squared_distances_and_norms<E: Element>(
                rows: View<'_, E>, query: &[f32], pick: Pick<'_>, exact_from: f64,
                distances: &mut [f32], norms: &mut [f64],
            ) {
                // SAFETY: as above.
                unsafe {
                    single::squared_distances_and_norms::<$vector, E>(
                        rows, query, pick, exact_from, distances, norms,
                    )
                }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn accumulate<E: Element>(
                rows: View<'_, E>, weights: &[f32], pick: Pick<'_>, out: &mut [f32],
            ) {
                // SAFETY: as above.
                unsafe { single::accumulate::<$vector, E>(rows, weights, pick, out) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn accumulate_f64<E: Element>(
                rows: View<'_, E>, weights: &[f64], pick: Pick<'_>, out: &mut [f64],
            ) {
                // SAFETY: as above.
                unsafe { single::accumulate_f64(rows, weights, pick, out) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn squared_norms<E: Element>(
                rows: View<'_, E>, pick: Pick<'_>, exact_from: f64, out: &mut [f64],
            ) {
                // SAFETY: as above.
                unsafe { single::squared_norms::<$vector, E>(rows, pick, exact_from, out) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn across<E: Element>(rows: View<'_, E>, pick: Pick<'_>, out: &mut [f32]) {
                // SAFETY: as above.
                unsafe { panels::across::<$vector, E>(rows, pick, out) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn along<E: Element>(rows: View<'_, E>, pick: Pick<'_>, out: &mut [f32]) {
                // SAFETY: as above.
                unsafe { panels::along::<$vector, E>(rows, pick, out) }
            }
            const fn row_table<E: Element>() -> RowTable<E> {
                RowTable {
                    products: products::<E>,
                    products_f64: products_f64::<E>,
                    squared_distances: squared_distances::<E>,
                    squared_distances_and_norms: squared_distances_and_norms::<E>,
                    accumulate: accumulate::<E>,
                    accumulate_f64: accumulate_f64::<E>,
                    squared_norms: squared_norms::<E>,
                    across: across::<E>,
                    along: along::<E>,
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
            unsafe fn scaled(values: &[f64], factor: f64, out: &mut [f32]) {
                elements::scaled(values, factor, out)
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn add(addends: &[f32], totals: &mut [f64]) {
                elements::add(addends, totals)
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn gaps(norms: &mut [f64], c: f64) -> f64 {
                ball::gaps(norms, c)
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn weigh_points(weights: &mut [f32], gaps: &[f64]) -> f64 {
                ball::weigh_points(weights, gaps)
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn ball_scores(scores: &mut [f32], gaps: &[f64], c: f64, query_gap: f64) {
                // SAFETY: as above.
                unsafe { ball::ball_scores::<$vector>(scores, gaps, c, query_gap) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn distances(products: &mut [f32], norms: &[f32], query_norm: f32) -> bool {
                // SAFETY: as above.
                unsafe { ball::distances::<$vector>(products, norms, query_norm) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn multiply(matrices: Matrices<'_>) {
                // SAFETY: as above.
                unsafe { matrix::multiply::<$vector>(matrices) }
            }

            super::Table {
                name: $name,
                available: || $available,
                f32: row_table(),
                #[cfg(feature = "f16")]
                f16: row_table(),
                #[cfg(feature = "f16")]
                bf16: row_table(),
                maximum,
                weigh,
                feature_map,
                add,
                scaled,
                ball_scores,
                gaps,
                weigh_points,
                distances,
                panel_width: matrix::panel_width::<$vector>(),
                multiply,
            }
        };
    };
}
use table;
