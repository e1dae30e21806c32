//! Tensors: Float32Arrays in place, rows and plain numbers copied.

use std::cell::RefCell;
use std::ffi::{c_void, CStr};
use std::ops::Deref;
use std::ptr::null_mut;
use std::slice;
use std::sync::{Arc, Weak};

use attention::{Error, Needed};
use napi::sys;
use rustc_hash::FxHashMap;

use crate::error::{Failure, Result};
use crate::instance;
use crate::js::{node, Env, Kept, Kind, Value};
use crate::types;

const FLOAT32: sys::napi_typedarray_type = sys::TypedarrayType::float32_array;
const UINT8: sys::napi_typedarray_type = sys::TypedarrayType::uint8_array;

/// Elements of the array that the copier writes to.
const SCRATCH: usize = 1 << 14;
/// Elements from which on a copy is worth sharing.
const SHARED: usize = 1 << 12;
/// Elements from which on it is asked whether there is memory for them: without, V8 ends the process.
const LARGE: usize = 1 << 18;
/// Elements up to which a result is copied into JavaScript's memory.
const COPIED: usize = 1 << 14;
/// Most elements of a typed array in all versions of V8 that are supported.
const MOST: usize = if usize::BITS == 64 { u32::MAX as usize } else { (1 << 28) - 1 };

/// What Node-API says of a typed array.
struct Memory<'e> {
    kind: sys::napi_typedarray_type,
    length: usize,
    data: *mut u8,
    buffer: Value<'e>,
    offset: usize,
}

/// Where a typed array is; `None` if it is none.
///
/// Errors: its memory belongs to several threads, which may write while it is read.
#[inline(always)]
fn memory<'e>(value: Value<'e>, argument: &str) -> Result<Option<Memory<'e>>> {
    let (mut kind, mut length, mut data, mut buffer, mut offset) = (-1, 0, null_mut(), null_mut(), 0);
    let env = value.env().raw();
    // SAFETY: all come from the running callback; of what is no typed array Node-API says so.
    let status = unsafe {
        sys::napi_get_typedarray_info(
            env,
            value.raw(),
            &mut kind,
            &mut length,
            &mut data,
            &mut buffer,
            &mut offset,
        )
    };
    if status != sys::Status::napi_ok {
        return Ok(None);
    }
    let mut own = false;
    node!(napi_is_arraybuffer(env, buffer, &mut own))?;
    if !own {
        return Err(shared(argument));
    }
    // An array whose buffer was transferred away has no elements, and perhaps no address.
    let data = if length == 0 { std::ptr::dangling_mut::<f32>().cast() } else { data.cast() };
    // SAFETY: Node-API answered it in this callback.
    let buffer = unsafe { value.env().value(buffer) };
    Ok(Some(Memory { kind, length, data, buffer, offset }))
}

#[cold]
fn shared(argument: &str) -> Failure {
    Failure::kind(argument, "an array of this thread, not one over a SharedArrayBuffer")
}

/// The numbers of a Float32Array, in place; `None` if it is none.
///
/// No JavaScript may run while the slice is used: it could detach or resize the buffer.
#[inline(always)]
pub fn floats<'e>(value: Value<'e>, argument: &str) -> Result<Option<&'e [f32]>> {
    Ok(match memory(value, argument)? {
        Some(Memory { kind: FLOAT32, length, data, .. }) => {
            // SAFETY: Node-API answered this address for so many aligned f32, which stay while no JavaScript runs.
            Some(unsafe { slice::from_raw_parts(data.cast(), length) })
        }
        _ => None,
    })
}

/// Where a call writes its result.
///
/// # Safety
///
/// Besides what [`floats`] asks for, nothing else may borrow these numbers.
unsafe fn floats_mut<'e>(value: Value<'e>, argument: &str) -> Result<&'e mut [f32]> {
    match memory(value, argument)? {
        Some(Memory { kind: FLOAT32, length, data, .. }) => {
            // SAFETY: as in `floats`; the caller sees to it that nobody else borrows it.
            Ok(unsafe { slice::from_raw_parts_mut(data.cast(), length) })
        }
        _ => Err(Failure::kind(argument, "a Float32Array")),
    }
}

