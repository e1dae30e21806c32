//! Operands of the matrix micro-kernel, and the packing that it reads.

use super::rows::{Pick, Rows};
use alloc::vec::Vec;

/// The operands of `c = a · b`.
pub(crate) struct Matrices<'a> {
    /// `rows` rows of `depth` elements.
    pub a: &'a [f32],
    /// Elements from one row of a to the next.
    pub a_stride: usize,
    /// Elements from one column of a to the next: a transposed matrix has a stride of 1 and a step of its width.
    pub a_step: usize,
    /// Rows of a and c.
    pub rows: usize,
    /// Columns in panels of a kernel's width.
    pub b: &'a [f32],
    /// Rows that each panel of b holds; at least 1.
    pub b_rows: usize,
    /// Columns of a, and how many rows of b are used; at least 1.
    pub depth: usize,
    /// `rows` rows of as many elements as b's panels have columns.
    pub c: &'a mut [f32],
    /// Elements from one row of c to the next.
    pub c_stride: usize,
}

impl Matrices<'_> {
    /// Number of panels of this width that b holds.
    pub fn panels(&self, width: usize) -> usize {
        self.b.len().checked_div(self.b_rows * width).unwrap_or(0)
    }

    /// Whether all elements lie inside their slices, for panels of this width.
    pub fn fit(&self, width: usize) -> bool {
        let columns = self.panels(width) * width;
        let last = |count: usize, stride: usize| count.saturating_sub(1).saturating_mul(stride);
        let holds = |len: usize, row: usize, column: usize| row.saturating_add(column) < len;
        let any = self.rows > 0 && columns > 0;
        !any || (self.depth <= self.b_rows
            && columns <= self.c_stride
            && holds(self.a.len(), last(self.rows, self.a_stride), last(self.depth, self.a_step))
            && holds(self.c.len(), last(self.rows, self.c_stride), columns - 1))
    }
}

/// Panels of the transposed rows: row p of a panel holds element p of `width` rows; short panels end in zeros.
pub(crate) fn across(width: usize, rows: Rows<'_>, pick: Pick<'_>) -> Vec<f32> {
    let mut panels = Vec::new();
    across_into(width, rows, pick, &mut panels);
    panels
}

/// The same, appended to a buffer.
pub(crate) fn across_into(width: usize, rows: Rows<'_>, pick: Pick<'_>, panels: &mut Vec<f32>) {
    let (depth, start) = (rows.width(), panels.len());
    panels.resize(start + pick.len().next_multiple_of(width) * depth, 0.0);
    let panels = panels.get_mut(start..).unwrap_or(&mut []);
    for (index, panel) in panels.chunks_exact_mut(depth * width).enumerate() {
        let part = pick.part(index * width, width);
        for column in 0..part.len() {
            let Some(row) = rows.get(part.row(column)) else { continue };
            row.for_each(|p, value| {
                if let Some(element) = panel.get_mut(p * width + column) {
                    *element = value;
                }
            });
        }
    }
}

/// Panels of the rows themselves: row i of a panel holds `width` elements of row i; the last panel ends in zeros.
pub(crate) fn along(width: usize, rows: Rows<'_>, pick: Pick<'_>) -> Vec<f32> {
    let mut panels = Vec::new();
    along_into(width, rows, pick, &mut panels);
    panels
}

/// The same, appended to a buffer.
pub(crate) fn along_into(width: usize, rows: Rows<'_>, pick: Pick<'_>, panels: &mut Vec<f32>) {
    let start = panels.len();
    panels.resize(start + rows.width().next_multiple_of(width) * pick.len(), 0.0);
    let panels = panels.get_mut(start..).unwrap_or(&mut []);
    for (index, panel) in panels.chunks_exact_mut(pick.len() * width).enumerate() {
        for (i, line) in panel.chunks_exact_mut(width).enumerate() {
            let end = rows.width().min((index + 1) * width);
            if let Some(part) = rows.get(pick.row(i)).and_then(|row| row.get(index * width, end)) {
                part.copy_to(line);
            }
        }
    }
}
