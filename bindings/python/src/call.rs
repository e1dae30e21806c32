//! One call: its options, where its result goes, and running it.

use std::cell::RefCell;

use attention::{Attention as Mechanism, Error, Inputs, Needed, Options, Workspace};
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;

use crate::error::{self, found, guarded, refused, Renamed};
use crate::tensor::{count, flag, mask, Raw};

/// The options of a call, owned so that the interpreter can be released.
pub struct CallOptions {
    neighbors: Option<usize>,
    mask: Option<Vec<bool>>,
    causal: bool,
    training: Option<u64>,
}

/// A keyword argument.
pub type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

impl CallOptions {
    /// Reads the keyword arguments.
    #[inline]
    pub fn read(
        num_neighbors: Given<'_, '_>,
        mask: Given<'_, '_>,
        causal: Given<'_, '_>,
        training: Given<'_, '_>,
        seed: Given<'_, '_>,
    ) -> PyResult<Self> {
        let neighbors = num_neighbors.map(|value| count(value, "num_neighbors")).transpose()?;
        let mask = mask.map(self::mask).transpose()?;
        let seed = seed.map(|value| count(value, "seed")).transpose()?;
        let training = match (training, seed) {
            (None, _) => None,
            (Some(value), seed) => match (flag(Some(value), "training")?, seed) {
                (false, _) => None,
                (true, Some(seed)) => Some(seed as u64),
                (true, None) => {
                    return Err(error::kind(value.py(), "seed", "an integer, because training is true"))
                }
            },
        };
        Ok(CallOptions { neighbors, mask, causal: flag(causal, "causal")?, training })
    }

    /// As the core takes them.
    pub fn as_core(&self) -> Options<'_> {
        Options {
            neighbors: self.neighbors,
            mask: self.mask.as_deref(),
            causal: self.causal,
            training: self.training,
        }
    }
}

/// Number of queries and length of a result, where the lengths agree; the core says what is wrong where they do not.
fn result_shape(inputs: &Inputs<'_>) -> Option<(usize, usize)> {
    let rows = |len: usize, width: usize| (len > 0 && len.checked_rem(width)? == 0).then(|| len / width);
    let m = rows(inputs.queries.len(), inputs.dim)?;
    let n = rows(inputs.keys.len(), inputs.dim)?;
    let value_dim = rows(inputs.values.len(), n)?;
    m.checked_mul(value_dim).filter(|&len| len <= isize::MAX as usize / 8)?;
    Some((m, value_dim))
}

/// Multiplications of queries with keys and values.
fn work(inputs: &Inputs<'_>, m: usize) -> usize {
    m.saturating_mul(inputs.keys.len().saturating_add(inputs.values.len()))
}

/// Work from which releasing the interpreter is worth it, 256 keys of 128 numbers: a call of 3 µs. Measured on an AMD EPYC
/// (2026-11-30): two threads then make 1.25 times the calls of one, 1.8 times with 1 000 keys, and at that size one thread
/// alone loses nothing that can be told from noise. Calls below it gain nothing from a second thread.
const WORTH_RELEASING: usize = 1 << 16;
/// Elements up to which a thread keeps the buffers of its calls.
const WORTH_KEEPING: usize = 1 << 23;

/// Attends, and returns a new array or the caller's: of one dimension for one query, else of two.
#[inline]
pub fn attend<'py>(
    py: Python<'py>,
    mechanism: &dyn Mechanism,
    inputs: &Inputs<'_>,
    options: &CallOptions,
    out: Given<'_, 'py>,
    taken: &[(usize, usize)],
    names: &[Renamed],
) -> PyResult<Bound<'py, PyAny>> {
    let one = names == ONE_QUERY;
    let Some((m, value_dim)) = result_shape(inputs) else {
        run(py, mechanism, inputs, options, &mut [], 0, names)?;
        return Err(refused(py, &Error::TooLarge { argument: "queries" }));
    };
    let (result, slice) = match out {
        Some(out) => (out.clone(), given(out, m, value_dim, taken)?),
        None if one => {
            let made = PyArray1::<f32>::zeros(py, value_dim, false);
            let data = made.data();
            (made.into_any(), (data, value_dim))
        }
        None => {
            let made = PyArray2::<f32>::zeros(py, [m, value_dim], false);
            let data = made.data();
            (made.into_any(), (data, m * value_dim))
        }
    };
    // SAFETY: a new array that nobody else has, or one that `given` found writable and apart from the inputs.
    let slice = unsafe { std::slice::from_raw_parts_mut(slice.0, slice.1) };
    run(py, mechanism, inputs, options, slice, m, names)?;
    Ok(result)
}

/// In `forward` the core's queries are one query.
pub const ONE_QUERY: &[Renamed] = &[("queries", "query"), ("dim", "query")];
/// In `forward_batch` a wrong dim is a wrong length of the queries' rows.
pub const MANY_QUERIES: &[Renamed] = &[("dim", "queries")];

/// The caller's buffer: float32, in C order, writable, of the right size and apart from the inputs.
fn given(
    out: &Bound<'_, PyAny>,
    m: usize,
    value_dim: usize,
    taken: &[(usize, usize)],
) -> PyResult<(*mut f32, usize)> {
    let py = out.py();
    let raw = Raw::of(out).ok_or_else(|| error::kind(py, "out", "a NumPy array"))?;
    let (data, len) = raw.writable().map_err(|needed| error::kind(py, "out", needed))?;
    let needed = m * value_dim;
    let rows_fit = raw.dimensions == 1 || raw.shape == [m, value_dim];
    if len != needed || !rows_fit {
        let needed = Needed::Exactly(needed);
        let message = match rows_fit {
            true => return Err(refused(py, &Error::Length { argument: "out", found: len, needed })),
            false => format!("out: shape {:?}, needed [{m}, {value_dim}]", raw.shape),
        };
        return Err(error::exception(py, "length", "out", message));
    }
    let (first, last) = (data.addr(), data.addr() + 4 * len);
    if taken.iter().any(|&(start, end)| start < last && first < end) {
        let message = "out: shares memory with an input".to_owned();
        return Err(error::exception(py, "overlap", "out", message));
    }
    Ok((data, len))
}

fn run(
    py: Python<'_>,
    mechanism: &dyn Mechanism,
    inputs: &Inputs<'_>,
    options: &CallOptions,
    out: &mut [f32],
    m: usize,
    names: &[Renamed],
) -> PyResult<()> {
    let options = options.as_core();
    let keep = inputs.queries.len() + inputs.keys.len() + inputs.values.len() <= WORTH_KEEPING;
    let mut body = || {
        guarded(|| with_workspace(keep, |workspace| mechanism.forward_into(inputs, &options, workspace, out)))
    };
    let answer = if work(inputs, m) < WORTH_RELEASING { body() } else { py.detach(body) };
    answer.map_err(|error| found(py, error.as_ref(), names))
}

/// Buffers of this thread's last call, unless it is at work itself; new ones where they would become large.
fn with_workspace<R>(keep: bool, body: impl FnOnce(&mut Workspace) -> R) -> R {
    thread_local! {
        static KEPT: RefCell<Workspace> = RefCell::default();
    }
    if !keep {
        return body(&mut Workspace::new());
    }
    KEPT.with(|kept| match kept.try_borrow_mut() {
        Ok(mut workspace) => body(&mut workspace),
        Err(_) => body(&mut Workspace::new()),
    })
}
