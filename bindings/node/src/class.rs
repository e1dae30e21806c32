//! JavaScript classes that hold Rust values.

use std::any::TypeId;
use std::cell::{Ref, RefCell, RefMut};
use std::ffi::{c_void, CStr};
use std::mem::transmute;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::null_mut;
use std::rc::Rc;

use napi::sys;
use rustc_hash::FxHashMap;

use crate::error::{Failure, Result};
use crate::js::{node, Env, Value};

/// A method: what it is given, and what it answers or throws.
pub type Run = for<'e> fn(&Arguments<'e>) -> Result<Value<'e>>;

/// The most that a method takes.
const MOST: usize = 11;

/// What a callback is given.
pub struct Arguments<'e> {
    env: Env<'e>,
    info: sys::napi_callback_info,
    this: sys::napi_value,
    given: [sys::napi_value; MOST],
}

impl<'e> Arguments<'e> {
    pub fn env(&self) -> Env<'e> {
        self.env
    }

    /// An argument; undefined if it was not given.
    pub fn get(&self, index: usize) -> Value<'e> {
        // SAFETY: Node-API filled the array with values of this callback.
        unsafe { self.env.value(self.given[index]) }
    }

    pub fn this(&self) -> Value<'e> {
        // SAFETY: Node-API gave it for this callback.
        unsafe { self.env.value(self.this) }
    }

    /// Refuses a constructor that is called without `new`.
    pub fn check_new(&self) -> Result<()> {
        let mut target = null_mut();
        node!(napi_get_new_target(self.env.raw(), self.info, &mut target))?;
        if target.is_null() {
            return Err(Failure::kind("this", "new before a constructor"));
        }
        Ok(())
    }
}

/// The one callback that Node-API knows: its data is the function to run.
unsafe extern "C" fn callback(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let (mut given, mut count) = ([null_mut(); MOST], MOST);
    let (mut this, mut data) = (null_mut(), null_mut());
    let status = node!(napi_get_cb_info(env, info, &mut count, given.as_mut_ptr(), &mut this, &mut data));
    if status.is_err() {
        return null_mut();
    }
    // SAFETY: `Member::descriptor` and `define` put a function of this type there.
    let run = unsafe { transmute::<*mut c_void, Run>(data) };
    // SAFETY: this is the callback's environment.
    let env = unsafe { Env::new(env) };
    let arguments = Arguments { env, info, this, given };
    finish(env, || run(&arguments))
}

/// What a callback returns: the answer of `work`, or nothing while what it threw is on its way.
#[inline(always)]
pub fn finish<'e>(env: Env<'e>, work: impl FnOnce() -> Result<Value<'e>>) -> sys::napi_value {
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Failure::panic(&*panic)));
    result.map_or_else(|failure| throw(env, failure), |value| value.raw())
}

/// Throws; an exception that is on its way already goes on.
#[cold]
fn throw(env: Env<'_>, failure: Failure) -> sys::napi_value {
    if let Failure::Fault(_) = failure {
        // Making the error can only fail by an exception of its own.
        let _ = failure.into_js(env).and_then(|error| node!(napi_throw(env.raw(), error.raw())));
    }
    null_mut()
}

/// A property of a class or of the module.
pub struct Member {
    name: &'static CStr,
    run: Run,
    getter: bool,
    fixed: bool,
}

/// A method of the instances, or a function of the module.
pub const fn method(name: &'static CStr, run: Run) -> Member {
    Member { name, run, getter: false, fixed: false }
}

/// A property of the instances.
pub const fn getter(name: &'static CStr, run: Run) -> Member {
    Member { name, run, getter: true, fixed: false }
}

/// A function of the class.
pub const fn fixed(name: &'static CStr, run: Run) -> Member {
    Member { name, run, getter: false, fixed: true }
}

