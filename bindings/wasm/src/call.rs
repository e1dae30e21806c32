//! What all classes share: one call of a mechanism on JavaScript's tensors.

use crate::cache::{self, Memory};
use crate::error::{Result, WasmError};
use crate::options::CallOptions;
use crate::parallel;
use crate::tensors::{copied, fill, matrix, vector};
use attention::{
    Attention, AttentionState, CrossAttention, Error, HyperbolicAttention, Inputs, LinearAttention,
    MultiHeadAttention, Needed, Options, ScaledDotProductAttention, SelfAttention, Workspace,
};
use js_sys::{Array, Float32Array};
use std::cell::Cell;
use wasm_bindgen::JsValue;

/// Any mechanism. A trait object would keep everything that the trait can do in the module, printing included.
#[derive(Clone)]
pub enum Mechanism {
    Dot(ScaledDotProductAttention),
    Heads(MultiHeadAttention),
    Ball(HyperbolicAttention),
    Linear(LinearAttention),
    Cross(CrossAttention),
    Own(SelfAttention),
}

macro_rules! each {
    ($mechanism:expr, $attention:ident => $do:expr) => {
        match $mechanism {
            Mechanism::Dot($attention) => $do,
            Mechanism::Heads($attention) => $do,
            Mechanism::Ball($attention) => $do,
            Mechanism::Linear($attention) => $do,
            Mechanism::Cross($attention) => $do,
            Mechanism::Own($attention) => $do,
        }
    };
}

impl std::fmt::Debug for Mechanism {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mechanism")
    }
}

impl Mechanism {
    /// Length of a query, where the mechanism has one.
    pub fn dim(&self) -> Option<usize> {
        each!(self, attention => attention.dim())
    }

    /// What divides the width of the values.
    pub fn heads(&self) -> usize {
        match self {
            Mechanism::Heads(attention) => attention.num_heads(),
            _ => 1,
        }
    }

    /// Starts a computation whose keys arrive in pieces.
    pub fn stream(
        &self,
        queries: &[f32],
        dim: usize,
        value_dim: usize,
        options: &Options<'_>,
    ) -> attention::Result<AttentionState> {
        each!(self, attention => attention.stream(queries, dim, value_dim, options))
    }

    pub fn forward_into(
        &self,
        inputs: &Inputs<'_>,
        options: &Options<'_>,
        workspace: &mut Workspace,
        out: &mut [f32],
    ) -> attention::Result<()> {
        parallel::inside(|| each!(self, attention => attention.forward_into(inputs, options, workspace, out)))
    }
}

/// Buffers that calls share, so that a call allocates nothing once they have grown.
#[derive(Default)]
pub struct Scratch {
    pub queries: Vec<f32>,
    pub keys: Vec<f32>,
    pub values: Vec<f32>,
    pub out: Vec<f32>,
    pub workspace: Workspace,
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

impl Scratch {
    /// Elements that are kept between calls: 64 MiB. A larger call gives its memory back.
    const KEPT: usize = 1 << 24;

    /// Lends the buffers to a call. One that begins inside another, from a getter among the options, has its own.
    pub fn lend<T>(call: impl FnOnce(&mut Scratch) -> T) -> T {
        let mut scratch = SCRATCH.take().unwrap_or_default();
        // The result's place is as it was: all of it is written.
        let Scratch { queries, keys, values, .. } = &mut *scratch;
        [queries, keys, values].into_iter().for_each(Vec::clear);
        let answer = call(&mut scratch);
        if scratch.queries.capacity() + scratch.keys.capacity() + scratch.values.capacity() <= Self::KEPT {
            SCRATCH.set(Some(scratch));
        }
        answer
    }
}

/// What stands behind the queries: keys, values and options, or a cache and options.
#[derive(Clone, Copy)]
pub struct Rest<'a> {
    pub keys: &'a JsValue,
    pub values: &'a JsValue,
    pub options: &'a JsValue,
}

