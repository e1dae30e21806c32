//! The geometry of the Poincaré ball of curvature -c.

use attention::poincare;
use numpy::PyArray1;
use pyo3::prelude::*;

use crate::error::refused;
use crate::tensor::{number, vector};

type Map = fn(&[f32], f64) -> attention::Result<Vec<f32>>;

pub fn distance(x: &Bound<'_, PyAny>, y: &Bound<'_, PyAny>, curvature: f64) -> PyResult<f64> {
    let (x_, y_) = (vector(x, "x")?, vector(y, "y")?);
    poincare::distance(&x_.floats(), &y_.floats(), curvature).map_err(|error| refused(x.py(), &error))
}

pub fn map<'py>(map: Map, x: &Bound<'py, PyAny>, curvature: f64) -> PyResult<Bound<'py, PyAny>> {
    let point = map(&vector(x, "x")?.floats(), curvature).map_err(|error| refused(x.py(), &error))?;
    Ok(PyArray1::from_vec(x.py(), point).into_any())
}

/// Distance of two points of the ball of curvature -c.
///
/// >>> round(poincare_distance([0, 0], [0, 0.5], 1.0), 6)
/// 1.098612
#[pyfunction]
fn poincare_distance(
    x: &Bound<'_, PyAny>,
    y: &Bound<'_, PyAny>,
    curvature: &Bound<'_, PyAny>,
) -> PyResult<f64> {
    distance(x, y, number(curvature, "curvature")?)
}

/// Map a Euclidean vector into the ball: the exponential map at the origin.
///
/// >>> to_poincare([0, 1], 1.0).round(4)
/// array([0.    , 0.7616], dtype=float32)
#[pyfunction]
fn to_poincare<'py>(x: &Bound<'py, PyAny>, curvature: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    map(poincare::to_poincare, x, number(curvature, "curvature")?)
}

/// Map a point of the ball to a Euclidean vector: the inverse of `to_poincare`.
///
/// >>> from_poincare(to_poincare([0, 1], 1.0), 1.0).round(4)
/// array([0., 1.], dtype=float32)
#[pyfunction]
fn from_poincare<'py>(x: &Bound<'py, PyAny>, curvature: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    map(poincare::from_poincare, x, number(curvature, "curvature")?)
}

/// Move a point that lies outside the ball to just inside its boundary; others stay.
///
/// >>> project_to_ball([3, 0], 1.0).round(4)
/// array([1., 0.], dtype=float32)
#[pyfunction]
fn project_to_ball<'py>(x: &Bound<'py, PyAny>, curvature: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    map(poincare::project_to_ball, x, number(curvature, "curvature")?)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(poincare_distance, module)?)?;
    module.add_function(wrap_pyfunction!(to_poincare, module)?)?;
    module.add_function(wrap_pyfunction!(from_poincare, module)?)?;
    module.add_function(wrap_pyfunction!(project_to_ball, module)?)
}
