//! Tensors of other libraries, by the DLPack protocol: on the CPU and without a copy.

use std::ffi::{c_void, CStr};

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::error;

const FRESH: &CStr = c"dltensor";
const USED: &CStr = c"used_dltensor";
/// The only device whose memory can be read here.
const CPU: i32 = 1;

#[repr(C)]
struct Device {
    kind: i32,
    id: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct DataType {
    code: u8,
    bits: u8,
    lanes: u16,
}

#[repr(C)]
struct DlTensor {
    data: *mut c_void,
    device: Device,
    ndim: i32,
    dtype: DataType,
    shape: *mut i64,
    strides: *mut i64,
    byte_offset: u64,
}

#[repr(C)]
struct Managed {
    tensor: DlTensor,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut Managed)>,
}

/// What an element is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Element {
    F32,
    F16,
    Bf16,
    Other,
}

/// A tensor that its producer keeps alive until this is dropped.
pub struct Borrowed(*mut Managed);

impl Drop for Borrowed {
    fn drop(&mut self) {
        // SAFETY: taken from its capsule once, in `borrow`; the protocol says that its consumer calls the deleter once.
        unsafe {
            if let Some(delete) = (*self.0).deleter {
                delete(self.0);
            }
        }
    }
}

impl Borrowed {
    fn tensor(&self) -> &DlTensor {
        // SAFETY: the producer keeps the tensor until the deleter is called, which only `drop` does.
        unsafe { &(*self.0).tensor }
    }

    pub fn element(&self) -> Element {
        let DataType { code, bits, lanes } = self.tensor().dtype;
        match (code, bits, lanes) {
            (2, 32, 1) => Element::F32,
            (2, 16, 1) => Element::F16,
            (4, 16, 1) => Element::Bf16,
            _ => Element::Other,
        }
    }

    /// The first element.
    pub fn data(&self) -> *const u8 {
        let tensor = self.tensor();
        tensor.data.cast::<u8>().cast_const().wrapping_add(tensor.byte_offset as usize)
    }

    /// Sizes of the dimensions; `None` where they are nonsense.
    pub fn shape(&self) -> Option<Vec<usize>> {
        self.numbers(self.tensor().shape)?.iter().map(|&size| usize::try_from(size).ok()).collect()
    }

    /// Whether the elements stand row by row without gaps.
    pub fn is_contiguous(&self, shape: &[usize]) -> bool {
        if self.tensor().strides.is_null() {
            return true;
        }
        let Some(strides) = self.numbers(self.tensor().strides) else { return false };
        let mut needed = 1;
        shape.iter().zip(strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == needed;
            needed *= size as i64;
            fits
        })
    }

    fn numbers(&self, first: *const i64) -> Option<&[i64]> {
        let count = usize::try_from(self.tensor().ndim).ok()?;
        match (count, first.is_null()) {
            (0, _) => Some(&[]),
            (_, true) => None,
            // SAFETY: by the protocol it points to as many numbers as there are dimensions, alive as long as the tensor.
            _ => Some(unsafe { std::slice::from_raw_parts(first, count) }),
        }
    }
}

/// Whether the value follows the protocol.
pub fn offered(value: &Bound<'_, PyAny>) -> bool {
    value.hasattr("__dlpack__").unwrap_or(false) && value.hasattr("__dlpack_device__").unwrap_or(false)
}

/// Borrows the value's memory; refuses tensors of another device.
pub fn borrow(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<Borrowed> {
    let py = value.py();
    let refused = |cause| error::kind_from(py, argument, "a tensor that can be exported by DLPack", cause);
    let device = value.call_method0("__dlpack_device__").map_err(refused)?;
    let (kind, _): (i32, i64) = device.extract().map_err(refused)?;
    if kind != CPU {
        let message = format!(
            "{argument}: the tensor is on device {kind}, needed one in the CPU's memory; copy it there first"
        );
        return Err(error::exception(py, "device", argument, message));
    }
    let capsule = value.call_method0("__dlpack__").map_err(refused)?;
    // SAFETY: the pointer is a live object's; the name says that the pointer inside is a managed tensor that nobody has
    // taken yet, and renaming the capsule takes it.
    let managed = unsafe {
        let raw = capsule.as_ptr();
        if ffi::PyCapsule_IsValid(raw, FRESH.as_ptr()) == 0 {
            None
        } else {
            let managed = ffi::PyCapsule_GetPointer(raw, FRESH.as_ptr()).cast::<Managed>();
            (ffi::PyCapsule_SetName(raw, USED.as_ptr()) == 0).then_some(Borrowed(managed))
        }
    };
    managed.ok_or_else(|| refused(PyBufferError::new_err("__dlpack__ returned no capsule named dltensor")))
}
