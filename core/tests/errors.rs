//! Every way to be wrong gets the error that names the argument, the length found and the length needed.

mod common;

use common::{Kind, KINDS};
use ruvector_attention::sdk::prelude::*;
use ruvector_attention::{poincare, Kernel, MultiHeadWeights, Needed};
use std::collections::BTreeSet;

/// Code and argument of the error.
fn fault<T: std::fmt::Debug>(result: Result<T>) -> (&'static str, &'static str) {
    let error = result.expect_err("an error");
    assert!(!error.to_string().is_empty());
    (error.code(), error.argument())
}

fn scaled(dim: usize) -> ScaledDotProductAttention {
    ScaledDotProductAttention::new(dim).unwrap()
}

const PLAIN: Options<'static> = Options { neighbors: None, mask: None, causal: false, training: None };

#[test]
fn shapes() {
    let two = scaled(2);
    let (q, k, v) = ([1.0_f32; 2], [1.0_f32; 6], [1.0_f32; 3]);
    assert_eq!(
        two.forward(&[1.0], &k, &v),
        Err(Error::Length { argument: "query", found: 1, needed: Needed::Exactly(2) })
    );
    assert_eq!(
        two.forward(&q, &k[..5], &v),
        Err(Error::Length { argument: "keys", found: 5, needed: Needed::MultipleOf(2) })
    );
    assert_eq!(
        two.forward(&q, &[], &v),
        Err(Error::Length { argument: "keys", found: 0, needed: Needed::MultipleOf(2) })
    );
    assert_eq!(
        two.forward(&q, &k, &v[..2]),
        Err(Error::Length { argument: "values", found: 2, needed: Needed::MultipleOf(3) })
    );
    assert_eq!(
        two.forward(&q, &k, &[]),
        Err(Error::Length { argument: "values", found: 0, needed: Needed::MultipleOf(3) })
    );
    assert_eq!(
        two.forward_batch(&[1.0; 3], 2, &k, &v, &PLAIN),
        Err(Error::Length { argument: "queries", found: 3, needed: Needed::MultipleOf(2) })
    );
    assert_eq!(fault(two.forward_batch(&[1.0; 3], 3, &k, &v, &PLAIN)), ("parameter", "dim"));
    assert_eq!(fault(two.forward_batch(&[], 0, &k, &v, &PLAIN)), ("parameter", "dim"));
    assert_eq!(
        two.forward_into(&Inputs::new(&q, 2, &k, &v), &PLAIN, &mut Workspace::new(), &mut [0.0; 2]),
        Err(Error::Length { argument: "out", found: 2, needed: Needed::Exactly(1) })
    );
    let free = HyperbolicAttention::new(1.0).unwrap();
    assert_eq!(
        free.forward(&[], &[0.1], &[0.1]),
        Err(Error::Length { argument: "query", found: 0, needed: Needed::AtLeast(1) })
    );
    assert_eq!(fault(free.forward_batch(&[0.1], 0, &[0.1], &[0.1], &PLAIN)), ("parameter", "dim"));
    assert_eq!(fault(free.with_dim(3).unwrap().forward(&[0.1], &[0.1], &[0.1])), ("length", "query"));
    // A value width that the heads do not divide.
    let heads = MultiHeadAttention::new(2, 4, 0.0).unwrap();
    assert_eq!(
        heads.forward(&[0.0; 4], &[0.0; 8], &[0.0; 6]),
        Err(Error::Length { argument: "values", found: 6, needed: Needed::MultipleOf(4) })
    );
    assert_eq!(fault(SelfAttention::new(2).unwrap().attend(&[1.0; 3], &PLAIN)), ("length", "x"));
}

#[test]
fn every_mechanism_checks_its_shapes() {
    for kind in KINDS {
        let attention = kind.build(6, Kernel::detect());
        let ok = [0.1_f32; 6];
        assert_eq!(fault(attention.forward(&ok, &ok[..5], &ok)), ("length", "keys"), "{kind:?}");
        assert_eq!(fault(attention.forward(&ok, &[0.1; 12], &ok[..5])), ("length", "values"), "{kind:?}");
        let mask = Options { mask: Some(&[true; 2]), ..PLAIN };
        assert_eq!(fault(attention.forward_with(&ok, &ok, &ok, &mask)), ("length", "mask"), "{kind:?}");
        let mask = Options { mask: Some(&[false]), ..PLAIN };
        assert_eq!(fault(attention.forward_with(&ok, &ok, &ok, &mask)), ("all_masked", "mask"), "{kind:?}");
        let causal = Options { causal: true, ..PLAIN };
        let two = [0.1_f32; 12];
        assert_eq!(
            fault(attention.forward_batch(&two, 6, &ok, &ok, &causal)),
            ("no_visible_key", "causal"),
            "{kind:?}"
        );
        // The mask hides the only key that query 0 may see.
        let hidden = Options { causal: true, mask: Some(&[false, true]), ..PLAIN };
        assert_eq!(
            attention.forward_batch(&two, 6, &two, &two, &hidden),
            Err(Error::NoVisibleKey { query: 0 }),
            "{kind:?}"
        );
    }
}

