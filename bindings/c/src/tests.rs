use std::ffi::{c_char, CStr};
use std::ptr::{null, null_mut};

use crate::attention_api::*;
use crate::cache_api::*;
use crate::config_api::*;
use crate::memory::{rvattn_alloc, rvattn_dealloc};
use crate::poincare_api::*;
use crate::state_api::*;
use crate::status::rvattn_status::{self, *};
use crate::status::*;
use crate::weights_api::*;

const NO_OPTIONS: rvattn_options = rvattn_options {
    mask: null(),
    mask_len: 0,
    neighbors: 0,
    has_neighbors: 0,
    causal: 0,
    training: 0,
    seed: 0,
};

fn text(pointer: *const c_char) -> String {
    assert!(!pointer.is_null());
    // SAFETY: the library's texts end with NUL and live at least until the thread's next failure.
    unsafe { CStr::from_ptr(pointer) }.to_str().unwrap().to_owned()
}

fn scaled_dot_product(dim: usize) -> *mut rvattn_attention {
    let mut handle = null_mut();
    // SAFETY: the pointer is valid.
    assert_eq!(unsafe { rvattn_scaled_dot_product_new(dim, &mut handle) }, RVATTN_OK);
    handle
}

struct Call<'a> {
    query: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    options: *const rvattn_options,
}

fn forward(attention: *const rvattn_attention, call: &Call<'_>, out: &mut [f32]) -> rvattn_status {
    let Call { query, keys, values, options } = *call;
    // SAFETY: all slices are valid for their lengths.
    unsafe {
        rvattn_forward(
            attention,
            query.as_ptr(),
            query.len(),
            query.len(),
            keys.as_ptr(),
            keys.len(),
            values.as_ptr(),
            values.len(),
            options,
            out.as_mut_ptr(),
            out.len(),
        )
    }
}

#[test]
fn options_choose_the_keys() {
    let attention = scaled_dot_product(1);
    let mask = [0u8, 7];
    let none = NO_OPTIONS;
    let first = rvattn_options { neighbors: 1, has_neighbors: 1, ..none };
    let second = rvattn_options { mask: mask.as_ptr(), mask_len: 2, ..none };
    let mut out = [0.0f32];
    let mut run = |options: *const rvattn_options| {
        let call = Call { query: &[1.0], keys: &[3.0, 1.0], values: &[10.0, 20.0], options };
        assert_eq!(forward(attention, &call, &mut out), RVATTN_OK);
        out[0]
    };
    assert_eq!(run(&first), 10.0);
    assert_eq!(run(&second), 20.0);
    assert_eq!(run(&none), run(null()));
    // SAFETY: made above and not used again.
    unsafe { rvattn_attention_free(attention) };
}

#[test]
fn faults_have_a_status_a_message_and_an_argument() {
    let attention = scaled_dot_product(2);
    let zero = rvattn_options { has_neighbors: 1, ..NO_OPTIONS };
    let unmasked = rvattn_options { mask_len: 2, has_neighbors: 0, ..zero };
    let good = Call { query: &[1.0, 2.0], keys: &[1.0, 2.0], values: &[1.0], options: null() };
    let nan = [f32::NAN, 0.0];
    let mut out = [0.0f32];
    let mut check = |call: &Call<'_>, status, argument: &str| {
        assert_eq!(forward(attention, call, &mut out), status);
        assert_eq!(text(rvattn_last_error_argument()), argument);
        assert!(text(rvattn_last_error_message()).contains(argument));
    };
    check(&Call { keys: &[1.0], ..good }, RVATTN_ERROR_LENGTH, "keys");
    check(&Call { query: &nan, ..good }, RVATTN_ERROR_NON_FINITE, "queries");
    check(&Call { options: &zero, ..good }, RVATTN_ERROR_PARAMETER, "neighbors");
    check(&Call { options: &unmasked, ..good }, RVATTN_ERROR_POINTER, "mask");
    // SAFETY: made above and not used again.
    unsafe { rvattn_attention_free(attention) };
}

