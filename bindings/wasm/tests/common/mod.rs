//! What holds in every home of the module. The numbers are the smoke test's business.

use attention as ruvector_attention;
use js_sys::{Array, Float32Array, Object, Reflect, Uint8Array};
use ruvector_attention_wasm::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

const NONE: JsValue = JsValue::UNDEFINED;

fn f32s(numbers: &[f32]) -> JsValue {
    Float32Array::from(numbers).into()
}

fn object(entries: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in entries {
        Reflect::set(&object, &(*name).into(), value).unwrap();
    }
    object.into()
}

/// The code and the argument of a refusal, as JavaScript sees them.
fn refused<T>(result: Result<T, impl Into<JsValue>>) -> (String, String) {
    let error: JsValue = result.err().expect("a refusal").into();
    assert!(error.is_instance_of::<js_sys::Error>());
    let text = |name: &str| Reflect::get(&error, &name.into()).unwrap().as_string().unwrap();
    (text("code"), text("argument"))
}

fn is(code: &str, argument: &str) -> (String, String) {
    (code.to_owned(), argument.to_owned())
}

#[wasm_bindgen_test]
fn version_and_features() {
    assert_eq!(version(), env!("CARGO_PKG_VERSION"));
    assert_eq!(supported_features().len(), 6);
    let expected = if cfg!(target_feature = "simd128") { "simd128" } else { "scalar" };
    assert_eq!(kernel(), if cfg!(target_feature = "relaxed-simd") { "relaxed-simd" } else { expected });
}

#[wasm_bindgen_test]
fn the_last_argument_is_a_count_a_mask_or_an_object() {
    let attention = WasmScaledDotProduct::new(&1.into()).unwrap();
    let run = |options: JsValue| {
        let (query, keys, values) = (f32s(&[1.0]), f32s(&[3.0, 1.0]), f32s(&[10.0, 20.0]));
        attention.forward(&query, &keys, &values, &options).map(|result| result.to_vec())
    };
    let flags = Array::of2(&false.into(), &true.into());
    assert_eq!(run(1.into()).unwrap(), [10.0]);
    assert_eq!(run(flags.clone().into()).unwrap(), [20.0]);
    assert_eq!(run(Uint8Array::from([0u8, 1].as_slice()).into()).unwrap(), [20.0]);
    assert_eq!(run(object(&[("mask", flags.into()), ("neighbors", 1.into())])).unwrap(), [20.0]);
    assert_eq!(run(JsValue::NULL).unwrap(), run(NONE).unwrap());
    assert_eq!(refused(run(object(&[("neighbour", 1.into())]))), is("type", "neighbour"));
    assert_eq!(refused(run((-1).into())), is("type", "numNeighbors"));
    assert_eq!(refused(run(0.into())), is("parameter", "neighbors"));
}

