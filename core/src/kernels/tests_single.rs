//! One query against rows of every type of element, on every kernel of this machine.

#![allow(clippy::unwrap_used)]

use super::rows::{Pick, Rows};
use super::tests::exact;
use crate::dispatch::Kernel;
use crate::tensor::{bf16, f16, Tensor};
use alloc::vec;
use alloc::vec::Vec;

/// The same numbers in every type of element.
struct Stored {
    f32: Vec<f32>,
    f16: Vec<f16>,
    bf16: Vec<bf16>,
}

impl Stored {
    fn new(numbers: &[f32]) -> Self {
        Stored {
            f32: numbers.to_vec(),
            f16: numbers.iter().map(|&x| f16::from_f32(x)).collect(),
            bf16: numbers.iter().map(|&x| bf16::from_f32(x)).collect(),
        }
    }

    fn tensors(&self) -> [Tensor<'_>; 3] {
        [(&self.f32).into(), (&self.f16).into(), (&self.bf16).into()]
    }
}

/// Tests one view of rows of small integers on one kernel.
fn check_exactly(kernel: Kernel, rows: Rows<'_>, pick: Pick<'_>) {
    let width = rows.width();
    let name = kernel.name();
    let row = |i: usize| rows.get(i).unwrap().iter().collect::<Vec<f32>>();
    let picked: Vec<Vec<f32>> = (0..pick.len()).map(|i| row(pick.row(i))).collect();
    let query = exact(width, 1);
    let each = |f: &dyn Fn(f32, f32) -> f32| -> Vec<f32> {
        picked.iter().map(|row| query.iter().zip(row).map(|(&q, &k)| f(q, k)).sum()).collect()
    };

    let mut got = vec![f32::NAN; pick.len()];
    kernel.products(&query, rows, pick, 0.5, &mut got);
    assert_eq!(got, each(&|q, k| 0.5 * q * k), "{name}");
    kernel.squared_distances(&query, rows, pick, &mut got);
    assert_eq!(got, each(&|q, k| (q - k) * (q - k)), "{name}");

    let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
    let mut exactly = vec![f64::NAN; pick.len()];
    kernel.products_f64(&query, rows, pick, 0.5, &mut exactly);
    assert_eq!(exactly, wide(&each(&|q, k| 0.5 * q * k)), "{name}");
    // Norms in f32 and in f64: numbers this small are exact in both.
    for exact_from in [f64::INFINITY, 0.0] {
        let (mut norms, mut both) = (exactly.clone(), (got.clone(), exactly.clone()));
        kernel.squared_norms(rows, pick, exact_from, &mut norms);
        assert_eq!(norms, wide(&each(&|_, k| k * k)), "{name}");
        both.0.fill(f32::NAN);
        kernel.squared_distances_and_norms(&query, rows, pick, exact_from, &mut both.0, &mut both.1);
        assert_eq!(both, (got.clone(), norms), "{name}");
    }

    let weights = exact(pick.len(), 2);
    let mut sum = exact(width, 3);
    let mut sum_f64 = wide(&sum);
    let expected: Vec<f32> = (0..width)
        .map(|e| sum[e] + picked.iter().zip(&weights).map(|(row, w)| w * row[e]).sum::<f32>())
        .collect();
    kernel.accumulate(&weights, rows, pick, &mut sum);
    assert_eq!(sum, expected, "{name}");
    kernel.accumulate_f64(&wide(&weights), rows, pick, &mut sum_f64);
    assert_eq!(sum_f64, wide(&expected), "{name}");
}

#[test]
fn rows_are_compared_and_summed_exactly() {
    let list: Vec<usize> = vec![8, 0, 3, 3, 7, 1, 2, 5, 6];
    for kernel in Kernel::available() {
        for width in [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 64, 65] {
            // A column block in the middle of wider rows, to see offsets and strides at work.
            let (stride, offset, count) = (width + 5, 3, 9);
            let stored = Stored::new(&exact(stride * count, width));
            for tensor in stored.tensors() {
                let rows = Rows::column_block(tensor, stride, offset, width);
                assert_eq!(rows.count(), count);
                let picks = [
                    Pick::first(9),
                    Pick::Range { start: 2, len: 5 },
                    Pick::List(&list),
                    Pick::first(0),
                    Pick::Range { start: count, len: 0 },
                ];
                picks.into_iter().for_each(|pick| check_exactly(kernel, rows, pick));
            }
        }
    }
}

