//! Every kernel of this machine against the same arithmetic in `f64`, judged in ULP where one element is one rounding.

#![allow(clippy::unwrap_used)]

use super::panels::Matrices;
use super::rows::{Pick, Rows};
use crate::dispatch::Kernel;
use crate::tensor::f16;
use alloc::vec;
use alloc::vec::Vec;

/// Distance of a result from the true value, in units of the last place of the true value as an `f32`.
fn ulps(got: f32, truth: f64) -> f64 {
    let near = truth as f32;
    let step = f64::from(f32::from_bits(near.to_bits() + 1)) - f64::from(near);
    (f64::from(got) - truth).abs() / step
}

fn exp(kernel: Kernel, x: &[f32]) -> Vec<f32> {
    let mut out = x.to_vec();
    kernel.weigh(&mut out, 0.0);
    out
}

/// Floats of −104 to −0, every 509th of the billion there are; −0 and the ends of the normal range among them.
fn negatives() -> Vec<f32> {
    let last = 104.0_f32.to_bits();
    let mut out: Vec<f32> = (0..=last).step_by(509).map(|bits| -f32::from_bits(bits)).collect();
    out.extend([-0.0, -1.0, -87.0, -87.336_54, -87.336_55, -88.0, -103.0, -104.0]);
    out
}

#[test]
fn exp_is_within_its_bound() {
    let x = negatives();
    for kernel in Kernel::available() {
        let mut worst = (0.0, 0.0);
        for (&x, got) in x.iter().zip(exp(kernel, &x)) {
            let truth = f64::from(x).exp();
            let error = ulps(got, truth);
            if error > worst.0 {
                worst = (error, x);
            }
        }
        assert!(worst.0 <= 1.0, "{}: {} ULP at {}", kernel.name(), worst.0, worst.1);
    }
}

#[test]
fn exp_meets_its_ends() {
    for kernel in Kernel::available() {
        let got = exp(kernel, &[0.0, -0.0, -105.0, -1e30, f32::NEG_INFINITY, f32::NAN]);
        assert_eq!(got[..5], [1.0, 1.0, 0.0, 0.0, 0.0], "{}", kernel.name());
        assert!(got[5].is_nan(), "{}", kernel.name());
    }
}

#[test]
fn a_weight_does_not_depend_on_its_place() {
    // The last, short pack meets the same arithmetic as a full one.
    for kernel in Kernel::available() {
        let x: Vec<f32> = (0..67).map(|i| -0.37 * i as f32).collect();
        let whole = exp(kernel, &x);
        for len in 1..x.len() {
            assert_eq!(exp(kernel, &x[..len]), whole[..len], "{} {len}", kernel.name());
        }
    }
}

#[test]
fn weights_are_summed() {
    for kernel in Kernel::available() {
        for len in [0, 1, 3, 16, 17, 255, 256, 1000] {
            let mut x: Vec<f32> = (0..len).map(|i| -0.001 * i as f32).collect();
            let sum = kernel.weigh(&mut x, 0.0);
            let truth: f64 = x.iter().map(|&x| f64::from(x)).sum();
            assert!((sum - truth).abs() <= 1e-6 * truth, "{} {len}: {sum} {truth}", kernel.name());
        }
    }
}

#[test]
fn maximum_finds_it_anywhere() {
    for kernel in Kernel::available() {
        assert_eq!(kernel.maximum(&[]), f32::NEG_INFINITY);
        for len in 1..70 {
            for place in 0..len {
                let mut x = vec![-5.0; len];
                x[place] = -1.0;
                assert_eq!(kernel.maximum(&x), -1.0, "{} {len} {place}", kernel.name());
            }
        }
    }
}

#[test]
fn feature_map_is_elu_plus_one() {
    let x: Vec<f32> = negatives().into_iter().step_by(97).chain([0.5, 1.0, 3.25, 1e6, 3e38]).collect();
    for kernel in Kernel::available() {
        let mut got = x.clone();
        kernel.feature_map(&mut got);
        for (&x, got) in x.iter().zip(got) {
            let truth = if x > 0.0 { f64::from(x) + 1.0 } else { f64::from(x).exp() };
            assert!(ulps(got, truth) <= 1.0, "{}: φ({x}) = {got}, not {truth}", kernel.name());
        }
    }
}

