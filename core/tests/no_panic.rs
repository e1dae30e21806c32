//! Whatever the lengths, options and numbers: an answer or an error, never a panic, and an answer has its shape.

mod common;

use common::{Random, KINDS};
use ruvector_attention::{poincare, AttentionState, Inputs, Kernel, Options, Workspace};

/// Numbers of every kind, the awkward ones often.
fn number(random: &mut Random) -> f32 {
    let awkward = [
        0.0,
        -0.0,
        1.0,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        1e-45,
        -1e-40,
        3e18,
        1e4,
    ];
    match random.below(4) {
        0 => awkward[random.below(awkward.len())],
        1 => f32::from_bits(random.bits() as u32),
        _ => (random.uniform() - 0.5) as f32,
    }
}

/// Of this length, or of any.
fn tensor(random: &mut Random, fitting: usize) -> Vec<f32> {
    let any = [0, 1, 2, 3, 4, 6, 8, 12, 24, 36, 600][random.below(11)];
    let len = if random.below(8) == 0 { any } else { fitting };
    let tame = random.below(8) > 0;
    (0..len).map(|_| if tame { (random.uniform() - 0.5) as f32 * 0.3 } else { number(random) }).collect()
}

#[test]
fn any_call_ends_well() {
    let mut random = Random(2026);
    let kernels: Vec<Kernel> = Kernel::available().collect();
    let (mut answers, mut errors) = (0, 0);
    for _ in 0..20_000 {
        let kind = KINDS[random.below(KINDS.len())];
        let dim = [3, 6, 12][random.below(3)];
        let attention = kind.build(dim, kernels[random.below(kernels.len())]);
        let (m, n, value_dim) = (1 + random.below(30), 1 + random.below(30), [3, 6][random.below(2)]);
        let queries = tensor(&mut random, m * dim);
        let keys = tensor(&mut random, n * dim);
        let values = tensor(&mut random, n * value_dim);
        let mask: Vec<bool> = (0..[keys.len() / dim, random.below(5)][random.below(5) / 4])
            .map(|_| random.below(2) == 0)
            .collect();
        let options = Options {
            neighbors: [None, Some(3), Some(1), Some(usize::MAX), Some(0)]
                [random.below(5).min(random.below(5))],
            mask: [None, Some(&mask[..])][random.below(2)],
            causal: random.below(2) == 0,
            training: [None, Some(random.bits())][random.below(2)],
        };
        let claimed = [dim, 0, 1, usize::MAX][random.below(4) * (random.below(8) / 7)];
        match attention.forward_batch(&queries, claimed, &keys, &values, &options) {
            Ok(out) => {
                answers += 1;
                assert!(out.iter().all(|x| x.is_finite()));
                assert_eq!(out.len(), queries.len() / claimed * (values.len() / (keys.len() / claimed)));
            }
            Err(error) => {
                errors += 1;
                assert!(!error.to_string().is_empty() && !error.argument().is_empty());
            }
        }
        let _ = attention.forward_with(&queries, &keys, &values, &options);
        let inputs = Inputs::new(&queries, claimed, &keys, &values);
        let _ = attention.forward_into(&inputs, &options, &mut Workspace::new(), &mut [0.0; 7]);
        let widths = [value_dim, value_dim, 1, 0, usize::MAX];
        let start = Options { mask: None, ..options };
        if let Ok(mut state) = attention.stream(&queries, claimed, widths[random.below(5)], &start) {
            let _ = state.push(&keys, &values);
            let _ = state.push_masked(&keys, &values, &mask);
            let other = state.clone();
            let _ = state.merge(&other);
            let _ = state.finish();
            if let Ok(back) = AttentionState::from_bytes(&state.to_bytes()) {
                // It computes with the detected kernel, so the last bits may differ.
                assert_eq!(back.finish().is_ok(), state.finish().is_ok());
            } else {
                panic!("a state cannot read itself");
            }
        }
        let c = [1.0, 0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300, 1e300][random.below(7)];
        for point in
            [poincare::to_poincare(&keys, c), poincare::project_to_ball(&keys, c)].into_iter().flatten()
        {
            assert!(point.iter().all(|x| x.is_finite()), "c = {c}: {keys:?}");
        }
        let _ = poincare::from_poincare(&keys, c);
        let _ = poincare::distance(&keys, &values, c);
    }
    // Both ends are reached, or this test would say nothing.
    assert!(answers > 5_000 && errors > 5_000, "{answers} {errors}");
}