/// The bytes of a Uint8Array, copied; `None` if it is none.
pub fn bytes(value: Value<'_>, argument: &str) -> Result<Option<Vec<u8>>> {
    Ok(match memory(value, argument)? {
        Some(Memory { kind: UINT8, length, data, .. }) => {
            // SAFETY: Node-API answered this address for so many bytes, and no JavaScript runs before they are copied.
            Some(copy(unsafe { slice::from_raw_parts(data, length) }, argument)?)
        }
        _ => None,
    })
}

/// A Uint8Array of these bytes.
pub fn from_bytes<'e>(env: Env<'e>, bytes: &[u8]) -> Result<Value<'e>> {
    let (buffer, data) = array_buffer(env, bytes.len())?;
    // SAFETY: Node-API made the buffer this long just now.
    unsafe { slice::from_raw_parts_mut(data, bytes.len()) }.copy_from_slice(bytes);
    view(env, UINT8, bytes.len(), buffer)
}

/// A new Float32Array of zeros, and its numbers. Nothing is written: a large one takes no memory until it is used.
pub fn zeros(env: Env<'_>, length: usize) -> Result<(Value<'_>, &mut [f32])> {
    let (buffer, data) = array_buffer(env, length.saturating_mul(size_of::<f32>()))?;
    let array = view(env, FLOAT32, length, buffer)?;
    // SAFETY: Node-API made the buffer this long just now, aligned for any element; nobody else knows it.
    Ok((array, unsafe { slice::from_raw_parts_mut(data.cast(), length) }))
}

fn array_buffer(env: Env<'_>, bytes: usize) -> Result<(sys::napi_value, *mut u8)> {
    if bytes / size_of::<f32>() > LARGE {
        let reserved = Vec::<u8>::new().try_reserve_exact(bytes);
        if reserved.is_err() || bytes / size_of::<f32>() > MOST {
            return Err(Error::TooLarge { argument: "out" }.into());
        }
    }
    let (mut buffer, mut data) = (null_mut(), null_mut());
    node!(napi_create_arraybuffer(env.raw(), bytes, &mut data, &mut buffer))?;
    let data = if bytes == 0 { std::ptr::dangling_mut::<f32>().cast() } else { data };
    Ok((buffer, data.cast()))
}

fn view(
    env: Env<'_>,
    kind: sys::napi_typedarray_type,
    length: usize,
    buffer: sys::napi_value,
) -> Result<Value<'_>> {
    let mut array = null_mut();
    node!(napi_create_typedarray(env.raw(), kind, length, buffer, 0, &mut array))?;
    // SAFETY: it was made in this callback.
    Ok(unsafe { env.value(array) })
}

/// A result as a new Float32Array.
pub fn from_floats<'e>(env: Env<'e>, numbers: &[f32]) -> Result<Value<'e>> {
    let (array, room) = zeros(env, numbers.len())?;
    room.copy_from_slice(numbers);
    Ok(array)
}

/// A result from another thread as a Float32Array. A large one is not copied: that would hold the event loop up.
pub fn from_vec(env: Env<'_>, mut numbers: Vec<f32>) -> Result<Value<'_>> {
    if numbers.len() < COPIED {
        return from_floats(env, &numbers);
    }
    let (length, data) = (numbers.len(), numbers.as_mut_ptr().cast());
    let owner = Box::into_raw(Box::new(numbers));
    let mut buffer = null_mut();
    let (bytes, env_raw) = (length * size_of::<f32>(), env.raw());
    // SAFETY: the box keeps the memory until `drop_numbers`, which Node-API calls once if it took the memory.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(
            env_raw,
            data,
            bytes,
            Some(drop_numbers),
            owner.cast(),
            &mut buffer,
        )
    };
    if status == sys::Status::napi_ok {
        return view(env, FLOAT32, length, buffer);
    }
    // SAFETY: Node-API did not take it; some runtimes take no foreign memory.
    let numbers = unsafe { Box::from_raw(owner) };
    from_floats(env, &numbers)
}

