//! Making, using and freeing an attention.

use std::cell::RefCell;
use std::ffi::{c_char, CStr};

use attention::{
    Attention, CrossAttention, HyperbolicAttention, Inputs, LinearAttention, MultiHeadAttention, Options,
    ScaledDotProductAttention, SelfAttention, Workspace,
};

use crate::cache_api::rvattn_cache;
use crate::memory::{hand_out, reference, slice, slice_mut, take_back};
use crate::status::{guard, rvattn_status, Failure};

/// An attention mechanism with its parameters.
#[allow(non_camel_case_types)]
pub struct rvattn_attention(pub(crate) Box<dyn Attention>);

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
    /// Not zero: a training pass, in which the attention's dropout acts as `seed` says.
    pub training: u8,
    /// Seed of a training pass.
    pub seed: u64,
}

/// # Safety
/// `out` is NULL or may be written.
unsafe fn create<A: Attention + 'static>(
    out: *mut *mut rvattn_attention,
    make: impl FnOnce() -> attention::Result<A>,
) -> rvattn_status {
    // SAFETY: by this function's contract.
    guard(|| unsafe { hand_out(out, || Ok(rvattn_attention(Box::new(make()?)))) })
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
    // SAFETY: by this function's contract.
    unsafe { take_back(attention) }
}

/// Name of the attention's mechanism, one of `rvattn_feature`; NULL for NULL.
///
/// # Safety
/// `attention` is NULL or alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_attention_kind(attention: *const rvattn_attention) -> *const c_char {
    // SAFETY: by this function's contract.
    match unsafe { reference(attention, "attention") } {
        Ok(attention) => crate::feature_named(attention.0.kind()).map_or(std::ptr::null(), CStr::as_ptr),
        Err(_) => std::ptr::null(),
    }
}

/// Length of a query that the attention was made for; 0 where any will do, and for NULL.
///
/// # Safety
/// `attention` is NULL or alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_attention_dim(attention: *const rvattn_attention) -> usize {
    // SAFETY: by this function's contract.
    unsafe { reference(attention, "attention") }.map_or(0, |attention| attention.0.dim().unwrap_or(0))
}

/// # Safety
/// If not NULL, `mask` is readable for `len` bytes.
pub(crate) unsafe fn read_mask(mask: *const u8, len: usize) -> Result<Option<Vec<bool>>, Failure> {
    if mask.is_null() && len == 0 {
        return Ok(None);
    }
    // SAFETY: by this function's contract.
    let bytes = unsafe { slice(mask, len, "mask") }?;
    Ok(Some(bytes.iter().map(|take| *take != 0).collect()))
}

/// # Safety
/// If not NULL, `options` is readable, and so is its mask.
pub(crate) unsafe fn with_options<R>(
    options: *const rvattn_options,
    run: impl FnOnce(&Options<'_>) -> Result<R, Failure>,
) -> Result<R, Failure> {
    if options.is_null() {
        return run(&Options::default());
    }
    // SAFETY: by this function's contract.
    let given = unsafe { reference(options, "options") }?;
    // SAFETY: by this function's contract.
    let mask = unsafe { read_mask(given.mask, given.mask_len) }?;
    run(&Options {
        neighbors: (given.has_neighbors != 0).then_some(given.neighbors),
        mask: mask.as_deref(),
        causal: given.causal != 0,
        training: (given.training != 0).then_some(given.seed),
    })
}

/// Elements up to which a thread keeps the buffers of its calls.
const WORTH_KEEPING: usize = 1 << 23;

/// Attends with the buffers of this thread's last call, or new ones where they would become large.
fn attend(
    attention: &rvattn_attention,
    inputs: &Inputs<'_>,
    options: &Options<'_>,
    out: &mut [f32],
) -> Result<(), Failure> {
    thread_local! {
        static KEPT: RefCell<Workspace> = RefCell::default();
    }
    let size = inputs.queries.len() + inputs.keys.len() + inputs.values.len();
    let mut run = |workspace: &mut Workspace| attention.0.forward_into(inputs, options, workspace, out);
    let answer = match size <= WORTH_KEEPING {
        true => KEPT.with(|kept| match kept.try_borrow_mut() {
            Ok(mut workspace) => run(&mut workspace),
            Err(_) => run(&mut Workspace::new()),
        }),
        false => run(&mut Workspace::new()),
    };
    Ok(answer?)
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
        // SAFETY: by this function's contract.
        unsafe { with_options(options, |options| attend(attention, &inputs, options, out)) }
    })
}

/// Attends from m queries to the keys and values of a cache: `queries_len` = m*dim and `out_len` = m*value_dim of the cache.
///
/// `options` may be NULL. On failure the content of `out` is unspecified.
///
/// # Safety
/// Each pointer is NULL or valid for its length, both handles are alive, and `out` overlaps no input.
#[no_mangle]
pub unsafe extern "C" fn rvattn_forward_cache(
    attention: *const rvattn_attention,
    queries: *const f32,
    queries_len: usize,
    cache: *const rvattn_cache,
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
        let cache = unsafe { reference(cache, "cache") }?.read();
        // SAFETY: by this function's contract.
        let out = unsafe { slice_mut(out, out_len, "out") }?;
        // SAFETY: by this function's contract.
        unsafe { with_options(options, |options| attend(attention, &cache.inputs(queries), options, out)) }
    })
}
