//! Python values as tensors: views where the memory can be read as it is, else a copy that NumPy makes.

use std::borrow::Cow;

use attention::{bf16, f16, Error, Needed, Tensor};
use numpy::npyffi::{
    self, _PyArray_GET_ITEM_DATA, _PyDataType_GET_ITEM_DATA, NPY_ARRAY_ALIGNED, NPY_ARRAY_C_CONTIGUOUS,
    NPY_ARRAY_WRITEABLE,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::dlpack::{self, Borrowed, Element};
use crate::error;

// NumPy's numbers of its types.
const BOOL: i32 = 0;
const BYTE: i32 = 2;
const FLOAT: i32 = 11;
const HALF: i32 = 23;
const FIRST_FOREIGN: i32 = 256;

/// The memory of a NumPy array.
pub struct Raw {
    pub data: *mut u8,
    pub shape: [usize; 2],
    pub dimensions: usize,
    flags: i32,
    type_num: i32,
    native: bool,
}

impl Raw {
    /// What NumPy says of an array; `None` for anything else.
    pub fn of(value: &Bound<'_, PyAny>) -> Option<Self> {
        // SAFETY: attached to the interpreter, and the pointer is a live object's. Once it is known to be an array, its
        // fields are those of NumPy's ABI: `nd` dimensions, and a descriptor that is never NULL.
        unsafe {
            if npyffi::PyArray_Check(value.py(), value.as_ptr()) == 0 {
                return None;
            }
            let array = &*_PyArray_GET_ITEM_DATA(value.as_ptr().cast());
            let descr = &*_PyDataType_GET_ITEM_DATA(array.descr);
            let dimensions = array.nd as usize;
            let size = |axis: usize| if axis < dimensions { *array.dimensions.add(axis) as usize } else { 1 };
            let order = descr.byteorder as u8;
            let foreign = if cfg!(target_endian = "little") { b'>' } else { b'<' };
            Some(Raw {
                data: array.data.cast(),
                shape: [size(0), size(1)],
                dimensions,
                flags: array.flags,
                type_num: descr.type_num,
                native: order != foreign,
            })
        }
    }

    fn is(&self, flags: i32) -> bool {
        self.flags & flags == flags
    }

    fn readable(&self) -> bool {
        self.native && self.is(NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED)
    }

    /// Elements, for one or two dimensions.
    fn len(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// The slice of a float32 array that may be written to; what is wrong otherwise.
    pub fn writable(&self) -> Result<(*mut f32, usize), &'static str> {
        if self.type_num != FLOAT || !self.native {
            return Err("a float32 array");
        }
        if !(1..=2).contains(&self.dimensions) {
            return Err("an array of one or two dimensions");
        }
        if !self.is(NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED) {
            return Err("an array in C order without gaps");
        }
        if !self.is(NPY_ARRAY_WRITEABLE) {
            return Err("an array that is not read-only");
        }
        Ok((self.data.cast(), self.len()))
    }
}

/// What keeps a view's memory alive.
enum Owner<'py> {
    Object(Bound<'py, PyAny>),
    // Dropped for its deleter.
    Dlpack(Bound<'py, PyAny>, #[allow(dead_code)] Borrowed),
}

/// Elements in C order, flat or of rows.
pub struct View<'py> {
    owner: Owner<'py>,
    data: *const u8,
    len: usize,
    element: Element,
    /// Length of a row, where the value has rows.
    pub columns: Option<usize>,
}

impl<'py> View<'py> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// An object that gives the same view again without a copy.
    pub fn object(&self) -> &Bound<'py, PyAny> {
        match &self.owner {
            Owner::Object(object) | Owner::Dlpack(object, _) => object,
        }
    }

    /// The elements as the core takes keys and values.
    pub fn tensor(&self) -> Tensor<'_> {
        match self.element {
            Element::F16 => Tensor::F16(self.slice::<f16>()),
            Element::Bf16 => Tensor::Bf16(self.slice::<bf16>()),
            Element::F32 | Element::Other => Tensor::F32(self.slice::<f32>()),
        }
    }

    /// The elements in single precision; copied only where they are stored in 16 bits.
    pub fn floats(&self) -> Cow<'_, [f32]> {
        match self.tensor() {
            Tensor::F32(slice) => Cow::Borrowed(slice),
            other => Cow::Owned(other.iter().collect()),
        }
    }

    /// First and last byte.
    pub fn bytes(&self) -> (usize, usize) {
        let width = if self.element == Element::F32 { 4 } else { 2 };
        (self.data.addr(), self.data.addr() + self.len * width)
    }

    fn slice<T>(&self) -> &[T] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: `View`s are made only of memory that is aligned for its type, in C order and of this many elements, and
        // its owner lives as long as the view. A caller's other thread that writes meanwhile gets numbers of either time,
        // as with NumPy's own functions.
        unsafe { std::slice::from_raw_parts(self.data.cast(), self.len) }
    }
}

