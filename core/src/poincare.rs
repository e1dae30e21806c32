//! The Poincaré ball of curvature −c: distance and maps between it and flat space.
//!
//! Sources: Ganea, Bécigneul and Hofmann, "Hyperbolic Neural Networks", 2018; Nickel and Kiela, "Poincaré
//! Embeddings", 2017. All arithmetic is in `f64`.

use crate::error::{Error, Needed, Result};
use crate::kernels::rows::Rows;
use crate::kernels::single::squared_norm;
use crate::shape;
use alloc::vec::Vec;

/// Largest √c‖x‖ that [`to_poincare`] and hyperbolic attention return: the next steps towards 1 would round to 1.
pub(crate) const LARGEST_NORM: f64 = 1.0 - 1.0 / 4_194_304.0;

/// √c‖x‖ up to which [`project_to_ball`] leaves a point alone.
pub const PROJECTION_LIMIT: f64 = 1.0 - 1e-5;

/// Distance 2/√c · asinh(√c‖x − y‖ / √((1 − c‖x‖²)(1 − c‖y‖²))).
///
/// Equal to 1/√c · arcosh(1 + 2c‖x − y‖² / ((1 − c‖x‖²)(1 − c‖y‖²))), but stable for near points. Errors name `x`,
/// `y` or `curvature`: different lengths, non-finite elements, points outside the ball, c ≤ 0.
///
/// ```
/// use ruvector_attention::poincare::distance;
/// // From the origin: 2 artanh ‖y‖.
/// assert!((distance(&[0.0, 0.0], &[0.0, 0.5], 1.0)? - 2.0 * 0.5_f64.atanh()).abs() < 1e-15);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
pub fn distance(x: &[f32], y: &[f32], curvature: f64) -> Result<f64> {
    let c = shape::curvature(curvature)?;
    point("x", x)?;
    point("y", y)?;
    if x.len() != y.len() {
        return Err(shape::length("y", y.len(), Needed::Exactly(x.len())));
    }
    let gaps = gap("x", 0, x, c)? * gap("y", 0, y, c)?;
    let squared: f64 = x
        .iter()
        .zip(y)
        .map(|(&a, &b)| {
            let difference = f64::from(a) - f64::from(b);
            difference * difference
        })
        .sum();
    Ok(2.0 / libm::sqrt(c) * libm::asinh(libm::sqrt(c * squared / gaps)))
}

/// exp₀(x) = tanh(√c‖x‖) · x / (√c‖x‖): from flat space into the ball.
///
/// The result lies strictly inside the ball even where tanh rounds to 1, so [`from_poincare`] undoes it to 1e-5 only
/// as far as `f32` can tell points from the boundary, up to √c‖x‖ of about 3.
///
/// ```
/// use ruvector_attention::poincare::to_poincare;
/// let point = to_poincare(&[0.0, 1.0], 1.0)?;
/// assert!((f64::from(point[1]) - 1.0_f64.tanh()).abs() < 1e-7);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
pub fn to_poincare(x: &[f32], curvature: f64) -> Result<Vec<f32>> {
    let c = shape::curvature(curvature)?;
    point("x", x)?;
    let length = libm::sqrt(c * squared_norm(x));
    Ok(scaled(x, if length > 0.0 { libm::tanh(length).min(LARGEST_NORM) / length } else { 1.0 }))
}

/// log₀(x) = artanh(√c‖x‖) · x / (√c‖x‖): the inverse of [`to_poincare`].
///
/// Where c is so small that the ball reaches beyond `f32`, so may the result: that is [`Error::Overflow`].
///
/// ```
/// use ruvector_attention::poincare::{from_poincare, to_poincare};
/// let there = to_poincare(&[0.3, -0.7], 2.0)?;
/// let back = from_poincare(&there, 2.0)?;
/// assert!((back[0] - 0.3).abs() < 1e-5 && (back[1] + 0.7).abs() < 1e-5);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
pub fn from_poincare(x: &[f32], curvature: f64) -> Result<Vec<f32>> {
    let c = shape::curvature(curvature)?;
    point("x", x)?;
    gap("x", 0, x, c)?;
    let length = libm::sqrt(c * squared_norm(x));
    let out = scaled(x, if length > 0.0 { libm::atanh(length) / length } else { 1.0 });
    match shape::first_non_finite(&out) {
        Some(index) => Err(Error::Overflow { index }),
        None => Ok(out),
    }
}

/// Shortens x to √c‖x‖ ≤ [`PROJECTION_LIMIT`] where it is longer; other points come back unchanged.
///
/// ```
/// use ruvector_attention::poincare::project_to_ball;
/// assert_eq!(project_to_ball(&[0.5, 0.0], 1.0)?, [0.5, 0.0]);
/// assert!(project_to_ball(&[3.0, 0.0], 1.0)?[0] < 1.0);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
pub fn project_to_ball(x: &[f32], curvature: f64) -> Result<Vec<f32>> {
    let c = shape::curvature(curvature)?;
    point("x", x)?;
    Ok(projected(x, c))
}

/// The projection itself, for input known to be finite.
fn projected(x: &[f32], c: f64) -> Vec<f32> {
    scaled(x, shrink(x, c))
}

/// Projects each row, into a buffer that grows to what is needed. Rows that are not finite stay so.
pub(crate) fn project_rows(rows: Rows<'_>, c: f64, out: &mut Vec<f32>) {
    out.clear();
    for row in (0..rows.count()).filter_map(|row| rows.get(row)) {
        let start = out.len();
        row.append_to(out);
        let row = out.get_mut(start..).unwrap_or(&mut []);
        let factor = shrink(row, c);
        row.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
    }
}

/// Factor that brings a point into the ball; 1 where it lies inside.
fn shrink(x: &[f32], c: f64) -> f64 {
    let length = libm::sqrt(c * squared_norm(x));
    if length > PROJECTION_LIMIT {
        PROJECTION_LIMIT / length
    } else {
        1.0
    }
}

/// 1 − c‖row‖², or the error that names the row.
pub(crate) fn gap(argument: &'static str, row: usize, x: &[f32], c: f64) -> Result<f64> {
    gap_of(argument, row, squared_norm(x), c)
}

/// The same from the squared norm.
pub(crate) fn gap_of(argument: &'static str, row: usize, squared: f64, c: f64) -> Result<f64> {
    let gap = 1.0 - c * squared;
    if gap > 0.0 {
        return Ok(gap);
    }
    Err(outside(argument, row, squared, c))
}

/// The error that names a row of this squared norm.
pub(crate) fn outside(argument: &'static str, row: usize, squared: f64, c: f64) -> Error {
    Error::OutsideBall { argument, row, norm: libm::sqrt(squared), radius: 1.0 / libm::sqrt(c) }
}

fn scaled(x: &[f32], factor: f64) -> Vec<f32> {
    x.iter().map(|&value| (f64::from(value) * factor) as f32).collect()
}

/// A point has at least one coordinate, all finite.
fn point(argument: &'static str, x: &[f32]) -> Result<()> {
    if x.is_empty() {
        return Err(shape::length(argument, 0, Needed::AtLeast(1)));
    }
    match shape::first_non_finite(x) {
        Some(index) => Err(Error::NonFinite { argument, index }),
        None => Ok(()),
    }
}
