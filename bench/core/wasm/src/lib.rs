//! What `rva bench core` measures in WebAssembly: tensors stay in the module's memory, so that a call's time is the
//! kernels' alone. No binding: numbers and addresses cross the border as they are.

use ruvector_attention::{
    Attention, Inputs, Kernel, MultiHeadAttention, Options, Result, ScaledDotProductAttention, Workspace,
};

/// A line of the processor's caches.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Elements from the start of a line on, as the native driver has them: a vector that straddles two lines is read twice.
struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    fn new(len: usize) -> Self {
        Buffer { lines: vec![Line([0.0; 16]); len.div_ceil(16)], len }
    }

    fn as_slice(&self) -> &[f32] {
        // SAFETY: lines follow each other without gaps and hold `len` elements or more.
        unsafe { core::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { core::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

/// A prepared measurement.
pub struct Case {
    attention: Box<dyn Attention>,
    dim: usize,
    options: Options<'static>,
    queries: Buffer,
    keys: Buffer,
    values: Buffer,
    out: Buffer,
    workspace: Workspace,
}

impl Case {
    fn new(dim: usize, heads: usize, queries: usize, keys: usize, options: Options<'static>) -> Result<Self> {
        let attention: Box<dyn Attention> = match heads {
            1 => Box::new(ScaledDotProductAttention::new(dim)?),
            _ => Box::new(MultiHeadAttention::new(heads, dim, 0.0)?),
        };
        Ok(Case {
            attention,
            dim,
            options,
            queries: Buffer::new(queries * dim),
            keys: Buffer::new(keys * dim),
            values: Buffer::new(keys * dim),
            out: Buffer::new(queries * dim),
            workspace: Workspace::new(),
        })
    }

    fn run(&mut self) -> Result<()> {
        let Case { attention, dim, options, queries, keys, values, out, workspace } = self;
        let inputs = Inputs::new(queries.as_slice(), *dim, keys.as_slice(), values.as_slice());
        attention.forward_into(&inputs, options, workspace, out.as_mut_slice())
    }
}

/// Gets a measurement ready, its tensors full of zeros; values are as wide as keys. `neighbors` of 0 means all keys.
/// Returns null where the sizes do not fit each other.
#[no_mangle]
pub extern "C" fn prepare(
    dim: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    causal: bool,
    neighbors: usize,
) -> *mut Case {
    let neighbors = (neighbors > 0).then_some(neighbors);
    let options = Options { causal, neighbors, ..Options::default() };
    Case::new(dim, heads, queries, keys, options)
        .map_or(core::ptr::null_mut(), |case| Box::into_raw(Box::new(case)))
}

/// Where a tensor lies: 0 queries, 1 keys, 2 values, else the result.
///
/// # Safety
///
/// `case` came from [`prepare`] and was not released.
#[no_mangle]
pub unsafe extern "C" fn tensor(case: *mut Case, which: u32) -> *mut f32 {
    // SAFETY: by the caller's promise; the module has one thread.
    let case = unsafe { &mut *case };
    match which {
        0 => case.queries.as_mut_slice().as_mut_ptr(),
        1 => case.keys.as_mut_slice().as_mut_ptr(),
        2 => case.values.as_mut_slice().as_mut_ptr(),
        _ => case.out.as_mut_slice().as_mut_ptr(),
    }
}

/// Calls so many times; false where a call fails.
///
/// # Safety
///
/// As for [`tensor`].
#[no_mangle]
pub unsafe extern "C" fn run(case: *mut Case, times: u32) -> bool {
    // SAFETY: as there.
    let case = unsafe { &mut *case };
    (0..times).all(|_| case.run().is_ok())
}

/// Forgets a measurement and its tensors.
///
/// # Safety
///
/// As for [`tensor`].
#[no_mangle]
pub unsafe extern "C" fn release(case: *mut Case) {
    // SAFETY: as there.
    drop(unsafe { Box::from_raw(case) });
}

/// The kernel that computes: 0 scalar, 1 simd128, 2 relaxed-simd, 3 another.
#[no_mangle]
pub extern "C" fn kernel() -> u32 {
    let names = ["scalar", "simd128", "relaxed-simd"];
    names.iter().position(|name| *name == Kernel::detect().name()).map_or(3, |level| level as u32)
}
