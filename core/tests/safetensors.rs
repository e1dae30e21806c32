//! Weights from safetensors files: both spellings, and every way for a file to be wrong.

use ruvector_attention::{Attention, Error, MultiHeadAttention, MultiHeadWeights};
use safetensors::tensor::{serialize, Dtype, TensorView};

const HIDDEN: usize = 2;

fn bytes(x: &[f32]) -> Vec<u8> {
    x.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// A file of these tensors: name, shape, elements.
fn file(tensors: &[(&str, Vec<usize>, Vec<f32>)]) -> Vec<u8> {
    let data: Vec<Vec<u8>> = tensors.iter().map(|(_, _, x)| bytes(x)).collect();
    let views = tensors
        .iter()
        .zip(&data)
        .map(|((name, shape, _), data)| (*name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    serialize(views, None).unwrap()
}

fn matrix(seed: f32) -> Vec<f32> {
    (0..HIDDEN * HIDDEN).map(|i| seed + 0.1 * i as f32).collect()
}

fn bias(seed: f32) -> Vec<f32> {
    vec![seed; HIDDEN]
}

fn split() -> Vec<(&'static str, Vec<usize>, Vec<f32>)> {
    let square = || vec![HIDDEN, HIDDEN];
    vec![
        ("a.q_proj.weight", square(), matrix(1.0)),
        ("a.k_proj.weight", square(), matrix(2.0)),
        ("a.v_proj.weight", square(), matrix(3.0)),
        ("a.out_proj.weight", square(), matrix(4.0)),
        ("a.q_proj.bias", vec![HIDDEN], bias(0.1)),
        ("a.k_proj.bias", vec![HIDDEN], bias(0.2)),
        ("a.v_proj.bias", vec![HIDDEN], bias(0.3)),
        ("a.out_proj.bias", vec![HIDDEN], bias(0.4)),
    ]
}

fn given() -> MultiHeadWeights {
    MultiHeadWeights::new(HIDDEN, &matrix(1.0), &matrix(2.0), &matrix(3.0), &matrix(4.0)).unwrap()
}

fn fault(tensors: &[(&str, Vec<usize>, Vec<f32>)]) -> (String, String) {
    match MultiHeadWeights::from_safetensors(&file(tensors), "a.") {
        Err(Error::InvalidWeights { tensor, reason }) => (tensor, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_spellings_give_the_weights() {
    let expected = given().with_biases(&bias(0.1), &bias(0.2), &bias(0.3), &bias(0.4)).unwrap();
    assert_eq!(MultiHeadWeights::from_safetensors(&file(&split()), "a."), Ok(expected.clone()));
    assert_eq!(MultiHeadWeights::from_safetensors(&file(&split()[..4]), "a."), Ok(given()));
    let joined = [
        ("in_proj_weight", vec![3 * HIDDEN, HIDDEN], [matrix(1.0), matrix(2.0), matrix(3.0)].concat()),
        ("in_proj_bias", vec![3 * HIDDEN], [bias(0.1), bias(0.2), bias(0.3)].concat()),
        ("out_proj.weight", vec![HIDDEN, HIDDEN], matrix(4.0)),
        ("out_proj.bias", vec![HIDDEN], bias(0.4)),
    ];
    assert_eq!(MultiHeadWeights::from_safetensors(&file(&joined), ""), Ok(expected.clone()));
    let attention = MultiHeadAttention::new(1, HIDDEN, 0.0).unwrap().with_weights(expected).unwrap();
    assert_eq!(attention.forward(&[1.0, 2.0], &[1.0, 2.0], &[1.0, 2.0]).unwrap().len(), HIDDEN);
}

#[test]
fn a_wrong_file_names_the_tensor() {
    for missing in 0..8 {
        // Without out_proj.bias there are no biases to look for.
        if missing == 7 {
            continue;
        }
        let mut tensors = split();
        let (name, _, _) = tensors.remove(missing);
        assert_eq!(fault(&tensors), (name.to_string(), "is missing".to_string()));
    }
    for wrong in 0..8 {
        let mut tensors = split();
        tensors[wrong].1 = vec![1, tensors[wrong].2.len()];
        assert!(fault(&tensors).1.contains("shape") || wrong == 3, "{:?}", fault(&tensors));
    }
    let mut tensors = split();
    tensors[1].2[3] = f32::NAN;
    let error = MultiHeadWeights::from_safetensors(&file(&tensors), "a.").unwrap_err();
    assert_eq!(error, Error::NonFinite { argument: "k_proj.weight", index: 3 });
    for garbage in [&b""[..], b"12345678", &[0xff; 64]] {
        let error = MultiHeadWeights::from_safetensors(garbage, "").unwrap_err();
        assert_eq!((error.code(), error.argument()), ("invalid_weights", "weights"));
    }
}

#[test]
fn other_types_are_refused_by_name() {
    let data = [0_u8; 8];
    let views = [("out_proj.weight", TensorView::new(Dtype::F16, vec![2, 2], &data).unwrap())];
    let file = serialize(views, None).unwrap();
    let error = MultiHeadWeights::from_safetensors(&file, "").unwrap_err();
    assert_eq!(error.to_string(), "weights: out_proj.weight is F16, needed F32");
}