unsafe extern "C" fn drop_numbers(_: sys::napi_env, _: *mut c_void, owner: *mut c_void) {
    // SAFETY: `from_vec` made it of a box, and Node-API calls this once.
    drop(unsafe { Box::from_raw(owner.cast::<Vec<f32>>()) });
}

/// Room for a result that becomes no array at once.
pub fn zeroed(length: usize) -> Result<Vec<f32>> {
    let mut numbers = room(length, "out")?;
    numbers.resize(length, 0.0);
    Ok(numbers)
}

/// Rows of one width as an array of Float32Arrays.
pub fn from_rows<'e>(env: Env<'e>, flat: &[f32], rows: usize) -> Result<Value<'e>> {
    let array = env.array(rows)?;
    for (index, row) in flat.chunks((flat.len() / rows.max(1)).max(1)).enumerate() {
        env.scope(|| array.set_element(index as u32, from_floats(env, row)?))?;
    }
    Ok(array)
}

/// Runs `compute` on room for a result: a new array, or the caller's `out`.
///
/// `compute` must not run JavaScript. Where `out` lies over an input, it computes elsewhere first.
#[inline(always)]
pub fn with_result<'e>(
    env: Env<'e>,
    out: Option<Value<'e>>,
    length: usize,
    inputs: &[&[f32]],
    compute: impl FnOnce(&mut [f32]) -> Result<()>,
) -> Result<Value<'e>> {
    let Some(array) = out else {
        let (array, room) = zeros(env, length)?;
        compute(room)?;
        return Ok(array);
    };
    // SAFETY: the slice is used only where it was seen to lie apart from the inputs, or after they were read.
    let room = unsafe { floats_mut(array, "out")? };
    check_length(room.len(), length, "out")?;
    fill(room, inputs, compute)?;
    Ok(array)
}

/// Computes in place where that lies apart from the inputs, else elsewhere first.
#[inline(always)]
fn fill(room: &mut [f32], inputs: &[&[f32]], compute: impl FnOnce(&mut [f32]) -> Result<()>) -> Result<()> {
    let span = room.as_ptr_range();
    let apart = |input: &&[f32]| {
        let other = input.as_ptr_range();
        other.end <= span.start || span.end <= other.start
    };
    if inputs.iter().all(apart) {
        return compute(room);
    }
    let mut elsewhere = copy(room, "out")?;
    compute(&mut elsewhere)?;
    room.copy_from_slice(&elsewhere);
    Ok(())
}

/// A Float32Array's place in its buffer. Where that is now is asked at each use: in between it may have been transferred
/// away or resized.
pub struct Place {
    buffer: Kept,
    offset: usize,
    length: usize,
}

impl Place {
    pub fn of(value: Value<'_>, argument: &str) -> Result<Self> {
        match memory(value, argument)? {
            Some(Memory { kind: FLOAT32, length, buffer, offset, .. }) => {
                Ok(Place { buffer: buffer.keep()?, offset, length })
            }
            _ => Err(Failure::kind(argument, "a Float32Array, which each run reads anew")),
        }
    }

    pub fn release(self, env: Env<'_>) {
        self.buffer.release(env);
    }

    pub fn check_length(&self, needed: usize, argument: &'static str) -> Result<()> {
        check_length(self.length, needed, argument)
    }

    /// Address of the first number.
    ///
    /// Errors: the buffer has not all of them any more.
    #[inline(always)]
    fn address(&self, env: Env<'_>, argument: &'static str) -> Result<*mut f32> {
        let (mut data, mut bytes) = (null_mut(), 0);
        node!(napi_get_arraybuffer_info(env.raw(), self.buffer.get(env)?.raw(), &mut data, &mut bytes))?;
        let left = bytes.saturating_sub(self.offset) / size_of::<f32>();
        if left < self.length || self.length == 0 {
            check_length(left, self.length.max(1), argument)?;
        }
        Ok(data.cast::<u8>().wrapping_add(self.offset).cast())
    }

