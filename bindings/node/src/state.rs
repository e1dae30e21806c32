//! Attention over keys that arrive in pieces.

use std::cell::Cell;
use std::sync::Arc;

use attention::{Attention, AttentionState, Error, Needed};

use crate::buffer::{self, from_bytes, from_vec, Source, Tensor};
use crate::class::{define, fixed, free, method, this, unwrap, wrap, Arguments, Content};
use crate::error::{Failure, Result};
use crate::instance;
use crate::js::{Env, Value};
use crate::types::{Asked, CallOptions};

/// A state, and how to start it again until the first values say how long a value is.
struct State {
    state: AttentionState,
    start: Option<Start>,
}

impl Content for State {}

/// What a state is started with.
struct Start {
    mechanism: Arc<dyn Attention>,
    query: Vec<f32>,
    options: CallOptions,
}

impl Start {
    fn state(&self, value_dim: usize) -> Result<AttentionState> {
        let options = self.options.as_core();
        let state = self.mechanism.stream(&self.query, self.query.len(), value_dim, &options);
        state.map_err(|error| Failure::renamed(error, "queries", "query"))
    }
}

impl State {
    /// As it is for values of this length.
    fn for_values(&self, value_dim: usize) -> Result<Option<AttentionState>> {
        match &self.start {
            Some(start) if value_dim != self.state.value_dim() => start.state(value_dim).map(Some),
            _ => Ok(None),
        }
    }
}

thread_local! {
    /// The content of the object that is being made: its constructor takes it from here.
    static NEXT: Cell<Option<State>> = const { Cell::new(None) };
}

pub fn export(exports: Value<'_>) -> Result<()> {
    let members = [
        method(c"push", push),
        method(c"merge", merge),
        method(c"finish", finish),
        method(c"toBytes", to_bytes),
        method(c"free", free::<State>),
        fixed(c"fromBytes", read),
    ];
    instance::set_state_class(define(exports, c"AttentionState", new, &members)?)
}

fn new<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    let made_by = "a mechanism's method state, or AttentionState.fromBytes, in place of new AttentionState";
    let state = NEXT.take().ok_or_else(|| Failure::kind("this", made_by))?;
    wrap(arguments, state)
}

fn object(env: Env<'_>, state: State) -> Result<Value<'_>> {
    let class = instance::state_class(env)?.ok_or_else(|| Failure::internal("no class AttentionState"))?;
    NEXT.set(Some(state));
    let made = class.construct(&[]);
    NEXT.take();
    made
}

/// `state(query, options)` of a mechanism.
pub fn start<'e>(arguments: &Arguments<'e>, mechanism: Arc<dyn Attention>) -> Result<Value<'e>> {
    let Asked { options, out, .. } = Asked::read(arguments, 1)?;
    if out.is_some() {
        return Err(Failure::kind("out", "a call with a result; a state has it when it finishes"));
    }
    let query = Source::vector(arguments.get(0), "query")?.view("query")?.into_owned("query")?;
    let dim = query.data.len();
    let needed = mechanism.dim().map_or(Needed::AtLeast(1), Needed::Exactly);
    if dim == 0 || mechanism.dim().is_some_and(|own| own != dim) {
        return Err(Error::Length { argument: "query", found: dim, needed }.into());
    }
    let start = Start { mechanism, query: query.data.to_vec(), options };
    // Values as long as the query fit every mechanism; other ones start it again.
    let state = start.state(dim)?;
    object(arguments.env(), State { state, start: Some(start) })
}

/// `push(keys, values)`.
fn push<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    let held = this::<State>(arguments)?;
    let dim = held.get("this")?.state.dim();
    let keys = Source::matrix(arguments.get(0), "keys")?;
    let values = Source::matrix(arguments.get(1), "values")?;
    let (keys, values) = (keys.view("keys")?, values.view("values")?);
    keys.check_width(dim, "keys")?;
    let mut held = held.get_mut("this")?;
    let width = value_width(&keys, &values, dim).unwrap_or(held.state.value_dim());
    values.check_width(width, "values")?;
    let mut fresh = held.for_values(width)?;
    let state = fresh.as_mut().unwrap_or(&mut held.state);
    state.push(&keys.data, &values.data)?;
    if let Some(fresh) = fresh {
        held.state = fresh;
    }
    held.start = None;
    arguments.env().undefined()
}

/// Length of a value, if the lengths fit together.
fn value_width(keys: &Tensor<'_>, values: &Tensor<'_>, dim: usize) -> Option<usize> {
    let rows = keys.data.len().checked_div(dim).filter(|rows| *rows > 0)?;
    let width = values.data.len() / rows;
    (width > 0 && width * rows == values.data.len()).then_some(width)
}

/// `merge(other)`.
fn merge<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    let held = this::<State>(arguments)?;
    let needed = || Failure::kind("other", "an AttentionState");
    let other = unwrap::<State>(arguments.get(0)).ok_or_else(needed)?;
    // A copy, because the other one may be this one.
    let other = {
        let other = other.get("other")?;
        let value_dim = held.get("this")?.state.value_dim();
        match other.for_values(value_dim)? {
            Some(fresh) => fresh,
            None => other.state.clone(),
        }
    };
    let mut held = held.get_mut("this")?;
    let mut fresh = held.for_values(other.value_dim())?;
    fresh.as_mut().unwrap_or(&mut held.state).merge(&other)?;
    if let Some(fresh) = fresh {
        held.state = fresh;
    }
    if held.state.keys() > 0 {
        held.start = None;
    }
    arguments.env().undefined()
}

/// `finish()`.
fn finish<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    let result = this::<State>(arguments)?.get("this")?.state.finish()?;
    from_vec(arguments.env(), result)
}

/// `toBytes()`.
fn to_bytes<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    let bytes = this::<State>(arguments)?.get("this")?.state.to_bytes();
    from_bytes(arguments.env(), &bytes)
}

/// `AttentionState.fromBytes(bytes)`.
fn read<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    let bytes = buffer::bytes(arguments.get(0), "bytes")?;
    let bytes = bytes.ok_or_else(|| Failure::kind("bytes", "a Uint8Array"))?;
    let state = AttentionState::from_bytes(&bytes)?;
    object(arguments.env(), State { state, start: None })
}