#[test]
fn neighbors() {
    for kind in KINDS {
        let attention = kind.build(3, Kernel::detect());
        let x = [0.1_f32; 3];
        let zero = attention.forward_with(&x, &x, &x, &Options { neighbors: Some(0), ..PLAIN });
        let one = attention.forward_with(&x, &x, &x, &Options { neighbors: Some(1), ..PLAIN });
        if kind.is_linear() {
            assert_eq!(fault(zero), ("unsupported", "neighbors"));
            assert_eq!(fault(one), ("unsupported", "neighbors"));
        } else {
            assert_eq!(
                zero,
                Err(Error::Parameter { argument: "neighbors", found: 0.0, needed: "at least 1" })
            );
            assert!(one.is_ok());
        }
    }
    assert_eq!(fault(scaled(1).with_neighbors(0)), ("parameter", "neighbors"));
}

#[test]
fn linear_has_no_weights_to_drop() {
    let attention = AttentionBuilder::new().attention_type(AttentionType::Linear).hidden_dim(1).dropout(0.1);
    let attention = attention.build().unwrap();
    let training = Options { training: Some(1), ..PLAIN };
    assert_eq!(fault(attention.forward_with(&[1.0], &[1.0], &[1.0], &training)), ("unsupported", "training"));
    assert_eq!(fault(attention.stream(&[1.0], 1, 1, &training)), ("unsupported", "training"));
    assert_eq!(attention.forward(&[1.0], &[1.0], &[1.0]), Ok(vec![1.0]), "inference is the identity");
    assert_eq!(fault(LinearAttention::new(1).unwrap().with_dropout(1.0)), ("parameter", "dropout"));
}

#[test]
fn non_finite_input_is_found_where_it_is() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for kind in KINDS {
            for kernel in Kernel::available() {
                let attention = kind.build(6, kernel);
                let good = vec![0.1_f32; 6 * 40];
                let mut wrong = good.clone();
                wrong[125] = bad;
                let found = |argument, index| Err(Error::NonFinite { argument, index });
                // A score of −∞ is a weight of 0, and φ(−∞) is 0: finite, so no error (D46).
                let harmless = bad == f32::NEG_INFINITY && !matches!(kind, Kind::Hyperbolic(_));
                let keys = attention.forward(&good[..6], &wrong, &good);
                if harmless {
                    assert!(keys.is_ok() || keys == found("keys", 125), "{kind:?}");
                } else {
                    assert_eq!(keys, found("keys", 125), "{kind:?} {}", kernel.name());
                }
                assert_eq!(attention.forward(&good[..6], &good, &wrong), found("values", 125), "{kind:?}");
                let mut query = good[..6].to_vec();
                query[4] = bad;
                let query = attention.forward(&query, &good, &good);
                if kind == Kind::Linear && harmless {
                    assert!(query.is_ok());
                } else {
                    assert_eq!(query, found("query", 4), "{kind:?} {bad}");
                }
            }
        }
    }
    let nan = [0.0, f32::NAN];
    assert_eq!(
        SelfAttention::new(1).unwrap().attend(&nan, &PLAIN),
        Err(Error::NonFinite { argument: "x", index: 1 })
    );
    let projecting = HyperbolicAttention::new(1.0).unwrap().with_projection(true);
    assert_eq!(
        projecting.forward(&[0.0], &[0.0, 0.0], &nan),
        Err(Error::NonFinite { argument: "values", index: 1 })
    );
}

#[test]
fn keys_that_top_k_leaves_out_are_not_looked_at() {
    let one = Options { neighbors: Some(1), ..PLAIN };
    let got = scaled(1).forward_with(&[1.0], &[5.0, 1.0], &[3.0, f32::NAN], &one);
    assert_eq!(got, Ok(vec![3.0]));
    // But a score that is NaN is never hidden.
    let got = scaled(1).forward_with(&[1.0], &[5.0, -f32::NAN], &[3.0, 4.0], &one);
    assert_eq!(got, Err(Error::NonFinite { argument: "keys", index: 1 }));
}