    /// The numbers, in place. No JavaScript may run while they are used.
    #[inline(always)]
    pub fn numbers<'e>(&self, env: Env<'e>, argument: &'static str) -> Result<&'e [f32]> {
        let start = self.address(env, argument)?;
        // SAFETY: the buffer has so many bytes from there on, which stay while no JavaScript runs. They are aligned: a
        // Float32Array begins at a multiple of its element's size.
        Ok(unsafe { slice::from_raw_parts(start, self.length) })
    }

    /// Writes what `compute`, which must not run JavaScript, makes of the inputs.
    #[inline(always)]
    pub fn fill(
        &self,
        env: Env<'_>,
        argument: &'static str,
        inputs: &[&[f32]],
        compute: impl FnOnce(&mut [f32]) -> Result<()>,
    ) -> Result<()> {
        let start = self.address(env, argument)?;
        // SAFETY: as in `numbers`; `fill` uses the slice only where it lies apart from the inputs, or after they were read.
        fill(unsafe { slice::from_raw_parts_mut(start, self.length) }, inputs, compute)
    }
}

fn check_length(found: usize, needed: usize, argument: &'static str) -> Result<()> {
    match found == needed {
        true => Ok(()),
        false => Err(Error::Length { argument, found, needed: Needed::Exactly(needed) }.into()),
    }
}

/// The numbers of an argument.
pub enum Data<'a> {
    /// In place: no JavaScript may run.
    Here(&'a [f32]),
    Copied(Spare),
    Own(Vec<f32>),
    Shared(Arc<Vec<f32>>),
}

impl Deref for Data<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Data::Here(numbers) => numbers,
            Data::Copied(numbers) => &numbers.0,
            Data::Own(numbers) => numbers,
            Data::Shared(numbers) => numbers,
        }
    }
}

/// Numbers, and the width of a row where they came as rows.
pub struct Tensor<'a> {
    pub data: Data<'a>,
    pub width: Option<usize>,
}

impl<'a> From<&'a [f32]> for Tensor<'a> {
    fn from(numbers: &'a [f32]) -> Self {
        Tensor { data: Data::Here(numbers), width: None }
    }
}

impl Tensor<'_> {
    /// The same numbers for another thread: copied, unless they are already.
    pub fn into_owned(self, argument: &'static str) -> Result<Tensor<'static>> {
        let data = match self.data {
            Data::Here(numbers) if numbers.len() >= SHARED => Data::Shared(shared_copy(numbers, argument)?),
            Data::Here(numbers) => Data::Own(copy(numbers, argument)?),
            Data::Copied(mut numbers) => Data::Own(std::mem::take(&mut numbers.0)),
            Data::Own(numbers) => Data::Own(numbers),
            Data::Shared(numbers) => Data::Shared(numbers),
        };
        Ok(Tensor { data, width: self.width })
    }

    /// Refuses rows of another width.
    pub fn check_width(&self, needed: usize, argument: &'static str) -> Result<()> {
        match self.width {
            Some(found) if found != needed => {
                Err(Failure::kind(argument, &format!("rows of {needed} numbers, found {found}")))
            }
            _ => Ok(()),
        }
    }
}

/// Room for a copy, which another call of the thread has afterwards.
pub struct Spare(Vec<f32>);

impl Spare {
    /// Most vectors that wait for a call, and their most elements: 16 MiB each.
    const WAITING: usize = 3;
    const LARGEST: usize = 1 << 22;

    fn of(length: usize, argument: &str) -> Result<Self> {
        let spare = SPARES.with_borrow_mut(|spares| {
            let fits = spares.iter().position(|spare| spare.capacity() >= length)?;
            Some(spares.swap_remove(fits))
        });
        spare.map_or_else(|| room(length, argument), Ok).map(Spare)
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        let mut numbers = std::mem::take(&mut self.0);
        if numbers.capacity() == 0 || numbers.capacity() > Self::LARGEST {
            return;
        }
        numbers.clear();
        // At the end of a thread there may be nowhere to wait.
        let _ = SPARES.try_with(|spares| {
            let mut spares = spares.borrow_mut();
            if spares.len() == Self::WAITING {
                spares.remove(0);
            }
            spares.push(numbers);
        });
    }
}

