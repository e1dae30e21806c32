//! Views of rows in flat memory, checked when made so that kernels need not check.

/// `count` rows of `width` elements, `stride` elements apart, the first one `offset` elements into the data.
///
/// A head of multi-head attention is such a view of the whole tensor.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    data: &'a [f32],
    count: usize,
    width: usize,
    stride: usize,
    offset: usize,
}

impl<'a> Rows<'a> {
    /// Rows that follow each other without gaps; as many as the data holds.
    pub fn packed(data: &'a [f32], width: usize) -> Self {
        Self::column_block(data, width, 0, width)
    }

    /// The elements `offset..offset + width` of each row of `stride` elements.
    ///
    /// A block that does not lie inside the stride yields no rows.
    pub fn column_block(data: &'a [f32], stride: usize, offset: usize, width: usize) -> Self {
        let inside = offset.checked_add(width).is_some_and(|end| end <= stride);
        let count = if inside && stride > 0 { data.len() / stride } else { 0 };
        Rows { data, count, width, stride, offset }
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Number of elements of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// One row, or nothing behind the last.
    pub fn get(&self, index: usize) -> Option<&'a [f32]> {
        if index >= self.count {
            return None;
        }
        let start = index * self.stride + self.offset;
        self.data.get(start..start + self.width)
    }

    /// One row.
    ///
    /// # Safety
    ///
    /// `index < self.count()`.
    #[inline(always)]
    pub unsafe fn pointer(&self, index: usize) -> *const f32 {
        debug_assert!(index < self.count);
        // SAFETY: the constructor saw to it that `count` strides fit the data and that the block fits the stride.
        unsafe { self.data.as_ptr().add(index * self.stride + self.offset) }
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

    /// Whether every pick is one of `count` rows.
    pub fn inside(&self, count: usize) -> bool {
        match *self {
            Pick::Range { start, len } => start.checked_add(len).is_some_and(|end| end <= count),
            Pick::List(list) => list.iter().all(|&row| row < count),
        }
    }
}