#[test]
fn results_beyond_f32_are_an_error() {
    // A ball so large that a point near its edge maps beyond f32.
    let edge = ruvector_attention::poincare::from_poincare(&[3.4e38], 1.0 / (1.001 * 3.4e38_f64 * 3.4e38));
    assert_eq!(fault(edge), ("overflow", "output"));
    let got = scaled(1).forward(&[3e38], &[3e38, 1.0], &[1.0, 2.0]);
    assert_eq!(got, Err(Error::Overflow { index: 0 }));
    assert_eq!(fault(got), ("overflow", "output"));
    // Downwards it is a weight of 0, wherever the key stands, unless there is no other key.
    let mut keys = vec![-3e38_f32; 600];
    assert_eq!(fault(scaled(1).forward(&[3e38], &keys, &[1.0; 600])), ("overflow", "output"));
    keys[599] = 1e-3;
    let mut values = vec![1.0; 600];
    values[599] = 7.0;
    assert_eq!(scaled(1).forward(&[3e38], &keys, &values), Ok(vec![7.0]));
    // φ underflows to 0 everywhere: 0/0.
    let linear = LinearAttention::new(1).unwrap();
    assert_eq!(fault(linear.forward(&[0.0], &[-1e4], &[1.0])), ("overflow", "output"));
}

#[test]
fn constructors() {
    assert_eq!(fault(ScaledDotProductAttention::new(0)), ("parameter", "dim"));
    assert_eq!(fault(CrossAttention::new(0)), ("parameter", "dim"));
    assert_eq!(fault(SelfAttention::new(0)), ("parameter", "dim"));
    assert_eq!(fault(LinearAttention::new(0)), ("parameter", "dim"));
    assert_eq!(fault(MultiHeadAttention::new(0, 8, 0.0)), ("parameter", "num_heads"));
    assert_eq!(fault(MultiHeadAttention::new(2, 0, 0.0)), ("parameter", "hidden_dim"));
    assert_eq!(fault(MultiHeadAttention::new(3, 8, 0.0)), ("parameter", "hidden_dim"));
    for dropout in [-0.1, 1.0, 2.0, f64::NAN, f64::INFINITY] {
        assert_eq!(fault(MultiHeadAttention::new(2, 8, dropout)), ("parameter", "dropout"));
        assert_eq!(fault(scaled(1).with_dropout(dropout)), ("parameter", "dropout"));
    }
    for curvature in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(fault(HyperbolicAttention::new(curvature)), ("parameter", "curvature"));
        assert_eq!(fault(poincare::distance(&[0.0], &[0.0], curvature)), ("parameter", "curvature"));
        assert_eq!(fault(poincare::to_poincare(&[0.0], curvature)), ("parameter", "curvature"));
        assert_eq!(fault(poincare::from_poincare(&[0.0], curvature)), ("parameter", "curvature"));
        assert_eq!(fault(poincare::project_to_ball(&[0.0], curvature)), ("parameter", "curvature"));
    }
}

#[test]
fn points_outside_the_ball() {
    let attention = HyperbolicAttention::new(4.0).unwrap();
    let (inside, edge) = ([0.1_f32, 0.0], [0.5_f32, 0.0]);
    let two = [0.1_f32, 0.0, 0.3, 0.4];
    let outside = |argument, row| Error::OutsideBall { argument, row, norm: 0.5, radius: 0.5 };
    assert_eq!(attention.forward(&edge, &inside, &inside), Err(outside("query", 0)));
    let got = attention.forward(&inside, &two, &[0.1, 0.1, 0.1, 0.1]).unwrap_err();
    assert!(matches!(got, Error::OutsideBall { argument: "keys", row: 1, .. }), "{got:?}");
    let got = attention.forward(&inside, &[0.1, 0.1, 0.1, 0.1], &two).unwrap_err();
    assert!(matches!(got, Error::OutsideBall { argument: "values", row: 1, .. }), "{got:?}");
    assert_eq!(got.code(), "outside_ball");
    // A masked row may lie anywhere.
    let mask = Options { mask: Some(&[true, false]), ..PLAIN };
    assert!(attention.forward_with(&inside, &two, &two, &mask).is_ok());
    assert_eq!(fault(poincare::distance(&edge, &inside, 4.0)), ("outside_ball", "x"));
    assert_eq!(fault(poincare::distance(&inside, &edge, 4.0)), ("outside_ball", "y"));
    assert_eq!(fault(poincare::from_poincare(&edge, 4.0)), ("outside_ball", "x"));
}