#[test]
fn null_and_misaligned_pointers_are_refused() {
    let attention = scaled_dot_product(1);
    let one = [1.0f32];
    let mut out = [0.0f32];
    let run = |attention: *const rvattn_attention, query: *const f32, out: *mut f32| {
        // SAFETY: each pointer is null, refused before it is read, or valid for one element.
        let status = unsafe {
            rvattn_forward(attention, query, 1, 1, one.as_ptr(), 1, one.as_ptr(), 1, null(), out, 1)
        };
        (status, text(rvattn_last_error_argument()))
    };
    let pointer = |argument: &str| (RVATTN_ERROR_POINTER, argument.to_owned());
    assert_eq!(run(null(), one.as_ptr(), out.as_mut_ptr()), pointer("attention"));
    assert_eq!(run(attention, null(), out.as_mut_ptr()), pointer("queries"));
    assert_eq!(run(attention, one.as_ptr(), null_mut()), pointer("out"));
    assert_eq!(run(attention, one.as_ptr().wrapping_byte_add(1), out.as_mut_ptr()), pointer("queries"));
    // SAFETY: null, and a handle that is not used again.
    unsafe {
        assert_eq!(rvattn_linear_new(1, null_mut()), RVATTN_ERROR_POINTER);
        rvattn_attention_free(null_mut());
        rvattn_attention_free(attention);
    }
}

#[test]
fn a_refused_constructor_gives_no_handle() {
    let mut handle = std::ptr::dangling_mut();
    // SAFETY: the pointer is valid.
    unsafe {
        assert_eq!(rvattn_multi_head_new(3, 8, 0.0, &mut handle), RVATTN_ERROR_PARAMETER);
        assert!(handle.is_null());
        assert_eq!(rvattn_hyperbolic_new(f64::NAN, &mut handle), RVATTN_ERROR_PARAMETER);
        assert!(handle.is_null());
    }
}

#[test]
fn points_go_to_the_ball_and_back() {
    let x = [0.3f32, -0.4];
    let (mut inside, mut back, mut distance) = ([0.0f32; 2], [0.0f32; 2], -1.0);
    // SAFETY: all pointers are valid for their lengths.
    unsafe {
        assert_eq!(rvattn_to_poincare(x.as_ptr(), 2, 2.0, inside.as_mut_ptr(), 2), RVATTN_OK);
        assert_eq!(rvattn_from_poincare(inside.as_ptr(), 2, 2.0, back.as_mut_ptr(), 2), RVATTN_OK);
        let point = inside.as_ptr();
        assert_eq!(rvattn_poincare_distance(point, 2, point, 2, 2.0, &mut distance), RVATTN_OK);
        assert_eq!(rvattn_project_to_ball(x.as_ptr(), 2, 2.0, back.as_mut_ptr(), 1), RVATTN_ERROR_LENGTH);
    }
    assert_eq!(text(rvattn_last_error_argument()), "out");
    assert!(x.iter().zip(back).all(|(a, b)| (a - b).abs() < 1e-5));
    assert_eq!(distance, 0.0);
}

#[test]
fn a_panic_becomes_a_status() {
    assert_eq!(guard(|| panic!("on purpose")), RVATTN_ERROR_INTERNAL);
    assert!(text(rvattn_last_error_message()).contains("internal"));
}

#[test]
fn the_library_tells_its_version_and_features() {
    assert_eq!(text(crate::rvattn_version()), attention::version());
    let names: Vec<String> =
        (0..crate::rvattn_feature_count()).map(|i| text(crate::rvattn_feature(i))).collect();
    assert_eq!(names, attention::features());
    assert!(crate::rvattn_feature(names.len()).is_null());
}

#[test]
fn memory_is_aligned_and_absurd_sizes_are_refused() {
    let block = rvattn_alloc(24);
    assert!(!block.is_null() && block.addr().is_multiple_of(16));
    // SAFETY: allocated above with this size; null is allowed.
    unsafe {
        rvattn_dealloc(block, 24);
        rvattn_dealloc(null_mut(), 24);
    }
    assert!(rvattn_alloc(0).is_null());
    assert!(rvattn_alloc(usize::MAX).is_null());
}

