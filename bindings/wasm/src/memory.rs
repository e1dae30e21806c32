//! The allocator: rlsf, at addresses from which no vector straddles two lines of the processor's caches.

use rlsf::GlobalTlsf;
use std::alloc::{GlobalAlloc, Layout};

/// Memory in whole vectors. By itself rlsf gives addresses 8 bytes behind a multiple of 16: every fourth vector of a row
/// would be read from two lines.
pub struct Whole(GlobalTlsf);

impl Whole {
    pub const fn new() -> Self {
        Whole(GlobalTlsf::new())
    }

    /// Of an element's alignment, or of a vector's if that is larger.
    fn whole(layout: Layout) -> Layout {
        // A size near the end of all memory is refused in either form.
        layout.align_to(16).unwrap_or(layout)
    }
}

// SAFETY: rlsf's promises; each block is freed with the layout that it was allocated with, because `whole` is a function.
unsafe impl GlobalAlloc for Whole {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.0.alloc(Self::whole(layout)) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.0.dealloc(block, Self::whole(layout)) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.0.realloc(block, Self::whole(layout), size) }
    }
}