/// Reads an argument of one or two dimensions.
///
/// float32, float16 and bfloat16 in C order are taken as they are, everything else that is numbers is converted.
#[inline]
pub fn tensor<'py>(value: &Bound<'py, PyAny>, argument: &str) -> PyResult<View<'py>> {
    match Raw::of(value) {
        Some(raw) if raw.type_num == FLOAT && raw.readable() => {
            view(value.clone(), &raw, Element::F32, argument)
        }
        Some(_) => array(value.clone(), argument),
        None => other(value, argument),
    }
}

/// An array of one dimension.
#[inline]
pub fn vector<'py>(value: &Bound<'py, PyAny>, argument: &str) -> PyResult<View<'py>> {
    let view = tensor(value, argument)?;
    match view.columns {
        None => Ok(view),
        Some(_) => Err(error::kind(value.py(), argument, "an array of one dimension")),
    }
}

fn view<'py>(object: Bound<'py, PyAny>, raw: &Raw, element: Element, argument: &str) -> PyResult<View<'py>> {
    let columns = columns(object.py(), raw.dimensions, raw.shape[1], argument)?;
    Ok(View { owner: Owner::Object(object), data: raw.data, len: raw.len(), element, columns })
}

fn columns(py: Python<'_>, dimensions: usize, second: usize, argument: &str) -> PyResult<Option<usize>> {
    match dimensions {
        1 => Ok(None),
        2 => Ok(Some(second)),
        _ => Err(error::kind(py, argument, "an array of one or two dimensions")),
    }
}

/// Any NumPy array: 16-bit ones as they are, others converted.
fn array<'py>(value: Bound<'py, PyAny>, argument: &str) -> PyResult<View<'py>> {
    let py = value.py();
    let Some(raw) = Raw::of(&value) else { return Err(error::kind(py, argument, NUMBERS)) };
    if raw.readable() {
        match raw.type_num {
            FLOAT => return view(value, &raw, Element::F32, argument),
            HALF => return view(value, &raw, Element::F16, argument),
            FIRST_FOREIGN.. if is_bfloat16(&value)? => return view(value, &raw, Element::Bf16, argument),
            _ => {}
        }
    }
    let converted = convert(&value).map_err(|cause| error::kind_from(py, argument, NUMBERS, cause))?;
    match Raw::of(&converted) {
        Some(raw) if raw.type_num == FLOAT && raw.readable() => view(converted, &raw, Element::F32, argument),
        _ => Err(error::kind(py, argument, NUMBERS)),
    }
}

const NUMBERS: &str = "an array of real numbers";

/// The type that the package ml_dtypes adds to NumPy.
fn is_bfloat16(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(value.getattr("dtype")?.getattr("name")?.extract::<String>()? == "bfloat16")
}

/// A copy in float32.
fn convert<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let dtype = value.getattr("dtype")?;
    let letter: String = dtype.getattr("kind")?.extract()?;
    if !matches!(letter.as_str(), "f" | "i" | "u") && !is_bfloat16(value)? {
        return Err(PyTypeError::new_err(format!("its dtype is {}", dtype.str()?)));
    }
    let numpy = value.py().import("numpy")?;
    let options = pyo3::types::PyDict::new(value.py());
    options.set_item("over", "ignore")?;
    // Numbers beyond float32 become infinite and are refused with their index; a warning besides says less.
    let quiet = numpy.call_method("errstate", (), Some(&options))?;
    quiet.call_method0("__enter__")?;
    let copied = value.call_method1("astype", (numpy.getattr("float32")?, "C"));
    let none = value.py().None();
    quiet.call_method1("__exit__", (&none, &none, &none))?;
    copied
}

/// What is not an array: a tensor of another library, or what NumPy makes an array of.
fn other<'py>(value: &Bound<'py, PyAny>, argument: &str) -> PyResult<View<'py>> {
    let py = value.py();
    if dlpack::offered(value) {
        return foreign(value, argument);
    }
    match as_array(value) {
        Ok(made) => array(made, argument),
        Err(cause) => Err(error::kind_from(py, argument, NUMBERS, cause)),
    }
}

fn as_array<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static AS_ARRAY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = value.py();
    let function =
        AS_ARRAY.get_or_try_init(py, || Ok::<_, PyErr>(py.import("numpy")?.getattr("asarray")?.unbind()))?;
    function.bind(py).call1((value,))
}

