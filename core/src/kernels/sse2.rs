//! SSE2, the baseline of every x86-64: four lanes, no fused multiply-add.

use super::vector::{Vector, EXPONENT, F16_INFINITE, F16_REBIAS, F16_SHIFT};
use crate::tensor::{bf16, f16};
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
    unsafe fn prefetch(line: *const u8) {
        // SAFETY: an address that cannot be read is ignored.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> Self {
        // SAFETY: the caller promises four readable elements.
        unsafe {
            let bits = _mm_unpacklo_epi16(_mm_loadl_epi64(from.cast()), _mm_setzero_si128());
            let sign = _mm_slli_epi32::<16>(_mm_and_si128(bits, _mm_set1_epi32(0x8000)));
            let size = _mm_slli_epi32::<{ F16_SHIFT as i32 }>(_mm_and_si128(bits, _mm_set1_epi32(0x7fff)));
            let number = _mm_mul_ps(_mm_castsi128_ps(size), _mm_set1_ps(F16_REBIAS));
            let infinite = _mm_cmpgt_epi32(size, _mm_set1_epi32(F16_INFINITE as i32 - 1));
            let exponent = _mm_and_si128(infinite, _mm_set1_epi32(EXPONENT as i32));
            Sse2(_mm_or_ps(number, _mm_castsi128_ps(_mm_or_si128(sign, exponent))))
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> Self {
        // SAFETY: the caller promises four readable elements.
        unsafe {
            let bits = _mm_loadl_epi64(from.cast());
            Sse2(_mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), bits)))
        }
    }
    #[inline(always)]
    unsafe fn load_f64(from: *const f64) -> Self {
        // SAFETY: the caller promises four readable elements.
        unsafe {
            let (low, high) = (_mm_cvtpd_ps(_mm_loadu_pd(from)), _mm_cvtpd_ps(_mm_loadu_pd(from.add(2))));
            Sse2(_mm_movelh_ps(low, high))
        }
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
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Sse2(unsafe { _mm_div_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Sse2(unsafe { _mm_sqrt_ps(self.0) })
    }
    #[inline(always)]
    unsafe fn exponent(self) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let biased = _mm_srli_epi32::<23>(_mm_castps_si128(self.0));
            Sse2(_mm_cvtepi32_ps(_mm_sub_epi32(biased, _mm_set1_epi32(127))))
        }
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
    unsafe fn zip(self, other: Self) -> (Self, Self) {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { (Sse2(_mm_unpacklo_ps(self.0, other.0)), Sse2(_mm_unpackhi_ps(self.0, other.0))) }
    }
    #[inline(always)]
    unsafe fn sum_four(four: [Self; 4], to: *mut f32) {
        let [a, b, c, d] = four;
        // SAFETY: SSE2 is part of x86-64 and four writable floats.
        unsafe {
            let ab = _mm_add_ps(_mm_unpacklo_ps(a.0, b.0), _mm_unpackhi_ps(a.0, b.0));
            let cd = _mm_add_ps(_mm_unpacklo_ps(c.0, d.0), _mm_unpackhi_ps(c.0, d.0));
            _mm_storeu_ps(to, _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab)));
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
