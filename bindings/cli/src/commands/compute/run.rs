//! The computation itself: queries in batches over what is in memory, or keys in chunks from files too large for it.

use std::time::{Duration, Instant};

use attention::{Attention, Inputs, Needed, Options, Workspace};

use crate::error::{Error, Reason, Result};
use crate::format::Tensor;
use crate::progress::Progress;

/// Numbers of keys and values that are read at a time.
const CHUNK: usize = 4 << 20;

/// What attends to what.
pub struct Call {
    /// Flat queries.
    pub queries: Vec<f32>,
    /// Length of a query.
    pub dim: usize,
    /// Keys and values.
    pub memory: Memory,
    /// Which keys take part.
    pub mask: Option<Vec<bool>>,
    /// Queries computed at a time.
    pub batch_size: usize,
}

/// Where keys and values are.
pub enum Memory {
    /// In memory.
    Whole(Vec<f32>, Vec<f32>),
    /// The queries are both.
    Queries,
    /// In files, read piece by piece.
    Files(Tensor, Tensor),
}

/// A result and how it came about.
pub struct Computed {
    /// Flat, a row a query.
    pub result: Vec<f32>,
    /// Number of queries.
    pub rows: usize,
    /// Calls of the core, each with some of the queries.
    pub batches: usize,
    /// Pieces that keys were read in, 1 where they were in memory.
    pub chunks: usize,
    /// Time spent reading keys and values.
    pub read_ms: f64,
    /// Time spent computing.
    pub compute_ms: f64,
}

impl Computed {
    /// Length of a row of the result.
    pub fn columns(&self) -> usize {
        self.result.len() / self.rows.max(1)
    }
}

/// Computes; the options' mask is the call's.
pub fn attend(attention: &dyn Attention, call: &mut Call, options: &Options<'_>) -> Result<Computed> {
    match &mut call.memory {
        Memory::Whole(keys, values) => {
            let options = Options { mask: call.mask.as_deref(), ..*options };
            let inputs = Inputs::new(&call.queries, call.dim, &*keys, &*values);
            in_batches(attention, &inputs, keys, values, call.batch_size, &options)
        }
        Memory::Queries => {
            let options = Options { mask: call.mask.as_deref(), ..*options };
            let rows = &call.queries;
            let inputs = Inputs::new(rows, call.dim, rows, rows);
            in_batches(attention, &inputs, rows, rows, call.batch_size, &options)
        }
        Memory::Files(keys, values) => {
            let start =
                attention.stream(&call.queries, call.dim, value_dim(keys, values, call.dim)?, options);
            let mask = call.mask.as_deref();
            in_chunks(start?, keys, values, mask)
        }
    }
}

fn value_dim(keys: &Tensor, values: &Tensor, dim: usize) -> Result<usize> {
    let length = |argument, found, needed| Err(attention::Error::Length { argument, found, needed }.into());
    if dim == 0 || !keys.len().is_multiple_of(dim) || keys.is_empty() {
        return length("keys", keys.len(), Needed::MultipleOf(dim));
    }
    let rows = keys.len() / dim;
    if values.is_empty() || !values.len().is_multiple_of(rows) {
        return length("values", values.len(), Needed::MultipleOf(rows));
    }
    Ok(values.len() / rows)
}

fn in_batches(
    attention: &dyn Attention,
    inputs: &Inputs<'_>,
    keys: &[f32],
    values: &[f32],
    batch_size: usize,
    options: &Options<'_>,
) -> Result<Computed> {
    let (queries, dim) = (inputs.queries, inputs.dim);
    let start = Instant::now();
    let (m, n) = (queries.len() / dim.max(1), keys.len() / dim.max(1));
    let fits = dim > 0 && n > 0 && [queries, keys].iter().all(|rows| rows.len().is_multiple_of(dim));
    let whole_mask = options.mask.is_none_or(|mask| mask.len() == n);
    let done = |result, rows, batches| Computed {
        result,
        rows,
        batches,
        chunks: 1,
        read_ms: 0.0,
        compute_ms: start.elapsed().as_secs_f64() * 1e3,
    };
    // What the core refuses it is to refuse as a whole, and a training pass draws its numbers by query.
    let one_call = !fits || !whole_mask || !values.len().is_multiple_of(n) || options.training.is_some();
    // In causal order the keys that a query sees are divided as the whole is: batches would give other bits (D50).
    if one_call || m <= batch_size || options.causal {
        return Ok(done(attention.forward_batch(queries, dim, keys, values, options)?, m, 1));
    }
    let width = values.len() / n;
    let length = m.checked_mul(width).ok_or(attention::Error::TooLarge { argument: "queries" })?;
    let mut result = Vec::new();
    result.try_reserve_exact(length).map_err(|_| attention::Error::TooLarge { argument: "queries" })?;
    result.resize(length, 0.0);
    let mut workspace = Workspace::new();
    let mut progress = Progress::new("queries", m);
    let mut batches = 0;
    for first in (0..m).step_by(batch_size) {
        let end = m.min(first + batch_size);
        let part = Inputs::new(&queries[first * dim..end * dim], dim, keys, values);
        let out = &mut result[first * width..end * width];
        attention
            .forward_into(&part, options, &mut workspace, out)
            .map_err(|error| shifted(error, first, dim, width))?;
        batches += 1;
        progress.reached(end);
    }
    Ok(done(result, m, batches))
}

