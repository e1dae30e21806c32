//! Python values to what the core takes. Every refusal names the argument.

use attention::Options;
use numpy::{PyArrayDyn, PyArrayMethods, PyReadonlyArray1, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::IntoPyDict;

use crate::error;

/// A float32 array in C order, flat or of rows.
pub struct Tensor<'py> {
    array: PyReadonlyArrayDyn<'py, f32>,
    /// Length of a row, where the array has rows.
    pub columns: Option<usize>,
}

impl Tensor<'_> {
    /// Its numbers, row by row.
    pub fn data(&self) -> PyResult<&[f32]> {
        Ok(self.array.as_slice()?)
    }
}

/// Reads an argument: float32 arrays in C order are taken as they are, everything else is converted by NumPy.
pub fn tensor<'py>(value: &Bound<'py, PyAny>, argument: &str) -> PyResult<Tensor<'py>> {
    let py = value.py();
    let array = match value.cast::<PyArrayDyn<f32>>() {
        Ok(array) if array.is_c_contiguous() => array.clone(),
        _ => convert(value).map_err(|cause| {
            let error = error::kind(py, argument, "an array of numbers");
            error.set_cause(py, Some(cause));
            error
        })?,
    };
    let columns = match array.shape() {
        [_] => None,
        [_, columns] => Some(*columns),
        _ => return Err(error::kind(py, argument, "an array of one or two dimensions")),
    };
    Ok(Tensor { array: array.try_readonly()?, columns })
}

fn convert<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
    let py = value.py();
    let numpy = py.import("numpy")?;
    let options = [("dtype", numpy.getattr("float32")?)].into_py_dict(py)?;
    let array = numpy.call_method("ascontiguousarray", (value,), Some(&options))?;
    Ok(array.cast_into::<PyArrayDyn<f32>>()?)
}

/// An array of one dimension.
pub fn vector<'py>(value: &Bound<'py, PyAny>, argument: &str) -> PyResult<Tensor<'py>> {
    let tensor = tensor(value, argument)?;
    match tensor.columns {
        None => Ok(tensor),
        Some(_) => Err(error::kind(value.py(), argument, "an array of one dimension")),
    }
}

/// A number that is not negative and has no fraction.
pub fn count(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<usize> {
    value.extract().map_err(|_| error::kind(value.py(), argument, "an integer that is not negative"))
}

/// Any number.
pub fn number(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<f64> {
    value.extract().map_err(|_| error::kind(value.py(), argument, "a number"))
}

/// The options of a call, owned so that the GIL can be released.
pub struct CallOptions {
    neighbors: Option<usize>,
    mask: Option<Vec<bool>>,
    causal: bool,
}

impl CallOptions {
    /// Reads the keyword arguments.
    pub fn read(
        num_neighbors: Option<&Bound<'_, PyAny>>,
        mask: Option<&Bound<'_, PyAny>>,
        causal: bool,
    ) -> PyResult<Self> {
        Ok(CallOptions {
            neighbors: num_neighbors.map(|value| count(value, "num_neighbors")).transpose()?,
            mask: mask.map(read_mask).transpose()?,
            causal,
        })
    }

    /// As the core takes them.
    pub fn as_core(&self) -> Options<'_> {
        Options {
            neighbors: self.neighbors,
            mask: self.mask.as_deref(),
            causal: self.causal,
            ..Options::default()
        }
    }
}

fn read_mask(value: &Bound<'_, PyAny>) -> PyResult<Vec<bool>> {
    if let Ok(array) = value.extract::<PyReadonlyArray1<'_, bool>>() {
        return Ok(array.as_array().to_vec());
    }
    value.extract().map_err(|_| error::kind(value.py(), "mask", "booleans, one a key"))
}
