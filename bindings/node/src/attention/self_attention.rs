//! Self attention: one sequence is queries, keys and values.

use super::*;
use crate::async_ops::{promise, Answer};
use crate::buffer::{self, Data, Source, Tensor};
use crate::class::wrap;
use crate::error::Failure;
use crate::types::{self, Asked, CallOptions};
use attention::{Error, Inputs, Needed, SelfAttention as Mechanism};
use call::{refuse_aborted, with_workspace};

pub fn export(exports: Value<'_>) -> Result<Value<'_>> {
    let members = [
        method(c"forward", forward),
        method(c"forwardAsync", forward_async),
        method(c"forwardBatch", forward_batch),
        method(c"forwardBatchAsync", forward_batch_async),
        method(c"free", free::<Arc<Mechanism>>),
        dim::<Mechanism>(),
    ];
    define(exports, c"SelfAttention", new, &members)
}

fn new<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    wrap(arguments, Arc::new(Mechanism::new(types::count(arguments.get(0), "dim")?)?))
}

fn own(arguments: &Arguments<'_>) -> Result<Arc<Mechanism>> {
    Ok(Arc::clone(&*this::<Arc<Mechanism>>(arguments)?.get("this")?))
}

/// Attends from each row of a sequence to its rows.
fn forward<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    let mechanism = own(arguments)?;
    let Asked { options, out, signal, .. } = Asked::read(arguments, 1)?;
    refuse_aborted(signal)?;
    let sequence = one(arguments.get(0), &mechanism)?;
    let x = &*sequence.data;
    buffer::with_result(arguments.env(), out, x.len(), &[x], |room| attend(&mechanism, x, &options, room))
}

fn forward_async<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    promise(arguments.env(), || {
        let mechanism = own(arguments)?;
        let Asked { options, out, signal, .. } = Asked::read(arguments, 1)?;
        refuse_out(out)?;
        let sequence = one(arguments.get(0), &mechanism)?.into_owned("sequence")?;
        Ok((signal, move || computed(&mechanism, &sequence.data, &options).map(Answer::Flat)))
    })
}

/// Attends within each of several sequences.
fn forward_batch<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    let mechanism = own(arguments)?;
    let Asked { options, out, signal, .. } = Asked::read(arguments, 1)?;
    refuse_aborted(signal)?;
    if out.is_some() {
        return Err(Failure::kind("out", "one sequence, because each has a result of its own"));
    }
    let sequences = several(arguments.get(0), &mechanism)?;
    Answer::Several(computed_each(&mechanism, &sequences, &options)?).into_js(arguments.env())
}

fn forward_batch_async<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    promise(arguments.env(), || {
        let mechanism = own(arguments)?;
        let Asked { options, out, signal, .. } = Asked::read(arguments, 1)?;
        refuse_out(out)?;
        let sequences = several(arguments.get(0), &mechanism)?;
        Ok((signal, move || computed_each(&mechanism, &sequences, &options).map(Answer::Several)))
    })
}

fn refuse_out(out: Option<Value<'_>>) -> Result<()> {
    match out {
        Some(_) => Err(Failure::kind("out", "a synchronous call, because this one ends later")),
        None => Ok(()),
    }
}

fn one<'e>(value: Value<'e>, mechanism: &Mechanism) -> Result<Tensor<'e>> {
    let sequence = Source::matrix(value, "sequence")?.view("sequence")?;
    check(&sequence, mechanism, "sequence")?;
    Ok(sequence)
}

/// Copies of the sequences: reading one may run JavaScript, which may change the others.
fn several(value: Value<'_>, mechanism: &Mechanism) -> Result<Vec<Data<'static>>> {
    if !value.is_array() {
        return Err(Failure::kind("sequences", "an array of sequences"));
    }
    let length = value.length()?;
    if length == 0 {
        return Err(Failure::kind("sequences", "at least one sequence"));
    }
    let mut sequences = Vec::new();
    for index in 0..length {
        sequences.push(value.env().scope(|| {
            let sequence = Source::matrix(value.element(index)?, "sequences")?.view("sequences")?;
            check(&sequence, mechanism, "sequences")?;
            Ok(sequence.into_owned("sequences")?.data)
        })?);
    }
    Ok(sequences)
}

fn check(sequence: &Tensor<'_>, mechanism: &Mechanism, argument: &'static str) -> Result<()> {
    let dim = mechanism.dim().unwrap_or(1);
    sequence.check_width(dim, argument)?;
    let found = sequence.data.len();
    if found == 0 || !found.is_multiple_of(dim) {
        return Err(Error::Length { argument, found, needed: Needed::MultipleOf(dim) }.into());
    }
    Ok(())
}

fn attend(mechanism: &Mechanism, x: &[f32], options: &CallOptions, room: &mut [f32]) -> Result<()> {
    let dim = options.dim.or(mechanism.dim()).unwrap_or(1);
    let inputs = Inputs::new(x, dim, x, x);
    let done =
        with_workspace(|workspace| mechanism.forward_into(&inputs, &options.as_core(), workspace, room));
    done.map_err(|error| Failure::renamed(error, "queries", "sequence"))
}

fn computed(mechanism: &Mechanism, x: &[f32], options: &CallOptions) -> Result<Vec<f32>> {
    let mut flat = buffer::zeroed(x.len())?;
    attend(mechanism, x, options, &mut flat)?;
    Ok(flat)
}

fn computed_each(
    mechanism: &Mechanism,
    sequences: &[Data<'_>],
    options: &CallOptions,
) -> Result<Vec<Vec<f32>>> {
    sequences.iter().map(|x| computed(mechanism, x, options)).collect()
}
