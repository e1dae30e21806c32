//! One call of a mechanism: its arguments, in place or copied, and its answer.

use std::cell::RefCell;
use std::sync::Arc;

use attention::{Attention, Error, Inputs, KeyValueCache, Needed, Workspace};

use crate::async_ops::Answer;
use crate::buffer::{self, floats, Source, Tensor};
use crate::cache;
use crate::class::Arguments;
use crate::error::{Failure, Result};
use crate::js::{Env, Value};
use crate::types::{Asked, CallOptions};

thread_local! {
    /// Buffers that the calls of a thread share, so that a call allocates nothing once they have grown.
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
}

/// Lends the thread's workspace.
pub fn with_workspace<T>(work: impl FnOnce(&mut Workspace) -> T) -> T {
    WORKSPACE.with(|workspace| match workspace.try_borrow_mut() {
        Ok(mut workspace) => work(&mut workspace),
        Err(_) => work(&mut Workspace::new()),
    })
}

/// What the first argument is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One query.
    One,
    /// Several, flat or as rows.
    Batch,
}

impl Form {
    pub fn argument(self) -> &'static str {
        match self {
            Form::One => "query",
            Form::Batch => "queries",
        }
    }

    fn source(self, value: Value<'_>) -> Result<Source<'_>> {
        match self {
            Form::One => Source::vector(value, "query"),
            Form::Batch => Source::matrix(value, "queries"),
        }
    }
}

/// Queries, keys and values.
#[inline(always)]
fn tensors<'e>(
    first: Value<'e>,
    second: Value<'e>,
    third: Value<'e>,
    form: Form,
) -> Result<(Tensor<'e>, Memory<'e>)> {
    let flat = (floats(first, form.argument())?, floats(second, "keys")?, floats(third, "values")?);
    if let (Some(queries), Some(keys), Some(values)) = flat {
        return Ok((queries.into(), Memory::Given { keys: keys.into(), values: values.into() }));
    }
    let queries = form.source(first)?;
    let (keys, values) = (Source::matrix(second, "keys")?, Source::matrix(third, "values")?);
    // From here on no JavaScript runs.
    let memory = Memory::Given { keys: keys.view("keys")?, values: values.view("values")? };
    Ok((queries.view(form.argument())?, memory))
}

/// Keys and values.
enum Memory<'a> {
    Given {
        keys: Tensor<'a>,
        values: Tensor<'a>,
    },
    /// As it was when the call was made: later appends copy it first.
    Cache(Arc<KeyValueCache>),
}

/// Tensors and options of a call.
pub struct Work<'a> {
    form: Form,
    queries: Tensor<'a>,
    /// Length of a query.
    dim: usize,
    memory: Memory<'a>,
    options: CallOptions,
}

/// A call and what concerns only the thread of JavaScript.
pub struct Call<'e> {
    env: Env<'e>,
    work: Work<'e>,
    out: Option<Value<'e>>,
    pub signal: Option<Value<'e>>,
}

impl<'e> Call<'e> {
    /// Reads (query, keys, values, ...options), where a cache may stand for keys. No JavaScript may run after it.
    #[inline(always)] // What it makes is large: this saves moving it, 60 ns of a call.
    pub fn read(arguments: &Arguments<'e>, mechanism: &dyn Attention, form: Form) -> Result<Self> {
        let Asked { options, out, signal, cache } = Asked::read(arguments, 3)?;
        let [first, second, third] = [0, 1, 2].map(|index| arguments.get(index));
        let (queries, memory) = match cache {
            true => (form.source(first)?.view(form.argument())?, Memory::Cache(cache::find(second, "keys")?)),
            false => tensors(first, second, third, form)?,
        };
        if out.is_some() && queries.width.is_some() {
            return Err(Failure::kind("out", "flat queries, because rows are answered as rows"));
        }
        let dim = query_dim(&queries, mechanism.dim(), &options, form)?;
        let work = Work { form, queries, dim, memory, options };
        work.check(mechanism.dim())?;
        Ok(Call { env: arguments.env(), work, out, signal })
    }

    /// Computes on this thread.
    #[inline(always)]
    pub fn answer(&self, mechanism: &dyn Attention) -> Result<Value<'e>> {
        refuse_aborted(self.signal)?;
        let Call { env, ref work, out, .. } = *self;
        if let Some(rows) = work.rows() {
            let mut flat = buffer::zeroed(work.output_len())?;
            with_workspace(|workspace| work.run(mechanism, workspace, &mut flat))?;
            return buffer::from_rows(env, &flat, rows);
        }
        let inputs = work.inputs();
        let compute = |room: &mut [f32]| with_workspace(|workspace| work.run(mechanism, workspace, room));
        buffer::with_result(env, out, work.output_len(), &inputs, compute)
    }

    /// What of the call is the same however often it runs.
    pub fn into_fixed(self) -> Result<Fixed<'e>> {
        if self.signal.is_some() {
            return Err(Failure::kind(
                "signal",
                "an asynchronous call, because this one cannot be interrupted",
            ));
        }
        let (length, cached) = (self.work.output_len(), matches!(self.work.memory, Memory::Cache(_)));
        Ok(Fixed { options: self.work.options, out: self.out, length, cached })
    }

    /// The same call for another thread.
    pub fn into_owned(self) -> Result<Work<'static>> {
        if self.out.is_some() {
            return Err(Failure::kind("out", "a synchronous call, because this one ends later"));
        }
        let Work { form, queries, dim, memory, options } = self.work;
        let memory = match memory {
            Memory::Cache(cache) => Memory::Cache(cache),
            Memory::Given { keys, values } => {
                Memory::Given { keys: keys.into_owned("keys")?, values: values.into_owned("values")? }
            }
        };
        Ok(Work { form, queries: queries.into_owned(form.argument())?, dim, memory, options })
    }
}

