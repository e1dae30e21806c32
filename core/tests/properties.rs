//! What must hold for any input, on every kernel: agreement with the `f64` oracle, and the laws that follow from the
//! definitions.

mod common;

use common::{assert_close, ranges, Case, Kind, Random, KINDS};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use ruvector_attention::{Attention, HyperbolicAttention, LinearAttention, ScaledDotProductAttention};
use ruvector_attention::{
    AttentionState, Kernel, MultiHeadAttention, MultiHeadWeights, Options, SelfAttention,
};

/// Error allowed against the oracle, relative to the largest element: 32 half-ULPs of `f32`, for dot products of up to
/// some hundred elements (error grows as the root of their number) and scores of up to about ±5, whose absolute error
/// becomes the weights' relative one.
const CLOSE: f64 = 32.0 * 6.0e-8;

fn each_kernel(test: impl Fn(Kernel)) {
    let mut count = 0;
    for kernel in Kernel::available() {
        test(kernel);
        count += 1;
    }
    assert!(count > 0);
}

/// Dimensions around every lane count, one key, more keys than a block.
const SIZES: [(usize, usize, usize, usize); 15] = [
    (1, 1, 1, 1),
    (1, 2, 3, 2),
    (3, 5, 4, 4),
    (2, 9, 7, 5),
    (4, 4, 8, 9),
    (1, 33, 15, 16),
    (2, 64, 17, 31),
    (5, 257, 33, 3),
    (1, 600, 2, 1),
    (3, 100, 64, 65),
    (2, 40, 128, 127),
    (17, 300, 5, 6),
    (50, 530, 20, 37),
    (9, 40, 1_536, 8),
    (8, 5_000, 16, 4),
];

#[test]
fn agrees_with_the_oracle() {
    each_kernel(|kernel| {
        for kind in KINDS {
            for (seed, (m, n, dim, value_dim)) in SIZES.into_iter().enumerate() {
                let case = Case::random(kind, seed as u64, m, n, dim, value_dim);
                let what = format!("{kind:?} m={m} n={n} d={dim} on {}", kernel.name());
                let plain = Options::default();
                // The dot products that random features have in exponents are long sums; their rounding grows as the root
                // of their length beyond the hundred elements or so that `CLOSE` is for.
                let long = (dim as f64 / 128.0).sqrt().max(1.0);
                let close = if let Kind::Random(_) = kind { CLOSE * long } else { CLOSE };
                assert_close(&case.got(kernel, &plain), &case.expected(&plain), close, &what);
                if n >= m {
                    let causal = Options { causal: true, ..plain };
                    assert_close(
                        &case.got(kernel, &causal),
                        &case.expected(&causal),
                        close,
                        &format!("{what} causal"),
                    );
                }
            }
        }
    });
}

#[test]
fn agrees_with_the_oracle_at_ten_thousand_keys() {
    each_kernel(|kernel| {
        for kind in [Kind::ScaledDot, Kind::Linear, Kind::Hyperbolic(1.0)] {
            let case = Case::random(kind, 7, 1, 10_000, 24, 8);
            let plain = Options::default();
            assert_close(&case.got(kernel, &plain), &case.expected(&plain), CLOSE, &format!("{kind:?}"));
        }
    });
}

#[test]
fn large_scores_are_as_exact_as_small_ones() {
    // Scores of ±1e4, where an f32 would be off by up to 1e4 · 2⁻²⁴ = 6e-4; one query, a tile of them, and heads.
    each_kernel(|kernel| {
        for (m, n) in [(1, 50), (1, 700), (20, 300)] {
            for kind in [Kind::ScaledDot, Kind::MultiHead(2)] {
                let mut case = Case::random(kind, 77, m, n, 16, 8);
                for x in case.queries.iter_mut().chain(&mut case.keys) {
                    *x *= 100.0;
                }
                for options in [Options::default(), Options { neighbors: Some(9), ..Options::default() }] {
                    let expected = case.expected(&options);
                    assert_close(
                        &case.got(kernel, &options),
                        &expected,
                        2e-6,
                        &format!("{kernel:?} {m}×{n}"),
                    );
                }
                // All scores near one large value: every one of them counts.
                let query = case.queries[..case.dim].to_vec();
                for (i, key) in case.keys.chunks_mut(case.dim).enumerate() {
                    key.iter_mut().zip(&query).for_each(|(k, q)| *k = *q * (1.0 + i as f32 * 1e-6));
                }
                let options = Options::default();
                assert_close(&case.got(kernel, &options), &case.expected(&options), 2e-6, kernel.name());
            }
        }
    });
}

