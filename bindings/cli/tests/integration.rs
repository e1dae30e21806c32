//! Every mechanism and every format against the reference cases, and long inputs against short ones.

mod common;

use common::{floats, Place};
use serde_json::Value;

const FORMATS: [&str; 6] = ["f32", "bin", "npy", "safetensors", "json", "csv"];

fn cases() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/attention.json");
    let text = std::fs::read_to_string(path).expect("the reference cases");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let points = ["poincare_distance", "to_poincare", "from_poincare"];
    let cases = document["cases"].as_array().expect("cases").clone();
    cases.into_iter().filter(|case| !points.contains(&case["kind"].as_str().unwrap())).collect()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    serde_json::from_value(value.clone()).expect("rows of numbers")
}

/// One tensor of a case in a format, made by `convert` from JSON.
fn write(place: &Place, name: &str, value: &Value, format: &str) -> String {
    place.write(&format!("{name}.json"), value.to_string());
    let target = format!("{name}.{format}");
    if format != "json" {
        place.done(&["convert", &format!("{name}.json"), &target]);
    }
    target
}

fn arguments(place: &Place, case: &Value, format: &str) -> Vec<String> {
    let kind = case["kind"].as_str().unwrap().replace('_', "-");
    let mut words =
        vec!["compute".to_owned(), "-a".into(), kind.clone(), "-o".into(), format!("out.{format}")];
    let mut give = |flag: &str, file: String| words.extend([flag.to_owned(), file]);
    give("-q", write(place, "query", &case["query"], format));
    if kind != "self" {
        give("-k", write(place, "keys", &case["keys"], format));
        give("--values", write(place, "values", &case["values"], format));
    }
    if let Some(mask) = case["mask"].as_array() {
        // A raw file has no number that is a byte to be made of: JSON keeps it short.
        place.write("mask.json", Value::Array(mask.clone()).to_string());
        give("--mask", "mask.json".into());
    }
    for (key, flag) in
        [("neighbors", "--neighbors"), ("num_heads", "--num-heads"), ("curvature", "--curvature")]
    {
        if !case[key].is_null() {
            give(flag, case[key].to_string());
        }
    }
    give("--hidden-dim", rows(&case["query"])[0].len().to_string());
    if case["causal"] == Value::Bool(true) {
        words.push("--causal".into());
    }
    words
}

/// The result, whatever its format, as floats.
fn result(place: &Place, format: &str) -> Vec<f32> {
    place.done(&["convert", &format!("out.{format}"), "-"]).floats()
}

fn agrees(found: &[f32], expected: &Value) -> bool {
    let expected: Vec<f64> = rows(expected).concat();
    let near = |(found, expected): (&f32, &f64)| {
        (f64::from(*found) - expected).abs() <= 2e-5 + 2e-5 * expected.abs()
    };
    found.len() == expected.len() && found.iter().zip(&expected).all(near)
}

#[test]
fn the_reference_cases_in_every_format() {
    let cases = cases();
    assert!(cases.len() > 20);
    for case in &cases {
        for format in FORMATS {
            let place = Place::new();
            let words = arguments(&place, case, format);
            place.done(&words.iter().map(String::as_str).collect::<Vec<_>>());
            let found = result(&place, format);
            assert!(agrees(&found, &case["output"]), "{} as {format}", case["name"]);
        }
    }
}

#[test]
fn a_wrong_result_would_be_seen() {
    let case = &cases()[0];
    let right: Vec<f32> = rows(&case["output"]).concat().iter().map(|number| *number as f32).collect();
    assert!(agrees(&right, &case["output"]));
    let wrong: Vec<f32> = right.iter().map(|number| number + 1e-3).collect();
    assert!(!agrees(&wrong, &case["output"]) && !agrees(&right[1..], &case["output"]));
}

/// Numbers that look random and lie in the ball.
fn numbers(count: usize, dim: usize) -> Vec<f32> {
    let scale = 0.8 / (dim as f32).sqrt();
    (0..count).map(|i| ((i as f32 * 12.9898).sin() * 43758.547).fract() * scale).collect()
}

fn long(place: &Place) {
    place.write_floats("query.f32", &numbers(3 * 64, 64));
    place.write_floats("keys.f32", &numbers(40_000 * 64, 64));
    place.write_floats("values.f32", &numbers(40_000 * 64, 64)[..40_000 * 64]);
    let mask: Vec<u8> = (0..40_000u32).map(|i| u8::from(i % 3 != 0)).collect();
    place.write("mask.bin", mask);
}