/// Values whose sums and products are exact in `f32`, so that any order of summation gives the same bits.
pub(super) fn exact(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7 + seed * 13) % 17) as f32 - 8.0).collect()
}

#[test]
fn panels_hold_the_picked_rows() {
    let list = [3, 0, 4, 4, 1];
    for kernel in Kernel::available() {
        let panel = kernel.panel_width();
        for (width, count) in [(1, 5), (3, 6), (15, 17), (16, 16), (17, 33), (33, 70), (64, 31)] {
            let (stride, offset) = (width + 5, 3);
            let data = exact(stride * count, width);
            let half: Vec<f16> = data.iter().map(|&x| f16::from_f32(x)).collect();
            for rows in [
                Rows::column_block(&data, stride, offset, width),
                Rows::column_block(&half, stride, offset, width),
            ] {
                for pick in
                    [Pick::first(count), Pick::Range { start: 1, len: 3 }, Pick::List(&list), Pick::first(0)]
                {
                    let element = |i: usize, p: usize| match i < pick.len() && p < width {
                        true => data[pick.row(i) * stride + offset + p],
                        false => 0.0,
                    };
                    // What stood there before does not shine through.
                    let mut across = vec![7.0; kernel.padded(pick.len()) * width];
                    kernel.across(rows, pick, &mut across);
                    for (place, &x) in across.iter().enumerate() {
                        let (line, column) = (place / panel, place % panel);
                        let i = line / width * panel + column;
                        assert_eq!(x, element(i, line % width), "{} {width} x {count}", kernel.name());
                    }
                    let mut along = vec![7.0; kernel.padded(width) * pick.len()];
                    kernel.along(rows, pick, &mut along);
                    for (place, &x) in along.iter().enumerate() {
                        let (line, column) = (place / panel, place % panel);
                        let p = line / pick.len() * panel + column;
                        assert_eq!(x, element(line % pick.len(), p), "{} {width} x {count}", kernel.name());
                    }
                }
            }
        }
    }
}

#[test]
fn matrices_are_multiplied_exactly() {
    for kernel in Kernel::available() {
        let width = kernel.panel_width();
        for rows in [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 24, 25] {
            for (depth, panels) in [(1, 1), (2, 3), (17, 2), (64, 1)] {
                let (a_stride, c_stride) = (depth + 3, panels * width + 2);
                // Panels that hold more rows than are used.
                let b_rows = depth + depth % 3;
                let (a, b) = (exact(rows * a_stride, 4), exact(panels * b_rows * width, 5));
                let mut c = vec![7.0; rows * c_stride];
                kernel.multiply(Matrices {
                    a: &a,
                    a_stride,
                    a_step: 1,
                    rows,
                    b: &b,
                    b_rows,
                    depth,
                    c: &mut c,
                    c_stride,
                    ahead: [&[]; 2],
                });
                // The same matrix, transposed in memory.
                let mut flipped = vec![0.0; (rows + 1) * depth];
                for (place, x) in flipped.iter_mut().enumerate() {
                    let (p, row) = (place / (rows + 1), place % (rows + 1));
                    *x = if row < rows { a[row * a_stride + p] } else { 0.0 };
                }
                let mut again = vec![7.0; rows * c_stride];
                kernel.multiply(Matrices {
                    a: &flipped,
                    a_stride: 1,
                    a_step: rows + 1,
                    rows,
                    b: &b,
                    b_rows,
                    depth,
                    c: &mut again,
                    c_stride,
                    // Asking ahead changes nothing.
                    ahead: [&a, &b],
                });
                assert_eq!(again, c, "{}", kernel.name());
                for row in 0..rows {
                    for column in 0..c_stride {
                        let expected = match column < panels * width {
                            true => (0..depth)
                                .map(|p| {
                                    let panel = &b[column / width * b_rows * width..];
                                    a[row * a_stride + p] * panel[p * width + column % width]
                                })
                                .sum(),
                            // What lies between the rows is not touched.
                            false => 7.0,
                        };
                        assert_eq!(c[row * c_stride + column], expected, "{} {rows}x{depth}", kernel.name());
                    }
                }
            }
        }
    }
}

