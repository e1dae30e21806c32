//! What holds in every home of the module. The numbers are the smoke test's business.

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
    assert_eq!(refused(run(&Array::new().into(), &good)), is("type", "query"));
    assert_eq!(refused(run(&good, &f32s(&[1.0]))), is("length", "keys"));
    assert_eq!(refused(run(&f32s(&[f32::NAN, 1.0]), &good)), is("non_finite", "query"));
    assert_eq!(refused(WasmHyperbolicAttention::new(&0.into())), is("parameter", "curvature"));
}
