//! AVX-512F: sixteen lanes.

use super::vector::Vector;
use crate::tensor::{bf16, f16};
use core::arch::x86_64::*;

/// Sixteen `f32` in a 512-bit register.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

/// Whether this machine has AVX-512F.
fn available() -> bool {
    #[cfg(feature = "std")]
    {
        std::arch::is_x86_feature_detected!("avx512f")
    }
    #[cfg(not(feature = "std"))]
    {
        cfg!(target_feature = "avx512f")
    }
}

// SAFETY: every method is called only where AVX-512F is available; loads and stores are unaligned ones.
unsafe impl Vector for Avx512 {
    const LANES: usize = 16;
    const ROWS: usize = 12;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller has AVX-512F.
        Avx512(unsafe { _mm512_set1_ps(value) })
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises sixteen readable elements.
        Avx512(unsafe { _mm512_loadu_ps(from) })
    }
    #[inline(always)]
    unsafe fn prefetch(line: *const u8) {
        // SAFETY: an address that cannot be read is ignored.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> Self {
        // SAFETY: the caller promises sixteen readable elements.
        Avx512(unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) })
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> Self {
        // SAFETY: the caller promises sixteen readable elements.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            Avx512(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide)))
        }
    }
    #[inline(always)]
    unsafe fn load_f64(from: *const f64) -> Self {
        // SAFETY: the caller has AVX-512F and promises sixteen readable elements.
        unsafe {
            let low = _mm512_cvtpd_ps(_mm512_loadu_pd(from));
            let high = _mm512_cvtpd_ps(_mm512_loadu_pd(from.add(8)));
            let (low, high) = (_mm256_castps_pd(low), _mm256_castps_pd(high));
            Avx512(_mm512_castpd_ps(_mm512_insertf64x4::<1>(_mm512_castpd256_pd512(low), high)))
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises sixteen writable elements.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller has AVX-512F.
        Avx512(unsafe { _mm512_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller has AVX-512F.
        Avx512(unsafe { _mm512_sub_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: the caller has AVX-512F.
        Avx512(unsafe { _mm512_mul_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: the caller has AVX-512F.
        Avx512(unsafe { _mm512_fmadd_ps(self.0, factor.0, addend.0) })
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: the caller has AVX-512F.
        Avx512(unsafe { _mm512_div_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        // SAFETY: the caller has AVX-512F.
        Avx512(unsafe { _mm512_sqrt_ps(self.0) })
    }
    #[inline(always)]
    unsafe fn exponent(self) -> Self {
        // SAFETY: the caller has AVX-512F.
        Avx512(unsafe { _mm512_getexp_ps(self.0) })
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: the caller has AVX-512F. The second operand wins where either is a NaN, so `self` goes there.
        Avx512(unsafe { _mm512_max_ps(other.0, self.0) })
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: as in `max`.
        Avx512(unsafe { _mm512_min_ps(other.0, self.0) })
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // SAFETY: the caller has AVX-512F.
        Avx512(unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    unsafe fn scale(self, exponent: Self) -> Self {
        // SAFETY: the caller has AVX-512F, whose scalef rounds to subnormals by itself.
        Avx512(unsafe { _mm512_scalef_ps(self.0, exponent.0) })
    }
    #[inline(always)]
    unsafe fn zip(self, other: Self) -> (Self, Self) {
        // SAFETY: the caller has AVX-512F.
        unsafe {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
            (
                Avx512(_mm512_permutex2var_ps(self.0, low, other.0)),
                Avx512(_mm512_permutex2var_ps(self.0, high, other.0)),
            )
        }
    }
    #[inline(always)]
    unsafe fn sum_four(four: [Self; 4], to: *mut f32) {
        let [a, b, c, d] = four;
        // SAFETY: the caller has AVX-512F and four writable floats.
        unsafe {
            let ab = _mm512_add_ps(_mm512_unpacklo_ps(a.0, b.0), _mm512_unpackhi_ps(a.0, b.0));
            let cd = _mm512_add_ps(_mm512_unpacklo_ps(c.0, d.0), _mm512_unpackhi_ps(c.0, d.0));
            let (low, high) = (_mm512_castps_pd(ab), _mm512_castps_pd(cd));
            let sixteen = _mm512_add_ps(
                _mm512_castpd_ps(_mm512_unpacklo_pd(low, high)),
                _mm512_castpd_ps(_mm512_unpackhi_pd(low, high)),
            );
            let eight = _mm512_add_ps(sixteen, _mm512_shuffle_f32x4::<0b00_00_11_10>(sixteen, sixteen));
            let four = _mm512_add_ps(eight, _mm512_shuffle_f32x4::<0b00_00_00_01>(eight, eight));
            _mm_storeu_ps(to, _mm512_castps512_ps128(four));
        }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: the caller has AVX-512F.
        unsafe { _mm512_reduce_add_ps(self.0) }
    }
    #[inline(always)]
    unsafe fn maximum(self) -> f32 {
        // SAFETY: the caller has AVX-512F.
        unsafe { _mm512_reduce_max_ps(self.0) }
    }
}

super::table!(Avx512, "avx512", available(), "avx512f");
