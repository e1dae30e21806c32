//! Replays the reference cases that the core shares with every binding, on every kernel of this machine: one shot, and
//! streamed in chunks of three.

mod common;

use common::Kind;
use ruvector_attention::{poincare, Kernel, Options};
use serde_json::Value;

/// Flattens a number, a row or rows of numbers.
fn floats(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(floats).collect(),
        other => vec![other.as_f64().expect("a number")],
    }
}

fn tensor(case: &Value, name: &str) -> Vec<f32> {
    floats(&case[name]).iter().map(|&x| x as f32).collect()
}

fn first_row_len(value: &Value) -> usize {
    value[0].as_array().map_or(0, Vec::len)
}

/// One shot and streamed.
fn attend(kind: Kind, kernel: Kernel, case: &Value) -> Vec<Vec<f32>> {
    let queries = tensor(case, "query");
    let dim = first_row_len(&case["query"]);
    let rows = |name: &str| if case[name].is_null() { queries.clone() } else { tensor(case, name) };
    let (keys, values) = (rows("keys"), rows("values"));
    let mask: Option<Vec<bool>> = case["mask"]
        .as_array()
        .map(|flags| flags.iter().map(|flag| flag.as_bool().expect("a flag")).collect());
    let options = Options {
        neighbors: case["neighbors"].as_u64().map(|k| k as usize),
        mask: mask.as_deref(),
        causal: case["causal"].as_bool().unwrap_or(false),
        training: None,
    };
    let value_dim = values.len() / (keys.len() / dim);
    let cuts: Vec<usize> = (0..keys.len() / dim).step_by(3).collect();
    let case = common::Case { kind, dim, value_dim, queries, keys, values };
    vec![case.got(kernel, &options), case.streamed(kernel, &options, &cuts)]
}

fn results(kernel: Kernel, case: &Value) -> Vec<Vec<f32>> {
    let c = case["curvature"].as_f64().unwrap_or(f64::NAN);
    match case["kind"].as_str().expect("a kind") {
        "scaled_dot_product" => attend(Kind::ScaledDot, kernel, case),
        "cross" => attend(Kind::Cross, kernel, case),
        "self" => attend(Kind::SelfRows, kernel, case),
        "linear" => attend(Kind::Linear, kernel, case),
        "hyperbolic" => attend(Kind::Hyperbolic(c), kernel, case),
        "multi_head" => {
            attend(Kind::MultiHead(case["num_heads"].as_u64().expect("heads") as usize), kernel, case)
        }
        "poincare_distance" => {
            vec![vec![poincare::distance(&tensor(case, "x"), &tensor(case, "y"), c).unwrap() as f32]]
        }
        "to_poincare" => vec![poincare::to_poincare(&tensor(case, "x"), c).unwrap()],
        "from_poincare" => vec![poincare::from_poincare(&tensor(case, "x"), c).unwrap()],
        other => panic!("no mechanism for kind {other}"),
    }
}

/// The rule of the cases' README.
fn passes(got: &[f32], expected: &[f64]) -> bool {
    got.len() == expected.len()
        && got
            .iter()
            .zip(expected)
            .all(|(&got, &reference)| (f64::from(got) - reference).abs() <= 2e-5 + 2e-5 * reference.abs())
}

fn cases() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/attention.json");
    let text = std::fs::read_to_string(path).expect("the reference cases");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    file["cases"].as_array().expect("cases").clone()
}

#[test]
fn every_case_passes_on_every_kernel() {
    let cases = cases();
    assert!(cases.len() >= 45, "only {} cases", cases.len());
    for kernel in Kernel::available() {
        for case in &cases {
            let expected = floats(&case["output"]);
            for (way, got) in results(kernel, case).iter().enumerate() {
                assert!(
                    passes(got, &expected),
                    "{} {} on {}, way {way}: got {got:?}, expected {expected:?}",
                    case["kind"],
                    case["name"],
                    kernel.name()
                );
            }
        }
    }
}

#[test]
fn a_wrong_result_would_fail() {
    for case in &cases() {
        let mut expected = floats(&case["output"]);
        expected[0] += 1e-4 + 1e-4 * expected[0].abs();
        assert!(
            !results(Kernel::detect(), case).iter().any(|got| passes(got, &expected)),
            "{}",
            case["name"]
        );
    }
}

#[test]
fn the_environment_picks_the_kernel() {
    match std::env::var("RUVECTOR_ATTENTION_KERNEL") {
        Ok(name) => {
            assert_eq!(Kernel::detect().name(), name, "this machine does not have the kernel asked for")
        }
        Err(_) => assert_eq!(Some(Kernel::detect()), Kernel::available().next()),
    }
}