/// A copy, refused where there is no memory for it.
fn copy<T: Copy>(elements: &[T], argument: &str) -> Result<Vec<T>> {
    let mut own = room(elements.len(), argument)?;
    own.extend_from_slice(elements);
    Ok(own)
}

fn room<T>(length: usize, argument: &str) -> Result<Vec<T>> {
    let mut own = Vec::new();
    let reserved = own.try_reserve_exact(length);
    reserved.map_err(|_| Failure::renamed(Error::TooLarge { argument: "elements" }, "elements", argument))?;
    Ok(own)
}

/// Copies by address and length of what they were copied from.
type Copies = FxHashMap<(usize, usize), Weak<Vec<f32>>>;

thread_local! {
    /// Room that earlier calls copied to: new room costs as much as the copy.
    static SPARES: RefCell<Vec<Vec<f32>>> = RefCell::default();
    /// Copies that calls in flight read.
    static COPIES: RefCell<Copies> = RefCell::default();
}

/// A copy, the one of an earlier call if that is still in use and the numbers are the same: a thousand calls in flight
/// over the same keys hold them once.
fn shared_copy(numbers: &[f32], argument: &str) -> Result<Arc<Vec<f32>>> {
    let place = (numbers.as_ptr() as usize, numbers.len());
    COPIES.with_borrow_mut(|copies| {
        let earlier = copies.get(&place).and_then(Weak::upgrade);
        if let Some(earlier) = earlier.filter(|earlier| same_bits(earlier, numbers)) {
            return Ok(earlier);
        }
        if copies.len() == copies.capacity() {
            copies.retain(|_, copy| copy.strong_count() > 0);
        }
        let fresh = Arc::new(copy(numbers, argument)?);
        copies.insert(place, Arc::downgrade(&fresh));
        Ok(fresh)
    })
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    // Piece by piece without branches, in vectors.
    let differ = |(a, b): (&f32, &f32)| a.to_bits() ^ b.to_bits();
    let same = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(differ).fold(0, |any, one| any | one) == 0;
    a.len() == b.len() && a.chunks(1024).zip(b.chunks(1024)).all(same)
}

/// What an argument gives, before its numbers are looked at: reading rows may run JavaScript, which may change the
/// arrays that were read before. So all rows are read first, and arrays are viewed when no JavaScript follows.
pub enum Source<'e> {
    Flat(Value<'e>),
    Copied(Spare, Option<usize>),
}

impl<'e> Source<'e> {
    /// A Float32Array, or an array of numbers.
    pub fn vector(value: Value<'e>, argument: &str) -> Result<Self> {
        const NEEDED: &str = "a Float32Array or an array of numbers";
        if value.is_typed_array() {
            return Ok(Source::Flat(value));
        }
        if !value.is_array() {
            return Err(Failure::kind(argument, NEEDED));
        }
        let env = value.env();
        let (rows, width) = (env.array(1)?, value.length()? as usize);
        rows.set_element(0, value)?;
        let mut numbers = Spare::of(width, argument)?;
        match copy_elements(rows, c"numbers", width, width, &mut numbers.0)? {
            None => Ok(Source::Copied(numbers, None)),
            Some(_) => Err(Failure::kind(argument, NEEDED)),
        }
    }

