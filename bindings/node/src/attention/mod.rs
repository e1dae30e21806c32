//! The classes, one mechanism a file, and what their methods share.

mod call;
mod cross;
mod hyperbolic;
mod linear;
mod multi_head;
mod prepared;
mod scaled_dot;
mod self_attention;

use std::cell::Ref;
use std::ffi::CStr;
use std::sync::Arc;

use attention::Attention;

pub use hyperbolic::functions as poincare_functions;

use crate::class::{define, free, getter, method, read_options, share, this, Arguments, Held, Member};
use crate::error::Result;
use crate::js::Value;
use crate::state;
use call::{Call, Form};

/// Exports the classes; `cache` is the class that may stand for keys and values.
pub fn export<'e>(exports: Value<'e>, cache: Value<'e>) -> Result<()> {
    let modules = [
        scaled_dot::export,
        multi_head::export,
        hyperbolic::export,
        linear::export,
        cross::export,
        self_attention::export,
    ];
    modules.iter().try_for_each(|export| read_options(export(exports)?, cache))
}

/// Exports a class whose objects hold an `Arc<K>`, with the methods that all mechanisms have and its own.
fn export_mechanism<'e, K: Attention + 'static>(
    exports: Value<'e>,
    name: &'static CStr,
    constructor: crate::class::Run,
    own: impl IntoIterator<Item = Member>,
) -> Result<Value<'e>> {
    let mut members = vec![
        method(c"forward", |a| forward::<K>(a, Form::One)),
        method(c"forwardAsync", |a| forward_async::<K>(a, Form::One)),
        method(c"forwardBatch", |a| forward::<K>(a, Form::Batch)),
        method(c"forwardBatchAsync", |a| forward_async::<K>(a, Form::Batch)),
        method(c"prepare", |a| prepared::prepare(a, share::<Arc<K>>(a.this())?)),
        method(c"state", |a| state::start(a, shared::<K>(a)?)),
        method(c"free", free::<Arc<K>>),
    ];
    members.extend(own);
    define(exports, name, constructor, &members)
}

impl<K: Attention + 'static> prepared::Lend for Held<Arc<K>> {
    fn lend(&self) -> Result<Ref<'_, dyn Attention>> {
        Ok(Ref::map(self.get("this")?, |mechanism| &**mechanism as &dyn Attention))
    }
}

/// The mechanism that a method was called on.
fn shared<K: Attention + 'static>(arguments: &Arguments<'_>) -> Result<Arc<dyn Attention>> {
    let mechanism: Arc<K> = Arc::clone(&*this::<Arc<K>>(arguments)?.get("this")?);
    Ok(mechanism)
}

fn forward<'e, K: Attention + 'static>(arguments: &Arguments<'e>, form: Form) -> Result<Value<'e>> {
    let mechanism = shared::<K>(arguments)?;
    Call::read(arguments, &*mechanism, form)?.answer(&*mechanism)
}

fn forward_async<'e, K: Attention + 'static>(arguments: &Arguments<'e>, form: Form) -> Result<Value<'e>> {
    crate::async_ops::promise(arguments.env(), || {
        let mechanism = shared::<K>(arguments)?;
        let call = Call::read(arguments, &*mechanism, form)?;
        let signal = call.signal;
        let work = call.into_owned()?;
        Ok((signal, move || work.compute(&*mechanism)))
    })
}

/// The property `dim`, of a mechanism that has one.
fn dim<K: Attention + 'static>() -> Member {
    getter(c"dim", |arguments| {
        let dim = this::<Arc<K>>(arguments)?.get("this")?.dim();
        arguments.env().number(dim.unwrap_or_default() as f64)
    })
}
