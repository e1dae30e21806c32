//! The Node-API calls that this binding makes, each with its status checked.
//!
//! Classes are built on these and not on napi-rs's macros: those track every borrow in a table for all threads, which
//! alone costs a call twice what it may cost in all.

use std::ffi::{c_void, CStr};
use std::marker::PhantomData;
use std::ptr::null_mut;

use napi::sys;

use crate::error::{Failure, Result};

/// The environment of a running callback: a thread of JavaScript.
#[derive(Clone, Copy)]
pub struct Env<'e> {
    raw: sys::napi_env,
    callback: PhantomData<&'e ()>,
}

/// A JavaScript value, alive as long as the callback runs.
#[derive(Clone, Copy)]
pub struct Value<'e> {
    env: Env<'e>,
    raw: sys::napi_value,
}

/// A value that outlives the callback.
pub struct Kept(sys::napi_ref);

/// The kinds of values that arguments are told apart by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// undefined or null.
    Absent,
    Boolean,
    Number,
    Object,
    Function,
    Other,
}

/// Calls a function of Node-API and checks its status.
macro_rules! node {
    ($function:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: environments and values come from the running callback, the other arguments are valid pointers.
        $crate::js::check(unsafe { napi::sys::$function($($argument),*) })
    };
}
pub(crate) use node;

/// A status that is not ok: an exception on its way, or a fault of the library.
#[inline(always)]
pub fn check(status: sys::napi_status) -> Result<()> {
    match status {
        sys::Status::napi_ok => Ok(()),
        sys::Status::napi_pending_exception => Err(Failure::Thrown),
        other => Err(unexpected(other)),
    }
}

#[cold]
fn unexpected(status: sys::napi_status) -> Failure {
    Failure::internal(&format!("Node-API answered {}", napi::Status::from(status)))
}

impl<'e> Env<'e> {
    /// # Safety
    ///
    /// `raw` must be the environment that a callback running for all of `'e` was given.
    pub unsafe fn new(raw: sys::napi_env) -> Self {
        Env { raw, callback: PhantomData }
    }

    pub fn raw(self) -> sys::napi_env {
        self.raw
    }

    /// # Safety
    ///
    /// `raw` must be a value of this environment, alive for all of `'e`.
    pub unsafe fn value(self, raw: sys::napi_value) -> Value<'e> {
        Value { env: self, raw }
    }

    /// The value that a function of Node-API writes.
    fn made(self, make: impl FnOnce(*mut sys::napi_value) -> Result<()>) -> Result<Value<'e>> {
        let mut raw = null_mut();
        make(&mut raw)?;
        Ok(Value { env: self, raw })
    }

    pub fn undefined(self) -> Result<Value<'e>> {
        self.made(|raw| node!(napi_get_undefined(self.raw, raw)))
    }

    pub fn number(self, number: f64) -> Result<Value<'e>> {
        self.made(|raw| node!(napi_create_double(self.raw, number, raw)))
    }

    pub fn string(self, text: &str) -> Result<Value<'e>> {
        let (start, length) = (text.as_ptr().cast(), text.len() as isize);
        self.made(|raw| node!(napi_create_string_utf8(self.raw, start, length, raw)))
    }

    pub fn boolean(self, flag: bool) -> Result<Value<'e>> {
        self.made(|raw| node!(napi_get_boolean(self.raw, flag, raw)))
    }

    pub fn object(self) -> Result<Value<'e>> {
        self.made(|raw| node!(napi_create_object(self.raw, raw)))
    }

    pub fn array(self, length: usize) -> Result<Value<'e>> {
        self.made(|raw| node!(napi_create_array_with_length(self.raw, length, raw)))
    }

    /// A plain `Error`.
    pub fn error(self, message: &str) -> Result<Value<'e>> {
        let message = self.string(message)?;
        self.made(|raw| node!(napi_create_error(self.raw, null_mut(), message.raw, raw)))
    }

    /// What a script evaluates to.
    pub fn run(self, script: &str) -> Result<Value<'e>> {
        let script = self.string(script)?;
        self.made(|raw| node!(napi_run_script(self.raw, script.raw, raw)))
    }

    /// The exception on its way, which goes no further.
    pub fn catch(self) -> Result<Value<'e>> {
        self.made(|raw| node!(napi_get_and_clear_last_exception(self.raw, raw)))
    }

    /// A function that calls `callback` with `data`.
    pub fn function(self, callback: sys::napi_callback, data: *mut c_void) -> Result<Value<'e>> {
        self.made(|raw| node!(napi_create_function(self.raw, null_mut(), 0, callback, data, raw)))
    }

    /// Runs `work`, whose values die with it.
    pub fn scope<T>(self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut scope = null_mut();
        node!(napi_open_handle_scope(self.raw, &mut scope))?;
        let result = work();
        // While an exception is on its way the scope is closed by the callback's end.
        let closed = node!(napi_close_handle_scope(self.raw, scope));
        result.and_then(|value| closed.map(|()| value))
    }
}