#[test]
fn subnormal_and_zero_inputs_are_fine() {
    each_kernel(|kernel| {
        let attention = ScaledDotProductAttention::new(3).unwrap().with_kernel(kernel);
        let keys = [1e-40_f32; 6];
        let got = attention.forward(&[1e-42, 0.0, -0.0], &keys, &[1e-39, 3e-39]).unwrap();
        assert!((f64::from(got[0]) - 2e-39).abs() < 1e-44, "{got:?}");
        assert_eq!(attention.forward(&[0.0; 3], &[0.0; 6], &[0.0, 0.0]).unwrap(), [0.0]);
    });
}

#[test]
fn unaligned_slices_give_the_same() {
    let case = Case::random(Kind::ScaledDot, 5, 2, 30, 19, 11);
    each_kernel(|kernel| {
        let shifted = |x: &[f32]| {
            let mut out = vec![9.0];
            out.extend_from_slice(x);
            out
        };
        let (queries, keys, values) = (shifted(&case.queries), shifted(&case.keys), shifted(&case.values));
        let attention = case.kind.build(case.dim, kernel);
        let got = attention
            .forward_batch(&queries[1..], case.dim, &keys[1..], &values[1..], &Options::default())
            .unwrap();
        assert_eq!(got, case.got(kernel, &Options::default()));
    });
}

#[test]
fn hyperbolic_stays_exact_near_the_boundary() {
    each_kernel(|kernel| {
        for c in [0.25, 1.0, 4.0] {
            let mut random = Random(11);
            let mut case = Case::random(Kind::Hyperbolic(c), 11, 3, 20, 6, 5);
            // Norms of 0.99 to 0.9999 of the radius.
            let mut edge = |rows: usize, width: usize| -> Vec<f32> {
                let mut out = Vec::new();
                for _ in 0..rows {
                    let row = random.points(1, width, c, 1.0);
                    let norm = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt() * c.sqrt();
                    let target = 0.99 + 0.0099 * random.uniform();
                    out.extend(row.iter().map(|x| (f64::from(*x) / norm * target) as f32));
                }
                out
            };
            case.queries = edge(3, case.dim);
            case.keys = edge(20, case.dim);
            case.values = edge(20, case.value_dim);
            let plain = Options::default();
            let got = case.got(kernel, &plain);
            assert_close(&got, &case.expected(&plain), 1e-5, kernel.name());
            for row in got.chunks(case.value_dim) {
                assert!(c * row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() < 1.0, "left the ball");
            }
        }
    });
}

#[test]
fn hyperbolic_keeps_its_digits_up_to_where_f64_takes_over() {
    // c‖v‖² up to 3/4: the sums are f32. At the limit √(1 − c‖m‖²) = 1/7 magnifies their rounding by 7/2.
    each_kernel(|kernel| {
        for c in [0.25, 1.0, 4.0] {
            let mut random = Random(31);
            let mut case = Case::random(Kind::Hyperbolic(c), 31, 3, 400, 8, 7);
            case.values = random.points(1, case.value_dim, c, 0.866).repeat(400);
            let length =
                case.values[..case.value_dim].iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            for (i, x) in case.values.iter_mut().enumerate() {
                // Norms from 0.80 to 0.865 of the radius, in one direction, where the midpoint is as far out.
                let target = (0.80 + 0.065 * (i / case.value_dim) as f64 / 400.0) / c.sqrt();
                *x = (f64::from(*x) * target / length) as f32;
            }
            let plain = Options::default();
            assert_close(&case.got(kernel, &plain), &case.expected(&plain), CLOSE, kernel.name());
        }
    });
}