/// Options, the caller's array for the result, the result's length, and whether keys are a cache.
pub struct Fixed<'e> {
    pub options: CallOptions,
    pub out: Option<Value<'e>>,
    pub length: usize,
    pub cached: bool,
}

/// A call on this thread cannot be interrupted, but it need not begin.
pub fn refuse_aborted(signal: Option<Value<'_>>) -> Result<()> {
    match signal {
        Some(signal) => crate::async_ops::check_signal(signal)?.map_or(Ok(()), |reason| {
            crate::js::node!(napi_throw(reason.env().raw(), reason.raw()))?;
            Err(Failure::Thrown)
        }),
        None => Ok(()),
    }
}

/// The length of a query: as the rows have it, or the mechanism, or the options; a single query is as long as it is.
fn query_dim(queries: &Tensor<'_>, own: Option<usize>, options: &CallOptions, form: Form) -> Result<usize> {
    let found = queries.data.len();
    let wrong = |needed| Err(Error::Length { argument: form.argument(), found, needed }.into());
    match (form, queries.width, own.or(options.dim)) {
        (Form::One, _, Some(dim)) if found != dim => wrong(Needed::Exactly(dim)),
        (Form::One, ..) if found == 0 => wrong(Needed::AtLeast(1)),
        (Form::One, ..) => Ok(found),
        (Form::Batch, Some(width), dim) => {
            queries.check_width(dim.unwrap_or(width), form.argument())?;
            Ok(width)
        }
        (Form::Batch, None, _) if found == 0 => wrong(Needed::AtLeast(1)),
        (Form::Batch, None, Some(dim)) => Ok(options.dim.unwrap_or(dim)),
        (Form::Batch, None, None) => {
            Err(Failure::kind("options", "dim, the length of one query, because the queries are flat"))
        }
    }
}

impl Work<'_> {
    /// Checks what the core cannot see: the shapes of rows and whose cache it is.
    fn check(&self, own: Option<usize>) -> Result<()> {
        match &self.memory {
            Memory::Given { keys, values } => {
                keys.check_width(self.dim, "keys")?;
                let keys = keys.data.len() / self.dim.max(1);
                match values.width {
                    Some(width) if values.data.len() != keys * width => {
                        Err(Failure::kind("values", &format!("{keys} rows, one a key")))
                    }
                    _ => Ok(()),
                }
            }
            Memory::Cache(cache) => {
                let needed = own.unwrap_or(self.dim);
                if cache.dim() != needed {
                    let found = cache.dim();
                    let text = format!("a cache of keys of {needed} numbers, found {found}");
                    return Err(Failure::kind("keys", &text));
                }
                Ok(())
            }
        }
    }

    /// The number of queries, where they came as rows and the answer is rows.
    fn rows(&self) -> Option<usize> {
        self.queries.width.map(|width| self.queries.data.len() / width.max(1))
    }

    fn core_inputs(&self) -> Inputs<'_> {
        match &self.memory {
            Memory::Given { keys, values } => {
                Inputs::new(&self.queries.data, self.dim, &*keys.data, &*values.data)
            }
            Memory::Cache(cache) => Inputs::new(&self.queries.data, self.dim, cache.keys(), cache.values()),
        }
    }

    /// What the call reads of JavaScript's memory.
    fn inputs(&self) -> [&[f32]; 3] {
        match &self.memory {
            Memory::Given { keys, values } => [&self.queries.data, &keys.data, &values.data],
            Memory::Cache(_) => [&self.queries.data, &[], &[]],
        }
    }

    /// Length of the result; 0 for tensors that do not fit together, which the core refuses.
    fn output_len(&self) -> usize {
        let Inputs { queries, dim, keys, values } = self.core_inputs();
        let rows = |length: usize| length.checked_div(dim).unwrap_or(0);
        let width = match &self.memory {
            Memory::Cache(cache) => cache.value_dim(),
            Memory::Given { .. } => values.len().checked_div(rows(keys.len())).unwrap_or(0),
        };
        rows(queries.len()).saturating_mul(width)
    }

    #[inline(always)]
    fn run(&self, mechanism: &dyn Attention, workspace: &mut Workspace, out: &mut [f32]) -> Result<()> {
        let done = mechanism.forward_into(&self.core_inputs(), &self.options.as_core(), workspace, out);
        done.map_err(|error| Failure::renamed(error, "queries", self.form.argument()))
    }

    /// Computes on any thread.
    pub fn compute(&self, mechanism: &dyn Attention) -> Result<Answer> {
        let mut flat = buffer::zeroed(self.output_len())?;
        with_workspace(|workspace| self.run(mechanism, workspace, &mut flat))?;
        Ok(match self.rows() {
            Some(rows) => Answer::Rows { flat, rows },
            None => Answer::Flat(flat),
        })
    }
}
