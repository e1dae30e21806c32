//! Products of matrices, tile by tile in registers.
//!
//! Written once over [`Vector`]; an instruction set's file only instantiates it. All functions are unsafe for two
//! reasons that their callers in `dispatch` settle: the instruction set must be available, and picks must lie inside
//! their rows.

use super::panels::Matrices;
use super::vector::Vector;
use core::ops::Range;
use core::ptr;

/// Columns of a panel: what the micro-kernel takes from each of its rows in one step.
pub(crate) const fn panel_width<V: Vector>() -> usize {
    2 * V::LANES
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// Asks for far memory, a cache line a step of the product: far fewer would come too late, all at once would have to
/// wait for each other.
struct Ahead {
    part: Range<*const u8>,
    then: Range<*const u8>,
}

impl Ahead {
    fn new(parts: [&[f32]; 2]) -> Self {
        let [part, then] =
            parts.map(|part| part.as_ptr_range()).map(|part| part.start.cast()..part.end.cast());
        Ahead { part, then }
    }

    /// # Safety
    ///
    /// The set is available.
    #[inline(always)]
    unsafe fn step<V: Vector>(&mut self) {
        if self.part.start >= self.part.end {
            self.part = core::mem::replace(&mut self.then, ptr::null()..ptr::null());
        }
        if self.part.start < self.part.end {
            // SAFETY: by the caller's promise.
            unsafe { V::prefetch(self.part.start) };
            self.part.start = self.part.start.wrapping_add(LINE);
        }
    }
}

/// `c = a · b`.
///
/// # Safety
///
/// The set is available and the matrices [`fit`](Matrices::fit).
#[inline(always)]
pub(crate) unsafe fn multiply<V: Vector>(matrices: Matrices<'_>) {
    let width = panel_width::<V>();
    let panels = matrices.panels(width);
    let Matrices { a, a_stride, a_step, rows, b, b_rows, depth, c, c_stride, ahead } = matrices;
    let mut ahead = Ahead::new(ahead);
    for panel in 0..panels {
        // SAFETY: all rows and panels lie inside the slices, by the caller's promise.
        unsafe {
            let b = b.as_ptr().add(panel * b_rows * width);
            let at = |row: usize| (a.as_ptr().add(row * a_stride), row * c_stride + panel * width);
            let mut row = 0;
            while row + V::ROWS <= rows {
                let (a, place) = at(row);
                let c = c.as_mut_ptr().add(place);
                match V::ROWS {
                    12 => tile::<V, 12>(a, [a_stride, a_step], b, depth, c, c_stride, &mut ahead),
                    6 => tile::<V, 6>(a, [a_stride, a_step], b, depth, c, c_stride, &mut ahead),
                    _ => tile::<V, 4>(a, [a_stride, a_step], b, depth, c, c_stride, &mut ahead),
                }
                row += if V::ROWS == 12 || V::ROWS == 6 { V::ROWS } else { 4 };
            }
            while row + 3 <= rows {
                let (a, place) = at(row);
                tile::<V, 3>(
                    a,
                    [a_stride, a_step],
                    b,
                    depth,
                    c.as_mut_ptr().add(place),
                    c_stride,
                    &mut ahead,
                );
                row += 3;
            }
            while row < rows {
                let (a, place) = at(row);
                tile::<V, 1>(
                    a,
                    [a_stride, a_step],
                    b,
                    depth,
                    c.as_mut_ptr().add(place),
                    c_stride,
                    &mut ahead,
                );
                row += 1;
            }
        }
    }
}

/// One tile of `R` rows by one panel, summed in registers.
///
/// # Safety
///
/// As for [`multiply`], from these pointers on.
#[inline(always)]
unsafe fn tile<V: Vector, const R: usize>(
    a: *const f32,
    [a_stride, a_step]: [usize; 2],
    b: *const f32,
    depth: usize,
    c: *mut f32,
    c_stride: usize,
    ahead: &mut Ahead,
) {
    // SAFETY: the caller promises R rows of a and c, and `depth` rows of one panel.
    unsafe {
        let mut left = [V::splat(0.0); R];
        let mut right = [V::splat(0.0); R];
        for p in 0..depth {
            let from = b.add(p * 2 * V::LANES);
            let (b0, b1) = (V::load(from), V::load(from.add(V::LANES)));
            ahead.step::<V>();
            for r in 0..R {
                let x = V::splat(*a.add(r * a_stride + p * a_step));
                left[r] = x.mul_add(b0, left[r]);
                right[r] = x.mul_add(b1, right[r]);
            }
        }
        for r in 0..R {
            left[r].store(c.add(r * c_stride));
            right[r].store(c.add(r * c_stride + V::LANES));
        }
    }
}