#[test]
fn the_midpoint_never_leaves_the_ball() {
    // (a, b) lies outside, (a⁻, b) and (a, b⁻), one step of f32 inwards, lie inside: rounding the coordinates of their
    // midpoint upwards would carry it across.
    let inwards = |x: f32| f32::from_bits(x.to_bits() - 1);
    let inside = |x: &[f32]| x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() < 1.0;
    let attention = HyperbolicAttention::new(1.0).unwrap();
    let mut tried = 0;
    for i in 0..2_000 {
        let a = (0.1 + 0.0004 * f64::from(i)) as f32;
        let mut b = (1.0 - f64::from(a).powi(2)).sqrt() as f32;
        while inside(&[a, b]) {
            b = f32::from_bits(b.to_bits() + 1);
        }
        let values = [inwards(a), b, a, inwards(b)];
        if !inside(&values[..2]) || !inside(&values[2..]) {
            continue;
        }
        tried += 1;
        let got = attention.forward(&[0.0], &[0.1, 0.1], &values).unwrap();
        assert!(inside(&got), "{got:?}");
        // What comes out may go in again.
        assert!(attention.forward(&got, &got, &got).is_ok());
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn dropping_every_point_leaves_the_origin() {
    let attention = HyperbolicAttention::new(1.0).unwrap().with_dropout(0.5).unwrap();
    let seen: Vec<f32> = (0..40)
        .map(|seed| {
            let training = Options { training: Some(seed), ..Options::default() };
            attention.forward_with(&[0.0], &[0.2], &[0.5], &training).unwrap()[0]
        })
        .collect();
    // The weight's factor cancels in a midpoint: the point itself, or nothing.
    assert!(seen.iter().all(|&x| x == 0.0 || (x - 0.5).abs() < 1e-7), "{seen:?}");
    assert!(seen.contains(&0.0) && seen.iter().any(|&x| x > 0.0));
}

#[test]
fn hyperbolic_aggregation_of_one_point_is_that_point() {
    let attention = HyperbolicAttention::new(2.0).unwrap();
    let point = [0.3_f32, -0.4, 0.1];
    let got = attention.forward(&[0.0; 3], &[0.1; 3], &point).unwrap();
    assert_close(&got, &point.map(f64::from), 2e-7, "one point");
}

#[test]
fn projection_is_opt_in() {
    let outside = [2.0_f32, 0.0];
    let plain = HyperbolicAttention::new(1.0).unwrap();
    assert!(plain.forward(&outside, &outside, &outside).is_err());
    let projecting = plain.with_projection(true);
    let got = projecting.forward(&outside, &outside, &outside).unwrap();
    assert!(got[0] > 0.99 && got[0] < 1.0, "{got:?}");
}

#[test]
fn training_drops_and_rescales() {
    let n = 20_000;
    let attention = ScaledDotProductAttention::new(1).unwrap().with_dropout(0.25).unwrap();
    let (keys, values) = (vec![0.0; n], vec![1.0; n]);
    let run = |training| {
        attention.forward_with(&[1.0], &keys, &values, &Options { training, ..Options::default() }).unwrap()
            [0]
    };
    assert_eq!(run(None), 1.0, "inference is the identity");
    let first = run(Some(1));
    // Mean of n Bernoulli(3/4)/(3/4): standard deviation √(1/3/n) = 0.0041.
    assert!((first - 1.0).abs() < 0.02 && first != 1.0, "{first}");
    assert_eq!(first, run(Some(1)), "a seed gives the same result");
    assert_ne!(first, run(Some(2)), "another seed another one");
    // Single weights are 0 or 4/3.
    let single = attention.forward_batch(
        &vec![1.0; 64],
        1,
        &[0.0],
        &[3.0],
        &Options { training: Some(9), ..Options::default() },
    );
    let single = single.unwrap();
    assert!(single.iter().all(|&x| x == 0.0 || (x - 4.0).abs() < 1e-6), "{single:?}");
    assert!(single.contains(&0.0) && single.iter().any(|&x| x > 0.0));
}

#[test]
fn tiles_drop_the_same_weights() {
    // The first seven queries of a batch that is tiled, and alone, where they are not.
    each_kernel(|kernel| {
        let case = Case::random(Kind::MultiHead(3), 12, 30, 300, 4, 5);
        let attention = MultiHeadAttention::new(3, case.dim, 0.4).unwrap().with_kernel(kernel);
        let mask: Vec<bool> = (0..300).map(|i| i % 5 != 2).collect();
        let options = Options { training: Some(77), mask: Some(&mask), ..Options::default() };
        let run = |m: usize| {
            let queries = &case.queries[..m * case.dim];
            attention.forward_batch(queries, case.dim, &case.keys, &case.values, &options).unwrap()
        };
        let alone: Vec<f64> = run(7).iter().map(|&x| f64::from(x)).collect();
        assert_close(&run(30)[..alone.len()], &alone, CLOSE, kernel.name());
    });
}

#[test]
fn heads_drop_independently() {
    let attention = MultiHeadAttention::new(32, 32, 0.5).unwrap();
    let training = Options { training: Some(4), ..Options::default() };
    let got = attention.forward_with(&[0.0; 32], &[0.0; 32], &[1.0; 32], &training).unwrap();
    assert!(got.contains(&0.0) && got.contains(&2.0), "{got:?}");
}

#[test]
fn weights_project_as_torch_does() {
    let mut random = Random(5);
    let (hidden, heads, m, n) = (6, 2, 3, 7);
    let mut matrix = || random.tensor(hidden * hidden, 0.7);
    let (wq, wk, wv, wo) = (matrix(), matrix(), matrix(), matrix());
    let (bq, bk, bv, bo) = (
        random.tensor(hidden, 1.0),
        random.tensor(hidden, 1.0),
        random.tensor(hidden, 1.0),
        random.tensor(hidden, 1.0),
    );
    let case = Case::random(Kind::MultiHead(heads), 8, m, n, hidden / heads, hidden / heads);
    // y = x Wᵀ + b, in f64, rounded for the oracle.
    let project = |x: &[f32], w: &[f32], b: &[f32]| -> Vec<f32> {
        x.chunks(hidden)
            .flat_map(|row| {
                (0..hidden).map(|o| {
                    let sum: f64 =
                        (0..hidden).map(|i| f64::from(row[i]) * f64::from(w[o * hidden + i])).sum();
                    (sum + f64::from(b[o])) as f32
                })
            })
            .collect()
    };
    let inner = Case {
        queries: project(&case.queries, &wq, &bq),
        keys: project(&case.keys, &wk, &bk),
        values: project(&case.values, &wv, &bv),
        ..case
    };
    let joined: Vec<f32> = inner.expected(&Options::default()).iter().map(|&x| x as f32).collect();
    let expected: Vec<f64> = project(&joined, &wo, &bo).iter().map(|&x| f64::from(x)).collect();
    let weights =
        MultiHeadWeights::new(hidden, &wq, &wk, &wv, &wo).unwrap().with_biases(&bq, &bk, &bv, &bo).unwrap();
    let attention = MultiHeadAttention::new(heads, hidden, 0.0).unwrap().with_weights(weights).unwrap();
    let case = Case::random(Kind::MultiHead(heads), 8, m, n, hidden / heads, hidden / heads);
    let got = attention
        .forward_batch(&case.queries, hidden, &case.keys, &case.values, &Options::default())
        .unwrap();
    assert_close(&got, &expected, 3e-6, "weights");
}

#[test]
fn self_attention_is_its_rows_in_three_roles() {
    let case = Case::random(Kind::SelfRows, 2, 9, 9, 5, 5);
    let attention = SelfAttention::new(5).unwrap();
    for causal in [false, true] {
        let options = Options { causal, ..Options::default() };
        let expected = attention.forward_batch(&case.keys, 5, &case.keys, &case.keys, &options).unwrap();
        assert_eq!(attention.attend(&case.keys, &options).unwrap(), expected);
    }
}

#[test]
fn causal_without_a_mask_hides_the_future() {
    // Changing keys and values behind what a query sees must not change its result.
    for kind in KINDS {
        let (m, n) = (4, 9);
        let options = Options { causal: true, ..Options::default() };
        let case = Case::random(kind, 21, m, n, 4, 4);
        let mut changed = Case::random(kind, 21, m, n, 4, 4);
        let seen = n - m + 2; // query 1 sees keys 0..=n−m+1
        changed.keys[seen * case.dim..].iter_mut().for_each(|x| *x *= 0.5);
        changed.values[seen * case.value_dim..].iter_mut().for_each(|x| *x *= 0.5);
        let (a, b) = (case.got(Kernel::detect(), &options), changed.got(Kernel::detect(), &options));
        let (early, late) = (2 * case.value_dim, 3 * case.value_dim);
        assert_eq!(a[..early], b[..early], "{kind:?}");
        assert_ne!(a[late..], b[late..], "{kind:?}");
    }
}

#[test]
fn linear_causal_with_a_mask_matches_the_oracle() {
    each_kernel(|kernel| {
        let case = Case::random(Kind::Linear, 6, 5, 70, 6, 3);
        let mask: Vec<bool> = (0..70).map(|i| i % 3 != 1).collect();
        let options = Options { causal: true, mask: Some(&mask), ..Options::default() };
        assert_close(&case.got(kernel, &options), &case.expected(&options), CLOSE, kernel.name());
    });
}

#[test]
fn linear_takes_inputs_far_below_zero() {
    // φ(−90) = 8e-40 is a subnormal of few digits; the ratio must still come out.
    let attention = LinearAttention::new(1).unwrap();
    let got = attention.forward(&[0.0], &[-88.0, -88.0], &[1.0, 3.0]).unwrap();
    assert!((got[0] - 2.0).abs() < 1e-5, "{got:?}");
}

fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(KINDS.to_vec())
}

fn softmax_kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(KINDS.iter().copied().filter(|kind| !kind.is_linear()).collect::<Vec<_>>())
}

