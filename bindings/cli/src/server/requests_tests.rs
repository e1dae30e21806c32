//! What requests are read as, and what they are refused for.

use super::*;
use crate::config::Sources;
use attention::Workspace;
use safetensors::serialize;

const LIMITS: Limits = Limits { queries: 8, bytes: 1 << 20 };

fn defaults() -> Defaults {
    let config = Sources::default().load().unwrap();
    let parameters = Parameters::of(&config).unwrap();
    Defaults { mechanism: Mechanism::ScaledDotProduct, hidden_dim: None, parameters }
}

fn read_as(form: Form, options: &str, many: bool, body: Vec<u8>) -> Result<Call, Refusal> {
    read(Source { form, options, many }, body[..].into(), &defaults(), &LIMITS)
}

fn json(many: bool, body: &str) -> Result<Call, Refusal> {
    read_as(Form::Json, "", many, body.as_bytes().to_vec())
}

fn result(call: Result<Call, Refusal>) -> Vec<f32> {
    call.unwrap().run(&mut Workspace::new()).unwrap().data
}

/// Status, code and field of a refusal, while reading or computing.
fn refused(call: Result<Call, Refusal>) -> (u16, &'static str, String) {
    let refusal = call.and_then(|call| call.run(&mut Workspace::new())).unwrap_err();
    (refusal.status.as_u16(), refusal.code, refusal.field)
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

const NUMBERS: [f32; 12] = [0.1, 0.2, 0.3, 0.4, 1.0, 0.0, 0.0, 1.0, 5.0, 6.0, 7.0, 8.0];

#[test]
fn every_form_and_layout_gives_the_same_result() {
    let rows = r#""keys": [[1, 0], [0, 1]], "values": [[5, 6], [7, 8]]"#;
    let flat = r#""keys": [1, 0, 0, 1], "values": [5, 6, 7, 8]"#;
    let expected = result(json(true, &format!(r#"{{"queries": [[0.1, 0.2], [0.3, 0.4]], {rows}}}"#)));
    assert_eq!(expected.len(), 4);
    let one = format!(r#"{{"query": [0.1, 0.2, 0.3, 0.4], "hidden_dim": 2, {flat}}}"#);
    assert_eq!(result(json(false, &one)), expected);
    let raw = read_as(Form::Raw, "hidden_dim=2&num_keys=2", false, bytes(&NUMBERS));
    assert_eq!(result(raw), expected);
    let data = bytes(&NUMBERS);
    let view = |range| TensorView::new(Dtype::F32, vec![2, 2], &data[range]).unwrap();
    let tensors = [("queries", view(0..16)), ("keys", view(16..32)), ("values", view(32..48))];
    let file = serialize(tensors, None).unwrap();
    assert_eq!(result(read_as(Form::SafeTensors, "", true, file)), expected);
}

#[test]
fn every_mechanism_is_served() {
    for name in attention::features().iter().chain(&["cross", "self"]) {
        let own = name.starts_with("self");
        let memory = if own { "" } else { r#", "keys": [[0.1, 0.2]], "values": [[0.3, 0.4]]"# };
        let body = format!(
            r#"{{"attention_type": "{name}", "num_heads": 2, "queries": [[0.3, 0.4]], "mask": [true]{memory}}}"#
        );
        let found = result(json(true, &body));
        assert!((found[0] - 0.3).abs() < 1e-6 && (found[1] - 0.4).abs() < 1e-6, "{name}: {found:?}");
    }
}

#[test]
fn options_reach_the_computation() {
    let with = |option: &str| {
        let text = r#"{"query": [1, 0], "keys": [[1, 0], [0, 1]], "values": [[1], [3]], "#;
        result(json(false, &format!("{text}{option}}}")))[0]
    };
    assert_eq!(with(r#""num_neighbors": 1"#), 1.0);
    assert_eq!(with(r#""mask": [false, true]"#), 3.0);
    assert!((with(r#""attention_type": "linear""#) - 17.0 / 9.0).abs() < 1e-6);
    let flat = with(r#""attention_type": "hyperbolic", "curvature": 1e-9, "mask": [true, false]"#);
    assert!((flat - 1.0).abs() < 1e-3, "{flat}");
    let causal = r#"{"attention_type": "self", "queries": [[1], [2]], "causal": true}"#;
    assert_eq!(result(json(true, causal))[0], 1.0);
}

#[test]
fn what_json_cannot_mean_is_refused_with_its_field() {
    let memory = r#""keys": [1], "values": [1]"#;
    for (body, expected) in [
        ("[", (400, "json", "")),
        ("", (400, "json", "")),
        ("nul", (400, "json", "")),
        ("[]", (400, "type", "")),
        ("[\"linear\", [1]]", (400, "type", "")),
        ("null", (400, "type", "")),
        (r#"{"query": [1], "query": [1]}"#, (400, "duplicate_field", "query")),
        (r#"{"query": [1], "heads": 2}"#, (400, "unknown_field", "heads")),
        (r#"{"query": null}"#, (400, "type", "query")),
        (r#"{"query": [1, "2"]}"#, (400, "type", "query[1]")),
        (r#"{"query": [[1, 1e39]]}"#, (400, "type", "query[0][1]")),
        (r#"{"query": [1e400]}"#, (400, "json", "")),
        (r#"{"query": [NaN]}"#, (400, "json", "")),
        (r#"{"query": [1], "mask": [1]}"#, (400, "type", "mask[0]")),
        (r#"{"query": [1], "num_heads": 1.5}"#, (400, "type", "num_heads")),
        (r#"{"query": [1], "num_heads": -1}"#, (400, "type", "num_heads")),
        (r#"{"query": [1], "causal": 1}"#, (400, "type", "causal")),
        (r#"{"attention_type": "quadratic"}"#, (400, "unknown_type", "attention_type")),
        (r#"{"keys": [1], "values": [1]}"#, (400, "missing_field", "query")),
        (r#"{"query": [1], "values": [1]}"#, (400, "missing_field", "keys")),
        (r#"{"query": [1], "keys": [1]}"#, (400, "missing_field", "values")),
        (r#"{"queries": [[1]], "query": [1]}"#, (400, "unknown_field", "queries")),
        (r#"{"attention_type": "self", "query": [1], "keys": [1]}"#, (400, "unknown_field", "keys")),
    ] {
        let (status, code, field) = refused(json(false, body));
        assert_eq!((status, code, field.as_str()), expected, "{body}");
    }
    assert_eq!(refused(json(true, r#"{"queries": [1, 2]}"#)).2, "queries");
    assert_eq!(refused(json(true, &format!(r#"{{"queries": [[1]], "query": [1], {memory}}}"#))).2, "query");
}

#[test]
fn what_cannot_be_computed_is_refused_with_its_field() {
    for (body, expected) in [
        (r#"{"query": [], "keys": [1], "values": [1]}"#, (422, "parameter", "hidden_dim")),
        (r#"{"query": [1, 2], "keys": [1, 2, 3], "values": [1]}"#, (422, "length", "keys")),
        (r#"{"query": [1], "keys": [], "values": []}"#, (422, "length", "keys")),
        (r#"{"query": [1], "keys": [1, 2], "values": [1, 2, 3]}"#, (422, "length", "values")),
        (r#"{"query": [[1, 2]], "keys": [[1], [2]], "values": [1, 2]}"#, (422, "length", "keys")),
        (r#"{"query": [1], "keys": [1, 2], "values": [[1, 2]]}"#, (422, "length", "values")),
        (r#"{"query": [[1, 2]], "hidden_dim": 1, "keys": [1], "values": [1]}"#, (422, "length", "query")),
        (r#"{"query": [1], "keys": [1], "values": [1], "mask": [false]}"#, (422, "all_masked", "mask")),
        (r#"{"query": [1], "keys": [1], "values": [1], "mask": [true, true]}"#, (422, "length", "mask")),
        (
            r#"{"query": [1], "keys": [1], "values": [1], "num_neighbors": 0}"#,
            (422, "parameter", "num_neighbors"),
        ),
        (
            r#"{"query": [1, 2], "hidden_dim": 1, "keys": [1], "values": [1], "causal": true}"#,
            (422, "no_visible_key", "causal"),
        ),
        (
            r#"{"attention_type": "multi-head", "num_heads": 2, "query": [1], "keys": [1], "values": [1]}"#,
            (422, "parameter", "hidden_dim"),
        ),
        (
            r#"{"attention_type": "hyperbolic", "curvature": 0, "query": [0], "keys": [0], "values": [0]}"#,
            (422, "parameter", "curvature"),
        ),
        (
            r#"{"attention_type": "hyperbolic", "query": [0], "keys": [2], "values": [0]}"#,
            (422, "outside_ball", "keys"),
        ),
        (
            r#"{"attention_type": "linear", "num_neighbors": 1, "query": [0], "keys": [2], "values": [0]}"#,
            (422, "unsupported", "num_neighbors"),
        ),
    ] {
        let (status, code, field) = refused(json(false, body));
        assert_eq!((status, code, field.as_str()), expected, "{body}");
    }
    let rows: Vec<&str> = vec!["[1]"; 9];
    let batch = format!(r#"{{"queries": [{}], "keys": [1], "values": [1]}}"#, rows.join(","));
    assert_eq!(refused(json(true, &batch)), (413, "batch_too_large", "queries".to_owned()));
}

#[test]
fn raw_bodies_are_cut_as_the_query_string_says() {
    let raw = |options: &str, numbers: &[f32]| read_as(Form::Raw, options, false, bytes(numbers));
    let wide = raw("attention_type=linear&hidden_dim=1&num_keys=1&value_dim=3", &[0.0, 0.0, 1.0, 2.0, 3.0]);
    assert_eq!(result(wide), [1.0, 2.0, 3.0]);
    assert_eq!(result(raw("attention_type=self&hidden_dim=1&causal=true", &[4.0, 5.0]))[0], 4.0);
    for (options, length, expected) in [
        ("num_keys=1", 3, (400, "missing_field", "hidden_dim")),
        ("hidden_dim=1", 3, (400, "missing_field", "num_keys")),
        ("hidden_dim=1&num_keys=0", 3, (422, "parameter", "num_keys")),
        ("hidden_dim=1&num_keys=2", 3, (422, "length", "body")),
        ("hidden_dim=1&num_keys=18446744073709551615", 3, (422, "length", "body")),
        ("hidden_dim=4294967296&num_keys=4294967296", 3, (422, "length", "body")),
        ("hidden_dim=0&num_keys=1", 3, (422, "parameter", "hidden_dim")),
        ("hidden_dim=1&num_keys=1&value_dim=0", 3, (422, "length", "values")),
        ("hidden_dim=2&num_keys=1", 5, (422, "length", "query")),
        ("hidden_dim=1&num_keys=1", 2, (422, "length", "query")),
        ("hidden_dim=-1&num_keys=1", 3, (400, "type", "hidden_dim")),
        ("hidden_dim=1&num_keys=1&heads=1", 3, (400, "unknown_field", "heads")),
        ("hidden_dim=1&hidden_dim=1&num_keys=1", 3, (400, "duplicate_field", "hidden_dim")),
        ("hidden_dim=1&num_keys=1&causal=perhaps", 3, (400, "type", "causal")),
        ("attention_type=self&hidden_dim=1&num_keys=1", 3, (400, "unknown_field", "num_keys")),
    ] {
        let (status, code, field) = refused(raw(options, &vec![0.5; length]));
        assert_eq!((status, code, field.as_str()), expected, "{options}");
    }
    let odd = read_as(Form::Raw, "hidden_dim=1&num_keys=1", false, vec![0; 7]);
    assert_eq!(refused(odd), (400, "length", "body".to_owned()));
    let spoilt = raw("hidden_dim=1&num_keys=1", &[0.0, 1.0, f32::NAN]);
    assert_eq!(refused(spoilt), (422, "non_finite", "values".to_owned()));
}

#[test]
fn safetensors_bring_shapes_and_smaller_types() {
    let half: Vec<u8> = [1.0_f32, 3.0].iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect();
    let brain: Vec<u8> = [0.0_f32, 0.0].iter().flat_map(|x| half::bf16::from_f32(*x).to_le_bytes()).collect();
    let double = 0.0_f64.to_le_bytes();
    let file = |query: (Dtype, Vec<usize>, &[u8]), extra: Option<(&str, Dtype, &[u8])>| {
        let mut tensors = vec![
            ("query", TensorView::new(query.0, query.1, query.2).unwrap()),
            ("keys", TensorView::new(Dtype::BF16, vec![2, 1], &brain).unwrap()),
            ("values", TensorView::new(Dtype::F16, vec![2, 1], &half).unwrap()),
        ];
        if let Some((name, dtype, data)) = extra {
            tensors.push((name, TensorView::new(dtype, vec![data.len()], data).unwrap()));
        }
        read_as(Form::SafeTensors, "", false, serialize(tensors, None).unwrap())
    };
    let query = || (Dtype::F64, vec![1], &double[..]);
    assert_eq!(result(file(query(), None)), [2.0]);
    assert_eq!(result(file(query(), Some(("mask", Dtype::BOOL, &[0, 1])))), [3.0]);
    assert_eq!(refused(file(query(), Some(("mask", Dtype::I8, &[0, 1])))), (422, "dtype", "mask".to_owned()));
    assert_eq!(refused(file(query(), Some(("odd", Dtype::U8, &[0])))).1, "unknown_field");
    assert_eq!(refused(file((Dtype::I64, vec![1], &double), None)).1, "dtype");
    assert_eq!(refused(file((Dtype::F64, vec![1, 1, 1], &double), None)).1, "shape");
    let garbage = read_as(Form::SafeTensors, "", false, b"\xff\xff\xff\xff\xff\xff\xff\x7f{}".to_vec());
    assert_eq!(refused(garbage), (400, "safetensors", "body".to_owned()));
    let shape = read_as(Form::SafeTensors, "num_keys=2", false, Vec::new());
    assert_eq!(refused(shape).2, "num_keys");
}

#[test]
fn parts_cover_all_queries_once() {
    let all: Vec<Range<usize>> = parts(7, 3).collect();
    assert_eq!(all, [0..3, 3..6, 6..7]);
    assert_eq!(parts(2, 0).count(), 2);
    assert!(parts(2, usize::MAX).eq(std::iter::once(0..2)));
}