#[wasm_bindgen_test]
fn a_batch_is_answered_as_it_was_given() {
    let attention = WasmCrossAttention::new(&2.into()).unwrap();
    let (keys, values) = (f32s(&[1.0, 0.0, 0.0, 1.0]), f32s(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    let rows: JsValue = Array::of2(&f32s(&[1.0, 0.0]), &f32s(&[0.0, 1.0])).into();
    let rows: Array = attention.forward_batch(&rows, &keys, &values, &NONE).unwrap().unchecked_into();
    let flat = attention.forward_batch(&keys, &keys, &values, &NONE).unwrap();
    let joined: Vec<f32> =
        rows.iter().flat_map(|row| row.unchecked_into::<Float32Array>().to_vec()).collect();
    assert_eq!(rows.length(), 2);
    assert_eq!(flat.unchecked_into::<Float32Array>().to_vec(), joined);
}

#[wasm_bindgen_test]
fn getters_give_what_the_constructors_took() {
    let heads = WasmMultiHeadAttention::new(&2.into(), &6.into(), &NONE).unwrap();
    assert_eq!((heads.num_heads(), heads.hidden_dim(), heads.head_dim()), (2, 6, 3));
    assert_eq!(WasmHyperbolicAttention::new(&0.5.into()).unwrap().curvature(), 0.5);
    assert_eq!(WasmLinearAttention::new(&5.into()).unwrap().dim(), 5);
}

#[wasm_bindgen_test]
fn self_attention_works_on_each_sequence() {
    let attention = WasmSelfAttention::new(&2.into()).unwrap();
    let x = f32s(&[1.0, 2.0, 3.0, 4.0]);
    let each = attention.forward_batch(&Array::of1(&x).into(), &NONE).unwrap();
    let first: Float32Array = each.unchecked_into::<Array>().get(0).unchecked_into();
    assert_eq!(first.to_vec(), attention.forward(&x, &NONE).unwrap().to_vec());
}

#[wasm_bindgen_test]
fn points_go_to_the_ball_and_back() {
    let ball = WasmHyperbolicAttention::new(&2.into()).unwrap();
    let inside: JsValue = ball.to_poincare(&f32s(&[0.3, -0.4])).unwrap().into();
    let back = ball.from_poincare(&inside).unwrap().to_vec();
    assert!((back[0] - 0.3).abs() < 1e-5 && (back[1] + 0.4).abs() < 1e-5);
    assert_eq!(ball.poincare_distance(&inside, &inside).unwrap(), 0.0);
    assert_eq!(refused(ball.from_poincare(&f32s(&[3.0, 4.0]))), is("outside_ball", "x"));
    assert!(ball.from_poincare(&ball.project_to_ball(&f32s(&[3.0, 4.0])).unwrap().into()).is_ok());
}

#[wasm_bindgen_test]
fn bad_input_is_refused_with_a_code_and_the_arguments_name() {
    for dim in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY, 1e300] {
        assert_eq!(refused(WasmScaledDotProduct::new(&dim.into())).1, "dim");
    }
    let attention = WasmScaledDotProduct::new(&2.into()).unwrap();
    let good = f32s(&[1.0, 2.0]);
    let run = |query: &JsValue, keys: &JsValue| attention.forward(query, keys, &good, &NONE);
    assert_eq!(refused(run(&f32s(&[1.0]), &good)), is("length", "query"));
    assert_eq!(refused(run(&"1, 2".into(), &good)), is("type", "query"));
    assert_eq!(refused(run(&good, &f32s(&[1.0]))), is("length", "keys"));
    assert_eq!(refused(run(&f32s(&[f32::NAN, 1.0]), &good)), is("non_finite", "query"));
    assert_eq!(refused(WasmHyperbolicAttention::new(&0.into())), is("parameter", "curvature"));
}

/// The same keys and values, as a cache of this precision.
fn cache(dim: usize, keys: &JsValue, values: &JsValue, precision: &str) -> JsValue {
    let options = object(&[("precision", precision.into())]);
    let cache = KeyValueCache::new(&(dim as u32).into(), &NONE, &options).unwrap();
    cache.append(keys, values).unwrap();
    cache.into()
}

#[wasm_bindgen_test]
fn a_cache_stands_for_keys_and_values() {
    let (keys, values) = (f32s(&[1.0, 0.0, 0.0, 1.0]), f32s(&[1.0, 2.0, 3.0, 4.0]));
    let (query, attention) = (f32s(&[0.5, 0.25]), WasmScaledDotProduct::new(&2.into()).unwrap());
    let causal = object(&[("mask", Array::of2(&true.into(), &false.into()).into())]);
    let direct = attention.forward(&query, &keys, &values, &NONE).unwrap().to_vec();
    for precision in ["f32", "f16", "bf16"] {
        let cache = cache(2, &keys, &values, precision);
        let got = attention.forward(&query, &cache, &NONE, &NONE).unwrap().to_vec();
        assert!(got.iter().zip(&direct).all(|(a, b)| (a - b).abs() < 1e-6), "{precision}: {got:?}");
        assert_eq!(attention.forward(&query, &cache, &causal, &NONE).unwrap().to_vec(), [1.0, 2.0]);
    }
    let short = KeyValueCache::new(&2.into(), &NONE, &NONE).unwrap();
    assert_eq!(refused(short.append(&f32s(&[1.0]), &f32s(&[1.0, 2.0]))), is("length", "keys"));
    assert_eq!(refused(attention.forward(&query, &short.into(), &NONE, &NONE)), is("length", "keys"));
    let wrong = object(&[("precision", "f64".into())]);
    assert_eq!(refused(KeyValueCache::new(&2.into(), &NONE, &wrong)), is("type", "precision"));
}

#[wasm_bindgen_test]
fn half_precision_refuses_what_it_cannot_hold() {
    let options = object(&[("precision", "f16".into())]);
    let cache = KeyValueCache::new(&1.into(), &NONE, &options).unwrap();
    assert_eq!(refused(cache.append(&f32s(&[1.0]), &f32s(&[70_000.0]))), is("parameter", "values"));
    assert_eq!(cache.length(), 0);
    cache.append(&f32s(&[1.0]), &f32s(&[3.0])).unwrap();
    assert_eq!((cache.length(), cache.bytes()), (1, 4.0));
    cache.clear();
    assert_eq!(cache.length(), 0);
}

#[wasm_bindgen_test]
fn a_state_of_any_pieces_is_the_whole() {
    let attention = WasmMultiHeadAttention::new(&2.into(), &2.into(), &NONE).unwrap();
    let query = f32s(&[1.0, 0.5]);
    let (keys, values) = (f32s(&[1.0, 0.0, 0.0, 1.0]), f32s(&[1.0, 2.0, 3.0, 4.0]));
    let whole = attention.forward(&query, &keys, &values, &NONE).unwrap().to_vec();
    let (first, second) = (attention.state(&query, &NONE).unwrap(), attention.state(&query, &NONE).unwrap());
    assert_eq!(refused(first.finish()), is("length", "keys"));
    first.push(&f32s(&[1.0, 0.0]), &f32s(&[1.0, 2.0])).unwrap();
    second.push(&f32s(&[0.0, 1.0]), &f32s(&[3.0, 4.0])).unwrap();
    let travelled = AttentionState::from_bytes(&second.to_bytes().unwrap().into()).unwrap();
    first.merge(&travelled.into()).unwrap();
    let got = first.finish().unwrap().to_vec();
    assert!(got.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-6));
    assert_eq!(refused(first.merge(&NONE)), is("type", "other"));
    assert_eq!(
        refused(AttentionState::from_bytes(&Uint8Array::new_with_length(9).into())).0,
        "invalid_state"
    );
}