impl Member {
    fn descriptor(&self) -> sys::napi_property_descriptor {
        use sys::PropertyAttributes::{configurable, static_, writable};
        let place = if self.fixed { static_ } else { 0 };
        sys::napi_property_descriptor {
            utf8name: self.name.as_ptr(),
            name: null_mut(),
            method: (!self.getter).then_some(callback),
            getter: self.getter.then_some(callback),
            setter: None,
            value: null_mut(),
            attributes: place | configurable | if self.getter { 0 } else { writable },
            data: self.run as *mut c_void,
        }
    }
}

/// Adds functions to an object.
pub fn functions(object: Value<'_>, members: &[Member]) -> Result<()> {
    use sys::PropertyAttributes::enumerable;
    let visible = |mut property: sys::napi_property_descriptor| {
        property.attributes |= enumerable;
        property
    };
    let properties: Vec<_> = members.iter().map(Member::descriptor).map(visible).collect();
    let (count, start) = (properties.len(), properties.as_ptr());
    node!(napi_define_properties(object.env().raw(), object.raw(), count, start))
}

/// Defines a class and exports it.
pub fn define<'e>(
    exports: Value<'e>,
    name: &'static CStr,
    constructor: Run,
    members: &[Member],
) -> Result<Value<'e>> {
    let env = exports.env();
    let properties: Vec<_> = members.iter().map(Member::descriptor).collect();
    let (count, start) = (properties.len(), properties.as_ptr());
    let (mut class, length) = (null_mut(), name.to_bytes().len() as isize);
    let data = constructor as *mut c_void;
    node!(napi_define_class(
        env.raw(),
        name.as_ptr(),
        length,
        Some(callback),
        data,
        count,
        start,
        &mut class
    ))?;
    // SAFETY: it was made in this callback.
    let class = unsafe { env.value(class) };
    exports.set(name, class)?;
    Ok(class)
}

/// What objects hold.
pub trait Content: 'static {
    /// Bytes that the garbage collector was told of.
    fn told(&self) -> usize {
        0
    }
}

impl<K: attention::Attention + 'static> Content for std::sync::Arc<K> {}

/// Tells the garbage collector how many bytes more an object stands for.
pub fn tell(env: Env<'_>, bytes: i64) -> Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    node!(napi_adjust_external_memory(env.raw(), bytes, &mut 0))
}

/// Puts methods that read options before the native ones of a class.
pub fn read_options(class: Value<'_>, cache: Value<'_>) -> Result<()> {
    let env = class.env();
    let refuse = function(env, |arguments| {
        let mut buffers = ([0; 80], [0; 160]);
        let argument = arguments.get(0).text(&mut buffers.0).map(String::from_utf8_lossy);
        let needed = arguments.get(1).text(&mut buffers.1).map(String::from_utf8_lossy);
        Err(Failure::kind(&argument.unwrap_or_default(), &needed.unwrap_or_default()))
    })?;
    let install = env.run(include_str!("methods.js"))?;
    install.call(env.undefined()?, &[class.get(c"prototype")?, cache, refuse]).map(|_| ())
}

fn function(env: Env<'_>, run: Run) -> Result<Value<'_>> {
    env.function(Some(callback), run as *mut c_void)
}

/// What an object holds until `free`.
pub struct Held<T>(RefCell<Option<T>>);

thread_local! {
    /// The values behind the objects of this thread. A pointer is trusted only if it stands here: not every runtime
    /// keeps methods from being called on other objects, which may hold another addon's pointer.
    static LIVE: RefCell<FxHashMap<usize, TypeId>> = RefCell::default();
}

/// Makes a value the content of the object under construction.
pub fn wrap<'e, T: Content>(arguments: &Arguments<'e>, value: T) -> Result<Value<'e>> {
    arguments.check_new()?;
    let held = Rc::into_raw(Rc::new(Held(RefCell::new(Some(value))))).cast_mut();
    let (env, this) = (arguments.env.raw(), arguments.this);
    let wrapped = node!(napi_wrap(env, this, held.cast(), Some(finalize::<T>), null_mut(), null_mut()));
    if wrapped.is_err() {
        // SAFETY: Node-API did not take it.
        drop(unsafe { Rc::from_raw(held) });
        return Err(Failure::kind("this", "a new object"));
    }
    LIVE.with_borrow_mut(|live| live.insert(held as usize, TypeId::of::<T>()));
    Ok(arguments.this())
}