#[test]
fn ball_scores_are_distances() {
    // From subnormal to the farthest apart that points of a ball can be, all on a grid finer than the polynomial's waves.
    let shares: Vec<f64> = (0..40_000).map(|i| 4.0 * (-0.002 * f64::from(i)).exp()).chain([0.0]).collect();
    for kernel in Kernel::available() {
        // The last two are beyond what `f32` computes.
        for c in [1e-12_f64, 1e-3, 1.0, 50.0, 1e12, 1e-20, 1e20] {
            for (gap, query_gap) in [(1.0, 1.0), (0.3, 0.7), (1e-5, 0.9), (1.2e-16, 1.2e-16)] {
                let squared: Vec<f32> = shares.iter().map(|share| (share / c) as f32).collect();
                let mut got = squared.clone();
                kernel.ball_scores(&mut got, &vec![gap; squared.len()], c, query_gap);
                for (&squared, got) in squared.iter().zip(got) {
                    let truth = -2.0 / c.sqrt() * (c * f64::from(squared) / (gap * query_gap)).sqrt().asinh();
                    let error = (f64::from(got) - truth).abs();
                    let bound = 4e-7 * truth.abs();
                    assert!(error <= bound, "{} c = {c}, d² = {squared}: {got} {truth}", kernel.name());
                }
            }
        }
    }
}

#[test]
fn a_ball_score_does_not_depend_on_its_place() {
    for kernel in Kernel::available() {
        let squared: Vec<f32> = (0..37).map(|i| 0.01 * i as f32).collect();
        let gaps: Vec<f64> = (0..37).map(|i| 1.0 / f64::from(i + 1)).collect();
        let scores = |range: core::ops::Range<usize>| {
            let mut out = squared[range.clone()].to_vec();
            kernel.ball_scores(&mut out, &gaps[range], 1.5, 0.25);
            out
        };
        for start in 0..37 {
            assert_eq!(scores(start..37), scores(0..37)[start..], "{}", kernel.name());
        }
    }
}

#[test]
fn distances_from_products_tell_what_they_lost() {
    for kernel in Kernel::available() {
        for len in [1, 2, 4, 7, 16, 33, 70] {
            // Far from the query; each place in turn is near to it.
            for near in (0..len).map(Some).chain([None]) {
                let norms: Vec<f32> = (0..len).map(|i| 1.0 + i as f32).collect();
                let mut products = vec![0.5; len];
                if let Some(near) = near {
                    products[near] = -0.75 * (norms[near] + 2.0);
                }
                let expected: Vec<f32> = norms.iter().zip(&products).map(|(n, p)| n + 2.0 + p).collect();
                assert_eq!(kernel.distances(&mut products, &norms, 2.0), near.is_some(), "{}", kernel.name());
                assert_eq!(products, expected, "{}", kernel.name());
            }
        }
    }
}

#[test]
fn points_are_weighed_by_their_conformal_factors() {
    for kernel in Kernel::available() {
        for len in [0, 1, 7, 8, 9, 64, 100] {
            let mut weights: Vec<f32> = (0..len).map(|i| 1.0 / (i + 1) as f32).collect();
            let gaps: Vec<f64> = (0..len).map(|i| 1.0 - 0.007 * i as f64).collect();
            let pairs: Vec<(f64, f64)> =
                weights.iter().zip(&gaps).map(|(&w, gap)| (f64::from(w), 2.0 / gap)).collect();
            let sum = kernel.weigh_points(&mut weights, &gaps);
            let truth: f64 = pairs.iter().map(|(w, l)| w * (l - 1.0)).sum();
            assert!((sum - truth).abs() <= 1e-14 * truth, "{}: {sum} {truth}", kernel.name());
            assert_eq!(weights, pairs.iter().map(|(w, l)| (w * l) as f32).collect::<Vec<_>>());
        }
    }
}
