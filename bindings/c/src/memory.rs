//! Pointers from C, checked before they are used; and memory for hosts that have none of their own.

use std::alloc::{alloc_zeroed, dealloc, Layout};
use std::ffi::{c_char, c_void, CStr};

use crate::status::{guard, Failure};

fn check<T>(pointer: *const T, count: usize, argument: &'static str) -> Result<(), Failure> {
    if pointer.is_null() {
        return Err(Failure::Pointer(argument, "is NULL"));
    }
    if !pointer.is_aligned() {
        return Err(Failure::Pointer(argument, "is not aligned for its type"));
    }
    // A slice may not span more than half of the address space.
    match count.checked_mul(size_of::<T>()) {
        Some(bytes) if bytes <= isize::MAX as usize => Ok(()),
        _ => Err(Failure::Pointer(argument, "cannot have that many elements")),
    }
}

/// # Safety
/// If not NULL, `pointer` is readable for `count` elements while `'a` lasts, and nothing writes to them.
pub(crate) unsafe fn slice<'a, T>(
    pointer: *const T,
    count: usize,
    argument: &'static str,
) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    check(pointer, count, argument)?;
    // SAFETY: checked not null, aligned and of a possible size; the caller vouches for the rest.
    Ok(unsafe { std::slice::from_raw_parts(pointer, count) })
}

/// # Safety
/// If not NULL, `pointer` is writable for `count` initialised elements while `'a` lasts, and nothing else uses them.
pub(crate) unsafe fn slice_mut<'a, T>(
    pointer: *mut T,
    count: usize,
    argument: &'static str,
) -> Result<&'a mut [T], Failure> {
    if count == 0 {
        return Ok(&mut []);
    }
    check(pointer, count, argument)?;
    // SAFETY: checked not null, aligned and of a possible size; the caller vouches for the rest.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, count) })
}

/// # Safety
/// If not NULL, `pointer` is readable as a `T` while `'a` lasts, and nothing writes to it.
pub(crate) unsafe fn reference<'a, T>(pointer: *const T, argument: &'static str) -> Result<&'a T, Failure> {
    check(pointer, 1, argument)?;
    // SAFETY: checked not null and aligned; the caller vouches for the rest.
    Ok(unsafe { &*pointer })
}

/// # Safety
/// If not NULL, `pointer` is writable as a `T`.
pub(crate) unsafe fn write<T>(pointer: *mut T, argument: &'static str, value: T) -> Result<(), Failure> {
    check(pointer, 1, argument)?;
    // SAFETY: checked not null and aligned; the caller vouches for the rest. What was there is not dropped.
    unsafe { pointer.write(value) };
    Ok(())
}

/// # Safety
/// If not NULL, `pointer` is a text that ends with NUL and stays as it is while `'a` lasts.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, argument: &'static str) -> Result<&'a str, Failure> {
    check(pointer, 1, argument)?;
    // SAFETY: checked not null; the caller vouches for the rest.
    unsafe { CStr::from_ptr(pointer) }.to_str().map_err(|_| Failure::Text(argument))
}

/// Moves a value to the heap and writes its address, NULL first: a call that fails leaves no handle behind.
///
/// # Safety
/// `out` is NULL or may be written.
pub(crate) unsafe fn hand_out<T>(
    out: *mut *mut T,
    make: impl FnOnce() -> Result<T, Failure>,
) -> Result<(), Failure> {
    // SAFETY: by this function's contract.
    unsafe { write(out, "out", std::ptr::null_mut()) }?;
    let handle = Box::new(make()?);
    // SAFETY: by this function's contract.
    unsafe { write(out, "out", Box::into_raw(handle)) }
}

/// Takes a handle back and drops it; NULL is ignored.
///
/// # Safety
/// The handle came from `hand_out`, was not taken back before and is not in use.
pub(crate) unsafe fn take_back<T>(handle: *mut T) {
    if !handle.is_null() {
        guard(|| {
            // SAFETY: by this function's contract the pointer came from Box::into_raw and is not used again.
            drop(unsafe { Box::from_raw(handle) });
            Ok(())
        });
    }
}

fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size, 16).ok().filter(|layout| layout.size() > 0)
}

/// `size` zeroed bytes aligned to 16, or NULL; for hosts, such as those of WebAssembly, that cannot allocate in the
/// library's memory otherwise. Give them back with `rvattn_dealloc`.
#[no_mangle]
pub extern "C" fn rvattn_alloc(size: usize) -> *mut c_void {
    match layout(size) {
        // SAFETY: the layout's size is not zero.
        Some(layout) => unsafe { alloc_zeroed(layout) }.cast(),
        None => std::ptr::null_mut(),
    }
}

/// Gives back memory of `rvattn_alloc`; `size` is the size that was asked for. NULL is ignored.
///
/// # Safety
/// `pointer` came from `rvattn_alloc(size)` and was not given back before.
#[no_mangle]
pub unsafe extern "C" fn rvattn_dealloc(pointer: *mut c_void, size: usize) {
    if let (false, Some(layout)) = (pointer.is_null(), layout(size)) {
        // SAFETY: by this function's contract the block was allocated with this layout.
        unsafe { dealloc(pointer.cast(), layout) }
    }
}
