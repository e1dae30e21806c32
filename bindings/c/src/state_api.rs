//! Computations whose keys arrive in chunks.

use std::sync::{Mutex, PoisonError};

use attention::{AttentionState, Error, Needed};

use crate::attention_api::{read_mask, rvattn_attention, rvattn_options, with_options};
use crate::memory::{hand_out, reference, slice, slice_mut, take_back, write};
use crate::status::{guard, rvattn_status, Failure};

/// A computation in progress: fixed queries, and the keys seen so far, reduced to running sums. Threads may share it.
#[allow(non_camel_case_types)]
pub struct rvattn_state(Mutex<AttentionState>);

impl rvattn_state {
    fn new(state: AttentionState) -> Self {
        rvattn_state(Mutex::new(state))
    }

    fn with<R>(&self, body: impl FnOnce(&mut AttentionState) -> R) -> R {
        body(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts a computation for m queries of length `dim`, `queries_len` = m*dim, over values of `value_dim` numbers.
///
/// `options` may be NULL; a mask belongs to `rvattn_state_push`.
///
/// # Safety
/// Each pointer is NULL or valid for its length, `attention` is alive. Free what `out` receives with
/// `rvattn_state_free`; it does not need the attention any longer.
#[no_mangle]
pub unsafe extern "C" fn rvattn_state_new(
    attention: *const rvattn_attention,
    queries: *const f32,
    queries_len: usize,
    dim: usize,
    value_dim: usize,
    options: *const rvattn_options,
    out: *mut *mut rvattn_state,
) -> rvattn_status {
    let make = || -> Result<_, Failure> {
        // SAFETY: by this function's contract.
        let attention = unsafe { reference(attention, "attention") }?;
        // SAFETY: by this function's contract.
        let queries = unsafe { slice(queries, queries_len, "queries") }?;
        // SAFETY: by this function's contract.
        let state = unsafe {
            with_options(options, |options| Ok(attention.0.stream(queries, dim, value_dim, options)?))
        };
        Ok(rvattn_state::new(state?))
    };
    // SAFETY: by this function's contract.
    guard(|| unsafe { hand_out(out, make) })
}

/// Adds n keys, `keys_len` = n*dim, and their values, `values_len` = n*value_dim. `mask` has one byte a key, not zero = the
/// key takes part; NULL and 0 for no mask. After a failure the state is as it was.
///
/// # Safety
/// Each pointer is NULL or valid for its length; `state` is alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_state_push(
    state: *mut rvattn_state,
    keys: *const f32,
    keys_len: usize,
    values: *const f32,
    values_len: usize,
    mask: *const u8,
    mask_len: usize,
) -> rvattn_status {
    guard(|| {
        // SAFETY: by this function's contract.
        let state = unsafe { reference(state, "state") }?;
        // SAFETY: by this function's contract.
        let keys = unsafe { slice(keys, keys_len, "keys") }?;
        // SAFETY: by this function's contract.
        let values = unsafe { slice(values, values_len, "values") }?;
        // SAFETY: by this function's contract.
        let mask = unsafe { read_mask(mask, mask_len) }?;
        state.with(|state| match &mask {
            Some(mask) => state.push_masked(keys, values, mask),
            None => state.push(keys, values),
        })?;
        Ok(())
    })
}

/// Adds the keys that another state of the same computation has seen; they come after this state's own.
///
/// After a failure the state is as it was.
///
/// # Safety
/// Both are NULL or alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_state_merge(
    state: *mut rvattn_state,
    other: *const rvattn_state,
) -> rvattn_status {
    guard(|| {
        // SAFETY: by this function's contract.
        let state = unsafe { reference(state, "state") }?;
        // SAFETY: by this function's contract. A copy: two locks held at a time could wait for each other, or be one.
        let other = unsafe { reference(other, "other") }?.with(|other| other.clone());
        Ok(state.with(|state| state.merge(&other))?)
    })
}

/// Writes the result for all keys so far, `out_len` = m*value_dim; the state can go on afterwards.
///
/// # Safety
/// Each pointer is NULL or valid for its length; `state` is alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_state_finish(
    state: *const rvattn_state,
    out: *mut f32,
    out_len: usize,
) -> rvattn_status {
    guard(|| {
        // SAFETY: by this function's contract.
        let state = unsafe { reference(state, "state") }?;
        // SAFETY: by this function's contract.
        let out = unsafe { slice_mut(out, out_len, "out") }?;
        let result = state.with(|state| state.finish())?;
        if out.len() != result.len() {
            let needed = Needed::Exactly(result.len());
            return Err(Error::Length { argument: "out", found: out.len(), needed }.into());
        }
        out.copy_from_slice(&result);
        Ok(())
    })
}

