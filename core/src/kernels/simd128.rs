//! WebAssembly SIMD: four lanes; with relaxed-simd, fused multiply-add where the machine has it.

use super::vector::{Vector, EXPONENT, F16_INFINITE, F16_REBIAS, F16_SHIFT};
use crate::tensor::{bf16, f16};
use core::arch::wasm32::*;

/// Four `f32` in a v128.
#[derive(Clone, Copy)]
pub(crate) struct Simd128(v128);

/// 2ⁿ for integral n in [−126, 127].
#[inline(always)]
fn power(n: v128) -> v128 {
    i32x4_shl(i32x4_add(n, i32x4_splat(127)), 23)
}

// SAFETY: this file is compiled only where the target has simd128; loads and stores need no alignment.
unsafe impl Vector for Simd128 {
    const LANES: usize = 4;
    const ROWS: usize = 4;
    const LOADS_FIRST: bool = true;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Simd128(f32x4_splat(value))
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises four readable elements.
        Simd128(unsafe { v128_load(from.cast()) })
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> Self {
        // SAFETY: the caller promises four readable elements.
        let bits = u32x4_extend_low_u16x8(unsafe { v128_load64_zero(from.cast()) });
        let sign = u32x4_shl(v128_and(bits, u32x4_splat(0x8000)), 16);
        let size = u32x4_shl(v128_and(bits, u32x4_splat(0x7fff)), F16_SHIFT);
        let number = f32x4_mul(size, f32x4_splat(F16_REBIAS));
        let infinite = i32x4_gt(size, u32x4_splat(F16_INFINITE - 1));
        let exponent = v128_and(infinite, u32x4_splat(EXPONENT));
        Simd128(v128_or(number, v128_or(sign, exponent)))
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> Self {
        // SAFETY: the caller promises four readable elements.
        let bits = unsafe { v128_load64_zero(from.cast()) };
        Simd128(u32x4_shl(u32x4_extend_low_u16x8(bits), 16))
    }
    #[inline(always)]
    unsafe fn load_f64(from: *const f64) -> Self {
        // SAFETY: the caller promises four readable elements.
        let (low, high) = unsafe { (v128_load(from.cast()), v128_load(from.add(2).cast())) };
        Simd128(i64x2_shuffle::<0, 2>(f32x4_demote_f64x2_zero(low), f32x4_demote_f64x2_zero(high)))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises four writable elements.
        unsafe { v128_store(to.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Simd128(f32x4_add(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        Simd128(f32x4_sub(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        Simd128(f32x4_mul(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // `f32::mul_add` would be a library call a lane; the relaxed instruction has to be asked for by name.
        #[cfg(target_feature = "relaxed-simd")]
        return Simd128(f32x4_relaxed_madd(self.0, factor.0, addend.0));
        #[cfg(not(target_feature = "relaxed-simd"))]
        Simd128(f32x4_add(f32x4_mul(self.0, factor.0), addend.0))
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        Simd128(f32x4_div(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        Simd128(f32x4_sqrt(self.0))
    }
    #[inline(always)]
    unsafe fn exponent(self) -> Self {
        Simd128(f32x4_convert_i32x4(i32x4_sub(u32x4_shr(self.0, 23), i32x4_splat(127))))
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // pmax(a, b) is b where a < b, else a: it keeps a NaN in `self`, in one instruction on x86.
        Simd128(f32x4_pmax(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        Simd128(f32x4_pmin(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        Simd128(f32x4_nearest(self.0))
    }
    #[inline(always)]
    unsafe fn scale(self, exponent: Self) -> Self {
        // Two factors keep each one normal even where the result is not; a NaN converts to 0.
        let n = i32x4_trunc_sat_f32x4(exponent.0);
        let half = i32x4_shr(n, 1);
        Simd128(f32x4_mul(f32x4_mul(self.0, power(half)), power(i32x4_sub(n, half))))
    }
    #[inline(always)]
    unsafe fn zip(self, other: Self) -> (Self, Self) {
        (
            Simd128(i32x4_shuffle::<0, 4, 1, 5>(self.0, other.0)),
            Simd128(i32x4_shuffle::<2, 6, 3, 7>(self.0, other.0)),
        )
    }
    #[inline(always)]
    unsafe fn sum_four(four: [Self; 4], to: *mut f32) {
        let [a, b, c, d] = four;
        let (ab_low, ab_high) =
            (i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0), i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0));
        let (cd_low, cd_high) =
            (i32x4_shuffle::<0, 4, 1, 5>(c.0, d.0), i32x4_shuffle::<2, 6, 3, 7>(c.0, d.0));
        let (ab, cd) = (f32x4_add(ab_low, ab_high), f32x4_add(cd_low, cd_high));
        let sums = f32x4_add(i64x2_shuffle::<0, 2>(ab, cd), i64x2_shuffle::<1, 3>(ab, cd));
        // SAFETY: the caller promises four writable floats.
        unsafe { v128_store(to.cast(), sums) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let two = f32x4_add(self.0, i32x4_shuffle::<2, 3, 0, 1>(self.0, self.0));
        f32x4_extract_lane::<0>(two) + f32x4_extract_lane::<1>(two)
    }
    #[inline(always)]
    unsafe fn maximum(self) -> f32 {
        let two = f32x4_pmax(self.0, i32x4_shuffle::<2, 3, 0, 1>(self.0, self.0));
        f32x4_extract_lane::<0>(two).max(f32x4_extract_lane::<1>(two))
    }
}

/// √x.
pub(super) fn sqrt(x: f64) -> f64 {
    f64x2_extract_lane::<0>(f64x2_sqrt(f64x2_splat(x)))
}

/// `totals += addends`, in `f64`, as far as both go. The compiler makes no vectors of the plain loop.
pub(crate) fn add(addends: &[f32], totals: &mut [f64]) {
    let len = addends.len().min(totals.len());
    let (addends, totals) = (&addends[..len], &mut totals[..len]);
    let mut totals = totals.chunks_exact_mut(4);
    let mut addends = addends.chunks_exact(4);
    for (totals, addends) in (&mut totals).zip(&mut addends) {
        // SAFETY: both have four elements.
        unsafe {
            let four = v128_load(addends.as_ptr().cast());
            let (low, high) = (totals.as_mut_ptr().cast::<v128>(), totals.as_mut_ptr().add(2).cast::<v128>());
            v128_store(low, f64x2_add(v128_load(low), f64x2_promote_low_f32x4(four)));
            let four = i64x2_shuffle::<1, 1>(four, four);
            v128_store(high, f64x2_add(v128_load(high), f64x2_promote_low_f32x4(four)));
        }
    }
    let rest = totals.into_remainder().iter_mut().zip(addends.remainder());
    rest.for_each(|(total, &addend)| *total += f64::from(addend));
}

/// Whether no element is NaN or infinite: x − x is 0 of the others only.
pub(crate) fn all_finite(values: &[f32]) -> bool {
    let mut packs = values.chunks_exact(4);
    let mut zeros = f32x4_splat(0.0);
    for pack in &mut packs {
        // SAFETY: it has four elements.
        let pack = unsafe { v128_load(pack.as_ptr().cast()) };
        zeros = f32x4_add(zeros, f32x4_sub(pack, pack));
    }
    !v128_any_true(f32x4_ne(zeros, zeros)) && packs.remainder().iter().all(|x| x.is_finite())
}

/// `out = factor · values`, rounded, as far as both go.
pub(crate) fn scaled(values: &[f64], factor: f64, out: &mut [f32]) {
    let len = values.len().min(out.len());
    let (values, out) = (&values[..len], &mut out[..len]);
    let mut out = out.chunks_exact_mut(4);
    let mut values = values.chunks_exact(4);
    let factors = f64x2_splat(factor);
    for (out, values) in (&mut out).zip(&mut values) {
        // SAFETY: both have four elements.
        unsafe {
            let low = f64x2_mul(v128_load(values.as_ptr().cast()), factors);
            let high = f64x2_mul(v128_load(values.as_ptr().add(2).cast()), factors);
            let four = i64x2_shuffle::<0, 2>(f32x4_demote_f64x2_zero(low), f32x4_demote_f64x2_zero(high));
            v128_store(out.as_mut_ptr().cast(), four);
        }
    }
    let rest = out.into_remainder().iter_mut().zip(values.remainder());
    rest.for_each(|(out, value)| *out = (value * factor) as f32);
}

#[cfg(target_feature = "relaxed-simd")]
super::table!(Simd128, "relaxed-simd", true);
#[cfg(not(target_feature = "relaxed-simd"))]
super::table!(Simd128, "simd128", true);