unsafe extern "C" fn finalize<T: Content>(env: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // At the end of a thread the table may be gone already.
    let _ = LIVE.try_with(|live| live.borrow_mut().remove(&(data as usize)));
    // SAFETY: `wrap` made it of an `Rc`, and Node-API calls this once.
    let held = unsafe { Rc::from_raw(data.cast::<Held<T>>()) };
    // SAFETY: this is the finalizer's environment.
    let env = unsafe { Env::new(env) };
    let _ = catch_unwind(AssertUnwindSafe(|| give_back(env, held.take())));
}

/// What an object holds; `None` if it is of another class.
pub fn unwrap<'e, T: Content>(value: Value<'e>) -> Option<&'e Held<T>> {
    // SAFETY: it is of this type and not finalized; the callback's handle keeps the object, and so the value, alive.
    find(value).map(|held| unsafe { &*held })
}

/// What an object holds, kept beyond the callback. A collected object holds nothing more.
pub fn share<T: Content>(value: Value<'_>) -> Result<Rc<Held<T>>> {
    let held = find(value).ok_or_else(|| Failure::kind("this", OWN_CLASS))?;
    // SAFETY: `wrap` made it of an `Rc`, which is not finalized.
    unsafe {
        Rc::increment_strong_count(held);
        Ok(Rc::from_raw(held))
    }
}

fn find<T: Content>(value: Value<'_>) -> Option<*const Held<T>> {
    let mut data = null_mut();
    // SAFETY: both come from the running callback; of what is no wrapped object Node-API says so.
    let status = unsafe { sys::napi_unwrap(value.env().raw(), value.raw(), &mut data) };
    let known = |live: &FxHashMap<usize, TypeId>| live.get(&(data as usize)) == Some(&TypeId::of::<T>());
    if status != sys::Status::napi_ok || !LIVE.with_borrow(known) {
        return None;
    }
    Some(data.cast::<Held<T>>().cast_const())
}

const OWN_CLASS: &str = "an object of the method's own class";

/// What the object that a method was called on holds.
pub fn this<'e, T: Content>(arguments: &Arguments<'e>) -> Result<&'e Held<T>> {
    unwrap(arguments.this()).ok_or_else(|| Failure::kind("this", OWN_CLASS))
}

impl<T> Held<T> {
    /// The value; `argument` names the object where it was freed.
    pub fn get(&self, argument: &str) -> Result<Ref<'_, T>> {
        let held = self.0.try_borrow().map_err(|_| Failure::internal("an object is in use"))?;
        Ref::filter_map(held, Option::as_ref).map_err(|_| Failure::freed(argument))
    }

    pub fn get_mut(&self, argument: &str) -> Result<RefMut<'_, T>> {
        let held = self.0.try_borrow_mut().map_err(|_| Failure::internal("an object is in use"))?;
        RefMut::filter_map(held, Option::as_mut).map_err(|_| Failure::freed(argument))
    }

    /// Takes the value away for good; nothing is left the second time.
    pub fn take(&self) -> Option<T> {
        self.0.try_borrow_mut().ok()?.take()
    }
}

/// `free()`: gives the memory back at once, not when the object is collected.
pub fn free<'e, T: Content>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    give_back(arguments.env(), this::<T>(arguments)?.take())?;
    arguments.env().undefined()
}

fn give_back<T: Content>(env: Env<'_>, content: Option<T>) -> Result<()> {
    let told = content.as_ref().map_or(0, Content::told);
    drop(content);
    tell(env, -(told as i64))
}
