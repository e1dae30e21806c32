//! SSE2, the baseline of every x86-64: four lanes, no fused multiply-add.

use super::vector::Vector;
use core::arch::x86_64::*;

/// Four `f32` in a 128-bit register.
#[derive(Clone, Copy)]
pub(crate) struct Sse2(__m128);

/// 2ⁿ for integral n in [−126, 127].
#[inline(always)]
fn power(n: __m128i) -> __m128 {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(n, _mm_set1_epi32(127)), 23)) }
}

// SAFETY: SSE2 is part of x86-64; loads and stores are unaligned ones.
unsafe impl Vector for Sse2 {
    const LANES: usize = 4;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Sse2(unsafe { _mm_set1_ps(value) })
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises four readable elements.
        Sse2(unsafe { _mm_loadu_ps(from) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises four writable elements.
        unsafe { _mm_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Sse2(unsafe { _mm_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Sse2(unsafe { _mm_sub_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Sse2(unsafe { _mm_mul_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Sse2(unsafe { _mm_add_ps(_mm_mul_ps(self.0, factor.0), addend.0) })
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: SSE2 is part of x86-64. The second operand wins where either is a NaN, so `self` goes there.
        Sse2(unsafe { _mm_max_ps(other.0, self.0) })
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: as in `max`.
        Sse2(unsafe { _mm_min_ps(other.0, self.0) })
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // SAFETY: SSE2 is part of x86-64. The conversion rounds to nearest even.
        Sse2(unsafe { _mm_cvtepi32_ps(_mm_cvtps_epi32(self.0)) })
    }
    #[inline(always)]
    unsafe fn scale(self, exponent: Self) -> Self {
        // SAFETY: SSE2 is part of x86-64. Two factors keep each one normal even where the result is not.
        unsafe {
            let n = _mm_cvtps_epi32(exponent.0);
            let half = _mm_srai_epi32(n, 1);
            let rest = _mm_sub_epi32(n, half);
            Sse2(_mm_mul_ps(_mm_mul_ps(self.0, power(half)), power(rest)))
        }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let two = _mm_add_ps(self.0, _mm_movehl_ps(self.0, self.0));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)))
        }
    }
    #[inline(always)]
    unsafe fn maximum(self) -> f32 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let two = _mm_max_ps(self.0, _mm_movehl_ps(self.0, self.0));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)))
        }
    }
}

super::table!(Sse2, "sse2", true);
