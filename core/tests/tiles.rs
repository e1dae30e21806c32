//! Many queries at once against `f64`: sizes that are no multiple of anything, masks, causal order, and points of the ball
//! whose distances cancel.

mod common;

use common::{Case, Kind};
use ruvector_attention::sdk::prelude::*;
use ruvector_attention::Kernel;

fn check(case: &Case, options: &Options<'_>) {
    let expected = case.expected(options);
    let largest = expected.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    for kernel in Kernel::available() {
        let got = case.got(kernel, options);
        let off = got.iter().zip(&expected).map(|(&got, x)| (f64::from(got) - x).abs());
        let error = off.fold(0.0, f64::max) / largest;
        assert!(error <= 2e-6, "{:?} n = {} {}: {error:e}", case.kind, case.n(), kernel.name());
    }
}

#[test]
fn odd_sizes() {
    for kind in [Kind::ScaledDot, Kind::MultiHead(3), Kind::Hyperbolic(1.0), Kind::Hyperbolic(0.01)] {
        for (m, n, dim, value_dim) in [(8, 1, 1, 1), (13, 67, 5, 33), (97, 515, 17, 7), (29, 1_030, 40, 65)] {
            let mut case = Case::random(kind, 5, m, n, dim, value_dim);
            // Not so near the boundary that single queries take over.
            case.values.iter_mut().for_each(|x| *x *= 0.8);
            let mask: Vec<bool> = (0..n).map(|key| key % 3 != 1).collect();
            check(&case, &Options::default());
            check(&case, &Options { mask: Some(&mask), ..Options::default() });
            if m < n {
                check(&case, &Options { causal: true, mask: Some(&mask), ..Options::default() });
            }
        }
    }
}

#[test]
fn near_points_keep_the_digits_of_their_distance() {
    // All around one point: ‖q‖² + ‖k‖² − 2·q·k alone would lose three digits. A few far ones among them.
    for (dim, near) in [(24, 1.0), (24, 0.1), (3, 1.0)] {
        let mut case = Case::random(Kind::Hyperbolic(1.0), 9, 40, 600, dim, 8);
        case.values.iter_mut().for_each(|x| *x *= 0.8);
        let share = |i: usize| (i / dim) as f64 / 600.0;
        for tensor in [&mut case.queries, &mut case.keys] {
            for (i, x) in tensor.iter_mut().enumerate() {
                if share(i) < near {
                    *x = 0.02 * *x + 0.8 / (dim as f32).sqrt();
                }
            }
        }
        check(&case, &Options::default());
    }
}