#[test]
fn poincare_arguments() {
    assert_eq!(fault(poincare::distance(&[0.1], &[0.1, 0.2], 1.0)), ("length", "y"));
    assert_eq!(fault(poincare::distance(&[], &[], 1.0)), ("length", "x"));
    assert_eq!(fault(poincare::distance(&[f32::NAN], &[0.1], 1.0)), ("non_finite", "x"));
    assert_eq!(fault(poincare::distance(&[0.1], &[f32::INFINITY], 1.0)), ("non_finite", "y"));
    assert_eq!(fault(poincare::to_poincare(&[f32::NAN], 1.0)), ("non_finite", "x"));
    assert_eq!(fault(poincare::to_poincare(&[], 1.0)), ("length", "x"));
    assert_eq!(fault(poincare::project_to_ball(&[f32::INFINITY], 1.0)), ("non_finite", "x"));
}

#[test]
fn weights() {
    let (four, two) = ([1.0_f32; 4], [1.0_f32; 2]);
    assert_eq!(fault(MultiHeadWeights::new(0, &[], &[], &[], &[])), ("parameter", "hidden_dim"));
    assert_eq!(fault(MultiHeadWeights::new(usize::MAX, &[], &[], &[], &[])), ("too_large", "hidden_dim"));
    assert_eq!(fault(MultiHeadWeights::new(2, &two, &four, &four, &four)), ("length", "q_proj.weight"));
    assert_eq!(fault(MultiHeadWeights::new(2, &four, &two, &four, &four)), ("length", "k_proj.weight"));
    assert_eq!(fault(MultiHeadWeights::new(2, &four, &four, &two, &four)), ("length", "v_proj.weight"));
    assert_eq!(fault(MultiHeadWeights::new(2, &four, &four, &four, &two)), ("length", "out_proj.weight"));
    let nan = [1.0, 1.0, f32::NAN, 1.0];
    assert_eq!(fault(MultiHeadWeights::new(2, &four, &nan, &four, &four)), ("non_finite", "k_proj.weight"));
    let good = MultiHeadWeights::new(2, &four, &four, &four, &four).unwrap();
    assert_eq!(fault(good.clone().with_biases(&two, &two, &two, &four)), ("length", "out_proj.bias"));
    assert_eq!(
        fault(MultiHeadAttention::new(1, 4, 0.0).unwrap().with_weights(good.clone())),
        ("parameter", "weights")
    );
    let attention = MultiHeadAttention::new(1, 2, 0.0).unwrap().with_weights(good).unwrap();
    assert_eq!(fault(attention.forward(&two, &two, &[1.0])), ("length", "values"));
    assert_eq!(fault(attention.forward(&two, &[1.0, f32::NAN], &two)), ("non_finite", "keys"));
    assert_eq!(fault(attention.stream(&two, 2, 2, &PLAIN)), ("unsupported", "weights"));
}

