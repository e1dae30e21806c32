//! Views of rows in flat memory, checked when made so that kernels need not check.

use crate::tensor::Tensor;
#[cfg(feature = "f16")]
use crate::tensor::{bf16, f16};

/// `count` rows of `width` elements, `stride` elements apart, the first one `offset` elements into the data.
#[derive(Clone, Copy)]
struct Layout {
    count: usize,
    width: usize,
    stride: usize,
    offset: usize,
}

/// Rows of a tensor of any type of element.
///
/// A head of multi-head attention is such a view of the whole tensor.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    data: Tensor<'a>,
    layout: Layout,
}

/// Rows whose type of element is known: what kernels read.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, T> {
    data: &'a [T],
    layout: Layout,
}

/// A view of one of the three types.
pub(crate) enum Typed<'a> {
    F32(View<'a, f32>),
    #[cfg(feature = "f16")]
    F16(View<'a, f16>),
    #[cfg(feature = "f16")]
    Bf16(View<'a, bf16>),
}

impl<'a> Rows<'a> {
    /// Rows that follow each other without gaps; as many as the data holds.
    pub fn packed(data: impl Into<Tensor<'a>>, width: usize) -> Self {
        Self::column_block(data, width, 0, width)
    }

    /// The elements `offset..offset + width` of each row of `stride` elements.
    ///
    /// A block that does not lie inside the stride yields no rows.
    pub fn column_block(data: impl Into<Tensor<'a>>, stride: usize, offset: usize, width: usize) -> Self {
        let data = data.into();
        let inside = offset.checked_add(width).is_some_and(|end| end <= stride);
        let count = if inside && stride > 0 { data.len() / stride } else { 0 };
        Rows { data, layout: Layout { count, width, stride, offset } }
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.layout.count
    }

    /// Number of elements of a row.
    pub fn width(&self) -> usize {
        self.layout.width
    }

    /// One row, or nothing behind the last.
    pub fn get(&self, index: usize) -> Option<Tensor<'a>> {
        if index >= self.layout.count {
            return None;
        }
        let start = index * self.layout.stride + self.layout.offset;
        self.data.get(start, start + self.layout.width)
    }

    /// The rows as a kernel reads them.
    pub fn typed(&self) -> Typed<'a> {
        let layout = self.layout;
        match self.data {
            Tensor::F32(data) => Typed::F32(View { data, layout }),
            #[cfg(feature = "f16")]
            Tensor::F16(data) => Typed::F16(View { data, layout }),
            #[cfg(feature = "f16")]
            Tensor::Bf16(data) => Typed::Bf16(View { data, layout }),
        }
    }
}

impl<'a, T> View<'a, T> {
    /// Number of elements of a row.
    pub fn width(&self) -> usize {
        self.layout.width
    }

    /// These rows, for reading.
    ///
    /// # Safety
    ///
    /// The picks lie inside the rows.
    #[inline(always)]
    pub unsafe fn picked(&self, pick: Pick<'a>) -> Picked<'a, T> {
        debug_assert!(pick.inside(self.layout.count));
        let (first, list) = match pick {
            Pick::Range { start, .. } => (start, None),
            Pick::List(list) => (0, Some(list)),
        };
        let Layout { stride, offset, .. } = self.layout;
        // The last row of a range of none may lie behind the data: no access, so any address will do.
        Picked { start: self.data.as_ptr().wrapping_add(first * stride + offset), stride, list }
    }
}

/// Rows of a view that were picked and checked.
#[derive(Clone, Copy)]
pub(crate) struct Picked<'a, T> {
    start: *const T,
    stride: usize,
    list: Option<&'a [usize]>,
}

impl<T> Picked<'_, T> {
    /// Where the i-th one starts.
    ///
    /// # Safety
    ///
    /// `i` is below the number of picks.
    #[inline(always)]
    pub unsafe fn row(&self, i: usize) -> *const T {
        let row = match self.list {
            None => i,
            // SAFETY: the caller's promise.
            Some(list) => unsafe { *list.get_unchecked(i) },
        };
        // SAFETY: `count` strides fit the data and the block fits the stride, as the constructor of the rows saw to.
        unsafe { self.start.add(row * self.stride) }
    }

    /// Where `R` rows start, from the i-th on, `step` apart.
    ///
    /// # Safety
    ///
    /// All of them are below the number of picks.
    #[inline(always)]
    pub unsafe fn group<const R: usize>(&self, i: usize, step: usize) -> [*const T; R] {
        let mut rows = [self.start; R];
        // SAFETY: the caller's promise.
        unsafe {
            match self.list {
                // One product for all of them: this is much of the work where rows are short.
                None => {
                    let first = self.row(i);
                    for (r, row) in rows.iter_mut().enumerate() {
                        *row = first.add(r * step * self.stride);
                    }
                }
                Some(_) => {
                    for (r, row) in rows.iter_mut().enumerate() {
                        *row = self.row(i + r * step);
                    }
                }
            }
        }
        rows
    }
}

/// Which rows take part, in which order.
#[derive(Clone, Copy)]
pub(crate) enum Pick<'a> {
    /// `len` rows from `start` on.
    Range {
        /// First row.
        start: usize,
        /// Number of rows.
        len: usize,
    },
    /// These rows.
    List(&'a [usize]),
}

impl<'a> Pick<'a> {
    /// The rows `0..len`.
    pub fn first(len: usize) -> Self {
        Pick::Range { start: 0, len }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Pick::Range { len, .. } => *len,
            Pick::List(list) => list.len(),
        }
    }

    /// Row number of the i-th pick.
    #[inline(always)]
    pub fn row(&self, i: usize) -> usize {
        match self {
            Pick::Range { start, .. } => start + i,
            Pick::List(list) => list.get(i).copied().unwrap_or(0),
        }
    }

    /// The picks `from..from + len`, cut at the end.
    pub fn part(&self, from: usize, len: usize) -> Self {
        match *self {
            Pick::Range { start, len: total } => {
                Pick::Range { start: start + from.min(total), len: len.min(total.saturating_sub(from)) }
            }
            Pick::List(list) => {
                let rest = list.get(from..).unwrap_or(&[]);
                Pick::List(rest.get(..len).unwrap_or(rest))
            }
        }
    }

    /// How many picks lie before this row; picks ascend.
    pub fn before(&self, row: usize) -> usize {
        match *self {
            Pick::Range { start, len } => len.min(row.saturating_sub(start)),
            Pick::List(list) => list.partition_point(|&pick| pick < row),
        }
    }

    /// Whether every pick is one of `count` rows.
    pub fn inside(&self, count: usize) -> bool {
        match *self {
            Pick::Range { start, len } => start.checked_add(len).is_some_and(|end| end <= count),
            Pick::List(list) => list.iter().all(|&row| row < count),
        }
    }
}
