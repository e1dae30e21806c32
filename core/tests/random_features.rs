//! Random features: drawn the same everywhere, unbiased, and the nearer to softmax attention the more there are.
//!
//! That they compute what their formula says, in every form of a call, is shown with all mechanisms in `properties.rs`.

mod common;

use common::{log_features, wide, Case, Kind, Random};
use ruvector_attention::{
    Attention, AttentionState, Error, Kernel, LinearAttention, Options, ScaledDotProductAttention,
};

const PLAIN: Options<'static> = Options { neighbors: None, mask: None, causal: false, training: None };

fn random(dim: usize, features: usize, seed: u64) -> LinearAttention {
    LinearAttention::new(dim).unwrap().with_random_features(features, seed).unwrap()
}

/// Numbers that another program computed from the definition: SplitMix64, Box-Muller, Gram-Schmidt.
#[test]
fn a_seed_means_the_same_numbers_everywhere() {
    let expected: [f32; 15] = [
        2.001_484_6,
        -0.269_782,
        -0.097_947_314,
        1.175_162_9,
        0.170_237_33, //
        -0.581_422_1,
        -0.934_938_4,
        -0.330_261_83,
        0.446_039_65,
        -0.706_656_34, //
        0.006_596_177,
        -0.550_208_57,
        0.609_221_46,
        0.462_980_93,
        0.248_693_03,
    ];
    let attention = random(3, 5, 7);
    for (got, expected) in attention.projection().unwrap().iter().zip(expected) {
        // Half a unit of the last place is what the other program's logarithm may differ by.
        assert!((got - expected).abs() <= expected.abs() * f32::EPSILON, "{got} {expected}");
    }
    assert_eq!(LinearAttention::new(3).unwrap().projection(), None);
    assert_ne!(random(3, 5, 8).projection(), attention.projection());
}

#[test]
fn directions_of_a_block_are_orthogonal() {
    let (dim, features) = (19, 50);
    let attention = random(dim, features, 3);
    let columns = wide(attention.projection().unwrap());
    let row = |i: usize| -> Vec<f64> { (0..dim).map(|p| columns[p * features + i]).collect() };
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let mut crossing = 0;
    for i in 0..features {
        for j in 0..i {
            let cosine = dot(&row(i), &row(j)) / (dot(&row(i), &row(i)) * dot(&row(j), &row(j))).sqrt();
            if i / dim == j / dim {
                assert!(cosine.abs() < 1e-6, "{i} {j} {cosine}");
            } else {
                crossing += usize::from(cosine.abs() > 0.05);
            }
        }
    }
    assert!(crossing > 100, "blocks are independent of each other");
}

/// The mean of φ(q)·φ(k) over draws is e^(q·k/√d), and its spread is at most Lemma 2's.
#[test]
fn weights_are_unbiased() {
    let (dim, features, draws) = (6, 12, 4_000_u32);
    let mut data = Random(4);
    let (q, k) = (wide(&data.tensor(dim, 0.8)), wide(&data.tensor(dim, 0.8)));
    let root = (dim as f64).sqrt();
    let exact = (q.iter().zip(&k).map(|(q, k)| q * k).sum::<f64>() / root).exp();
    let s = q.iter().zip(&k).map(|(q, k)| (q + k) * (q + k)).sum::<f64>() / root;
    let weights: Vec<f64> = (0..draws)
        .map(|seed| {
            let attention = random(dim, features, u64::from(seed));
            log_features(&wide(attention.projection().unwrap()), &q, &k).exp() / features as f64
        })
        .collect();
    let mean = weights.iter().sum::<f64>() / f64::from(draws);
    let spread = (weights.iter().map(|w| (w / exact - 1.0).powi(2)).sum::<f64>() / f64::from(draws)).sqrt();
    let bound = ((s.exp() - 1.0) / features as f64).sqrt();
    // Four standard errors of the mean.
    assert!((mean / exact - 1.0).abs() < 4.0 * bound / f64::from(draws).sqrt(), "{mean} {exact}");
    assert!(spread < bound && spread > 0.2 * bound, "{spread} {bound}");
}