fn foreign<'py>(value: &Bound<'py, PyAny>, argument: &str) -> PyResult<View<'py>> {
    let py = value.py();
    let borrowed = dlpack::borrow(value, argument)?;
    let element = borrowed.element();
    let shape = borrowed.shape().ok_or_else(|| error::kind(py, argument, NUMBERS))?;
    let len = shape.iter().try_fold(1_usize, |total, &size| total.checked_mul(size));
    let len = len.ok_or_else(|| error::kind(py, argument, "a tensor of a possible size"))?;
    let aligned = borrowed.data().addr().is_multiple_of(if element == Element::F32 { 4 } else { 2 });
    let readable = aligned && (len == 0 || !borrowed.data().is_null());
    if element != Element::Other && readable && borrowed.is_contiguous(&shape) {
        let columns = columns(py, shape.len(), shape.last().copied().unwrap_or(1), argument)?;
        let data = borrowed.data();
        return Ok(View { owner: Owner::Dlpack(value.clone(), borrowed), data, len, element, columns });
    }
    drop(borrowed);
    let made = py.import("numpy")?.call_method1("from_dlpack", (value,));
    array(made.map_err(|cause| error::kind_from(py, argument, NUMBERS, cause))?, argument)
}

/// The flags of a mask.
pub fn mask(value: &Bound<'_, PyAny>) -> PyResult<Vec<bool>> {
    const NEEDED: &str = "booleans, one a key";
    let py = value.py();
    let made = match Raw::of(value) {
        Some(_) => value.clone(),
        None => as_array(value).map_err(|cause| error::kind_from(py, "mask", NEEDED, cause))?,
    };
    let made = match Raw::of(&made) {
        Some(raw) if raw.readable() => made,
        Some(_) => made.call_method1("copy", ("C",))?,
        None => return Err(error::kind(py, "mask", NEEDED)),
    };
    let raw = Raw::of(&made).filter(|raw| raw.readable() && raw.dimensions == 1);
    match raw {
        Some(raw) if raw.len() == 0 => Ok(Vec::new()),
        Some(raw) if matches!(raw.type_num, BOOL | BYTE) => {
            // SAFETY: an array in C order of this many elements of one byte, alive for as long as `made`.
            let bytes = unsafe { std::slice::from_raw_parts(raw.data.cast_const(), raw.len()) };
            Ok(bytes.iter().map(|&byte| byte != 0).collect())
        }
        _ => Err(error::kind(py, "mask", NEEDED)),
    }
}

/// Rows that a value spells out have to be of the length that is needed.
pub fn check_columns(py: Python<'_>, view: &View<'_>, argument: &'static str, dim: usize) -> PyResult<()> {
    match view.columns {
        Some(found) if found != dim => {
            Err(error::refused(py, &Error::Length { argument, found, needed: Needed::Exactly(dim) }))
        }
        _ => Ok(()),
    }
}

/// Values that are rows have to be as many rows as there are keys; keys that are no whole rows are the core's to refuse.
pub fn check_rows(py: Python<'_>, values: &View<'_>, keys: &View<'_>, dim: usize) -> PyResult<()> {
    let n = match keys.len().checked_rem(dim) {
        Some(0) if keys.len() > 0 => keys.len() / dim,
        _ => return Ok(()),
    };
    match values.columns {
        Some(columns) if columns.checked_mul(n) != Some(values.len()) => {
            let needed = Needed::Exactly(columns.saturating_mul(n));
            Err(error::refused(py, &Error::Length { argument: "values", found: values.len(), needed }))
        }
        _ => Ok(()),
    }
}

/// A number that is not negative and has no fraction.
pub fn count(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<usize> {
    let py = value.py();
    let answer = match value.is_instance_of::<pyo3::types::PyBool>() {
        true => None,
        false => value.extract().ok(),
    };
    answer.ok_or_else(|| error::kind(py, argument, "an integer from 0 to 2**63"))
}

/// Any real number.
pub fn number(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<f64> {
    let py = value.py();
    let answer = match value.is_instance_of::<pyo3::types::PyBool>() {
        true => None,
        false => value.extract().ok(),
    };
    answer.ok_or_else(|| error::kind(py, argument, "a number"))
}

/// True or False.
#[inline]
pub fn flag(value: Option<&Bound<'_, PyAny>>, argument: &str) -> PyResult<bool> {
    match value {
        None => Ok(false),
        Some(value) => value.extract().map_err(|_| error::kind(value.py(), argument, "True or False")),
    }
}

/// A text.
pub fn text(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<String> {
    value.extract().map_err(|_| error::kind(value.py(), argument, "a string"))
}

/// Bytes of anything that has the buffer protocol.
pub fn bytes(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<Vec<u8>> {
    let py = value.py();
    if let Ok(data) = value.cast::<pyo3::types::PyBytes>() {
        return Ok(data.as_bytes().to_vec());
    }
    let memory: Bound<'_, PyType> = py.get_type::<pyo3::types::PyMemoryView>();
    let copied = memory.call1((value,)).and_then(|view| view.call_method0("tobytes"));
    let copied = copied.map_err(|cause| error::kind_from(py, argument, "bytes", cause))?;
    copied.extract::<Vec<u8>>()
}
