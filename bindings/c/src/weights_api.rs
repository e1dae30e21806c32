//! Weights of multi-head attention.

use std::ffi::c_char;

use attention::MultiHeadWeights;

use crate::memory::{hand_out, slice, take_back, text};
use crate::status::{guard, rvattn_status, Failure};

/// Projections of queries, keys, values and results, as in torch.nn.MultiheadAttention: y = x W^T + b.
#[allow(non_camel_case_types)]
pub struct rvattn_weights(pub(crate) MultiHeadWeights);

/// Copies four matrices of `hidden_dim` * `hidden_dim` numbers, row-major, and four biases of `hidden_dim`; a bias that is
/// NULL is zero.
///
/// # Safety
/// Each pointer is NULL or valid for its length, and `out` for a pointer. Free what it receives with `rvattn_weights_free`.
#[no_mangle]
pub unsafe extern "C" fn rvattn_weights_new(
    hidden_dim: usize,
    w_q: *const f32,
    w_k: *const f32,
    w_v: *const f32,
    w_o: *const f32,
    b_q: *const f32,
    b_k: *const f32,
    b_v: *const f32,
    b_o: *const f32,
    out: *mut *mut rvattn_weights,
) -> rvattn_status {
    let make = || -> Result<_, Failure> {
        let too_large = attention::Error::TooLarge { argument: "hidden_dim" };
        let size = hidden_dim.checked_mul(hidden_dim).ok_or(too_large)?;
        // SAFETY: by this function's contract.
        let weight = |pointer, name| unsafe { slice(pointer, size, name) };
        let (q, k, v, o) =
            (weight(w_q, "w_q")?, weight(w_k, "w_k")?, weight(w_v, "w_v")?, weight(w_o, "w_o")?);
        let weights = MultiHeadWeights::new(hidden_dim, q, k, v, o)?;
        if [b_q, b_k, b_v, b_o].iter().all(|bias| bias.is_null()) {
            return Ok(rvattn_weights(weights));
        }
        let bias = |pointer: *const f32, name| match pointer.is_null() {
            true => Ok(vec![0.0; hidden_dim]),
            // SAFETY: by this function's contract.
            false => unsafe { slice(pointer, hidden_dim, name) }.map(<[f32]>::to_vec),
        };
        let (q, k, v, o) = (bias(b_q, "b_q")?, bias(b_k, "b_k")?, bias(b_v, "b_v")?, bias(b_o, "b_o")?);
        Ok(rvattn_weights(weights.with_biases(&q, &k, &v, &o)?))
    };
    // SAFETY: by this function's contract.
    guard(|| unsafe { hand_out(out, make) })
}

/// Reads float32 weights from the bytes of a safetensors file.
///
/// Looked for, each with `prefix` before its name: q_proj.weight, k_proj.weight, v_proj.weight and out_proj.weight, or
/// torch's in_proj_weight and out_proj.weight; and either all biases or none. `prefix` may be NULL.
///
/// # Safety
/// Each pointer is NULL or valid for its length, `prefix` ends with NUL. Free what `out` receives with
/// `rvattn_weights_free`.
#[no_mangle]
pub unsafe extern "C" fn rvattn_weights_from_safetensors(
    bytes: *const u8,
    bytes_len: usize,
    prefix: *const c_char,
    out: *mut *mut rvattn_weights,
) -> rvattn_status {
    let make = || -> Result<_, Failure> {
        // SAFETY: by this function's contract.
        let bytes = unsafe { slice(bytes, bytes_len, "bytes") }?;
        let prefix = match prefix.is_null() {
            true => "",
            // SAFETY: by this function's contract.
            false => unsafe { text(prefix, "prefix") }?,
        };
        Ok(rvattn_weights(MultiHeadWeights::from_safetensors(bytes, prefix)?))
    };
    // SAFETY: by this function's contract.
    guard(|| unsafe { hand_out(out, make) })
}

/// Frees weights; NULL is ignored. Attentions made with them keep their own.
///
/// # Safety
/// `weights` came from one of the two functions above, was not freed before and is not in use.
#[no_mangle]
pub unsafe extern "C" fn rvattn_weights_free(weights: *mut rvattn_weights) {
    // SAFETY: by this function's contract.
    unsafe { take_back(weights) }
}
