//! The geometry of the Poincaré ball of curvature -c.

use attention::poincare;

use crate::memory::{slice, slice_mut, write};
use crate::status::{guard, rvattn_status};

/// Distance of the points `x` and `y` in the ball.
///
/// # Safety
/// Each pointer is NULL or valid for its length.
#[no_mangle]
pub unsafe extern "C" fn rvattn_poincare_distance(
    x: *const f32,
    x_len: usize,
    y: *const f32,
    y_len: usize,
    curvature: f64,
    out: *mut f64,
) -> rvattn_status {
    guard(|| {
        // SAFETY: by this function's contract.
        let x = unsafe { slice(x, x_len, "x") }?;
        // SAFETY: by this function's contract.
        let y = unsafe { slice(y, y_len, "y") }?;
        let distance = poincare::distance(x, y, curvature)?;
        // SAFETY: by this function's contract.
        unsafe { write(out, "out", distance) }
    })
}

type Map = fn(&[f32], f64) -> attention::Result<Vec<f32>>;

/// # Safety
/// Each pointer is NULL or valid for `len` elements.
unsafe fn map(map: Map, x: *const f32, x_len: usize, c: f64, out: *mut f32, out_len: usize) -> rvattn_status {
    guard(|| {
        // SAFETY: by this function's contract.
        let point = map(unsafe { slice(x, x_len, "x") }?, c)?;
        // SAFETY: by this function's contract.
        let out = unsafe { slice_mut(out, out_len, "out") }?;
        if out.len() != point.len() {
            let needed = attention::Needed::Exactly(point.len());
            return Err(attention::Error::Length { argument: "out", found: out.len(), needed }.into());
        }
        out.copy_from_slice(&point);
        Ok(())
    })
}

/// Maps a Euclidean vector into the ball: the exponential map at the origin.
///
/// # Safety
/// Each pointer is NULL or valid for its length; `out` does not overlap `x`.
#[no_mangle]
pub unsafe extern "C" fn rvattn_to_poincare(
    x: *const f32,
    x_len: usize,
    curvature: f64,
    out: *mut f32,
    out_len: usize,
) -> rvattn_status {
    // SAFETY: by this function's contract.
    unsafe { map(poincare::to_poincare, x, x_len, curvature, out, out_len) }
}

/// Maps a point of the ball to a Euclidean vector: the inverse of `rvattn_to_poincare`.
///
/// # Safety
/// As for `rvattn_to_poincare`.
#[no_mangle]
pub unsafe extern "C" fn rvattn_from_poincare(
    x: *const f32,
    x_len: usize,
    curvature: f64,
    out: *mut f32,
    out_len: usize,
) -> rvattn_status {
    // SAFETY: by this function's contract.
    unsafe { map(poincare::from_poincare, x, x_len, curvature, out, out_len) }
}

/// Moves a point that lies outside the ball to just inside its boundary; others stay.
///
/// # Safety
/// As for `rvattn_to_poincare`.
#[no_mangle]
pub unsafe extern "C" fn rvattn_project_to_ball(
    x: *const f32,
    x_len: usize,
    curvature: f64,
    out: *mut f32,
    out_len: usize,
) -> rvattn_status {
    // SAFETY: by this function's contract.
    unsafe { map(poincare::project_to_ball, x, x_len, curvature, out, out_len) }
}