/// Numbers in (−1, 1) without a pattern.
fn random(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Whether a sum of `terms` errs by no more than its additions may: each of the n roundings that a term goes through, and
/// the one of the term itself, is at most 2⁻²⁴ of the sum of magnitudes (Higham, "Accuracy and Stability of Numerical
/// Algorithms", 2002, (3.5)).
fn within(got: f64, terms: impl Iterator<Item = f64> + Clone, unit: f64) -> bool {
    let (truth, size): (f64, f64) = (terms.clone().sum(), terms.clone().map(f64::abs).sum());
    (got - truth).abs() <= (terms.count() + 3) as f64 * unit * size
}

#[test]
fn sums_err_by_no_more_than_their_roundings() {
    const F32: f64 = f32::EPSILON as f64 / 2.0;
    const F64: f64 = f64::EPSILON / 2.0;
    for kernel in Kernel::available() {
        let name = kernel.name();
        for (width, count) in
            [(1, 9), (5, 4), (16, 33), (31, 7), (32, 6), (64, 10), (67, 11), (128, 70), (300, 5), (771, 9)]
        {
            // Cut off the first number: no row lies on the boundary of a pack.
            let (all, query) = (random(width * count + 1, width as u32), random(width + 1, 7));
            let (stored, query) = (Stored::new(&all), &query[1..]);
            for tensor in stored.tensors() {
                let rows = Rows::packed(tensor.get(1, all.len()).unwrap(), width);
                let row = |i: usize| rows.get(i).unwrap().iter().map(f64::from).collect::<Vec<f64>>();
                let pick = Pick::first(count);
                let (mut products, mut distances) = (vec![0.0; count], vec![0.0; count]);
                let (mut norms, mut again, mut exact) =
                    (vec![0.0; count], vec![0.0; count], vec![0.0; count]);
                kernel.products(query, rows, pick, 1.0, &mut products);
                kernel.products_f64(query, rows, pick, 1.0, &mut exact);
                kernel.squared_norms(rows, pick, f64::INFINITY, &mut norms);
                kernel.squared_distances(query, rows, pick, &mut distances);
                for i in 0..count {
                    let row = row(i);
                    let pairs = || query.iter().map(|&q| f64::from(q)).zip(row.iter().copied());
                    assert!(within(products[i].into(), pairs().map(|(q, k)| q * k), F32), "{name} {width}");
                    assert!(within(exact[i], pairs().map(|(q, k)| q * k), F64), "{name} {width}");
                    assert!(within(norms[i], row.iter().map(|k| k * k), F32), "{name} {width}");
                    // A difference is rounded before it is squared: twice more.
                    let squares = || pairs().map(|(q, k)| (q - k) * (q - k));
                    assert!(within(distances[i].into(), squares(), F32), "{name} {width}");
                }
                // The same sums from one reading.
                kernel.squared_distances_and_norms(
                    query,
                    rows,
                    pick,
                    f64::INFINITY,
                    &mut products,
                    &mut again,
                );
                for i in 0..count {
                    let row = row(i);
                    let squares = || query.iter().zip(&row).map(|(&q, k)| (f64::from(q) - k).powi(2));
                    assert!(within(products[i].into(), squares(), F32), "{name} {width}");
                    assert!(within(again[i], row.iter().map(|k| k * k), F32), "{name} {width}");
                }
                let weights = random(count, 5);
                let (mut sum, mut sum_f64) = (vec![0.0; width], vec![0.0; width]);
                let wide: Vec<f64> = weights.iter().map(|&w| f64::from(w)).collect();
                kernel.accumulate(&weights, rows, pick, &mut sum);
                kernel.accumulate_f64(&wide, rows, pick, &mut sum_f64);
                for e in 0..width {
                    let terms = || wide.iter().enumerate().map(|(i, w)| w * row(i)[e]);
                    assert!(within(sum[e].into(), terms(), F32), "{name} {width}");
                    assert!(within(sum_f64[e], terms(), F64), "{name} {width}");
                }
            }
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_place() {
    // Alone, in a whole group or left over from groups: the same sums.
    for kernel in Kernel::available() {
        for width in [3, 16, 32, 40, 64, 128, 200] {
            let (data, query) = (random(width * 11, 3), random(width, 4));
            let rows = Rows::packed(&data, width);
            let mut whole = vec![0.0; 11];
            kernel.products(&query, rows, Pick::first(11), 1.0, &mut whole);
            for start in 0..11 {
                for len in 0..=11 - start {
                    let mut part = vec![0.0; len];
                    kernel.products(&query, rows, Pick::Range { start, len }, 1.0, &mut part);
                    assert_eq!(part, whole[start..start + len], "{} {width}", kernel.name());
                }
            }
        }
    }
}

#[test]
fn every_half_is_widened_exactly() {
    let f16s: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
    let bf16s: Vec<bf16> = (0..=u16::MAX).map(bf16::from_bits).collect();
    let f16_truth: Vec<f32> = f16s.iter().map(|x| x.to_f32()).collect();
    let bf16_truth: Vec<f32> = bf16s.iter().map(|x| x.to_f32()).collect();
    let same = |a: f32, b: f32| a == b || a.is_nan() && b.is_nan();
    for kernel in Kernel::available() {
        for (tensor, truth) in [(Tensor::from(&f16s), &f16_truth), (Tensor::from(&bf16s), &bf16_truth)] {
            // As packs, and as the single elements behind the last pack.
            let mut packs = vec![0.0; truth.len()];
            kernel.accumulate(&[1.0], Rows::packed(tensor, truth.len()), Pick::first(1), &mut packs);
            let mut single = vec![0.0; truth.len()];
            kernel.products(&[1.0], Rows::packed(tensor, 1), Pick::first(truth.len()), 1.0, &mut single);
            for (i, &truth) in truth.iter().enumerate() {
                assert!(same(packs[i], truth), "{}: {i:#06x} as {}", kernel.name(), packs[i]);
                assert!(same(single[i], truth), "{}: {i:#06x} as {}", kernel.name(), single[i]);
            }
        }
    }
}

#[test]
fn norms_keep_the_digits_of_f64_from_where_it_matters() {
    // Σ of 100 squares just below 1: its distance to 1 is far smaller than an f32 can tell.
    let row = vec![0.1_f32 * (1.0 - 1e-7); 100];
    let truth: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    for kernel in Kernel::available() {
        let norm = |exact_from| {
            let mut out = [0.0];
            kernel.squared_norms(Rows::packed(&row, 100), Pick::first(1), exact_from, &mut out);
            (out[0] - truth).abs()
        };
        assert!(norm(0.75) < 1e-14, "{}", kernel.name());
        assert!(norm(2.0) > 1e-10 && norm(2.0) < 1e-6, "{}", kernel.name());
    }
}

#[test]
fn rows_that_do_not_fit_are_none() {
    let data = [0.0_f32; 10];
    assert_eq!(Rows::column_block(&data, 5, 3, 3).count(), 0);
    assert_eq!(Rows::column_block(&data, 0, 0, 0).count(), 0);
    assert_eq!(Rows::column_block(&data, 5, usize::MAX, 2).count(), 0);
    assert_eq!(Rows::packed(&data, 3).count(), 3);
    assert!(Rows::packed(&data, 3).get(3).is_none());
    assert!(!Pick::Range { start: usize::MAX, len: 2 }.inside(5));
    assert!(!Pick::List(&[0, 5]).inside(5));
}

#[test]
fn sums_and_scaling_go_as_far_as_both_lists_do() {
    for kernel in Kernel::available() {
        for (short, long) in [(15, 16), (9, 12), (2, 8), (65, 80), (4, 4)] {
            let (few, many) = (exact(short, 1), exact(long, 2));
            for (addends, count) in [(&few, long), (&many, short)] {
                let mut totals = vec![0.5; count];
                kernel.add(addends, &mut totals);
                let sums = (0..count).map(|i| 0.5 + addends.get(i).map_or(0.0, |&x| f64::from(x)));
                assert_eq!(totals, sums.collect::<Vec<f64>>(), "{} {short} {long}", kernel.name());

                let values: Vec<f64> = addends.iter().map(|&x| f64::from(x)).collect();
                let mut out = vec![0.5; count];
                kernel.scaled(&values, 2.0, &mut out);
                let doubled = (0..count).map(|i| addends.get(i).map_or(0.5, |&x| 2.0 * x));
                assert_eq!(out, doubled.collect::<Vec<f32>>(), "{} {short} {long}", kernel.name());
            }
        }
    }
}
