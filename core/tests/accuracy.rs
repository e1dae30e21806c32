//! The largest error against `f64`, relative to the largest value of the result, over the sizes that are also timed.

mod common;

use common::{oracle, Case, Kind, Random};
use ruvector_attention::sdk::prelude::*;
use ruvector_attention::Kernel;

/// What every kernel keeps on every size.
const BOUND: f64 = 2e-6;

/// Normally distributed elements, by the sum of twelve uniform ones.
fn normal(random: &mut Random, len: usize) -> Vec<f32> {
    (0..len).map(|_| ((0..12).map(|_| random.uniform()).sum::<f64>() - 6.0) as f32).collect()
}

fn error(got: &[f32], expected: &[f64]) -> f64 {
    let largest = expected.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    let off = got.iter().zip(expected).map(|(&got, x)| (f64::from(got) - x).abs());
    off.fold(0.0, f64::max) / largest
}

/// Checks all kernels on one size; tensors of the ball are made by `Case`, others are normal.
fn check(kind: Kind, m: usize, n: usize, dim: usize, options: &Options<'_>) {
    let mut case = Case::random(kind, 4, m, n, dim, dim);
    if !matches!(kind, Kind::Hyperbolic(_)) {
        let mut random = Random(n as u64 + dim as u64);
        for tensor in [&mut case.queries, &mut case.keys, &mut case.values] {
            *tensor = normal(&mut random, tensor.len());
        }
    }
    let expected = oracle(kind, &case.queries, case.dim, &case.keys, &case.values, options);
    for kernel in Kernel::available() {
        let error = error(&case.got(kernel, options), &expected);
        println!("{kind:?} {m}x{n}x{dim} {}: {error:.1e}", kernel.name());
        assert!(error <= BOUND, "{kind:?} {m}x{n}x{dim} {}: {error:e}", kernel.name());
    }
}

#[test]
fn one_query() {
    for (dim, n) in [(64, 1_000), (128, 1_000), (128, 10_000), (768, 1_000), (768, 10_000), (1_536, 1_000)] {
        check(Kind::ScaledDot, 1, n, dim, &Options::default());
        check(Kind::Hyperbolic(1.0), 1, n, dim, &Options::default());
    }
    check(Kind::Linear, 1, 1_000, 128, &Options::default());
    check(Kind::ScaledDot, 1, 10_000, 768, &Options { neighbors: Some(100), ..Options::default() });
}

#[test]
fn one_query_over_a_million_keys() {
    check(Kind::ScaledDot, 1, 1_000_000, 4, &Options::default());
    check(Kind::Linear, 1, 1_000_000, 4, &Options::default());
}

#[test]
fn many_queries() {
    for causal in [false, true] {
        let options = Options { causal, ..Options::default() };
        check(Kind::MultiHead(4), 128, 512, 64, &options);
        check(Kind::MultiHead(2), 64, 1_024, 128, &options);
        check(Kind::ScaledDot, 48, 4_096, 64, &options);
        check(Kind::Hyperbolic(1.0), 64, 512, 64, &options);
        check(Kind::Hyperbolic(0.25), 64, 512, 3, &options);
        check(Kind::Linear, 200, 512, 64, &options);
    }
}

#[test]
fn steep_scores() {
    // Four times the spread: scores up to about 50, and few keys that matter.
    for (m, n, dim) in [(1, 2_000, 64), (40, 600, 64)] {
        let mut random = Random(11);
        let tensors = [m, n, n].map(|rows| normal(&mut random, rows * dim));
        let queries: Vec<f32> = tensors[0].iter().map(|x| x * 4.0).collect();
        let keys: Vec<f32> = tensors[1].iter().map(|x| x * 4.0).collect();
        let options = Options::default();
        let expected = oracle(Kind::ScaledDot, &queries, dim, &keys, &tensors[2], &options);
        for kernel in Kernel::available() {
            let attention = Kind::ScaledDot.build(dim, kernel);
            let got = attention.forward_batch(&queries, dim, &keys, &tensors[2], &options).unwrap();
            let error = error(&got, &expected);
            println!("steep {m}x{n}x{dim} {}: {error:.1e}", kernel.name());
            assert!(error <= BOUND, "{m}x{n}x{dim} {}: {error:e}", kernel.name());
        }
    }
}

#[test]
fn equal_values() {
    // Every addition of equal terms rounds the same way: the worst that sums in `f32` can meet. Linear attention, whose
    // products of equal queries and sums are such sums over the dimensions too, is not within the bound here.
    let (options, mut worst) = (Options::default(), 0.0_f64);
    for (m, n, dim) in
        [(1, 256, 64), (1, 1_000, 64), (1, 1_000, 768), (1, 3_000, 128), (16, 1_000, 64), (16, 256, 129)]
    {
        for kernel in Kernel::available() {
            for kind in [Kind::ScaledDot, Kind::MultiHead(1)] {
                for i in 0..12 {
                    let value = 0.5 + i as f32 * 0.040_479_2;
                    let (queries, keys) = (vec![0.0; m * dim], vec![0.3; n * dim]);
                    let attention = kind.build(dim, kernel);
                    let got = attention
                        .forward_batch(&queries, dim, &keys, &vec![value; n * dim], &options)
                        .unwrap();
                    let error = error(&got, &vec![f64::from(value); got.len()]);
                    assert!(error <= BOUND, "{kind:?} {m}x{n}x{dim} {} {value}: {error:e}", kernel.name());
                    worst = worst.max(error);
                }
            }
        }
    }
    println!("equal values: {worst:.1e}");
}