#[test]
fn streams() {
    let start = |options: &Options<'_>| AttentionState::new(&[1.0, 0.0], 2, 1, options);
    assert_eq!(fault(AttentionState::new(&[1.0], 0, 1, &PLAIN)), ("parameter", "dim"));
    assert_eq!(fault(AttentionState::new(&[], 2, 1, &PLAIN)), ("length", "queries"));
    assert_eq!(fault(AttentionState::new(&[1.0], 2, 1, &PLAIN)), ("length", "queries"));
    assert_eq!(fault(AttentionState::new(&[1.0], 1, 0, &PLAIN)), ("parameter", "value_dim"));
    assert_eq!(fault(AttentionState::new(&[1.0], 1, usize::MAX, &PLAIN)), ("too_large", "value_dim"));
    assert_eq!(fault(AttentionState::new(&[f32::NAN], 1, 1, &PLAIN)), ("non_finite", "queries"));
    assert_eq!(fault(start(&Options { neighbors: Some(0), ..PLAIN })), ("parameter", "neighbors"));
    assert_eq!(fault(start(&Options { mask: Some(&[true]), ..PLAIN })), ("unsupported", "mask"));
    let dropping = scaled(2).with_dropout(0.5).unwrap();
    let training = Options { training: Some(1), ..PLAIN };
    assert_eq!(fault(dropping.stream(&[1.0, 0.0], 2, 1, &training)), ("unsupported", "training"));
    assert!(scaled(2).stream(&[1.0, 0.0], 2, 1, &training).is_ok());
    let heads = MultiHeadAttention::new(2, 2, 0.0).unwrap();
    assert_eq!(fault(heads.stream(&[1.0, 0.0], 2, 3, &PLAIN)), ("parameter", "value_dim"));
    let projecting = HyperbolicAttention::new(1.0).unwrap().with_projection(true);
    assert_eq!(fault(projecting.stream(&[0.0], 1, 1, &PLAIN)), ("unsupported", "project"));

    let mut state = start(&PLAIN).unwrap();
    assert_eq!(fault(state.finish()), ("length", "keys"));
    state.push_masked(&[1.0, 2.0], &[3.0], &[false]).unwrap();
    assert_eq!(fault(state.finish()), ("all_masked", "mask"));
    state.push(&[1.0, 2.0], &[3.0]).unwrap();
    let before = state.to_bytes();
    assert_eq!(fault(state.push(&[1.0], &[3.0])), ("length", "keys"));
    assert_eq!(fault(state.push(&[1.0, 2.0], &[])), ("length", "values"));
    assert_eq!(fault(state.push_masked(&[1.0, 2.0], &[1.0], &[])), ("length", "mask"));
    assert_eq!(
        state.push(&[1.0, 2.0, f32::NAN, 0.0], &[1.0, 2.0]),
        Err(Error::NonFinite { argument: "keys", index: 2 })
    );
    assert_eq!(fault(state.push(&[1.0, 2.0], &[f32::INFINITY])), ("non_finite", "values"));
    let mut steep = AttentionState::new(&[3e38], 1, 1, &PLAIN).unwrap();
    assert_eq!(fault(steep.push(&[3e38], &[1.0])), ("overflow", "output"));
    assert_eq!(state.to_bytes(), before, "a refused push leaves the state alone");
    assert_eq!(state.finish(), Ok(vec![3.0]));
}

#[test]
fn causal_streams() {
    for kind in KINDS {
        let causal = Options { causal: true, ..PLAIN };
        let attention = kind.build(3, Kernel::detect());
        let queries = [0.1_f32; 9];
        let row = [0.1_f32; 3];
        let mut state = attention.stream(&queries, 3, 3, &causal).unwrap();
        state.push(&row, &row).unwrap();
        assert_eq!(fault(state.finish()), ("no_visible_key", "causal"), "{kind:?}");
        assert_eq!(fault(state.push(&[f32::NAN; 3], &row)), ("non_finite", "keys"), "{kind:?}");
        state.push(&row, &row).unwrap();
        state.push(&row, &row).unwrap();
        assert_eq!(state.finish().unwrap().len(), 9, "{kind:?}");
        if let Kind::Hyperbolic(_) = kind {
            assert_eq!(fault(state.push(&[9.0; 3], &row)), ("outside_ball", "keys"));
        }
    }
}

#[test]
fn merging_strangers() {
    let base = AttentionState::new(&[1.0, 0.0], 2, 1, &PLAIN).unwrap();
    let other = |state: AttentionState| base.clone().merge(&state).unwrap_err();
    let start = |queries: &[f32], dim, value_dim, options: &Options<'_>| {
        AttentionState::new(queries, dim, value_dim, options).unwrap()
    };
    let field = |error: Error| match error {
        Error::StateMismatch { field } => field,
        error => panic!("{error:?}"),
    };
    assert_eq!(field(other(start(&[1.0, 1.0], 2, 1, &PLAIN))), "queries");
    assert_eq!(field(other(start(&[1.0, 0.0], 1, 1, &PLAIN))), "shape");
    assert_eq!(field(other(start(&[1.0, 0.0], 2, 2, &PLAIN))), "shape");
    let top = Options { neighbors: Some(3), ..PLAIN };
    assert_eq!(field(other(start(&[1.0, 0.0], 2, 1, &top))), "options");
    let linear = LinearAttention::new(2).unwrap().stream(&[1.0, 0.0], 2, 1, &PLAIN).unwrap();
    assert_eq!(other(linear).argument(), "other");
}

