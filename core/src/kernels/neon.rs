//! NEON, the baseline of every aarch64: four lanes.

use super::vector::Vector;
use crate::tensor::{bf16, f16};
use core::arch::aarch64::*;

/// Four `f32` in a 128-bit register.
#[derive(Clone, Copy)]
pub(crate) struct Neon(float32x4_t);

/// 2ⁿ for integral n in [−126, 127].
#[inline(always)]
fn power(n: int32x4_t) -> float32x4_t {
    // SAFETY: NEON is part of aarch64.
    unsafe { vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(n, vdupq_n_s32(127)))) }
}

// SAFETY: NEON is part of aarch64; loads and stores need no alignment.
unsafe impl Vector for Neon {
    const LANES: usize = 4;
    const ROWS: usize = 12;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: NEON is part of aarch64.
        Neon(unsafe { vdupq_n_f32(value) })
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises four readable elements.
        Neon(unsafe { vld1q_f32(from) })
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> Self {
        // SAFETY: the caller promises four readable elements.
        Neon(unsafe { vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from.cast()))) })
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> Self {
        // SAFETY: the caller promises four readable elements.
        Neon(unsafe { vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(from.cast()))) })
    }
    #[inline(always)]
    unsafe fn load_f64(from: *const f64) -> Self {
        // SAFETY: the caller promises four readable elements.
        unsafe {
            let low = vcvt_f32_f64(vld1q_f64(from));
            Neon(vcvt_high_f32_f64(low, vld1q_f64(from.add(2))))
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises four writable elements.
        unsafe { vst1q_f32(to, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: NEON is part of aarch64.
        Neon(unsafe { vaddq_f32(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: NEON is part of aarch64.
        Neon(unsafe { vsubq_f32(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: NEON is part of aarch64.
        Neon(unsafe { vmulq_f32(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: NEON is part of aarch64.
        Neon(unsafe { vfmaq_f32(addend.0, self.0, factor.0) })
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: NEON is part of aarch64.
        Neon(unsafe { vdivq_f32(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        // SAFETY: NEON is part of aarch64.
        Neon(unsafe { vsqrtq_f32(self.0) })
    }
    #[inline(always)]
    unsafe fn exponent(self) -> Self {
        // SAFETY: NEON is part of aarch64.
        unsafe {
            let biased = vshrq_n_s32::<23>(vreinterpretq_s32_f32(self.0));
            Neon(vcvtq_f32_s32(vsubq_s32(biased, vdupq_n_s32(127))))
        }
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: NEON is part of aarch64. A NaN in either operand is kept.
        Neon(unsafe { vmaxq_f32(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: as in `max`.
        Neon(unsafe { vminq_f32(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // SAFETY: NEON is part of aarch64.
        Neon(unsafe { vrndnq_f32(self.0) })
    }
    #[inline(always)]
    unsafe fn scale(self, exponent: Self) -> Self {
        // SAFETY: NEON is part of aarch64. Two factors keep each one normal even where the result is not.
        unsafe {
            let n = vcvtnq_s32_f32(exponent.0);
            let half = vshrq_n_s32::<1>(n);
            let rest = vsubq_s32(n, half);
            Neon(vmulq_f32(vmulq_f32(self.0, power(half)), power(rest)))
        }
    }
    #[inline(always)]
    unsafe fn zip(self, other: Self) -> (Self, Self) {
        // SAFETY: NEON is part of aarch64.
        unsafe { (Neon(vzip1q_f32(self.0, other.0)), Neon(vzip2q_f32(self.0, other.0))) }
    }
    #[inline(always)]
    unsafe fn sum_four(four: [Self; 4], to: *mut f32) {
        let [a, b, c, d] = four;
        // SAFETY: NEON is part of aarch64 and four writable floats.
        unsafe {
            vst1q_f32(to, vpaddq_f32(vpaddq_f32(a.0, b.0), vpaddq_f32(c.0, d.0)));
        }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: NEON is part of aarch64.
        unsafe { vaddvq_f32(self.0) }
    }
    #[inline(always)]
    unsafe fn maximum(self) -> f32 {
        // SAFETY: NEON is part of aarch64.
        unsafe { vmaxvq_f32(self.0) }
    }
}

super::table!(Neon, "neon", true);