fn kernel() -> impl Strategy<Value = Kernel> {
    prop::sample::select(Kernel::available().collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, rng_seed: RngSeed::Fixed(32), ..ProptestConfig::default() })]

    #[test]
    fn any_options_agree_with_the_oracle(
        kind in kind(), kernel in kernel(), seed: u64,
        m in 1_usize..60, extra in 0_usize..40, dim in 1_usize..20, value_dim in 1_usize..20,
        k in prop::option::of(1_usize..60), causal: bool, masked: bool,
    ) {
        let n = m + extra;
        let case = Case::random(kind, seed, m, n, dim, value_dim);
        let mut random = Random(seed ^ 1);
        let mut mask: Vec<bool> = (0..n).map(|_| random.below(3) > 0).collect();
        mask[0] = true; // a key that every query sees
        let neighbors = k.filter(|_| !kind.is_linear());
        let options = Options { neighbors, mask: masked.then_some(&mask), causal, training: None };
        assert_close(&case.got(kernel, &options), &case.expected(&options), CLOSE, &format!("{kind:?}"));
    }

    #[test]
    fn any_chunking_gives_the_one_shot_result(
        kind in kind(), kernel in kernel(), seed: u64,
        m in 1_usize..30, extra in 0_usize..40, mut cuts in prop::collection::vec(0_usize..70, 0..8),
        k in prop::option::of(1_usize..60), causal: bool, masked: bool,
    ) {
        let n = m + extra;
        let case = Case::random(kind, seed, m, n, 5, 6);
        let mut random = Random(seed ^ 2);
        let mut mask: Vec<bool> = (0..n).map(|_| random.below(3) > 0).collect();
        mask[0] = true;
        let neighbors = k.filter(|_| !kind.is_linear());
        let options = Options { neighbors, mask: masked.then_some(&mask), causal, training: None };
        cuts.sort_unstable();
        let whole: Vec<f64> = case.got(kernel, &options).iter().map(|&x| f64::from(x)).collect();
        assert_close(&case.streamed(kernel, &options, &cuts), &whole, CLOSE, &format!("{kind:?}"));
    }

    #[test]
    fn shards_merge_in_any_grouping(
        kind in kind(), seed: u64, m in 1_usize..20, extra in 0_usize..30,
        a in 0_usize..50, b in 0_usize..50, k in prop::option::of(1_usize..9), causal: bool,
    ) {
        let n = m + extra;
        let case = Case::random(kind, seed, m, n, 4, 3);
        let options = Options { neighbors: k.filter(|_| !kind.is_linear()), causal, ..Options::default() };
        let attention = case.kind.build(case.dim, Kernel::detect());
        let (a, b) = (a.min(b).min(n), a.max(b).min(n));
        let shard = |from: usize, to: usize| {
            let mut state = attention.stream(&case.queries, case.dim, case.value_dim, &options).unwrap();
            if from < to {
                case.push(&mut state, None, from, to);
            }
            // Each shard travels as bytes.
            AttentionState::from_bytes(&state.to_bytes()).unwrap()
        };
        let whole: Vec<f64> = case.got(Kernel::detect(), &options).iter().map(|&x| f64::from(x)).collect();
        let mut left = shard(0, a);
        left.merge(&shard(a, b)).unwrap();
        left.merge(&shard(b, n)).unwrap();
        assert_eq!(left.keys(), n);
        assert_close(&left.finish().unwrap(), &whole, CLOSE, "(a b) c");
        let mut tail = shard(a, b);
        tail.merge(&shard(b, n)).unwrap();
        let mut right = shard(0, a);
        right.merge(&tail).unwrap();
        assert_close(&right.finish().unwrap(), &whole, CLOSE, "a (b c)");
    }

    #[test]
    fn order_of_the_keys_does_not_matter(kind in kind(), seed: u64, n in 2_usize..40) {
        let case = Case::random(kind, seed, 2, n, 6, 5);
        let mut order: Vec<usize> = (0..n).collect();
        let mut random = Random(seed ^ 3);
        for i in (1..n).rev() {
            order.swap(i, random.below(i + 1));
        }
        let permuted = Case {
            keys: order.iter().flat_map(|&j| case.keys[j * case.dim..][..case.dim].to_vec()).collect(),
            values: order.iter().flat_map(|&j| case.values[j * case.value_dim..][..case.value_dim].to_vec()).collect(),
            queries: case.queries.clone(),
            ..case
        };
        let expected: Vec<f64> = case.got(Kernel::detect(), &Options::default()).iter().map(|&x| f64::from(x)).collect();
        assert_close(&permuted.got(Kernel::detect(), &Options::default()), &expected, CLOSE, "permuted");
    }

    #[test]
    fn adding_the_same_to_every_score_changes_nothing(seed: u64, shift in -20.0_f32..20.0) {
        // A coordinate that all keys share adds the same to all scores.
        let mut shifted = Case::random(Kind::ScaledDot, seed, 1, 20, 5, 4);
        let mut plain = Case::random(Kind::ScaledDot, seed, 1, 20, 5, 4);
        for row in 0..20 {
            plain.keys[row * 5] = 0.0;
            shifted.keys[row * 5] = shift;
        }
        let expected: Vec<f64> = plain.got(Kernel::detect(), &Options::default()).iter().map(|&x| f64::from(x)).collect();
        // Scores of up to 20/√5 are off by up to 1e-6, and so are weights.
        assert_close(&shifted.got(Kernel::detect(), &Options::default()), &expected, 4e-6, "shifted");
    }

    #[test]
    fn a_batch_is_its_queries_one_by_one(kind in kind(), kernel in kernel(), seed: u64, m in 1_usize..30, n in 1_usize..30) {
        let case = Case::random(kind, seed, m, n, 7, 3);
        let attention = case.kind.build(case.dim, kernel);
        let mut singles = Vec::new();
        for query in case.queries.chunks(case.dim) {
            singles.extend(attention.forward(query, &case.keys, &case.values).unwrap());
        }
        // Rounded differently: many queries share the work in tiles.
        let singles: Vec<f64> = singles.into_iter().map(f64::from).collect();
        assert_close(&case.got(kernel, &Options::default()), &singles, CLOSE, "batch");
    }

    #[test]
    fn a_mask_deletes_keys(kind in kind(), seed: u64, n in 1_usize..40, poison: bool) {
        let mut case = Case::random(kind, seed, 2, n, 5, 4);
        let mut random = Random(seed ^ 4);
        let mut mask: Vec<bool> = (0..n).map(|_| random.below(2) > 0).collect();
        mask[random.below(n)] = true;
        let kept = |tensor: &[f32], width: usize| -> Vec<f32> {
            tensor.chunks(width).zip(&mask).filter(|(_, keep)| **keep).flat_map(|(row, _)| row.to_vec()).collect()
        };
        let deleted = Case {
            keys: kept(&case.keys, case.dim),
            values: kept(&case.values, case.value_dim),
            queries: case.queries.clone(),
            ..case
        };
        if poison {
            // What is masked may be anything.
            for (row, _) in mask.iter().enumerate().filter(|(_, keep)| !**keep) {
                case.keys[row * case.dim] = f32::NAN;
                case.values[row * case.value_dim] = f32::INFINITY;
            }
        }
        let expected: Vec<f64> = deleted.got(Kernel::detect(), &Options::default()).iter().map(|&x| f64::from(x)).collect();
        let options = Options { mask: Some(&mask), ..Options::default() };
        assert_close(&case.got(Kernel::detect(), &options), &expected, CLOSE, "masked");
    }

    #[test]
    fn top_k_of_all_is_all(kind in softmax_kind(), seed: u64, n in 1_usize..40, more in 0_usize..3) {
        let case = Case::random(kind, seed, 2, n, 5, 4);
        let options = Options { neighbors: Some(n + more), ..Options::default() };
        prop_assert_eq!(case.got(Kernel::detect(), &options), case.got(Kernel::detect(), &Options::default()));
    }

    #[test]
    fn top_k_ties_go_to_the_lower_index(n in 1_usize..40, k in 1_usize..40, zero in prop::sample::select(vec![0.0_f32, -0.0])) {
        // All scores are zero, of either sign: the first k values are averaged.
        let attention = ScaledDotProductAttention::new(1).unwrap();
        let values: Vec<f32> = (0..n).map(|i| i as f32).collect();
        let keys: Vec<f32> = (0..n).map(|i| if i % 2 == 0 { zero } else { -zero }).collect();
        let options = Options { neighbors: Some(k), ..Options::default() };
        let got = attention.forward_with(&[1.0], &keys, &values, &options).unwrap();
        let first = k.min(n);
        prop_assert!((f64::from(got[0]) - (first - 1) as f64 / 2.0).abs() < 1e-5);
    }

    #[test]
    fn results_are_within_the_values(seed: u64, n in 1_usize..40) {
        let case = Case::random(Kind::ScaledDot, seed, 2, n, 5, 1);
        let (low, high) = case.values.iter().fold((f32::MAX, f32::MIN), |(low, high), &x| (low.min(x), high.max(x)));
        for x in case.got(Kernel::detect(), &Options::default()) {
            prop_assert!(x >= low - 1e-6 && x <= high + 1e-6);
        }
    }

    #[test]
    fn kernels_agree(kind in kind(), seed: u64, n in 1_usize..40, dim in 1_usize..40) {
        let case = Case::random(kind, seed, 1, n, dim, 3);
        let expected: Vec<f64> = case.got(Kernel::scalar(), &Options::default()).iter().map(|&x| f64::from(x)).collect();
        for kernel in Kernel::available() {
            assert_close(&case.got(kernel, &Options::default()), &expected, CLOSE, kernel.name());
        }
    }
}

#[test]
fn ranges_cover_all_rows_once() {
    assert_eq!(ranges(&[], 3), [(0, 3)]);
    assert_eq!(ranges(&[0, 1, 3], 3), [(0, 1), (1, 3)]);
}