/// The same error with places counted from the first query of all.
fn shifted(error: attention::Error, first: usize, dim: usize, width: usize) -> attention::Error {
    use attention::Error as E;
    match error {
        E::NonFinite { argument: "queries", index } => {
            E::NonFinite { argument: "queries", index: index + first * dim }
        }
        E::OutsideBall { argument: "queries", row, norm, radius } => {
            E::OutsideBall { argument: "queries", row: row + first, norm, radius }
        }
        E::Overflow { index } => E::Overflow { index: index + first * width },
        E::NoVisibleKey { query } => E::NoVisibleKey { query: query + first },
        other => other,
    }
}

fn in_chunks(
    mut state: attention::AttentionState,
    keys: &mut Tensor,
    values: &mut Tensor,
    mask: Option<&[bool]>,
) -> Result<Computed> {
    let (dim, width) = (state.dim(), state.value_dim());
    let n = keys.len() / dim;
    if let Some(mask) = mask {
        if mask.len() != n {
            let needed = Needed::Exactly(n);
            return Err(attention::Error::Length { argument: "mask", found: mask.len(), needed }.into());
        }
        if !mask.contains(&true) {
            return Err(attention::Error::AllMasked.into());
        }
    }
    let rows = (CHUNK / (dim + width)).clamp(1, n);
    let (mut key_part, mut value_part) = (vec![0.0; rows * dim], vec![0.0; rows * width]);
    let mut progress = Progress::new("keys", n);
    let (mut reading, mut chunks) = (Duration::ZERO, 0);
    let start = Instant::now();
    for first in (0..n).step_by(rows) {
        let count = rows.min(n - first);
        let (key_part, value_part) = (&mut key_part[..count * dim], &mut value_part[..count * width]);
        let read = Instant::now();
        keys.read(first * dim, key_part).map_err(|reason| failed("keys", reason))?;
        values.read(first * width, value_part).map_err(|reason| failed("values", reason))?;
        reading += read.elapsed();
        match mask {
            Some(mask) => state.push_masked(key_part, value_part, &mask[first..first + count]),
            None => state.push(key_part, value_part),
        }
        .map_err(|error| later(error, first, dim, width))?;
        chunks += 1;
        progress.reached(first + count);
    }
    let rows = state.queries();
    let result = state.finish()?;
    let compute = start.elapsed().saturating_sub(reading);
    Ok(Computed {
        result,
        rows,
        batches: 1,
        chunks,
        read_ms: reading.as_secs_f64() * 1e3,
        compute_ms: compute.as_secs_f64() * 1e3,
    })
}

fn failed(what: &'static str, reason: Reason) -> Error {
    Error::Load { what, from: "its file".to_owned(), reason }
}

/// The same error with places counted from the first key of all.
fn later(error: attention::Error, first: usize, dim: usize, width: usize) -> attention::Error {
    use attention::Error as E;
    match error {
        E::NonFinite { argument: "keys", index } => {
            E::NonFinite { argument: "keys", index: index + first * dim }
        }
        E::NonFinite { argument: "values", index } => {
            E::NonFinite { argument: "values", index: index + first * width }
        }
        E::OutsideBall { argument, row, norm, radius } if argument != "queries" => {
            E::OutsideBall { argument, row: row + first, norm, radius }
        }
        other => other,
    }
}