    /// A flat Float32Array, or rows: arrays of one length, of numbers or Float32Arrays.
    pub fn matrix(value: Value<'e>, argument: &str) -> Result<Self> {
        const NEEDED: &str = "a Float32Array, or an array of Float32Arrays or of arrays of numbers";
        if value.is_typed_array() {
            return Ok(Source::Flat(value));
        }
        if !value.is_array() {
            return Err(Failure::kind(argument, NEEDED));
        }
        let count = value.length()?;
        if count == 0 {
            return Ok(Source::Copied(Spare(Vec::new()), None));
        }
        let first = value.element(0)?;
        let width = match first.is_typed_array() {
            true => types::count(first.get(c"length")?, argument)?,
            false if first.is_array() => first.length()? as usize,
            false => return Err(Failure::kind(argument, NEEDED)),
        };
        let total = width.checked_mul(count as usize);
        let mut numbers = Spare::of(total.unwrap_or(usize::MAX), argument)?;
        match copy_elements(value, c"numbers", width, total.unwrap_or(usize::MAX), &mut numbers.0)? {
            None => Ok(Source::Copied(numbers, Some(width))),
            Some(row) => Err(ragged(argument, row, width)),
        }
    }

    /// The numbers. No JavaScript may run while they are used.
    pub fn view(self, argument: &str) -> Result<Tensor<'e>> {
        Ok(match self {
            Source::Copied(numbers, width) => Tensor { data: Data::Copied(numbers), width },
            Source::Flat(value) => match floats(value, argument)? {
                Some(numbers) => numbers.into(),
                None => return Err(Failure::kind(argument, "a Float32Array, not another typed array")),
            },
        })
    }
}

#[cold]
fn ragged(argument: &str, row: usize, width: usize) -> Failure {
    Failure::kind(argument, &format!("rows of {width} numbers as the first one, row {row} is not"))
}

/// `total` elements out of an array, by a function of copier.js; answers the index of what is of the wrong kind.
fn copy_elements(
    array: Value<'_>,
    function: &CStr,
    width: usize,
    total: usize,
    numbers: &mut Vec<f32>,
) -> Result<Option<usize>> {
    let env = array.env();
    let copier = instance::copier(env)?.get(function)?;
    let (this, width) = (env.undefined()?, env.number(width as f64)?);
    let copy_some = |scratch: Value<'_>, numbers: &mut Vec<f32>| {
        let done = numbers.len();
        let copied = copier.call(this, &[array, env.number(done as f64)?, width, scratch])?;
        let copied = copied.as_number().unwrap_or(0.0);
        if copied < 0.0 {
            return Ok(Some((-1.0 - copied) as usize));
        }
        // Read again after JavaScript ran, which may even have detached it.
        let scratch = floats(scratch, "scratch")?.unwrap_or_default();
        let count = (copied as usize).min(total - done).min(scratch.len());
        numbers.extend_from_slice(scratch.get(..count).unwrap_or_default());
        // Nothing more: the array grew shorter while it was read.
        Ok((count == 0).then_some(0))
    };
    instance::with_scratch(
        env,
        || Ok(zeros(env, SCRATCH)?.0),
        |scratch| {
            while numbers.len() < total {
                if let Some(wrong) = env.scope(|| copy_some(scratch, numbers))? {
                    return Ok(Some(wrong));
                }
            }
            Ok(None)
        },
    )
}

/// One flag a key: the bytes of a Uint8Array that are not 0, or booleans.
pub fn mask(value: Value<'_>) -> Result<Vec<bool>> {
    const NEEDED: &str = "a Uint8Array or an array of booleans";
    if let Some(Memory { kind, length, data, .. }) = memory(value, "mask")? {
        if kind != UINT8 {
            return Err(Failure::kind("mask", NEEDED));
        }
        // SAFETY: Node-API answered this address for so many bytes, and no JavaScript runs before they are copied.
        let bytes = unsafe { slice::from_raw_parts(data, length) };
        let mut flags = room(length, "mask")?;
        flags.extend(bytes.iter().map(|byte| *byte != 0));
        return Ok(flags);
    }
    if value.kind() != Kind::Object || !value.is_array() {
        return Err(Failure::kind("mask", NEEDED));
    }
    let length = value.length()? as usize;
    let mut numbers = room(length, "mask")?;
    match copy_elements(value, c"flags", 1, length, &mut numbers)? {
        None => Ok(numbers.iter().map(|number| *number != 0.0).collect()),
        Some(_) => Err(Failure::kind("mask", NEEDED)),
    }
}
