//! What belongs to one environment: the addon may be loaded in several worker threads at once.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::null_mut;

use napi::sys;

use crate::error::Result;
use crate::js::{node, Env, Kept, Value};

/// Values that outlive a callback.
#[derive(Default)]
pub struct Instance {
    error_class: RefCell<Option<Kept>>,
    state_class: RefCell<Option<Kept>>,
    copier: RefCell<Option<Kept>>,
    watcher: RefCell<Option<Kept>>,
    /// A Float32Array that the copier writes to; away while one runs.
    scratch: Cell<Option<Kept>>,
}

/// Attaches an instance to a new environment.
pub fn create(env: Env<'_>) -> Result<()> {
    let instance = Box::into_raw(Box::<Instance>::default());
    let set = node!(napi_set_instance_data(env.raw(), instance.cast(), Some(drop_instance), null_mut()));
    if set.is_err() {
        // SAFETY: nobody else knows the pointer.
        drop(unsafe { Box::from_raw(instance) });
    }
    set
}

unsafe extern "C" fn drop_instance(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: `create` made it of a box, and Node-API calls this once. The environment frees the references.
    drop(unsafe { Box::from_raw(data.cast::<Instance>()) });
}

fn get(env: Env<'_>) -> Result<&Instance> {
    let mut data = null_mut();
    node!(napi_get_instance_data(env.raw(), &mut data))?;
    // SAFETY: `create` set it before anything else could be called, and it lives as long as the environment.
    Ok(unsafe { &*data.cast::<Instance>() })
}

/// The class that errors are made of; none until it was registered.
pub fn error_class(env: Env<'_>) -> Result<Option<Value<'_>>> {
    get(env)?.error_class.borrow().as_ref().map(|kept| kept.get(env)).transpose()
}

pub fn set_error_class(class: Value<'_>) -> Result<()> {
    let before = get(class.env())?.error_class.replace(Some(class.keep()?));
    before.into_iter().for_each(|kept| kept.release(class.env()));
    Ok(())
}

/// The class AttentionState, which other classes make instances of.
pub fn state_class(env: Env<'_>) -> Result<Option<Value<'_>>> {
    get(env)?.state_class.borrow().as_ref().map(|kept| kept.get(env)).transpose()
}

pub fn set_state_class(class: Value<'_>) -> Result<()> {
    get(class.env())?.state_class.replace(Some(class.keep()?));
    Ok(())
}

/// The functions of copier.js.
pub fn copier(env: Env<'_>) -> Result<Value<'_>> {
    once(env, &get(env)?.copier, || env.run(include_str!("copier.js"))?.call(env.undefined()?, &[]))
}

/// The function of signals.js: (signal, function to call when it aborts, true to begin and false to end).
pub fn watcher(env: Env<'_>) -> Result<Value<'_>> {
    once(env, &get(env)?.watcher, || env.run(include_str!("signals.js"))?.call(env.undefined()?, &[]))
}

/// What is kept, or what `make` makes of it the first time.
fn once<'e>(
    env: Env<'e>,
    place: &RefCell<Option<Kept>>,
    make: impl FnOnce() -> Result<Value<'e>>,
) -> Result<Value<'e>> {
    if let Some(kept) = &*place.borrow() {
        return kept.get(env);
    }
    let made = make()?;
    place.replace(Some(made.keep()?));
    Ok(made)
}

/// Lends `work` the scratch array, or one of `make` where it is in use: JavaScript may call from inside a copy.
pub fn with_scratch<'e, T>(
    env: Env<'e>,
    make: impl FnOnce() -> Result<Value<'e>>,
    work: impl FnOnce(Value<'e>) -> Result<T>,
) -> Result<T> {
    let instance = get(env)?;
    let (array, kept) = match instance.scratch.take() {
        Some(kept) => (kept.get(env)?, kept),
        None => {
            let array = make()?;
            (array, array.keep()?)
        }
    };
    let result = work(array);
    let before = instance.scratch.replace(Some(kept));
    before.into_iter().for_each(|kept| kept.release(env));
    result
}