/// Attends from one query.
pub fn forward(mechanism: &Mechanism, query: &JsValue, rest: Rest<'_>) -> Result<Float32Array> {
    Scratch::lend(|scratch| {
        let len = vector(query, "query", &mut scratch.queries)?;
        let (memory, options) = rest.read(scratch)?;
        let needed = mechanism.dim().map(Needed::Exactly).or((len == 0).then_some(Needed::AtLeast(1)));
        if let Some(needed) = needed.filter(|needed| *needed != Needed::Exactly(len)) {
            return Err(Error::Length { argument: "query", found: len, needed }.into());
        }
        memory
            .attend(mechanism, len, &options.as_core(), scratch)
            .map_err(|error| renamed(error, "query"))?;
        answer(&scratch.out, &options)
    })
}

/// Attends from several queries: rows are answered as rows, a flat array as a flat array.
pub fn forward_batch(mechanism: &Mechanism, queries: &JsValue, rest: Rest<'_>) -> Result<JsValue> {
    Scratch::lend(|scratch| {
        let row = matrix(queries, "queries", &mut scratch.queries)?;
        let (memory, options) = rest.read(scratch)?;
        if let (Some(own), Some(given)) = (mechanism.dim(), options.dim) {
            if own != given {
                return Err(WasmError::kind("dim", "the dimension of the class, or none"));
            }
        }
        let dim = row.or(mechanism.dim()).or(options.dim).or(memory.dim()).ok_or_else(|| {
            WasmError::kind("options", "dim, the length of one query, because the queries are flat")
        })?;
        memory.attend(mechanism, dim, &options.as_core(), scratch)?;
        if row.is_none() {
            return answer(&scratch.out, &options).map(JsValue::from);
        }
        if options.out.is_some() {
            return Err(WasmError::kind("out", "flat queries, because rows are answered as rows"));
        }
        let width = scratch.out.len() / (scratch.queries.len() / dim.max(1)).max(1);
        Ok(scratch.out.chunks(width.max(1)).map(Float32Array::from).collect::<Array>().into())
    })
}

impl Rest<'_> {
    /// Keys and values or a cache, and the options.
    fn read(self, scratch: &mut Scratch) -> Result<(Memory, CallOptions)> {
        if let Some(cache) = cache::find(self.keys)? {
            return Ok((cache, CallOptions::read(self.values)?));
        }
        let options = CallOptions::read(self.options)?;
        matrix(self.keys, "keys", &mut scratch.keys)?;
        matrix(self.values, "values", &mut scratch.values)?;
        Ok((Memory::Given, options))
    }
}

/// The result as JavaScript gets it: in the caller's array if it gave one.
pub fn answer(result: &[f32], options: &CallOptions) -> Result<Float32Array> {
    let Some(out) = &options.out else { return Ok(copied(result)) };
    let found = out.length() as usize;
    if found != result.len() {
        let needed = Needed::Exactly(result.len());
        return Err(Error::Length { argument: "out", found, needed }.into());
    }
    // SAFETY: nothing allocates while the view is used.
    let view = unsafe { Float32Array::view(result) };
    fill(out, view.as_ref(), "out")?;
    Ok(out.clone())
}

/// The error with the name that the queries have here.
#[cold]
fn renamed(mut error: Error, name: &'static str) -> Error {
    if let Error::Length { argument, .. }
    | Error::TooLarge { argument }
    | Error::NonFinite { argument, .. }
    | Error::OutsideBall { argument, .. } = &mut error
    {
        if *argument == "queries" {
            *argument = name;
        }
    }
    error
}

/// Attends within one sequence, whose errors name it.
pub fn forward_self(mechanism: &Mechanism, sequence: &JsValue, options: &JsValue) -> Result<Float32Array> {
    Scratch::lend(|scratch| {
        let dim = mechanism.dim().unwrap_or(0);
        let row = matrix(sequence, "sequence", &mut scratch.queries)?;
        let options = CallOptions::read(options)?;
        let found = row.unwrap_or(scratch.queries.len());
        let needed = if row.is_some() { Needed::Exactly(dim) } else { Needed::MultipleOf(dim) };
        if found == 0 || found % dim != 0 || (row.is_some() && found != dim) {
            return Err(Error::Length { argument: "sequence", found, needed }.into());
        }
        let Scratch { queries, out, workspace, .. } = scratch;
        out.resize(queries.len(), 0.0);
        let inputs = Inputs::new(queries, dim, queries.as_slice(), queries.as_slice());
        mechanism
            .forward_into(&inputs, &options.as_core(), workspace, out)
            .map_err(|error| renamed(error, "sequence"))?;
        answer(out, &options)
    })
}