#[wasm_bindgen_test]
fn rows_numbers_and_an_own_result_are_taken() {
    let attention = WasmScaledDotProduct::new(&1.into()).unwrap();
    let numbers =
        |list: &[f64]| -> JsValue { list.iter().map(|&x| JsValue::from(x)).collect::<Array>().into() };
    let rows: JsValue = Array::of2(&numbers(&[1.0]), &f32s(&[2.0])).into();
    let out = Float32Array::new_with_length(1);
    let options = object(&[("out", out.clone().into())]);
    let direct = attention.forward(&f32s(&[1.0]), &f32s(&[1.0, 2.0]), &f32s(&[1.0, 2.0]), &NONE).unwrap();
    attention.forward(&numbers(&[1.0]), &rows, &rows, &options).unwrap();
    assert_eq!(out.to_vec(), direct.to_vec());
    let text: JsValue = Array::of1(&"1".into()).into();
    assert_eq!(refused(attention.forward(&text, &rows, &rows, &NONE)), is("type", "query"));
    let nan = numbers(&[f64::NAN]);
    assert_eq!(refused(attention.forward(&nan, &rows, &rows, &NONE)), is("non_finite", "query"));
    let short = object(&[("out", f32s(&[]))]);
    assert_eq!(refused(attention.forward(&f32s(&[1.0]), &rows, &rows, &short)), is("length", "out"));
}

#[wasm_bindgen_test]
fn weights_project() {
    let (identity, double) = (f32s(&[1.0, 0.0, 0.0, 1.0]), f32s(&[2.0, 0.0, 0.0, 2.0]));
    let weights = object(&[
        ("query", identity.clone()),
        ("key", identity.clone()),
        ("value", double),
        ("output", identity),
    ]);
    let config = object(&[("numHeads", 1.into()), ("hiddenDim", 2.into()), ("weights", weights)]);
    let attention = WasmMultiHeadAttention::new(&config, &NONE, &NONE).unwrap();
    let row = f32s(&[3.0, 4.0]);
    assert_eq!(attention.forward(&row, &row, &row, &NONE).unwrap().to_vec(), [6.0, 8.0]);
    let config = object(&[("numHeads", 1.into()), ("hiddenDim", 2.into()), ("heads", 1.into())]);
    assert_eq!(refused(WasmMultiHeadAttention::new(&config, &NONE, &NONE)), is("type", "heads"));
}

#[wasm_bindgen_test]
fn texts_are_those_of_the_core() {
    let attention = WasmHyperbolicAttention::new(&4.into()).unwrap();
    let own = ruvector_attention::HyperbolicAttention::new(4.0).unwrap();
    for (query, keys) in
        [(vec![0.1, 0.2], vec![0.1]), (vec![0.1, f32::NAN], vec![0.1, 0.2]), (vec![3.0, 0.0], vec![0.0, 0.0])]
    {
        use ruvector_attention::Attention;
        let text = own.forward(&query, &keys, &keys).unwrap_err().to_string();
        let error = attention.forward(&f32s(&query), &f32s(&keys), &f32s(&keys), &NONE).unwrap_err();
        let message = Reflect::get(&JsValue::from(error), &"message".into()).unwrap();
        assert_eq!(message.as_string().unwrap(), text);
    }
}
