//! Keys and values that grow row by row.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use attention::{Error, KeyValueCache, Precision};

use crate::memory::{hand_out, reference, slice, take_back};
use crate::status::{guard, rvattn_status, Failure};

/// Keys and values of a growing sequence. Threads may share it: appending waits until calls that read it have ended.
#[allow(non_camel_case_types)]
pub struct rvattn_cache(RwLock<KeyValueCache>);

/// Elements of a cache: 32 bits, exact.
pub const RVATTN_F32: u32 = 0;
/// Elements of a cache: 16 bits with 11 significant ones, up to 65 504.
pub const RVATTN_F16: u32 = 1;
/// Elements of a cache: 16 bits with 8 significant ones and the range of float.
pub const RVATTN_BF16: u32 = 2;

impl rvattn_cache {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, KeyValueCache> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<R>(&self, change: impl FnOnce(&mut KeyValueCache) -> R) -> R {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An empty cache of keys of `dim` and values of `value_dim` numbers, stored as RVATTN_F32, RVATTN_F16 or RVATTN_BF16.
///
/// # Safety
/// `out` is NULL or may be written. Free what it receives with `rvattn_cache_free`.
#[no_mangle]
pub unsafe extern "C" fn rvattn_cache_new(
    dim: usize,
    value_dim: usize,
    precision: u32,
    out: *mut *mut rvattn_cache,
) -> rvattn_status {
    let make = || -> Result<_, Failure> {
        let precision = match precision {
            RVATTN_F32 => Precision::F32,
            RVATTN_F16 => Precision::F16,
            RVATTN_BF16 => Precision::Bf16,
            other => {
                let needed = "RVATTN_F32, RVATTN_F16 or RVATTN_BF16";
                return Err(Error::Parameter { argument: "precision", found: other.into(), needed }.into());
            }
        };
        Ok(rvattn_cache(RwLock::new(KeyValueCache::new(dim, value_dim, precision)?)))
    };
    // SAFETY: by this function's contract.
    guard(|| unsafe { hand_out(out, make) })
}

/// Appends n keys, `keys_len` = n*dim, and their values, `values_len` = n*value_dim. After a failure nothing has changed.
///
/// # Safety
/// Each pointer is NULL or valid for its length; `cache` is alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_cache_append(
    cache: *mut rvattn_cache,
    keys: *const f32,
    keys_len: usize,
    values: *const f32,
    values_len: usize,
) -> rvattn_status {
    guard(|| {
        // SAFETY: by this function's contract.
        let cache = unsafe { reference(cache, "cache") }?;
        // SAFETY: by this function's contract.
        let keys = unsafe { slice(keys, keys_len, "keys") }?;
        // SAFETY: by this function's contract.
        let values = unsafe { slice(values, values_len, "values") }?;
        Ok(cache.change(|cache| cache.append(keys, values))?)
    })
}

/// Makes room for so many more rows, so that appending them allocates nothing.
///
/// # Safety
/// `cache` is NULL or alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_cache_reserve(cache: *mut rvattn_cache, rows: usize) -> rvattn_status {
    // SAFETY: by this function's contract.
    guard(|| Ok(unsafe { reference(cache, "cache") }?.change(|cache| cache.reserve(rows))?))
}

/// Keeps the first `rows` rows only; the memory stays.
///
/// # Safety
/// `cache` is NULL or alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_cache_truncate(cache: *mut rvattn_cache, rows: usize) -> rvattn_status {
    guard(|| {
        // SAFETY: by this function's contract.
        unsafe { reference(cache, "cache") }?.change(|cache| cache.truncate(rows));
        Ok(())
    })
}

/// # Safety
/// `cache` is NULL or alive.
unsafe fn tell(cache: *const rvattn_cache, what: fn(&KeyValueCache) -> usize) -> usize {
    // SAFETY: by this function's contract.
    unsafe { reference(cache, "cache") }.map_or(0, |cache| what(&cache.read()))
}

/// Number of rows; 0 for NULL.
///
/// # Safety
/// `cache` is NULL or alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_cache_len(cache: *const rvattn_cache) -> usize {
    // SAFETY: by this function's contract.
    unsafe { tell(cache, KeyValueCache::len) }
}

/// Length of a key; 0 for NULL.
///
/// # Safety
/// `cache` is NULL or alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_cache_dim(cache: *const rvattn_cache) -> usize {
    // SAFETY: by this function's contract.
    unsafe { tell(cache, KeyValueCache::dim) }
}

/// Length of a value; 0 for NULL.
///
/// # Safety
/// `cache` is NULL or alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_cache_value_dim(cache: *const rvattn_cache) -> usize {
    // SAFETY: by this function's contract.
    unsafe { tell(cache, KeyValueCache::value_dim) }
}

/// Bytes that the rows take; 0 for NULL.
///
/// # Safety
/// `cache` is NULL or alive.
#[no_mangle]
pub unsafe extern "C" fn rvattn_cache_bytes(cache: *const rvattn_cache) -> usize {
    let bytes = |cache: &KeyValueCache| {
        let width = if cache.precision() == Precision::F32 { 4 } else { 2 };
        width * (cache.keys().len() + cache.values().len())
    };
    // SAFETY: by this function's contract.
    unsafe { tell(cache, bytes) }
}

/// Frees a cache; NULL is ignored.
///
/// # Safety
/// `cache` came from `rvattn_cache_new`, was not freed before and is not in use.
#[no_mangle]
pub unsafe extern "C" fn rvattn_cache_free(cache: *mut rvattn_cache) {
    // SAFETY: by this function's contract.
    unsafe { take_back(cache) }
}