/// Writes the state as bytes, the same on every machine, and their number to `len`.
///
/// With `buffer` NULL and `buffer_len` 0 it only tells the number. A buffer that is too short is a length error, and `len`
/// tells what it should have been.
///
/// # Safety
/// `buffer` is NULL or valid for `buffer_len` bytes, `len` NULL or writable; `state` is alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_state_to_bytes(
    state: *const rvattn_state,
    buffer: *mut u8,
    buffer_len: usize,
    len: *mut usize,
) -> rvattn_status {
    guard(|| {
        // SAFETY: by this function's contract.
        let bytes = unsafe { reference(state, "state") }?.with(|state| state.to_bytes());
        // SAFETY: by this function's contract.
        unsafe { write(len, "len", bytes.len()) }?;
        if buffer.is_null() && buffer_len == 0 {
            return Ok(());
        }
        // SAFETY: by this function's contract.
        let buffer = unsafe { slice_mut(buffer, buffer_len, "buffer") }?;
        let needed = Needed::AtLeast(bytes.len());
        match buffer.get_mut(..bytes.len()) {
            Some(room) => room.copy_from_slice(&bytes),
            None => return Err(Error::Length { argument: "buffer", found: buffer_len, needed }.into()),
        }
        Ok(())
    })
}

/// Reads what `rvattn_state_to_bytes` wrote, here or elsewhere, and checks it.
///
/// # Safety
/// Each pointer is NULL or valid for its length. Free what `out` receives with `rvattn_state_free`.
#[no_mangle]
pub unsafe extern "C" fn rvattn_state_from_bytes(
    bytes: *const u8,
    bytes_len: usize,
    out: *mut *mut rvattn_state,
) -> rvattn_status {
    let make = || -> Result<_, Failure> {
        // SAFETY: by this function's contract.
        Ok(rvattn_state::new(AttentionState::from_bytes(unsafe { slice(bytes, bytes_len, "bytes") }?)?))
    };
    // SAFETY: by this function's contract.
    guard(|| unsafe { hand_out(out, make) })
}

/// # Safety
/// `state` is NULL or alive.
unsafe fn tell(state: *const rvattn_state, what: fn(&AttentionState) -> usize) -> usize {
    // SAFETY: by this function's contract.
    unsafe { reference(state, "state") }.map_or(0, |state| state.with(|state| what(state)))
}

/// Number of keys seen, masked ones included; 0 for NULL.
///
/// # Safety
/// `state` is NULL or alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_state_len(state: *const rvattn_state) -> usize {
    // SAFETY: by this function's contract.
    unsafe { tell(state, AttentionState::keys) }
}

/// Number of queries; 0 for NULL.
///
/// # Safety
/// `state` is NULL or alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_state_queries(state: *const rvattn_state) -> usize {
    // SAFETY: by this function's contract.
    unsafe { tell(state, AttentionState::queries) }
}

/// Length of a query and of a key; 0 for NULL.
///
/// # Safety
/// `state` is NULL or alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_state_dim(state: *const rvattn_state) -> usize {
    // SAFETY: by this function's contract.
    unsafe { tell(state, AttentionState::dim) }
}

/// Length of a value; 0 for NULL.
///
/// # Safety
/// `state` is NULL or alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_state_value_dim(state: *const rvattn_state) -> usize {
    // SAFETY: by this function's contract.
    unsafe { tell(state, AttentionState::value_dim) }
}

/// Frees a state; NULL is ignored.
///
/// # Safety
/// `state` came from `rvattn_state_new` or `rvattn_state_from_bytes`, was not freed before and is not in use.
#[no_mangle]
pub unsafe extern "C" fn rvattn_state_free(state: *mut rvattn_state) {
    // SAFETY: by this function's contract.
    unsafe { take_back(state) }
}