const NO_CONFIG: rvattn_config = rvattn_config {
    r#type: null(),
    dim: 0,
    num_heads: 0,
    curvature: 0.0,
    dropout: 0.0,
    neighbors: 0,
    threads: 0,
    kernel: null(),
    weights: null(),
    random_features: 0,
    seed: 0,
    project: 0,
};

fn made(config: &rvattn_config) -> Result<*mut rvattn_attention, (rvattn_status, String)> {
    let mut handle = null_mut();
    // SAFETY: the pointers are valid.
    match unsafe { rvattn_attention_new(config, &mut handle) } {
        RVATTN_OK => Ok(handle),
        status => Err((status, text(rvattn_last_error_argument()))),
    }
}

#[test]
fn a_config_makes_every_type() {
    for (name, kind) in [
        (c"scaled-dot-product", "scaled-dot-product"),
        (c"multi-head", "multi-head"),
        (c"hyperbolic", "hyperbolic"),
        (c"linear", "linear"),
        (c"cross", "cross-attention"),
        (c"self-attention", "self-attention"),
        (c"auto", "scaled-dot-product"),
    ] {
        let handle = made(&rvattn_config {
            r#type: name.as_ptr(),
            dim: 4,
            threads: 2,
            kernel: c"scalar".as_ptr(),
            dropout: 0.5,
            ..NO_CONFIG
        })
        .unwrap();
        // SAFETY: made above.
        unsafe {
            assert_eq!(text(rvattn_attention_kind(handle)), kind);
            assert_eq!(rvattn_attention_dim(handle), 4);
            rvattn_attention_free(handle);
        }
    }
    let auto =
        made(&rvattn_config { r#type: c"auto".as_ptr(), dim: 4, num_heads: 2, neighbors: 1, ..NO_CONFIG })
            .unwrap();
    // SAFETY: made above.
    unsafe {
        assert_eq!(text(rvattn_attention_kind(auto)), "multi-head");
        rvattn_attention_free(auto);
        assert!(rvattn_attention_kind(null()).is_null());
        assert_eq!(rvattn_attention_dim(null()), 0);
    }
}

#[test]
fn a_config_refuses_what_does_not_belong() {
    let linear = rvattn_config { r#type: c"linear".as_ptr(), dim: 4, ..NO_CONFIG };
    let ball = rvattn_config { r#type: c"hyperbolic".as_ptr(), ..NO_CONFIG };
    let invalid = [0xff_u8, 0];
    for (config, status, argument) in [
        (NO_CONFIG, RVATTN_ERROR_TYPE_NOT_SPECIFIED, "attention_type"),
        (
            rvattn_config { r#type: c"sideways".as_ptr(), ..NO_CONFIG },
            RVATTN_ERROR_UNKNOWN_TYPE,
            "attention_type",
        ),
        (rvattn_config { r#type: invalid.as_ptr().cast(), ..NO_CONFIG }, RVATTN_ERROR_TEXT, "type"),
        (rvattn_config { dim: 0, ..linear }, RVATTN_ERROR_PARAMETER, "dim"),
        (rvattn_config { neighbors: 1, ..linear }, RVATTN_ERROR_UNSUPPORTED, "neighbors"),
        (rvattn_config { num_heads: 2, ..linear }, RVATTN_ERROR_UNSUPPORTED, "num_heads"),
        (rvattn_config { curvature: 1.0, ..linear }, RVATTN_ERROR_UNSUPPORTED, "curvature"),
        (rvattn_config { project: 1, ..linear }, RVATTN_ERROR_UNSUPPORTED, "project"),
        (rvattn_config { kernel: c"abacus".as_ptr(), ..linear }, RVATTN_ERROR_UNSUPPORTED, "kernel"),
        (rvattn_config { dropout: 1.0, ..linear }, RVATTN_ERROR_PARAMETER, "dropout"),
        (rvattn_config { curvature: -1.0, ..ball }, RVATTN_ERROR_PARAMETER, "curvature"),
        (rvattn_config { random_features: 8, ..ball }, RVATTN_ERROR_UNSUPPORTED, "random_features"),
        (
            rvattn_config { r#type: c"multi-head".as_ptr(), num_heads: 3, dim: 8, ..NO_CONFIG },
            RVATTN_ERROR_PARAMETER,
            "hidden_dim",
        ),
    ] {
        assert_eq!(made(&config).unwrap_err(), (status, argument.to_owned()));
    }
    // SAFETY: null is refused.
    unsafe { assert_eq!(rvattn_attention_new(null(), &mut null_mut()), RVATTN_ERROR_POINTER) };
}

#[test]
fn weights_are_copied_and_checked() {
    let (eye, double, bias) = ([1.0_f32, 0.0, 0.0, 1.0], [2.0_f32, 0.0, 0.0, 2.0], [1.0_f32, -1.0]);
    let (e, none, mut weights) = (eye.as_ptr(), null(), null_mut());
    let query = [1.0_f32, 0.0];
    let mut out = [0.0_f32; 2];
    // SAFETY: all pointers are valid for what is said of them, or null.
    unsafe {
        let status =
            rvattn_weights_new(2, e, e, double.as_ptr(), e, none, none, none, bias.as_ptr(), &mut weights);
        assert_eq!(status, RVATTN_OK);
        let config =
            rvattn_config { r#type: c"multi-head".as_ptr(), dim: 2, num_heads: 1, weights, ..NO_CONFIG };
        let attention = made(&config).unwrap();
        rvattn_weights_free(weights);
        let call = Call { query: &query, keys: &query, values: &[3.0, 4.0], options: null() };
        assert_eq!(forward(attention, &call, &mut out), RVATTN_OK);
        rvattn_attention_free(attention);
        assert_eq!(
            rvattn_weights_new(2, e, null(), e, e, none, none, none, none, &mut weights),
            RVATTN_ERROR_POINTER
        );
        assert!(weights.is_null());
        let junk = b"no such file";
        let status = rvattn_weights_from_safetensors(junk.as_ptr(), junk.len(), null(), &mut weights);
        assert_eq!((status, weights), (RVATTN_ERROR_INVALID_WEIGHTS, null_mut()));
        rvattn_weights_free(null_mut());
    }
    assert_eq!(out, [7.0, 7.0]);
}

#[test]
fn a_cache_stands_for_keys_and_values() {
    let attention = scaled_dot_product(2);
    let (query, keys, values) = ([1.0_f32, 0.0], [0.5_f32, 1.0, -1.0, 0.25], [10.0_f32, 20.0]);
    let (mut expected, mut out, mut cache) = ([0.0_f32], [0.0_f32], null_mut());
    let call = Call { query: &query, keys: &keys, values: &values, options: null() };
    assert_eq!(forward(attention, &call, &mut expected), RVATTN_OK);
    for precision in [RVATTN_F32, RVATTN_F16, RVATTN_BF16] {
        // SAFETY: all pointers are valid for what is said of them.
        unsafe {
            assert_eq!(rvattn_cache_new(2, 1, precision, &mut cache), RVATTN_OK);
            assert_eq!(rvattn_cache_reserve(cache, 2), RVATTN_OK);
            assert_eq!(rvattn_cache_append(cache, keys.as_ptr(), 4, values.as_ptr(), 2), RVATTN_OK);
            assert_eq!(rvattn_cache_append(cache, keys.as_ptr(), 3, values.as_ptr(), 2), RVATTN_ERROR_LENGTH);
            let bytes = if precision == RVATTN_F32 { 24 } else { 12 };
            let told = (rvattn_cache_len(cache), rvattn_cache_dim(cache), rvattn_cache_value_dim(cache));
            assert_eq!((told, rvattn_cache_bytes(cache)), ((2, 2, 1), bytes));
            let (q, o) = (query.as_ptr(), out.as_mut_ptr());
            assert_eq!(rvattn_forward_cache(attention, q, 2, cache, null(), o, 1), RVATTN_OK);
            assert_eq!(out, expected);
            assert_eq!(rvattn_forward_cache(attention, q, 2, null(), null(), o, 1), RVATTN_ERROR_POINTER);
            assert_eq!(rvattn_cache_truncate(cache, 0), RVATTN_OK);
            assert_eq!(rvattn_forward_cache(attention, q, 2, cache, null(), o, 1), RVATTN_ERROR_LENGTH);
            rvattn_cache_free(cache);
        }
    }
    // SAFETY: null is refused or ignored; the attention is not used again.
    unsafe {
        assert_eq!(rvattn_cache_new(2, 1, 3, &mut cache), RVATTN_ERROR_PARAMETER);
        assert!(cache.is_null());
        assert_eq!(rvattn_cache_append(null_mut(), null(), 0, null(), 0), RVATTN_ERROR_POINTER);
        assert_eq!(rvattn_cache_len(null()), 0);
        rvattn_cache_free(null_mut());
        rvattn_attention_free(attention);
    }
}

#[test]
fn states_merge_and_travel() {
    let attention = scaled_dot_product(1);
    let (query, keys, values) = ([0.0_f32], [1.0_f32, 2.0], [4.0_f32, 6.0]);
    let (mut one, mut two, mut three) = (null_mut(), null_mut(), null_mut());
    let (mut len, mut out) = (0, [0.0_f32]);
    // SAFETY: all pointers are valid for what is said of them, or null.
    unsafe {
        assert_eq!(rvattn_state_new(attention, query.as_ptr(), 1, 1, 1, null(), &mut one), RVATTN_OK);
        assert_eq!(rvattn_state_new(attention, query.as_ptr(), 1, 1, 1, null(), &mut two), RVATTN_OK);
        rvattn_attention_free(attention);
        assert_eq!(rvattn_state_finish(one, out.as_mut_ptr(), 1), RVATTN_ERROR_LENGTH);
        assert_eq!(rvattn_state_push(one, keys.as_ptr(), 1, values.as_ptr(), 1, null(), 0), RVATTN_OK);
        let mask = [0_u8, 1];
        assert_eq!(rvattn_state_push(two, keys.as_ptr(), 2, values.as_ptr(), 2, mask.as_ptr(), 2), RVATTN_OK);
        assert_eq!(rvattn_state_to_bytes(two, null_mut(), 0, &mut len), RVATTN_OK);
        let mut bytes = vec![0_u8; len];
        assert_eq!(rvattn_state_to_bytes(two, bytes.as_mut_ptr(), len - 1, &mut len), RVATTN_ERROR_LENGTH);
        assert_eq!(rvattn_state_to_bytes(two, bytes.as_mut_ptr(), len, &mut len), RVATTN_OK);
        assert_eq!(rvattn_state_from_bytes(bytes.as_ptr(), len - 1, &mut three), RVATTN_ERROR_INVALID_STATE);
        assert!(three.is_null());
        assert_eq!(rvattn_state_from_bytes(bytes.as_ptr(), len, &mut three), RVATTN_OK);
        assert_eq!(rvattn_state_merge(one, three), RVATTN_OK);
        assert_eq!(rvattn_state_finish(one, out.as_mut_ptr(), 1), RVATTN_OK);
        assert_eq!(out, [5.0]);
        assert_eq!(rvattn_state_merge(one, one), RVATTN_OK);
        assert_eq!((rvattn_state_len(one), rvattn_state_queries(one)), (6, 1));
        assert_eq!((rvattn_state_dim(one), rvattn_state_value_dim(one)), (1, 1));
        assert_eq!(rvattn_state_finish(one, out.as_mut_ptr(), 0), RVATTN_ERROR_LENGTH);
        assert_eq!(rvattn_state_merge(one, null()), RVATTN_ERROR_POINTER);
        assert_eq!(rvattn_state_len(null()), 0);
        [one, two, three, null_mut()].into_iter().for_each(|state| rvattn_state_free(state));
    }
}

#[test]
fn statuses_have_names() {
    assert_eq!(text(rvattn_status_name(RVATTN_ERROR_NON_FINITE as i32)), "non_finite");
    assert_eq!(text(rvattn_status_name(-7)), "");
    assert_eq!(text(crate::rvattn_kernel(attention::Kernel::available().count() - 1)), "scalar");
    assert!(crate::rvattn_kernel(100).is_null());
}