/// A result is off by Σ pδ(v − result) with weights p and relative errors δ of at most √((e^s − 1)/r): by no more than
/// that times twice the largest value; and four times the features halve it.
#[test]
fn more_features_come_nearer_to_softmax() {
    let (m, dim) = (4, 8);
    let case = Case::random(Kind::ScaledDot, 9, m, 40, dim, 3);
    let softmax = case.expected(&PLAIN);
    let root = (dim as f64).sqrt();
    let mut largest = 0.0_f64;
    for q in case.queries.chunks(dim) {
        for k in case.keys.chunks(dim) {
            let s = q.iter().zip(k).map(|(q, k)| f64::from(q + k).powi(2)).sum::<f64>() / root;
            largest = largest.max(s);
        }
    }
    let error = |features: usize| -> f64 {
        let draws = 12;
        let squares: f64 = (0..draws)
            .map(|seed| {
                let got = random(dim, features, seed)
                    .forward_batch(&case.queries, dim, &case.keys, &case.values, &PLAIN)
                    .unwrap();
                let square = |(x, y): (&f32, &f64)| (f64::from(*x) - y).powi(2);
                got.iter().zip(&softmax).map(square).sum::<f64>() / got.len() as f64
            })
            .sum();
        (squares / draws as f64).sqrt()
    };
    let errors = [64, 256, 1_024, 4_096].map(|features| (features, error(features)));
    for (features, error) in errors {
        assert!(error < 2.0 * (largest.exp_m1() / features as f64).sqrt(), "{features}: {error}");
    }
    let gain = errors[0].1 / errors[3].1;
    assert!(
        (5.0..13.0).contains(&gain),
        "64 times the features: {gain} times nearer, 8 expected; {errors:?}"
    );
}

#[test]
fn keys_of_any_length_keep_the_sums_in_range() {
    // e^(w·k) beyond the range of f32 in some blocks and far below in others, in one shot and in causal order.
    for kernel in Kernel::available() {
        let mut case = Case::random(Kind::Random(64), 5, 30, 700, 8, 4);
        for (row, key) in case.keys.chunks_mut(8).enumerate() {
            let scale = [0.1, 12.0, 1.0, 6.0][row / 100 % 4];
            key.iter_mut().for_each(|x| *x *= scale);
        }
        for causal in [false, true] {
            let options = Options { causal, ..PLAIN };
            let expected = case.expected(&options);
            // Exponents of about 100 are off by some units of their last place, 2⁻¹⁸, and so are weights.
            common::assert_close(&case.got(kernel, &options), &expected, 1e-4, kernel.name());
            let got = case.streamed(kernel, &options, &[90, 150, 420]);
            common::assert_close(&got, &expected, 1e-4, kernel.name());
        }
    }
}

#[test]
fn refusals() {
    let new = |features| LinearAttention::new(4).unwrap().with_random_features(features, 1);
    for features in [0, (1 << 23) + 1, usize::MAX] {
        let error = new(features).unwrap_err();
        assert_eq!((error.code(), error.argument()), ("parameter", "features"), "{features}");
    }
    let start = |seed| random(4, 8, seed).stream(&[0.5; 4], 4, 2, &PLAIN).unwrap();
    let mut state = start(1);
    state.push(&[0.1; 8], &[1.0, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!(state.merge(&start(2)), Err(Error::StateMismatch { field: "mechanism" }));
    // What is relative to nothing cannot have been summed.
    let bytes = state.to_bytes();
    let mut body = bytes[..bytes.len() - 8].to_vec();
    let end = body.len();
    body[end - 8..].copy_from_slice(&f64::NEG_INFINITY.to_le_bytes());
    let hash = body.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    body.extend_from_slice(&hash.to_le_bytes());
    assert!(AttentionState::from_bytes(&body).unwrap_err().to_string().contains("sums"));
    assert!(AttentionState::from_bytes(&bytes).is_ok());
}

#[test]
fn one_key_is_its_value() {
    let got = random(2, 5, 1).forward(&[0.3, -2.0], &[1.0, 0.5], &[4.0, -7.0]).unwrap();
    assert!((got[0] - 4.0).abs() < 2e-6 && (got[1] + 7.0).abs() < 4e-6, "{got:?}");
    let scaled = ScaledDotProductAttention::new(2).unwrap();
    assert_eq!(scaled.forward(&[0.3, -2.0], &[1.0, 0.5], &[4.0, -7.0]).unwrap(), [4.0, -7.0]);
}
