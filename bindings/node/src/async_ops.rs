//! Calls that compute on a thread of Node's pool. Their inputs were copied on the JavaScript thread before.

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::null_mut;
use std::rc::Rc;

use napi::sys;

use crate::buffer::{from_rows, from_vec};
use crate::error::{Failure, Result};
use crate::instance;
use crate::js::{node, Env, Kept, Kind, Value};

/// What a call computed.
pub enum Answer {
    /// One array.
    Flat(Vec<f32>),
    /// One array a query.
    Rows { flat: Vec<f32>, rows: usize },
    /// One array a sequence.
    Several(Vec<Vec<f32>>),
}

impl Answer {
    pub fn into_js(self, env: Env<'_>) -> Result<Value<'_>> {
        match self {
            Answer::Flat(flat) => from_vec(env, flat),
            Answer::Rows { flat, rows } => from_rows(env, &flat, rows),
            Answer::Several(results) => {
                let array = env.array(results.len())?;
                for (index, result) in results.into_iter().enumerate() {
                    env.scope(|| array.set_element(index as u32, from_vec(env, result)?))?;
                }
                Ok(array)
            }
        }
    }
}

type Compute = Box<dyn FnOnce() -> Result<Answer> + Send>;

/// What the pool's thread sees of a call.
enum Task {
    Waiting(Compute),
    Done(Result<Answer>),
    /// Being computed.
    Away,
}

/// A call in flight. The pool's thread touches the task and nothing else, the JavaScript thread the task only when the
/// other one is done or never began.
struct Job {
    task: UnsafeCell<Task>,
    work: Cell<sys::napi_async_work>,
    /// The promise, until it is settled.
    deferred: Cell<Option<sys::napi_deferred>>,
    listening: Cell<Option<Listening>>,
}

/// The listener on a call's signal.
struct Listening {
    signal: Kept,
    listener: Kept,
    ticket: Rc<Ticket>,
}

/// What the listener knows: the job, until that has ended.
struct Ticket(Cell<*const Job>);

/// A promise of what the work computes that `read` makes of the arguments; what `read` refuses rejects it.
pub fn promise<'e, W>(
    env: Env<'e>,
    read: impl FnOnce() -> Result<(Option<Value<'e>>, W)>,
) -> Result<Value<'e>>
where
    W: FnOnce() -> Result<Answer> + Send + 'static,
{
    let (mut deferred, mut promise) = (null_mut(), null_mut());
    node!(napi_create_promise(env.raw(), &mut deferred, &mut promise))?;
    // SAFETY: it was made in this callback.
    let promise = unsafe { env.value(promise) };
    // A panic must not leave the promise unsettled.
    let begun = catch_unwind(AssertUnwindSafe(|| {
        let (signal, work) = read()?;
        match signal.map(check_signal).transpose()?.flatten() {
            Some(reason) => settle(env, deferred, Err(reason)),
            None => begin(env, deferred, signal, Box::new(work)),
        }
    }));
    let begun = begun.unwrap_or_else(|panic| Err(Failure::panic(&*panic)));
    if let Err(failure) = begun {
        settle(env, deferred, Err(failure.into_js(env)?))?;
    }
    Ok(promise)
}

/// The reason of a signal that was aborted.
///
/// Errors: the value is no AbortSignal.
pub fn check_signal(signal: Value<'_>) -> Result<Option<Value<'_>>> {
    let needed = || Failure::kind("signal", "an AbortSignal");
    if signal.kind() != Kind::Object || signal.get(c"addEventListener")?.kind() != Kind::Function {
        return Err(needed());
    }
    match signal.get(c"aborted")?.as_boolean() {
        Some(true) => signal.get(c"reason").map(Some),
        Some(false) => Ok(None),
        None => Err(needed()),
    }
}

fn settle<'e>(
    env: Env<'e>,
    deferred: sys::napi_deferred,
    result: std::result::Result<Value<'e>, Value<'e>>,
) -> Result<()> {
    match result {
        Ok(value) => node!(napi_resolve_deferred(env.raw(), deferred, value.raw())),
        Err(reason) => node!(napi_reject_deferred(env.raw(), deferred, reason.raw())),
    }
}

fn begin(
    env: Env<'_>,
    deferred: sys::napi_deferred,
    signal: Option<Value<'_>>,
    compute: Compute,
) -> Result<()> {
    let job = Box::new(Job {
        task: UnsafeCell::new(Task::Waiting(compute)),
        work: Cell::new(null_mut()),
        deferred: Cell::new(None),
        listening: Cell::new(None),
    });
    let listening = signal.map(|signal| listen(env, signal, &job)).transpose()?;
    let started = start(env, &job);
    if let Err(failure) = started {
        listening.into_iter().for_each(|listening| listening.end(env));
        return Err(failure);
    }
    job.listening.set(listening);
    job.deferred.set(Some(deferred));
    // `complete` takes it back.
    let _ = Box::into_raw(job);
    Ok(())
}

fn start(env: Env<'_>, job: &Job) -> Result<()> {
    let name = env.string("ruvector-attention")?;
    let (mut work, data) = (null_mut(), std::ptr::from_ref(job).cast_mut().cast());
    let create = node!(napi_create_async_work(
        env.raw(),
        null_mut(),
        name.raw(),
        Some(execute),
        Some(complete),
        data,
        &mut work
    ));
    create?;
    job.work.set(work);
    let queued = node!(napi_queue_async_work(env.raw(), work));
    if queued.is_err() {
        let _ = node!(napi_delete_async_work(env.raw(), work));
    }
    queued
}

/// On a thread of the pool.
unsafe extern "C" fn execute(_: sys::napi_env, data: *mut c_void) {
    // SAFETY: `complete`, which comes later, frees the job.
    let job = unsafe { &*data.cast_const().cast::<Job>() };
    // SAFETY: the JavaScript thread touches the task before the work was queued and after this returned.
    let task = unsafe { &mut *job.task.get() };
    if let Task::Waiting(compute) = std::mem::replace(task, Task::Away) {
        let result = catch_unwind(AssertUnwindSafe(compute));
        *task = Task::Done(result.unwrap_or_else(|panic| Err(Failure::panic(&*panic))));
    }
}

/// On the JavaScript thread, when `execute` is done or the work was cancelled.
unsafe extern "C" fn complete(env: sys::napi_env, _: sys::napi_status, data: *mut c_void) {
    // SAFETY: `begin` made it of a box, and Node-API calls this once.
    let job = unsafe { Box::from_raw(data.cast::<Job>()) };
    // SAFETY: this is the callback's environment.
    let env = unsafe { Env::new(env) };
    let _ = catch_unwind(AssertUnwindSafe(|| job.end(env)));
}

impl Job {
    fn end(self, env: Env<'_>) {
        let _ = node!(napi_delete_async_work(env.raw(), self.work.get()));
        if let Some(listening) = self.listening.take() {
            listening.end(env);
        }
        // Without a promise to settle the call was aborted, and nobody waits for the result.
        let Some(deferred) = self.deferred.take() else { return };
        let answer = match self.task.into_inner() {
            Task::Done(answer) => answer,
            _ => Err(Failure::internal("the work was dropped")),
        };
        let value = answer.and_then(|answer| answer.into_js(env));
        let settled = match value {
            Ok(value) => settle(env, deferred, Ok(value)),
            Err(failure) => failure.into_js(env).and_then(|error| settle(env, deferred, Err(error))),
        };
        // Only at the end of the environment is there nobody left to tell.
        let _ = settled;
    }