#[test]
fn files_read_piece_by_piece_give_the_result_of_the_whole() {
    let place = Place::new();
    long(&place);
    let extras: [&[&str]; 4] = [&[], &["--mask", "mask.bin"], &["--neighbors", "7"], &["--causal"]];
    for kind in ["scaled-dot-product", "multi-head", "hyperbolic", "linear", "cross"] {
        for extra in extras {
            if kind == "linear" && extra.contains(&"--neighbors") {
                continue;
            }
            let run = |memory: &str, out: &str| {
                let words =
                    ["compute", "-a", kind, "-q", "query.f32", "-k", "keys.f32", "--values", "values.f32"];
                let rest = ["--hidden-dim", "64", "--json", "--max-memory", memory, "-o", out];
                let report = place.done(&[&words[..], extra, &rest].concat()).json();
                (floats(&place.read(out)), report["chunks"].as_u64().unwrap())
            };
            let ((whole, one), (parts, many)) = (run("256", "whole.f32"), run("1", "parts.f32"));
            assert!(one == 1 && many > 1, "{kind} {extra:?}: {one} and {many} chunks");
            let apart = whole.iter().zip(&parts).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(whole.len() == parts.len() && apart < 1e-5, "{kind} {extra:?}: {apart}");
        }
    }
}

#[test]
fn batches_of_queries_give_the_result_of_all_at_once() {
    let place = Place::new();
    place.write_floats("rows.f32", &numbers(50 * 16, 16));
    for causal in [false, true] {
        let run = |size: &str| {
            let words = ["compute", "-a", "self", "-q", "rows.f32", "--hidden-dim", "16", "--json"];
            let flags: &[&str] = if causal { &["--causal"] } else { &[] };
            let report =
                place.done(&[&words[..], &["--batch-size", size, "-o", "o.f32"], flags].concat()).json();
            (floats(&place.read("o.f32")), report["batches"].as_u64().unwrap())
        };
        let ((once, one), (parts, many)) = (run("50"), run("7"));
        // A causal call is never divided: what a query sees would be divided otherwise, and give other bits.
        assert_eq!((one, many), (1, if causal { 1 } else { 8 }));
        let apart = once.iter().zip(&parts).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-6, "causal {causal}: {apart}");
    }
}

#[test]
fn places_in_errors_count_from_the_beginning_of_the_file() {
    let place = Place::new();
    let mut rows = numbers(50 * 16, 16);
    rows[40 * 16 + 3] = f32::NAN;
    place.write_floats("rows.f32", &rows);
    place.write_floats("keys.f32", &numbers(16, 16));
    let words = ["compute", "-a", "cross", "-q", "rows.f32", "-k", "keys.f32", "--values", "keys.f32"];
    let message = place.refused(3, &[&words[..], &["--hidden-dim", "16", "--batch-size", "8"]].concat());
    assert!(message.contains("queries: element 643 is NaN"), "{message}");
    long(&place);
    let mut keys = numbers(40_000 * 64, 64);
    keys[2_000_005] = f32::INFINITY;
    place.write_floats("keys.f32", &keys);
    let words = ["compute", "-a", "cross", "-q", "query.f32", "-k", "keys.f32", "--values", "values.f32"];
    let message = place.refused(3, &[&words[..], &["--hidden-dim", "64", "--max-memory", "1"]].concat());
    assert!(message.contains("keys: element 2000005 is NaN or infinite"), "{message}");
}

/// A safetensors file of float32 matrices.
fn safetensors(tensors: &[(&str, &[usize], Vec<f32>)]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape, numbers) in tensors {
        let from = data.len();
        data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [from, data.len()]});
        header.insert((*name).to_owned(), entry);
    }
    let header = Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data.as_slice()].concat()
}

#[test]
fn weights_project_and_one_file_holds_all_inputs() {
    let place = Place::new();
    let identity = vec![1.0, 0.0, 0.0, 1.0];
    let double = vec![2.0, 0.0, 0.0, 2.0];
    let shape: &[usize] = &[2, 2];
    let weights = safetensors(&[
        ("l.q_proj.weight", shape, identity.clone()),
        ("l.k_proj.weight", shape, identity.clone()),
        ("l.v_proj.weight", shape, double),
        ("l.out_proj.weight", shape, identity),
    ]);
    place.write("w.safetensors", weights);
    let inputs = safetensors(&[
        ("query", &[1, 2], vec![1.0, 0.0]),
        ("keys", &[1, 2], vec![1.0, 0.0]),
        ("values", &[1, 2], vec![3.0, 4.0]),
    ]);
    place.write("all.safetensors", inputs);
    let words = ["compute", "-a", "multi-head", "--num-heads", "1", "-q", "all.safetensors", "-k"];
    let rest = ["all.safetensors", "--values", "all.safetensors"];
    let plain = [&words[..], &rest].concat();
    assert_eq!(place.done(&plain).floats(), [3.0, 4.0]);
    let with = [&plain[..], &["--weights", "w.safetensors", "--weights-prefix", "l."]].concat();
    assert_eq!(place.done(&with).floats(), [6.0, 8.0]);
    let without_prefix = [&plain[..], &["--weights", "w.safetensors"]].concat();
    let message = place.refused(1, &without_prefix);
    assert!(message.contains("Failed to load weights from w.safetensors"), "{message}");
}
