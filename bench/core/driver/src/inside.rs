//! The core, timed inside another runtime's process over that runtime's own arrays: what a binding's share is a share of.
//! A shared library with two doors: a C function, and an addon of Node.js that finds Node-API in its process.

use napi_sys as sys;
use ruvector_attention::{Attention, Inputs, Options, ScaledDotProductAttention, Workspace};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::slice;
use std::time::{Duration, Instant};

/// Calls are timed in groups of about this long, as the bindings' own are.
const GROUP: Duration = Duration::from_micros(50);

/// The arrays of one query, and where its result goes.
struct Arrays<'a> {
    query: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    out: &'a mut [f32],
}

/// Writes nanoseconds of a call, one a group, for about `budget`; returns how many, 0 where the call fails.
fn time(arrays: Arrays<'_>, budget: Duration, ns: &mut [f64]) -> usize {
    let Ok(attention) = ScaledDotProductAttention::new(arrays.query.len()) else { return 0 };
    // As the bindings do, so that the compiler knows no more here than there.
    let attention: &dyn Attention = std::hint::black_box(&attention);
    let inputs = Inputs::new(arrays.query, arrays.query.len(), arrays.keys, arrays.values);
    let (options, mut workspace) = (Options::default(), Workspace::new());
    let (begin, mut count, mut group) = (Instant::now(), 0, 1_u32);
    for place in ns {
        if count > 0 && begin.elapsed() >= budget {
            break;
        }
        let start = Instant::now();
        for _ in 0..group {
            if attention.forward_into(&inputs, &options, &mut workspace, arrays.out).is_err() {
                return 0;
            }
        }
        let spent = start.elapsed().as_nanos() as f64 / f64::from(group);
        *place = spent.round();
        group = (GROUP.as_nanos() as f64 / spent.max(1.0)).clamp(1.0, 10_000.0) as u32;
        count += 1;
    }
    count
}

/// The door for whoever calls C: `sizes` are the lengths of the arrays and of `ns`.
///
/// # Safety
///
/// Each pointer must be that of an array of so many numbers, which nobody else writes meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn time_inside(
    sizes: &[usize; 5],
    query: *const f32,
    keys: *const f32,
    values: *const f32,
    out: *mut f32,
    seconds: f64,
    ns: *mut f64,
) -> usize {
    // SAFETY: the caller vouches for them.
    unsafe {
        let arrays = Arrays {
            query: slice::from_raw_parts(query, sizes[0]),
            keys: slice::from_raw_parts(keys, sizes[1]),
            values: slice::from_raw_parts(values, sizes[2]),
            out: slice::from_raw_parts_mut(out, sizes[3]),
        };
        time(arrays, Duration::from_secs_f64(seconds), slice::from_raw_parts_mut(ns, sizes[4]))
    }
}

/// The door for Node.js: exports `timeInside(query, keys, values, out, seconds, ns)`.
///
/// # Safety
///
/// Node.js calls it when the file is loaded as an addon.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn napi_register_module_v1(
    env: sys::napi_env,
    exports: sys::napi_value,
) -> sys::napi_value {
    // SAFETY: the environment and the object are those of the running registration.
    unsafe {
        std::mem::forget(sys::setup());
        let (mut function, name) = (null_mut(), c"timeInside");
        sys::napi_create_function(env, null_mut(), 0, Some(time_arrays), null_mut(), &mut function);
        sys::napi_set_named_property(env, exports, name.as_ptr(), function);
    }
    exports
}

unsafe extern "C" fn time_arrays(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: environment and values are the running callback's; of what is no typed array the length stays 0.
    unsafe {
        let (mut given, mut count) = ([null_mut(); 6], 6);
        sys::napi_get_cb_info(env, info, &mut count, given.as_mut_ptr(), null_mut(), null_mut());
        let place = |value| -> (*mut c_void, usize) {
            let (mut length, mut data) = (0, std::ptr::dangling_mut::<f64>().cast());
            let ignored = null_mut();
            sys::napi_get_typedarray_info(
                env,
                value,
                ignored,
                &mut length,
                &mut data,
                null_mut(),
                null_mut(),
            );
            (data, length)
        };
        let [query, keys, values, out, _, ns] = given.map(place);
        let mut seconds = 0.0;
        sys::napi_get_value_double(env, given[4], &mut seconds);
        let sizes = [query.1, keys.1, values.1, out.1, ns.1];
        let [query, keys, values, out] = [query, keys, values, out].map(|(data, _)| data.cast::<f32>());
        let count = time_inside(&sizes, query, keys, values, out, seconds, ns.0.cast());
        let mut answer = null_mut();
        sys::napi_create_double(env, count as f64, &mut answer);
        answer
    }
}
