//! The geometry of the Poincaré ball of curvature -c.

use attention::poincare;
use numpy::PyArray1;
use pyo3::prelude::*;

use crate::error::refused;
use crate::types::{number, vector};

type Point<'py> = Bound<'py, PyArray1<f32>>;
type Map = fn(&[f32], f64) -> attention::Result<Vec<f32>>;

pub fn distance(x: &Bound<'_, PyAny>, y: &Bound<'_, PyAny>, curvature: f64) -> PyResult<f64> {
    let (x_, y_) = (vector(x, "x")?, vector(y, "y")?);
    poincare::distance(x_.data()?, y_.data()?, curvature).map_err(|error| refused(x.py(), &error))
}

pub fn map<'py>(map: Map, x: &Bound<'py, PyAny>, curvature: f64) -> PyResult<Point<'py>> {
    let point = map(vector(x, "x")?.data()?, curvature).map_err(|error| refused(x.py(), &error))?;
    Ok(PyArray1::from_vec(x.py(), point))
}

/// Distance of two points of the ball of curvature -c.
#[pyfunction]
fn poincare_distance(
    x: &Bound<'_, PyAny>,
    y: &Bound<'_, PyAny>,
    curvature: &Bound<'_, PyAny>,
) -> PyResult<f64> {
    distance(x, y, number(curvature, "curvature")?)
}

/// Map a Euclidean vector into the ball: the exponential map at the origin.
#[pyfunction]
fn to_poincare<'py>(x: &Bound<'py, PyAny>, curvature: &Bound<'py, PyAny>) -> PyResult<Point<'py>> {
    map(poincare::to_poincare, x, number(curvature, "curvature")?)
}

/// Map a point of the ball to a Euclidean vector: the inverse of `to_poincare`.
#[pyfunction]
fn from_poincare<'py>(x: &Bound<'py, PyAny>, curvature: &Bound<'py, PyAny>) -> PyResult<Point<'py>> {
    map(poincare::from_poincare, x, number(curvature, "curvature")?)
}

/// Move a point that lies outside the ball to just inside its boundary; others stay.
#[pyfunction]
fn project_to_ball<'py>(x: &Bound<'py, PyAny>, curvature: &Bound<'py, PyAny>) -> PyResult<Point<'py>> {
    map(poincare::project_to_ball, x, number(curvature, "curvature")?)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(poincare_distance, module)?)?;
    module.add_function(wrap_pyfunction!(to_poincare, module)?)?;
    module.add_function(wrap_pyfunction!(from_poincare, module)?)?;
    module.add_function(wrap_pyfunction!(project_to_ball, module)?)
}
