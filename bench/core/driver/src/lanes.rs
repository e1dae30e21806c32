//! Vectors of each instruction set, with the few operations that the roofline loops need.

/// A vector register.
///
/// # Safety
///
/// Every function may be called only where the processor has the instruction set.
pub trait Lanes: Copy {
    /// Number of `f32` elements.
    const COUNT: usize;
    unsafe fn splat(value: f32) -> Self;
    /// Reads `4 * COUNT` bytes from any address.
    unsafe fn load(from: *const u8) -> Self;
    unsafe fn xor(self, other: Self) -> Self;
    /// `self * a + b`.
    unsafe fn multiply_add(self, a: Self, b: Self) -> Self;
}

/// One vector type: its element count, then an expression an operation.
macro_rules! lanes {
    (
        $type:ty, $count:literal, splat($x:ident) $splat:expr, load($p:ident) $load:expr,
        xor($a:ident, $b:ident) $xor:expr, multiply_add($m:ident, $n:ident, $o:ident) $multiply_add:expr
    ) => {
        #[allow(unused_unsafe)] // The portable operations are safe.
        impl Lanes for $type {
            const COUNT: usize = $count;
            #[inline(always)]
            unsafe fn splat($x: f32) -> Self {
                // SAFETY: the caller has the instruction set.
                unsafe { $splat }
            }
            #[inline(always)]
            unsafe fn load($p: *const u8) -> Self {
                // SAFETY: as above, and the bytes are readable.
                unsafe { $load }
            }
            #[inline(always)]
            unsafe fn xor(self, $b: Self) -> Self {
                let $a = self;
                // SAFETY: as above.
                unsafe { $xor }
            }
            #[inline(always)]
            unsafe fn multiply_add(self, $n: Self, $o: Self) -> Self {
                let $m = self;
                // SAFETY: as above.
                unsafe { $multiply_add }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    lanes!(
        __m512,
        16,
        splat(x) _mm512_set1_ps(x),
        load(p) _mm512_loadu_ps(p.cast()),
        xor(a, b) _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(a), _mm512_castps_si512(b))),
        multiply_add(x, a, b) _mm512_fmadd_ps(x, a, b)
    );
    lanes!(
        __m256,
        8,
        splat(x) _mm256_set1_ps(x),
        load(p) _mm256_loadu_ps(p.cast()),
        xor(a, b) _mm256_xor_ps(a, b),
        multiply_add(x, a, b) _mm256_fmadd_ps(x, a, b)
    );
    lanes!(
        __m128,
        4,
        splat(x) _mm_set1_ps(x),
        load(p) _mm_loadu_ps(p.cast()),
        xor(a, b) _mm_xor_ps(a, b),
        multiply_add(x, a, b) _mm_add_ps(_mm_mul_ps(x, a), b)
    );
}

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod arm {
    use super::Lanes;
    use std::arch::aarch64::*;

    lanes!(
        float32x4_t,
        4,
        splat(x) vdupq_n_f32(x),
        load(p) vld1q_f32(p.cast()),
        xor(a, b) vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b))),
        multiply_add(x, a, b) vfmaq_f32(b, x, a)
    );
}

/// Four numbers for which the compiler picks instructions.
#[derive(Clone, Copy)]
pub struct Portable([u32; 4]);

lanes!(
    Portable,
    4,
    splat(x) Portable([x.to_bits(); 4]),
    load(p) Portable(p.cast::<[u32; 4]>().read_unaligned()),
    xor(a, b) Portable(std::array::from_fn(|i| a.0[i] ^ b.0[i])),
    multiply_add(x, a, b) Portable(std::array::from_fn(|i| {
        (f32::from_bits(x.0[i]) * f32::from_bits(a.0[i]) + f32::from_bits(b.0[i])).to_bits()
    }))
);
