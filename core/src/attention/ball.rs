//! What hyperbolic attention knows of its points besides their coordinates: how near the boundary they are.

use crate::dispatch::Kernel;
use crate::error::{Error, Result};
use crate::kernels::rows::{Pick, Rows};
use crate::poincare;
use alloc::vec::Vec;

/// The ball of one call, as one query sees it.
#[derive(Clone, Copy)]
pub(crate) struct Ball<'a> {
    /// c, for curvature −c.
    pub c: f64,
    /// 1 − c‖q‖² of this query.
    pub query_gap: f64,
    /// What was computed for all keys and values at once; without it, blocks compute it for themselves as they are read.
    pub known: Option<Known<'a>>,
}

/// Gaps of all keys and values.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// 1 − c‖k‖² of each key.
    pub keys: &'a [f64],
    /// 1 − c‖v‖² of each value.
    pub values: &'a [f64],
}

/// c‖x‖² from which 1 − c‖x‖² and sums of points are computed in `f64`: below, 1 − c‖x‖² ≥ 1/4 keeps all but two bits of
/// an `f32`, and so does the midpoint, whose √(1 − c‖m‖²) is then at least (1 − 3/4)/(1 + 3/4) = 1/7.
pub(crate) const EXACT_FROM: f64 = 0.75;

/// Turns squared norms of the picked rows into gaps 1 − c‖row‖².
///
/// A row outside the ball, or not finite, is an error that names it; its gap and the later ones are not to be used.
pub(crate) fn gaps(
    argument: &'static str,
    rows: Rows<'_>,
    pick: Pick<'_>,
    c: f64,
    norms: &mut [f64],
) -> Result<()> {
    for (i, norm) in norms.iter_mut().enumerate() {
        let squared = *norm;
        *norm = 1.0 - c * squared;
        if *norm > 0.0 {
            continue;
        }
        let row = pick.row(i);
        if squared.is_finite() {
            return Err(poincare::outside(argument, row, squared, c));
        }
        // A finite f32 squared cannot overflow an f64.
        let index = rows.get(row).and_then(|row| row.first_non_finite()).unwrap_or(0);
        return Err(Error::NonFinite { argument, index: row * rows.width() + index });
    }
    Ok(())
}

/// 1 − c‖row‖² of all rows, where they are picked; 1 for the others.
pub(crate) fn all_gaps(
    argument: &'static str,
    rows: Rows<'_>,
    pick: Pick<'_>,
    c: f64,
    kernel: Kernel,
    out: &mut Vec<f64>,
) -> Result<()> {
    out.clear();
    out.resize(pick.len(), 0.0);
    kernel.squared_norms(rows, pick, EXACT_FROM / c, out);
    gaps(argument, rows, pick, c, out)?;
    // From places in the pick to rows, from the end, so that none is overwritten before it moved.
    out.resize(rows.count(), 1.0);
    for i in (0..pick.len()).rev() {
        out.swap(i, pick.row(i));
    }
    Ok(())
}

/// The gaps of the picked rows, side by side.
pub(crate) fn gathered<'a>(all: &'a [f64], pick: Pick<'_>, buffer: &'a mut Vec<f64>) -> &'a mut [f64] {
    buffer.clear();
    match pick {
        Pick::Range { start, len } => buffer.extend_from_slice(all.get(start..start + len).unwrap_or(&[])),
        Pick::List(list) => buffer.extend(list.iter().filter_map(|&row| all.get(row))),
    }
    buffer
}
