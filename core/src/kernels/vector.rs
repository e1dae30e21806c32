//! What an instruction set has to offer: a pack of `f32` and its arithmetic.

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

    /// All lanes the same value.
    unsafe fn splat(value: f32) -> Self;
    /// Reads `LANES` elements.
    unsafe fn load(from: *const f32) -> Self;
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
    /// The larger lanes; a NaN in `self` is kept.
    unsafe fn max(self, other: Self) -> Self;
    /// The smaller lanes; a NaN in `self` is kept.
    unsafe fn min(self, other: Self) -> Self;
    /// Nearest integers, ties to even; for magnitudes below 2²².
    unsafe fn round(self) -> Self;
    /// `self · 2^exponent` for integral exponents in [−252, 127], right down to subnormal results.
    unsafe fn scale(self, exponent: Self) -> Self;
    /// Sum of the lanes.
    unsafe fn sum(self) -> f32;
    /// Largest lane.
    unsafe fn maximum(self) -> f32;
}
