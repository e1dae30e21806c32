//! What hyperbolic attention knows of its points besides their coordinates: how near the boundary they are.

use crate::dispatch::Kernel;
use crate::error::{Error, Result};
use crate::kernels::rows::{Pick, Rows};
use crate::poincare;
use crate::tensor::Tensor;
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

/// Turns squared norms of the picked rows into gaps 1 − c‖row‖² and returns the smallest.
///
/// A row outside the ball, or not finite, is an error that names it; the gaps are not to be used then.
pub(crate) fn gaps(
    argument: &'static str,
    rows: Rows<'_>,
    pick: Pick<'_>,
    (c, kernel): (f64, Kernel),
    norms: &mut [f64],
) -> Result<f64> {
    let least = kernel.gaps(norms, c);
    if least > 0.0 {
        return Ok(least);
    }
    let place = norms.iter().position(|&gap| gap.is_nan() || gap <= 0.0).unwrap_or(0);
    let row = pick.row(place);
    let elements = rows.get(row).unwrap_or(Tensor::F32(&[]));
    match elements.first_non_finite() {
        Some(index) => Err(Error::NonFinite { argument, index: row * rows.width() + index }),
        None => Err(poincare::outside(
            argument,
            row,
            elements.iter().map(|x| f64::from(x) * f64::from(x)).sum(),
            c,
        )),
    }
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
    gaps(argument, rows, pick, (c, kernel), out)?;
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
