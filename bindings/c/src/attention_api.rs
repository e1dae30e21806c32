//! Making, using and freeing an attention.

use attention::{
    Attention, CrossAttention, HyperbolicAttention, Inputs, LinearAttention, MultiHeadAttention, Options,
    ScaledDotProductAttention, SelfAttention, Workspace,
};

use crate::memory::{reference, slice, slice_mut, write};
use crate::status::{guard, rvattn_status, Failure};

/// An attention mechanism with its parameters.
#[allow(non_camel_case_types)]
pub struct rvattn_attention(Box<dyn Attention>);

/// What a call may ask for beyond its tensors. All zero means: every key, no mask, not causal.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rvattn_options {
    /// One byte a key, not zero = the key takes part; NULL for no mask.
    pub mask: *const u8,
    /// Number of bytes of `mask`: the number of keys.
    pub mask_len: usize,
    /// Attend to the keys with the best scores only, this many; read if `has_neighbors` is not zero.
    pub neighbors: usize,
    /// Not zero: `neighbors` is given.
    pub has_neighbors: u8,
    /// Not zero: query i of m sees keys j <= i + n - m.
    pub causal: u8,
}

/// # Safety
/// `out` is NULL or may be written.
unsafe fn create<A: Attention + 'static>(
    out: *mut *mut rvattn_attention,
    make: impl FnOnce() -> attention::Result<A>,
) -> rvattn_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { write(out, "out", std::ptr::null_mut()) }?;
        let handle = Box::new(rvattn_attention(Box::new(make()?)));
        // SAFETY: by this function's contract.
        unsafe { write(out, "out", Box::into_raw(handle)) }
    })
}

/// Softmax attention over keys of length `dim`, scores scaled by 1/sqrt(dim).
///
/// # Safety
/// `out` is NULL or may be written. Free what it receives with `rvattn_attention_free`.
#[no_mangle]
pub unsafe extern "C" fn rvattn_scaled_dot_product_new(
    dim: usize,
    out: *mut *mut rvattn_attention,
) -> rvattn_status {
    // SAFETY: by this function's contract.
    unsafe { create(out, || ScaledDotProductAttention::new(dim)) }
}

/// Softmax attention of `num_heads` heads over `hidden_dim` / `num_heads` numbers each; dropout acts in training only.
///
/// # Safety
/// As for `rvattn_scaled_dot_product_new`.
#[no_mangle]
pub unsafe extern "C" fn rvattn_multi_head_new(
    num_heads: usize,
    hidden_dim: usize,
    dropout: f64,
    out: *mut *mut rvattn_attention,
) -> rvattn_status {
    // SAFETY: by this function's contract.
    unsafe { create(out, || MultiHeadAttention::new(num_heads, hidden_dim, dropout)) }
}

/// Attention in the Poincaré ball of curvature -`curvature`: scores are negative distances, the result is a gyromidpoint.
///
/// # Safety
/// As for `rvattn_scaled_dot_product_new`.
#[no_mangle]
pub unsafe extern "C" fn rvattn_hyperbolic_new(
    curvature: f64,
    out: *mut *mut rvattn_attention,
) -> rvattn_status {
    // SAFETY: by this function's contract.
    unsafe { create(out, || HyperbolicAttention::new(curvature)) }
}

/// Linear attention with the feature map elu(x) + 1.
///
/// # Safety
/// As for `rvattn_scaled_dot_product_new`.
#[no_mangle]
pub unsafe extern "C" fn rvattn_linear_new(dim: usize, out: *mut *mut rvattn_attention) -> rvattn_status {
    // SAFETY: by this function's contract.
    unsafe { create(out, || LinearAttention::new(dim)) }
}

/// Softmax attention of queries over another memory.
///
/// # Safety
/// As for `rvattn_scaled_dot_product_new`.
#[no_mangle]
pub unsafe extern "C" fn rvattn_cross_new(dim: usize, out: *mut *mut rvattn_attention) -> rvattn_status {
    // SAFETY: by this function's contract.
    unsafe { create(out, || CrossAttention::new(dim)) }
}

/// Softmax attention of a sequence over itself: pass it to `rvattn_forward` as queries, keys and values.
///
/// # Safety
/// As for `rvattn_scaled_dot_product_new`.
#[no_mangle]
pub unsafe extern "C" fn rvattn_self_new(dim: usize, out: *mut *mut rvattn_attention) -> rvattn_status {
    // SAFETY: by this function's contract.
    unsafe { create(out, || SelfAttention::new(dim)) }
}

/// Frees an attention; NULL is ignored.
///
/// # Safety
/// `attention` came from one of the `_new` functions, was not freed before and is not in use.
#[no_mangle]
pub unsafe extern "C" fn rvattn_attention_free(attention: *mut rvattn_attention) {
    if !attention.is_null() {
        guard(|| {
            // SAFETY: by this function's contract the pointer came from Box::into_raw and is not used again.
            drop(unsafe { Box::from_raw(attention) });
            Ok(())
        });
    }
}

/// # Safety
/// If not NULL, `options` is readable, and so is its mask.
unsafe fn with_options<R>(
    options: *const rvattn_options,
    run: impl FnOnce(&Options<'_>) -> Result<R, Failure>,
) -> Result<R, Failure> {
    if options.is_null() {
        return run(&Options::default());
    }
    // SAFETY: by this function's contract.
    let given = unsafe { reference(options, "options") }?;
    let mask = if given.mask.is_null() && given.mask_len == 0 {
        None
    } else {
        // SAFETY: by this function's contract.
        let bytes = unsafe { slice(given.mask, given.mask_len, "mask") }?;
        Some(bytes.iter().map(|take| *take != 0).collect::<Vec<bool>>())
    };
    run(&Options {
        neighbors: (given.has_neighbors != 0).then_some(given.neighbors),
        mask: mask.as_deref(),
        causal: given.causal != 0,
        ..Options::default()
    })
}

/// Attends from m queries of length `dim` to n keys of length `dim` with n values of one length dv.
///
/// All tensors are row-major: `queries_len` = m*dim, `keys_len` = n*dim, `values_len` = n*dv and `out_len` = m*dv.
/// `options` may be NULL. On failure the content of `out` is unspecified.
///
/// # Safety
/// Each pointer is NULL or valid for its length, `attention` is alive, and `out` overlaps no input.
#[no_mangle]
pub unsafe extern "C" fn rvattn_forward(
    attention: *const rvattn_attention,
    queries: *const f32,
    queries_len: usize,
    dim: usize,
    keys: *const f32,
    keys_len: usize,
    values: *const f32,
    values_len: usize,
    options: *const rvattn_options,
    out: *mut f32,
    out_len: usize,
) -> rvattn_status {
    guard(|| {
        // SAFETY: by this function's contract.
        let attention = unsafe { reference(attention, "attention") }?;
        // SAFETY: by this function's contract.
        let queries = unsafe { slice(queries, queries_len, "queries") }?;
        // SAFETY: by this function's contract.
        let keys = unsafe { slice(keys, keys_len, "keys") }?;
        // SAFETY: by this function's contract.
        let values = unsafe { slice(values, values_len, "values") }?;
        // SAFETY: by this function's contract.
        let out = unsafe { slice_mut(out, out_len, "out") }?;
        let inputs = Inputs::new(queries, dim, keys, values);
        let run = |options: &Options<'_>| {
            Ok(attention.0.forward_into(&inputs, options, &mut Workspace::new(), out)?)
        };
        // SAFETY: by this function's contract.
        unsafe { with_options(options, run) }
    })
}
