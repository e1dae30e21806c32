//! The ball's maps: round trips, known values, and the laws of a distance.

mod common;

use common::Random;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use ruvector_attention::poincare::{distance, from_poincare, project_to_ball, to_poincare, PROJECTION_LIMIT};

fn norm(x: &[f32]) -> f64 {
    x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn known_values() {
    // d(0, y) = 2/√c artanh(√c ‖y‖)
    for c in [0.1, 1.0, 7.0_f64] {
        let y = [(0.6 / c.sqrt()) as f32];
        let expected = 2.0 / c.sqrt() * (c.sqrt() * f64::from(y[0])).atanh();
        assert!((distance(&[0.0], &y, c).unwrap() - expected).abs() < 1e-14 * expected.max(1.0));
    }
    assert_eq!(to_poincare(&[0.0, 0.0], 1.0).unwrap(), [0.0, 0.0]);
    assert_eq!(from_poincare(&[0.0, 0.0], 1.0).unwrap(), [0.0, 0.0]);
    assert_eq!(distance(&[0.25, 0.5], &[0.25, 0.5], 1.0).unwrap(), 0.0);
}

#[test]
fn near_points_and_the_boundary_keep_their_digits() {
    // Two points one f32 step apart: the arcosh form would give 0.
    let (x, y) = (0.5_f32, f32::from_bits(0.5_f32.to_bits() + 1));
    let (wide_x, wide_y) = (f64::from(x), f64::from(y));
    let expected = 2.0 * ((wide_y - wide_x) / (1.0 - wide_x * wide_y)).atanh();
    let got = distance(&[x], &[y], 1.0).unwrap();
    assert!((got / expected - 1.0).abs() < 1e-14, "{got:e} {expected:e}");
    // The last f32 inside the ball.
    let edge = f32::from_bits(1.0_f32.to_bits() - 1);
    let expected = 4.0 * f64::from(edge).atanh();
    let got = distance(&[edge], &[-edge], 1.0).unwrap();
    assert!((got / expected - 1.0).abs() < 1e-9, "{got} {expected}");
}

#[test]
fn a_far_point_stays_inside() {
    for scale in [1.0_f32, 30.0, 1e4, 1e30] {
        for c in [0.01, 1.0, 100.0] {
            let point = to_poincare(&[scale, -scale, scale], c).unwrap();
            assert!(c * norm(&point).powi(2) < 1.0, "{scale} {c}");
            assert!(from_poincare(&point, c).is_ok());
            let projected = project_to_ball(&[scale, -scale, scale], c).unwrap();
            assert!(c.sqrt() * norm(&projected) <= PROJECTION_LIMIT + 1e-6);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(20), ..ProptestConfig::default() })]

    /// To 1e-5 up to √c‖x‖ = 3, see `to_poincare`: there artanh's slope 1/(1 − r²) is 101, of 2⁻²⁴ of rounding.
    #[test]
    fn round_trip(seed: u64, dim in 1_usize..50, c in 0.05_f64..8.0, reach in 0.0_f64..3.0) {
        let x = Random(seed).points(1, dim, 1.0, reach / c.sqrt());
        let there = to_poincare(&x, c).unwrap();
        let back = from_poincare(&there, c).unwrap();
        for (a, b) in x.iter().zip(&back) {
            prop_assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{a} {b}");
        }
    }

    #[test]
    fn distance_is_a_metric_of_the_formula(seed: u64, dim in 1_usize..20, c in 0.05_f64..8.0) {
        let points = Random(seed).points(3, dim, c, 0.999);
        let [x, y, z] = [0, 1, 2].map(|i| &points[i * dim..(i + 1) * dim]);
        let d = |a: &[f32], b: &[f32]| distance(a, b, c).unwrap();
        prop_assert_eq!(d(x, y), d(y, x));
        prop_assert_eq!(d(x, x), 0.0);
        prop_assert!(d(x, z) <= (d(x, y) + d(y, z)) * (1.0 + 1e-12) + 1e-12);
        let wide = |a: &[f32]| a.iter().map(|&a| f64::from(a)).collect::<Vec<_>>();
        let expected = common::distance(&wide(x), &wide(y), c);
        prop_assert!((d(x, y) - expected).abs() <= 1e-9 * expected.max(1e-3), "{} {expected}", d(x, y));
    }

    #[test]
    fn projection_leaves_the_inside_alone(seed: u64, dim in 1_usize..20, c in 0.05_f64..8.0) {
        let inside = Random(seed).points(1, dim, c, 0.9999);
        prop_assert_eq!(project_to_ball(&inside, c).unwrap(), inside);
    }
}
