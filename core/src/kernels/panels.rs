//! Operands of the matrix micro-kernel, and the packing that it reads.

use super::matrix::panel_width;
use super::rows::{Pick, View};
use super::vector::{Element, Vector};

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
    /// What will be read next from far memory: asked for during the product.
    pub ahead: [&'a [f32]; 2],
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

/// Panels of the transposed picked rows: row p of a panel holds element p of as many rows as a panel has columns; the
/// last panel ends in zeros.
///
/// # Safety
///
/// The set is available, the picks lie inside the rows, and `panels` has room for all of them.
#[inline(always)]
pub(crate) unsafe fn across<V: Vector, E: Element>(rows: View<'_, E>, pick: Pick<'_>, panels: &mut [f32]) {
    let (width, depth) = (panel_width::<V>(), rows.width());
    for from in (0..pick.len()).step_by(V::LANES) {
        // A panel takes two packs of rows; the second one of the last may be without rows.
        let (panel, half) = (from / width * width, from % width);
        let to = panels.as_mut_ptr().wrapping_add(panel * depth + half);
        // SAFETY: by the caller's promise; a column of `depth` packs starts at `to`.
        unsafe { across_pack::<V, E>(rows, pick.part(from, V::LANES), to) };
    }
    if pick.len() > 0 && (pick.len() - 1) % width < V::LANES {
        let last = (pick.len() - 1) / width * width * depth;
        for line in panels[last..].chunks_exact_mut(width) {
            line[V::LANES..].fill(0.0);
        }
    }
}

/// Transposes at most `LANES` rows into a column of packs, a panel's width apart.
///
/// # Safety
///
/// As for [`across`], from `to` on.
#[inline(always)]
unsafe fn across_pack<V: Vector, E: Element>(rows: View<'_, E>, pick: Pick<'_>, to: *mut f32) {
    let (width, depth) = (panel_width::<V>(), rows.width());
    // SAFETY: elements below the depth of rows that are picked; `to` has `depth` packs.
    unsafe {
        let mut p = 0;
        while p + V::LANES <= depth {
            let mut square = [V::splat(0.0); MOST_LANES];
            // As many steps as lanes, whatever the pick, so that the packs stay in registers.
            for (i, pack) in square.iter_mut().enumerate().take(V::LANES) {
                if i < pick.len() {
                    *pack = E::load(rows.picked(pick).row(i).add(p));
                }
            }
            transpose(&mut square);
            for (i, pack) in square.iter().enumerate().take(V::LANES) {
                pack.store(to.add((p + i) * width));
            }
            p += V::LANES;
        }
        for p in p..depth {
            let mut line = [0.0; MOST_LANES];
            for (i, element) in line.iter_mut().enumerate().take(pick.len()) {
                *element = (*rows.picked(pick).row(i).add(p)).widen();
            }
            V::load(line.as_ptr()).store(to.add(p * width));
        }
    }
}

/// Lanes of the widest set.
const MOST_LANES: usize = 16;

/// Transposes the first `LANES` packs. Element l of pack i has an index of the digits of i followed by those of l; zipping
/// the packs of the first half with those of the second turns the digits round by one, and doing so half the way
/// exchanges i and l.
#[inline(always)]
unsafe fn transpose<V: Vector>(square: &mut [V; MOST_LANES]) {
    let half = V::LANES / 2;
    for _ in 0..V::LANES.trailing_zeros() {
        let old = *square;
        for i in 0..half {
            // SAFETY: the caller has the instruction set.
            (square[2 * i], square[2 * i + 1]) = unsafe { old[i].zip(old[half + i]) };
        }
    }
}

/// Panels of the picked rows themselves: row i of a panel holds a panel's width of elements of the i-th row; the last
/// panel ends in zeros.
///
/// # Safety
///
/// As for [`across`].
#[inline(always)]
pub(crate) unsafe fn along<V: Vector, E: Element>(rows: View<'_, E>, pick: Pick<'_>, panels: &mut [f32]) {
    let width = panel_width::<V>();
    let whole = rows.width() / width;
    for i in 0..pick.len() {
        // SAFETY: a picked row, and places below the number of rows in each panel.
        unsafe {
            let row = rows.picked(pick).row(i);
            for panel in 0..whole {
                let to = panels.as_mut_ptr().add((panel * pick.len() + i) * width);
                for part in [0, V::LANES] {
                    E::load::<V>(row.add(panel * width + part)).store(to.add(part));
                }
            }
            let rest = whole * width;
            if rest < rows.width() {
                let line = &mut panels[(whole * pick.len() + i) * width..][..width];
                for (p, element) in line.iter_mut().enumerate() {
                    *element = if rest + p < rows.width() { (*row.add(rest + p)).widen() } else { 0.0 };
                }
            }
        }
    }
}
