//! AVX2 with FMA and F16C, which every processor with AVX2 has had: eight lanes.

use super::vector::Vector;
use crate::tensor::{bf16, f16};
use core::arch::x86_64::*;

/// Eight `f32` in a 256-bit register.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256);

/// Whether this machine has AVX2, FMA and F16C.
fn available() -> bool {
    #[cfg(feature = "std")]
    {
        use std::arch::is_x86_feature_detected as detected;
        detected!("avx2") && detected!("fma") && detected!("f16c")
    }
    #[cfg(not(feature = "std"))]
    {
        cfg!(all(target_feature = "avx2", target_feature = "fma", target_feature = "f16c"))
    }
}

/// 2ⁿ for integral n in [−126, 127].
#[inline(always)]
unsafe fn power(n: __m256i) -> __m256 {
    // SAFETY: the caller has AVX2.
    unsafe { _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23)) }
}

// SAFETY: every method is called only where AVX2, FMA and F16C are available; loads and stores are unaligned ones.
unsafe impl Vector for Avx2 {
    const LANES: usize = 8;
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller has AVX2.
        Avx2(unsafe { _mm256_set1_ps(value) })
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises eight readable elements.
        Avx2(unsafe { _mm256_loadu_ps(from) })
    }
    #[inline(always)]
    unsafe fn prefetch(line: *const u8) {
        // SAFETY: an address that cannot be read is ignored.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> Self {
        // SAFETY: the caller has F16C and promises eight readable elements.
        Avx2(unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) })
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> Self {
        // SAFETY: the caller promises eight readable elements.
        unsafe {
            let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            Avx2(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide)))
        }
    }
    #[inline(always)]
    unsafe fn load_f64(from: *const f64) -> Self {
        // SAFETY: the caller has AVX2 and promises eight readable elements.
        unsafe {
            let low = _mm256_cvtpd_ps(_mm256_loadu_pd(from));
            let high = _mm256_cvtpd_ps(_mm256_loadu_pd(from.add(4)));
            Avx2(_mm256_set_m128(high, low))
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises eight writable elements.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller has AVX2.
        Avx2(unsafe { _mm256_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller has AVX2.
        Avx2(unsafe { _mm256_sub_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: the caller has AVX2.
        Avx2(unsafe { _mm256_mul_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: the caller has FMA.
        Avx2(unsafe { _mm256_fmadd_ps(self.0, factor.0, addend.0) })
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: the caller has AVX2.
        Avx2(unsafe { _mm256_div_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        // SAFETY: the caller has AVX2.
        Avx2(unsafe { _mm256_sqrt_ps(self.0) })
    }
    #[inline(always)]
    unsafe fn exponent(self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe {
            let biased = _mm256_srli_epi32::<23>(_mm256_castps_si256(self.0));
            Avx2(_mm256_cvtepi32_ps(_mm256_sub_epi32(biased, _mm256_set1_epi32(127))))
        }
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: the caller has AVX2. The second operand wins where either is a NaN, so `self` goes there.
        Avx2(unsafe { _mm256_max_ps(other.0, self.0) })
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: as in `max`.
        Avx2(unsafe { _mm256_min_ps(other.0, self.0) })
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // SAFETY: the caller has AVX2.
        Avx2(unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    unsafe fn scale(self, exponent: Self) -> Self {
        // SAFETY: the caller has AVX2. Two factors keep each one normal even where the result is not.
        unsafe {
            let n = _mm256_cvtps_epi32(exponent.0);
            let half = _mm256_srai_epi32(n, 1);
            let rest = _mm256_sub_epi32(n, half);
            Avx2(_mm256_mul_ps(_mm256_mul_ps(self.0, power(half)), power(rest)))
        }
    }
    #[inline(always)]
    unsafe fn zip(self, other: Self) -> (Self, Self) {
        // SAFETY: the caller has AVX2.
        unsafe {
            let (low, high) = (_mm256_unpacklo_ps(self.0, other.0), _mm256_unpackhi_ps(self.0, other.0));
            (Avx2(_mm256_permute2f128_ps::<0x20>(low, high)), Avx2(_mm256_permute2f128_ps::<0x31>(low, high)))
        }
    }
    #[inline(always)]
    unsafe fn sum_four(four: [Self; 4], to: *mut f32) {
        let [a, b, c, d] = four;
        // SAFETY: the caller has AVX2 and four writable floats.
        unsafe {
            let eight = _mm256_hadd_ps(_mm256_hadd_ps(a.0, b.0), _mm256_hadd_ps(c.0, d.0));
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            _mm_storeu_ps(to, four);
        }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: the caller has AVX2.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps(self.0, 1));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)))
        }
    }
    #[inline(always)]
    unsafe fn maximum(self) -> f32 {
        // SAFETY: the caller has AVX2.
        unsafe {
            let four = _mm_max_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps(self.0, 1));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)))
        }
    }
}

super::table!(Avx2, "avx2", available(), "avx2,fma,f16c");