#[test]
fn builder() {
    assert_eq!(fault(AttentionBuilder::new().build()), ("type_not_specified", "attention_type"));
    assert_eq!(AttentionBuilder::new().build().unwrap_err().to_string(), "Attention type not specified");
    let of = |name: &str| AttentionBuilder::new().attention_type(name.parse().unwrap());
    for name in ruvector_attention::features() {
        let built = of(name).hidden_dim(16).build().unwrap();
        assert_eq!(built.kind(), *name);
        assert_eq!(built.forward(&[0.1; 16], &[0.1; 32], &[0.05; 32]).unwrap().len(), 16);
        assert_eq!(fault(built.forward(&[0.1; 8], &[0.1; 32], &[0.05; 32])), ("length", "query"));
        assert_eq!(fault(of(name).hidden_dim(0).build()), ("parameter", "hidden_dim"));
        assert_eq!(fault(of(name).dropout(1.0).build()), ("parameter", "dropout"));
        assert_eq!(of(name).use_simd(false).build().unwrap().kernel(), "scalar");
        assert_eq!(of(name).build().unwrap().kernel(), Kernel::detect().name());
    }
    assert_eq!(of("auto").build().unwrap().kind(), "scaled-dot-product");
    assert_eq!(of("auto").num_heads(4).build().unwrap().kind(), "multi-head");
    assert_eq!(fault(of("auto").num_heads(0).build()), ("parameter", "num_heads"));
    assert_eq!(fault(of("linear").neighbors(3).build()), ("unsupported", "neighbors"));
    assert_eq!(fault("sideways".parse::<AttentionType>()), ("unknown_type", "attention_type"));
    let message = "sideways".parse::<AttentionType>().unwrap_err().to_string();
    assert!(
        message.contains("sideways") && message.contains("multi-head") && message.contains("auto"),
        "{message}"
    );
}

#[test]
fn the_builder_keeps_neighbors() {
    let (keys, values) = ([1.0, 3.0, 2.0], [10.0, 30.0, 20.0]);
    let build = |attention_type| AttentionBuilder::new().attention_type(attention_type).hidden_dim(1);
    let by_type = build(AttentionType::ScaledDotProduct { neighbors: Some(1) }).build().unwrap();
    let by_setter = build(AttentionType::ScaledDotProduct { neighbors: None }).neighbors(1).build().unwrap();
    let by_auto = build(AttentionType::Auto).neighbors(1).build().unwrap();
    for attention in [by_type, by_setter, by_auto] {
        assert_eq!(attention.forward(&[1.0], &keys, &values), Ok(vec![30.0]));
        // A call's own k comes first.
        let all = Options { neighbors: Some(3), ..PLAIN };
        assert_ne!(attention.forward_with(&[1.0], &keys, &values, &all), Ok(vec![30.0]));
    }
}

/// A number alone must not end the process: only data that the caller brings takes memory without asking.
#[test]
fn a_width_that_no_memory_holds_is_refused() {
    // 32-bit machines may have as much memory as they can name.
    for value_dim in [usize::MAX, if usize::BITS == 64 { usize::MAX >> 10 } else { usize::MAX }] {
        let state = AttentionState::new(&[1.0], 1, value_dim, &PLAIN);
        assert_eq!(fault(state), ("too_large", "value_dim"));
        let linear = LinearAttention::new(1).unwrap();
        assert_eq!(fault(linear.stream(&[1.0], 1, value_dim, &PLAIN)), ("too_large", "value_dim"));
    }
}

#[test]
fn the_trait_is_send_and_sync_and_boxed() {
    fn check<T: Send + Sync + ?Sized>() {}
    check::<dyn Attention>();
    check::<Box<dyn Attention>>();
    check::<AttentionState>();
    check::<Error>();
}

#[test]
fn every_code_is_stable_and_distinct() {
    let all = [
        Error::Length { argument: "a", found: 0, needed: Needed::AtLeast(1) },
        Error::TooLarge { argument: "a" },
        Error::Parameter { argument: "a", found: 0.0, needed: "b" },
        Error::AllMasked,
        Error::NoVisibleKey { query: 0 },
        Error::NonFinite { argument: "a", index: 0 },
        Error::Overflow { index: 0 },
        Error::OutsideBall { argument: "a", row: 0, norm: 1.0, radius: 1.0 },
        Error::Unsupported { argument: "a", by: "b" },
        Error::TypeNotSpecified,
        Error::UnknownType { found: "x".into() },
        Error::InvalidWeights { tensor: "x".into(), reason: "y".into() },
        Error::InvalidState { reason: "b" },
        Error::StateMismatch { field: "a" },
    ];
    let codes: BTreeSet<&str> = all.iter().map(Error::code).collect();
    assert_eq!(codes.len(), all.len());
    for error in &all {
        assert!(error.to_string().contains(' ') && !error.argument().is_empty());
    }
}
