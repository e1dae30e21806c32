//! AVX-512F: sixteen lanes.

use super::vector::Vector;
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
