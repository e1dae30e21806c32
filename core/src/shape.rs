//! Shapes, checked once at the door (D33): behind it, every slice has the length its reader expects.

use crate::error::{Error, Needed, Result};
use crate::kernels::elements::all_finite;
use crate::kernels::rows::Pick;
use crate::options::Options;
use crate::tensor::Tensor;
use alloc::vec::Vec;

/// Sizes of one attention call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Number of queries.
    pub queries: usize,
    /// Length of a query and of a key.
    pub dim: usize,
    /// Number of keys and of values.
    pub keys: usize,
    /// Length of a value and of a result.
    pub value_dim: usize,
}

impl Shape {
    /// Checks the lengths of the three tensors against each other.
    pub fn check(queries: usize, dim: usize, keys: usize, values: usize) -> Result<Self> {
        let m = rows("queries", queries, dim)?;
        let n = rows("keys", keys, dim)?;
        let value_dim = values / n;
        if value_dim == 0 || !values.is_multiple_of(n) {
            return Err(length("values", values, Needed::MultipleOf(n)));
        }
        product("queries", &[m, value_dim])?;
        Ok(Shape { queries: m, dim, keys: n, value_dim })
    }

    /// Number of elements of the result.
    pub fn output_len(&self) -> Result<usize> {
        product("queries", &[self.queries, self.value_dim])
    }

    /// Checks the caller's output buffer.
    pub fn check_output(&self, out: &[f32]) -> Result<()> {
        let needed = self.output_len()?;
        if out.len() != needed {
            return Err(length("out", out.len(), Needed::Exactly(needed)));
        }
        Ok(())
    }

    /// Number of leading keys that query `index` may see.
    pub fn visible(&self, index: usize, causal: bool) -> usize {
        if causal {
            (self.keys + index + 1).saturating_sub(self.queries)
        } else {
            self.keys
        }
    }
}

pub(crate) fn length(argument: &'static str, found: usize, needed: Needed) -> Error {
    Error::Length { argument, found, needed }
}

/// Number of rows of `width` elements in a tensor of `len`; at least one.
pub(crate) fn rows(argument: &'static str, len: usize, width: usize) -> Result<usize> {
    positive("dim", width)?;
    if len == 0 || !len.is_multiple_of(width) {
        return Err(length(argument, len, Needed::MultipleOf(width)));
    }
    Ok(len / width)
}

/// Checks that a size is at least 1.
pub(crate) fn positive(argument: &'static str, found: usize) -> Result<usize> {
    if found == 0 {
        return Err(Error::Parameter { argument, found: 0.0, needed: "at least 1" });
    }
    Ok(found)
}

/// Product of sizes, refused where it would overflow (32-bit targets) or exceed what a slice of `f64` can hold.
pub(crate) fn product(argument: &'static str, sizes: &[usize]) -> Result<usize> {
    let limit = isize::MAX as usize / size_of::<f64>();
    sizes
        .iter()
        .try_fold(1_usize, |total, &size| total.checked_mul(size))
        .filter(|&total| total <= limit)
        .ok_or(Error::TooLarge { argument })
}

/// Checks that there is memory for so many `f64`, where a number asks for it and not data that the caller brings.
pub(crate) fn room(argument: &'static str, sizes: &[usize]) -> Result<()> {
    let count = product(argument, sizes)?;
    Vec::<f64>::new().try_reserve_exact(count).map_err(|_| Error::TooLarge { argument })
}

/// A query given alone: its length is the dim, and must be the constructor's where there is one.
pub(crate) fn query_dim(query: &[f32], needed: Option<usize>) -> Result<usize> {
    match needed {
        Some(dim) if query.len() != dim => Err(length("query", query.len(), Needed::Exactly(dim))),
        None if query.is_empty() => Err(length("query", 0, Needed::AtLeast(1))),
        _ => Ok(query.len()),
    }
}

/// The dim of a batch must be the constructor's where there is one.
pub(crate) fn batch_dim(dim: usize, needed: Option<usize>) -> Result<()> {
    positive("dim", dim)?;
    match needed {
        Some(expected) if dim != expected => Err(Error::Parameter {
            argument: "dim",
            found: dim as f64,
            needed: "the dim the attention was built for",
        }),
        _ => Ok(()),
    }
}

/// k of top-k; `None` where it would select every key anyway.
pub(crate) fn neighbors(options: &Options<'_>) -> Result<Option<usize>> {
    match options.neighbors {
        Some(k) => positive("neighbors", k).map(Some),
        None => Ok(None),
    }
}

/// The keys a mask lets take part: a range where they stand together, else their indices, kept in `buffer`.
pub(crate) fn allowed<'a>(
    mask: Option<&[bool]>,
    keys: usize,
    buffer: &'a mut Vec<usize>,
) -> Result<Pick<'a>> {
    let Some(mask) = mask else { return Ok(Pick::first(keys)) };
    if mask.len() != keys {
        return Err(length("mask", mask.len(), Needed::Exactly(keys)));
    }
    buffer.clear();
    buffer.extend(mask.iter().enumerate().filter_map(|(index, &keep)| keep.then_some(index)));
    match (buffer.first(), buffer.last()) {
        (Some(&start), Some(&last)) if last - start + 1 == buffer.len() => {
            Ok(Pick::Range { start, len: buffer.len() })
        }
        (Some(_), _) => Ok(Pick::List(buffer)),
        _ => Err(Error::AllMasked),
    }
}

/// Checks that dropout lies in [0, 1).
pub(crate) fn dropout(probability: f64) -> Result<f64> {
    if (0.0..1.0).contains(&probability) {
        return Ok(probability);
    }
    Err(Error::Parameter { argument: "dropout", found: probability, needed: "at least 0 and less than 1" })
}

/// Checks that the curvature parameter c is positive and finite.
pub(crate) fn curvature(c: f64) -> Result<f64> {
    if c > 0.0 && c.is_finite() {
        return Ok(c);
    }
    Err(Error::Parameter { argument: "curvature", found: c, needed: "a finite number greater than 0" })
}

/// Index of the first element that is NaN or infinite.
pub(crate) fn first_non_finite(tensor: &[f32]) -> Option<usize> {
    // Piece by piece without branches, in vectors; only a piece that has one is searched.
    const PIECE: usize = 256;
    let (index, piece) = tensor.chunks(PIECE).enumerate().find(|(_, piece)| !all_finite(piece))?;
    Some(index * PIECE + piece.iter().position(|x| !x.is_finite())?)
}

/// The first non-finite element of these tensors, as an error.
pub(crate) fn blame_inputs(inputs: &[(&'static str, Tensor<'_>)]) -> Option<Error> {
    inputs.iter().find_map(|&(argument, tensor)| {
        tensor.first_non_finite().map(|index| Error::NonFinite { argument, index })
    })
}
