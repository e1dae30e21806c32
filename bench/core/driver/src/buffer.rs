//! Tensors on 2 MiB boundaries, where the system can give them large pages.

use ruvector_attention::{bf16, f16};
use std::alloc::{alloc_zeroed, dealloc, handle_alloc_error, Layout};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::ptr::NonNull;
use std::slice;

const LARGE_PAGE: usize = 2 << 20;

/// The bytes of a tensor file: little-endian elements, row by row.
pub struct Buffer {
    start: NonNull<u8>,
    layout: Layout,
    len: usize,
}

impl Buffer {
    /// Reads a whole file.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let mut buffer = Self::zeroed(len)?;
        file.read_exact(buffer.bytes_mut())?;
        Ok(buffer)
    }

    fn zeroed(len: usize) -> io::Result<Self> {
        let size = len.max(1).next_multiple_of(LARGE_PAGE);
        let layout = Layout::from_size_align(size, LARGE_PAGE).map_err(io::Error::other)?;
        // SAFETY: the layout's size is not zero.
        let raw = unsafe { alloc_zeroed(layout) };
        let start = NonNull::new(raw).unwrap_or_else(|| handle_alloc_error(layout));
        #[cfg(target_os = "linux")]
        // SAFETY: the range was just allocated, and the advice changes no content. Refused advice changes nothing.
        unsafe {
            libc::madvise(start.as_ptr().cast(), size, libc::MADV_HUGEPAGE);
        }
        Ok(Self { start, layout, len })
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `len` zeroed bytes were allocated at `start`, and this borrow is the only one.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// The elements of a file of any plain number type.
    pub fn as_slice<T: Number>(&self) -> &[T] {
        // SAFETY: the start is aligned for every number, every bit pattern is one, and `len` bytes are initialised.
        unsafe { slice::from_raw_parts(self.start.as_ptr().cast(), self.len / size_of::<T>()) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and dropped once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

// SAFETY: the buffer owns its bytes, and nothing writes them once it is read.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

/// Element types for which every bit pattern is a value.
///
/// # Safety
///
/// Only for plain numbers whose alignment divides 2 MiB.
pub unsafe trait Number: Copy {}
// SAFETY: each is a plain number.
unsafe impl Number for f32 {}
// SAFETY: as above.
unsafe impl Number for u8 {}
// SAFETY: two bytes, whatever they are.
unsafe impl Number for f16 {}
// SAFETY: as above.
unsafe impl Number for bf16 {}