impl<'e> Value<'e> {
    pub fn env(self) -> Env<'e> {
        self.env
    }

    pub fn raw(self) -> sys::napi_value {
        self.raw
    }

    pub fn kind(self) -> Kind {
        let mut kind = -1;
        let _ = node!(napi_typeof(self.env.raw, self.raw, &mut kind));
        match kind {
            sys::ValueType::napi_undefined | sys::ValueType::napi_null => Kind::Absent,
            sys::ValueType::napi_boolean => Kind::Boolean,
            sys::ValueType::napi_number => Kind::Number,
            sys::ValueType::napi_object => Kind::Object,
            sys::ValueType::napi_function => Kind::Function,
            _ => Kind::Other,
        }
    }

    pub fn is_absent(self) -> bool {
        self.kind() == Kind::Absent
    }

    pub fn is_array(self) -> bool {
        let mut is = false;
        node!(napi_is_array(self.env.raw, self.raw, &mut is)).is_ok() && is
    }

    pub fn is_typed_array(self) -> bool {
        let mut is = false;
        node!(napi_is_typedarray(self.env.raw, self.raw, &mut is)).is_ok() && is
    }

    pub fn as_number(self) -> Option<f64> {
        let mut number = 0.0;
        node!(napi_get_value_double(self.env.raw, self.raw, &mut number)).ok().map(|()| number)
    }

    pub fn as_boolean(self) -> Option<bool> {
        let mut flag = false;
        node!(napi_get_value_bool(self.env.raw, self.raw, &mut flag)).ok().map(|()| flag)
    }

    /// The first bytes of a string, as many as the buffer holds but one; `None` for what is no string.
    pub fn text(self, buffer: &mut [u8]) -> Option<&[u8]> {
        let mut length = 0;
        let (start, size) = (buffer.as_mut_ptr().cast(), buffer.len());
        node!(napi_get_value_string_utf8(self.env.raw, self.raw, start, size, &mut length)).ok()?;
        buffer.get(..length)
    }

    pub fn get(self, name: &CStr) -> Result<Value<'e>> {
        self.env.made(|raw| node!(napi_get_named_property(self.env.raw, self.raw, name.as_ptr(), raw)))
    }

    pub fn get_by(self, key: Value<'e>) -> Result<Value<'e>> {
        self.env.made(|raw| node!(napi_get_property(self.env.raw, self.raw, key.raw, raw)))
    }

    pub fn set(self, name: &CStr, value: Value<'e>) -> Result<()> {
        node!(napi_set_named_property(self.env.raw, self.raw, name.as_ptr(), value.raw))
    }

    /// Sets a property that is not set again.
    pub fn fix(self, name: &CStr, value: Value<'e>) -> Result<()> {
        let property = sys::napi_property_descriptor {
            utf8name: name.as_ptr(),
            name: null_mut(),
            method: None,
            getter: None,
            setter: None,
            value: value.raw,
            attributes: sys::PropertyAttributes::enumerable,
            data: null_mut(),
        };
        node!(napi_define_properties(self.env.raw, self.raw, 1, &property))
    }

    /// Names of the enumerable properties that are strings.
    pub fn names(self) -> Result<Value<'e>> {
        self.env.made(|raw| node!(napi_get_property_names(self.env.raw, self.raw, raw)))
    }

    /// Number of elements of an array.
    pub fn length(self) -> Result<u32> {
        let mut length = 0;
        node!(napi_get_array_length(self.env.raw, self.raw, &mut length))?;
        Ok(length)
    }

    pub fn element(self, index: u32) -> Result<Value<'e>> {
        self.env.made(|raw| node!(napi_get_element(self.env.raw, self.raw, index, raw)))
    }

    pub fn set_element(self, index: u32, value: Value<'e>) -> Result<()> {
        node!(napi_set_element(self.env.raw, self.raw, index, value.raw))
    }

    pub fn call(self, this: Value<'e>, arguments: &[Value<'e>]) -> Result<Value<'e>> {
        let raw: Vec<_> = arguments.iter().map(|value| value.raw).collect();
        let (count, start) = (raw.len(), raw.as_ptr());
        self.env
            .made(|result| node!(napi_call_function(self.env.raw, this.raw, self.raw, count, start, result)))
    }

    /// `new self(...arguments)`.
    pub fn construct(self, arguments: &[Value<'e>]) -> Result<Value<'e>> {
        let raw: Vec<_> = arguments.iter().map(|value| value.raw).collect();
        let (count, start) = (raw.len(), raw.as_ptr());
        self.env.made(|result| node!(napi_new_instance(self.env.raw, self.raw, count, start, result)))
    }

    /// Keeps an object or a function beyond the callback.
    pub fn keep(self) -> Result<Kept> {
        let mut kept = null_mut();
        node!(napi_create_reference(self.env.raw, self.raw, 1, &mut kept))?;
        Ok(Kept(kept))
    }
}

impl Kept {
    pub fn get<'e>(&self, env: Env<'e>) -> Result<Value<'e>> {
        env.made(|raw| node!(napi_get_reference_value(env.raw, self.0, raw)))
    }

    /// Lets the value go; without it, it stays as long as the environment.
    pub fn release(self, env: Env<'_>) {
        let _ = node!(napi_delete_reference(env.raw, self.0));
    }
}
