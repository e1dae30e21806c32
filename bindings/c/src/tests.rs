use std::ffi::{c_char, CStr};
use std::ptr::{null, null_mut};

use crate::attention_api::*;
use crate::memory::{rvattn_alloc, rvattn_dealloc};
use crate::poincare_api::*;
use crate::status::rvattn_status::{self, *};
use crate::status::*;

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
    let none = rvattn_options { mask: null(), mask_len: 0, neighbors: 0, has_neighbors: 0, causal: 0 };
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
    let zero = rvattn_options { mask: null(), mask_len: 0, neighbors: 0, has_neighbors: 1, causal: 0 };
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
