//! Keys and values that arrive together, with those that take part.

use crate::error::Result;
use crate::kernels::rows::{Pick, Rows};
use crate::shape::{self, Shape};
use crate::tensor::Tensor;
use alloc::vec::Vec;

/// Keys and values that arrive together, with those that take part.
pub(crate) struct Chunk<'a> {
    pub keys: Rows<'a>,
    pub values: Rows<'a>,
    tensors: [Tensor<'a>; 2],
    allowed: Pick<'a>,
}

impl<'a> Chunk<'a> {
    pub fn new(
        shape: Shape,
        keys: Tensor<'a>,
        values: Tensor<'a>,
        mask: Option<&[bool]>,
        buffer: &'a mut Vec<usize>,
    ) -> Result<Self> {
        Ok(Self::of(shape, keys, values, shape::allowed(mask, shape.keys, buffer)?))
    }

    /// Rows of which none may take part.
    pub fn held(
        shape: Shape,
        keys: Tensor<'a>,
        values: Tensor<'a>,
        mask: &[bool],
        buffer: &'a mut Vec<usize>,
    ) -> Self {
        let allowed = shape::allowed(Some(mask), shape.keys, buffer).unwrap_or(Pick::first(0));
        Self::of(shape, keys, values, allowed)
    }

    fn of(shape: Shape, keys: Tensor<'a>, values: Tensor<'a>, allowed: Pick<'a>) -> Self {
        Chunk {
            keys: Rows::packed(keys, shape.dim),
            values: Rows::packed(values, shape.value_dim),
            tensors: [keys, values],
            allowed,
        }
    }

    /// The rows from `start` to before `end` that take part.
    pub fn pick(&self, start: usize, end: usize) -> Pick<'_> {
        let before = |limit| self.allowed.before(limit);
        self.allowed.part(before(start), before(end).saturating_sub(before(start)))
    }

    /// The picked keys and values where they stand together in memory as `f32`, else nothing.
    pub fn stored(&self, pick: Pick<'_>) -> [&'a [f32]; 2] {
        [(self.tensors[0], self.keys.width()), (self.tensors[1], self.values.width())].map(
            |(tensor, width)| match (tensor, pick) {
                (Tensor::F32(data), Pick::Range { start, len }) => {
                    data.get(start * width..(start + len) * width).unwrap_or(&[])
                }
                _ => &[],
            },
        )
    }

    /// The picked values in `f32`, row by row: where they stand, or copied to the buffer.
    pub fn values_of<'b>(&'b self, pick: Pick<'_>, buffer: &'b mut Vec<f32>) -> &'b [f32] {
        match self.stored(pick) {
            [_, []] => copied(self.values, pick, buffer),
            [_, values] => values,
        }
    }
}

/// The picked rows in `f32`, side by side.
pub(super) fn copied<'b>(rows: Rows<'_>, pick: Pick<'_>, buffer: &'b mut Vec<f32>) -> &'b mut [f32] {
    buffer.clear();
    (0..pick.len()).filter_map(|i| rows.get(pick.row(i))).for_each(|row| row.append_to(buffer));
    buffer
}

/// The first `len` elements of a buffer that grows once; what they hold is left from before.
pub(super) fn room<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
    buffer.get_mut(..len).unwrap_or_default()
}