    /// Rejects at once. Work that waits is dropped; work that runs goes on, and its result is dropped.
    fn abort(&self, env: Env<'_>) -> Result<()> {
        let (Some(deferred), Some(listening)) = (self.deferred.take(), self.listening.take()) else {
            return Ok(());
        };
        let reason = listening.signal.get(env).and_then(|signal| signal.get(c"reason"));
        self.listening.set(Some(listening));
        // It fails where the work has begun.
        let _ = node!(napi_cancel_async_work(env.raw(), self.work.get()));
        settle(env, deferred, Err(reason?))
    }
}

fn listen(env: Env<'_>, signal: Value<'_>, job: &Job) -> Result<Listening> {
    let ticket = Rc::new(Ticket(Cell::new(job)));
    let data = Rc::into_raw(Rc::clone(&ticket)).cast_mut().cast();
    let made = env.function(Some(aborted), data).and_then(|listener| {
        let finalizer = node!(napi_add_finalizer(
            env.raw(),
            listener.raw(),
            data,
            Some(drop_ticket),
            null_mut(),
            null_mut()
        ));
        finalizer.map(|()| listener)
    });
    let listener = made.inspect_err(|_| {
        // SAFETY: no finalizer was set, so the count is still the listener's, which nobody will call.
        drop(unsafe { Rc::from_raw(data.cast_const().cast::<Ticket>()) });
    })?;
    let listening = Listening { signal: signal.keep()?, listener: listener.keep()?, ticket };
    match listening.watch(env, true) {
        Ok(()) => Ok(listening),
        Err(failure) => {
            listening.forget(env);
            Err(failure)
        }
    }
}

impl Listening {
    /// Takes the listener off the signal.
    fn end(self, env: Env<'_>) {
        if self.watch(env, false).is_err() {
            // A signal whose method throws keeps a listener that knows no job.
            let _ = env.catch();
        }
        self.forget(env);
    }

    fn watch(&self, env: Env<'_>, on: bool) -> Result<()> {
        let arguments = [self.signal.get(env)?, self.listener.get(env)?, env.boolean(on)?];
        instance::watcher(env)?.call(env.undefined()?, &arguments).map(|_| ())
    }

    fn forget(self, env: Env<'_>) {
        self.ticket.0.set(null_mut());
        self.signal.release(env);
        self.listener.release(env);
    }
}

/// The listener.
unsafe extern "C" fn aborted(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let mut data = null_mut();
    if node!(napi_get_cb_info(env, info, &mut 0, null_mut(), null_mut(), &mut data)).is_err() {
        return null_mut();
    }
    // SAFETY: the function that runs keeps its ticket until it is collected.
    let ticket = unsafe { &*data.cast_const().cast::<Ticket>() };
    // SAFETY: a job takes itself off its ticket before it ends.
    if let Some(job) = unsafe { ticket.0.get().as_ref() } {
        // SAFETY: this is the callback's environment.
        let env = unsafe { Env::new(env) };
        let _ = catch_unwind(AssertUnwindSafe(|| job.abort(env)));
    }
    null_mut()
}

unsafe extern "C" fn drop_ticket(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: `listen` gave the listener this count, and Node-API calls this once.
    drop(unsafe { Rc::from_raw(data.cast_const().cast::<Ticket>()) });
}
