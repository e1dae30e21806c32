//! The portable kernel: lane arrays in plain Rust, on every machine.

use super::vector::{Vector, EXPONENT, F16_INFINITE, F16_REBIAS, F16_SHIFT};
use crate::tensor::{bf16, f16};

const LANES: usize = 4;

/// Four `f32` in an array.
#[derive(Clone, Copy)]
pub(crate) struct Scalar([f32; LANES]);

impl Scalar {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let mut out = self.0;
        for (a, b) in out.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        Scalar(out)
    }
}

// SAFETY: plain arithmetic, available everywhere; the pointers are the caller's promise.
unsafe impl Vector for Scalar {
    const LANES: usize = LANES;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Scalar([value; LANES])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises LANES readable elements.
        Scalar(unsafe { from.cast::<[f32; LANES]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> Self {
        // SAFETY: the caller promises LANES readable elements.
        let bits = unsafe { from.cast::<[u16; LANES]>().read_unaligned() };
        Scalar(bits.map(|bits| {
            let size = u32::from(bits & 0x7fff) << F16_SHIFT;
            let exponent = if size >= F16_INFINITE { EXPONENT } else { 0 };
            let sign = u32::from(bits & 0x8000) << 16;
            f32::from_bits((f32::from_bits(size) * F16_REBIAS).to_bits() | exponent | sign)
        }))
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> Self {
        // SAFETY: the caller promises LANES readable elements.
        let bits = unsafe { from.cast::<[u16; LANES]>().read_unaligned() };
        Scalar(bits.map(|bits| f32::from_bits(u32::from(bits) << 16)))
    }
    #[inline(always)]
    unsafe fn load_f64(from: *const f64) -> Self {
        // SAFETY: the caller promises LANES readable elements.
        Scalar(unsafe { from.cast::<[f64; LANES]>().read_unaligned() }.map(|x| x as f32))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises LANES writable elements.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // Not f32::mul_add: without hardware support that is a library call an element.
        self.zip(factor, |a, b| a * b).zip(addend, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        // Correctly rounded on every platform, so that this choice is one of speed alone: std's becomes an instruction.
        #[cfg(feature = "std")]
        return Scalar(self.0.map(f32::sqrt));
        #[cfg(not(feature = "std"))]
        Scalar(self.0.map(libm::sqrtf))
    }
    #[inline(always)]
    unsafe fn exponent(self) -> Self {
        Scalar(self.0.map(|x| ((x.to_bits() >> 23) as i32 - 127) as f32))
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { b } else { a })
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { b } else { a })
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // Adding 1.5·2²³ pushes the fraction out of the mantissa, rounding to nearest even.
        const SHIFT: f32 = 12_582_912.0;
        Scalar(self.0.map(|x| (x + SHIFT) - SHIFT))
    }
    #[inline(always)]
    unsafe fn scale(self, exponent: Self) -> Self {
        let power = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
        self.zip(exponent, |x, n| {
            // Two factors, so that each is a normal number even where the result is not. A NaN converts to 0.
            let n = n as i32;
            let half = n >> 1;
            x * power(half) * power(n - half)
        })
    }
    #[inline(always)]
    unsafe fn zip(self, other: Self) -> (Self, Self) {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        (Scalar([a, e, b, f]), Scalar([c, g, d, h]))
    }
    #[inline(always)]
    unsafe fn sum_four(four: [Self; 4], to: *mut f32) {
        for (i, lanes) in four.into_iter().enumerate() {
            // SAFETY: the caller promises four writable floats.
            unsafe { *to.add(i) = lanes.sum() }
        }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let [a, b, c, d] = self.0;
        (a + c) + (b + d)
    }
    #[inline(always)]
    unsafe fn maximum(self) -> f32 {
        let [a, b, c, d] = self.0;
        a.max(c).max(b.max(d))
    }
}

super::table!(Scalar, "scalar", true);
