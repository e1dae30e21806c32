//! A call whose arrays are bound once: `prepare` looks at them, `run` only computes.

use std::cell::{Ref, RefCell};
use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::null_mut;
use std::rc::Rc;

use attention::{Attention, Inputs};
use napi::sys;

use super::call::{with_workspace, Call, Fixed, Form};
use crate::buffer::{self, Place};
use crate::cache::Cache;
use crate::class::{finish, share, Arguments, Held};
use crate::error::{Failure, Result};
use crate::js::{node, Env, Kept, Value};
use crate::types::CallOptions;

/// The mechanism of an object, as long as that was not freed.
pub trait Lend {
    fn lend(&self) -> Result<Ref<'_, dyn Attention>>;
}

/// What `run` computes from; nothing after `free`.
struct Prepared(RefCell<Option<Bound>>);

struct Bound {
    mechanism: Rc<dyn Lend>,
    query: Place,
    memory: Memory,
    options: CallOptions,
    room: Place,
    result: Kept,
    /// The objects behind `mechanism` and `memory`: a collected one would count as freed.
    objects: [Kept; 2],
}

enum Memory {
    Arrays {
        keys: Place,
        values: Place,
    },
    /// As it is when the call runs.
    Cache(Rc<Held<Cache>>),
}

/// `prepare(query, keys, values, ...options)`, where a cache may stand for keys: an object with `out`, `run` and `free`.
///
/// What `forward` refuses by its kind or its shape is refused here already.
pub fn prepare<'e>(arguments: &Arguments<'e>, mechanism: Rc<dyn Lend>) -> Result<Value<'e>> {
    let env = arguments.env();
    let [query, keys, values] = [0, 1, 2].map(|index| arguments.get(index));
    let Fixed { options, out, length, cached } =
        Call::read(arguments, &*mechanism.lend()?, Form::One)?.into_fixed()?;
    let out = match out {
        Some(out) => out,
        None => buffer::zeros(env, length)?.0,
    };
    let memory = match cached {
        true => Memory::Cache(share(keys)?),
        false => Memory::Arrays { keys: Place::of(keys, "keys")?, values: Place::of(values, "values")? },
    };
    let bound = Bound {
        mechanism,
        query: Place::of(query, "query")?,
        memory,
        options,
        room: Place::of(out, "out")?,
        result: out.keep()?,
        objects: [arguments.this().keep()?, keys.keep()?],
    };
    bound.room.check_length(length, "out")?;
    let prepared = Rc::new(Prepared(RefCell::new(Some(bound))));
    let object = env.object()?;
    object.fix(c"out", out)?;
    object.fix(c"run", function(env, run, &prepared)?)?;
    object.fix(c"free", function(env, free, &prepared)?)?;
    Ok(object)
}

impl Prepared {
    #[inline(always)]
    fn run<'e>(&self, env: Env<'e>) -> Result<Value<'e>> {
        let bound = self.0.try_borrow().map_err(|_| Failure::internal("a prepared call is in use"))?;
        bound.as_ref().ok_or_else(|| Failure::freed("this"))?.run(env)
    }

    /// Lets go of everything; a second time there is nothing left.
    fn release(&self, env: Env<'_>) {
        let Some(bound) = self.0.try_borrow_mut().ok().and_then(|mut bound| bound.take()) else { return };
        let Bound { query, memory, room, result, objects, .. } = bound;
        objects.into_iter().chain([result]).for_each(|kept| kept.release(env));
        query.release(env);
        room.release(env);
        if let Memory::Arrays { keys, values } = memory {
            keys.release(env);
            values.release(env);
        }
    }
}

impl Bound {
    /// Computes. No JavaScript runs before the result is there.
    #[inline(always)]
    fn run<'e>(&self, env: Env<'e>) -> Result<Value<'e>> {
        let query = self.query.numbers(env, "query")?;
        match &self.memory {
            Memory::Arrays { keys, values } => {
                let (keys, values) = (keys.numbers(env, "keys")?, values.numbers(env, "values")?);
                self.compute(env, &Inputs::new(query, query.len(), keys, values), &[query, keys, values])?;
            }
            Memory::Cache(cache) => {
                let cache = &*cache.get("keys")?;
                self.compute(env, &cache.inputs(query), &[query])?;
            }
        }
        self.result.get(env)
    }

    #[inline(always)]
    fn compute(&self, env: Env<'_>, inputs: &Inputs<'_>, arrays: &[&[f32]]) -> Result<()> {
        let mechanism = self.mechanism.lend()?;
        let options = self.options.as_core();
        self.room.fill(env, "out", arrays, |room| {
            let done = with_workspace(|workspace| mechanism.forward_into(inputs, &options, workspace, room));
            done.map_err(|error| Failure::renamed(error, "queries", Form::One.argument()))
        })
    }
}

/// A function of JavaScript that has a prepared call and lets it go when it is collected.
fn function<'e>(
    env: Env<'e>,
    callback: unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value,
    prepared: &Rc<Prepared>,
) -> Result<Value<'e>> {
    let data = Rc::into_raw(Rc::clone(prepared)).cast_mut().cast();
    let made = env.function(Some(callback), data).and_then(|function| {
        let raw = (env.raw(), function.raw());
        node!(napi_add_finalizer(raw.0, raw.1, data, Some(finalize), null_mut(), null_mut()))?;
        Ok(function)
    });
    if made.is_err() {
        // SAFETY: no finalizer was set, and nobody can call a function that was not returned.
        drop(unsafe { Rc::from_raw(data.cast::<Prepared>()) });
    }
    made
}

unsafe extern "C" fn finalize(env: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: `function` made it of an `Rc`, and Node-API calls this once.
    let prepared = unsafe { Rc::from_raw(data.cast::<Prepared>()) };
    // SAFETY: this is the finalizer's environment.
    let env = unsafe { Env::new(env) };
    let last = Rc::into_inner(prepared);
    let _ = catch_unwind(AssertUnwindSafe(|| last.inspect(|prepared| prepared.release(env))));
}

unsafe extern "C" fn run(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    with_prepared(env, info, |prepared, env| prepared.run(env))
}

unsafe extern "C" fn free(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    with_prepared(env, info, |prepared, env| {
        prepared.release(env);
        env.undefined()
    })
}

/// The body of a callback that `function` made.
#[inline(always)]
fn with_prepared<'e>(
    raw: sys::napi_env,
    info: sys::napi_callback_info,
    work: impl FnOnce(&Prepared, Env<'e>) -> Result<Value<'e>>,
) -> sys::napi_value {
    let mut data = null_mut();
    if node!(napi_get_cb_info(raw, info, null_mut(), null_mut(), null_mut(), &mut data)).is_err() {
        return null_mut();
    }
    let data = data.cast::<Prepared>().cast_const();
    // SAFETY: `function` made it of an `Rc` that lives until its function is collected, which takes more than the read
    // before. A count of its own keeps it, should the function be collected while the error of this call is made.
    let prepared = unsafe {
        Rc::increment_strong_count(data);
        Rc::from_raw(data)
    };
    // SAFETY: this is the callback's environment.
    let env = unsafe { Env::new(raw) };
    let result = finish(env, || work(&prepared, env));
    if let Some(last) = Rc::into_inner(prepared) {
        last.release(env);
    }
    result
}
