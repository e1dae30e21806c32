//! What an instruction set has to offer: a pack of `f32` and its arithmetic.

use crate::tensor::{bf16, f16};

/// A pack of [`LANES`](Vector::LANES) `f32` values.
///
/// # Safety
///
/// Every method may be called only where the instruction set is available. `load` and `store` need `LANES` readable
/// or writable elements at the pointer, without alignment.
pub(crate) unsafe trait Vector: Copy {
    /// Number of lanes.
    const LANES: usize;
    /// Rows of the matrix micro-kernel, which keeps two vectors a row in registers.
    const ROWS: usize;
    /// Whether the compilers behind move all loads of a loop's body before its arithmetic, as V8's and Cranelift do: what is
    /// loaded and what is summed must then fit 15 registers together, or the sums go through memory at every step.
    const LOADS_FIRST: bool = false;

    /// All lanes the same value.
    unsafe fn splat(value: f32) -> Self;
    /// Reads `LANES` elements.
    unsafe fn load(from: *const f32) -> Self;
    /// Asks for the cache line at this address, which need not be readable, where the set has an instruction for that.
    #[inline(always)]
    unsafe fn prefetch(_line: *const u8) {}
    /// Reads `LANES` half-precision elements; a NaN stays one.
    unsafe fn load_f16(from: *const f16) -> Self;
    /// Reads `LANES` elements of upper halves; a NaN stays one.
    unsafe fn load_bf16(from: *const bf16) -> Self;
    /// Reads `LANES` elements of double precision, rounded.
    unsafe fn load_f64(from: *const f64) -> Self;
    /// Writes `LANES` elements.
    unsafe fn store(self, to: *mut f32);
    /// Lane sums.
    unsafe fn add(self, other: Self) -> Self;
    /// Lane differences.
    unsafe fn sub(self, other: Self) -> Self;
    /// Lane products.
    unsafe fn mul(self, other: Self) -> Self;
    /// `self · factor + addend`, fused where the set can.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// Lane quotients.
    unsafe fn div(self, other: Self) -> Self;
    /// Square roots.
    unsafe fn sqrt(self) -> Self;
    /// ⌊log₂⌋ of positive normal numbers.
    unsafe fn exponent(self) -> Self;
    /// The larger lanes; a NaN in `self` is kept.
    unsafe fn max(self, other: Self) -> Self;
    /// The smaller lanes; a NaN in `self` is kept.
    unsafe fn min(self, other: Self) -> Self;
    /// Nearest integers, ties to even; for magnitudes below 2²².
    unsafe fn round(self) -> Self;
    /// `self · 2^exponent` for integral exponents in [−252, 127], right down to subnormal results.
    unsafe fn scale(self, exponent: Self) -> Self;
    /// The lanes of both in turn, a₀ b₀ a₁ b₁ and so on: the first `LANES` of them, and the rest.
    unsafe fn zip(self, other: Self) -> (Self, Self);
    /// Writes the sum of the lanes of each.
    unsafe fn sum_four(four: [Self; 4], to: *mut f32);
    /// Sum of the lanes.
    unsafe fn sum(self) -> f32;
    /// Largest lane.
    unsafe fn maximum(self) -> f32;
}

/// A type of element that rows may have.
///
/// # Safety
///
/// As for [`Vector`].
pub(crate) unsafe trait Element: Copy {
    /// Reads `V::LANES` elements, without alignment to the pack.
    unsafe fn load<V: Vector>(from: *const Self) -> V;
    /// One element.
    fn widen(self) -> f32;
}

// SAFETY: the instruction set's loads, under the same conditions.
unsafe impl Element for f32 {
    #[inline(always)]
    unsafe fn load<V: Vector>(from: *const Self) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::load(from) }
    }
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
}

// SAFETY: as above.
unsafe impl Element for f16 {
    #[inline(always)]
    unsafe fn load<V: Vector>(from: *const Self) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::load_f16(from) }
    }
    #[inline(always)]
    fn widen(self) -> f32 {
        self.to_f32()
    }
}

// SAFETY: as above.
unsafe impl Element for bf16 {
    #[inline(always)]
    unsafe fn load<V: Vector>(from: *const Self) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::load_bf16(from) }
    }
    #[inline(always)]
    fn widen(self) -> f32 {
        self.to_f32()
    }
}

/// How sets without an instruction for it widen the bits of an `f16`, with the sign apart.
///
/// The exponent moves to its place in an `f32` by a shift and to its bias by an exact product, which also makes normal
/// numbers of subnormal ones; infinities and NaN, from [`F16_INFINITE`] on, then get the largest exponent.
pub(crate) const F16_SHIFT: u32 = 13;
/// 2¹¹²: the biases differ by 127 − 15.
pub(crate) const F16_REBIAS: f32 = f32::from_bits((127 + 112) << 23);
/// Smallest shifted bits that are no number.
pub(crate) const F16_INFINITE: u32 = 0x7c00 << F16_SHIFT;
/// The largest exponent of an `f32`.
pub(crate) const EXPONENT: u32 = 0xff << 23;
