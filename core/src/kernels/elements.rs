//! Functions of single elements, and sums and maxima over slices.
//!
//! Written once over [`Vector`]; an instruction set's file only instantiates it. All functions are unsafe for two
//! reasons that their callers in `dispatch` settle: the instruction set must be available, and picks must lie inside
//! their rows.

use super::vector::Vector;

/// log₂ e.
const LOG2_E: f32 = core::f32::consts::LOG2_E;
/// ln 2 in two parts; the high one has 9 significant bits, so that its products with |n| ≤ 2¹⁵ are exact.
pub(super) const LN_2_HIGH: f32 = 0.693_359_4;
pub(super) const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Below this, eˣ rounds to 0 even as a subnormal.
const EXP_LOWEST: f32 = -104.0;
/// Minimax coefficients of (eʳ − 1 − r)/r² on |r| ≤ ln 2 / 2, by the Remez exchange; relative error 3.1e-9.
const EXP: [f32; 5] = [0.499_999_93, 0.166_665_2, 0.041_668_39, 0.008_368_745, 0.001_381_454];

/// Packs that the functions of elements take side by side: one's steps wait for each other, several fill the time.
const TOGETHER: usize = 4;

/// eˣ for x ≤ 0: at most 1 ULP from the true value where that is a normal number; a NaN stays one.
#[inline(always)]
unsafe fn exp<V: Vector, const P: usize>(mut x: [V; P]) -> [V; P] {
    let [c2, c3, c4, c5, c6] = EXP;
    // SAFETY: the caller has the instruction set.
    unsafe {
        let mut n = x;
        for i in 0..P {
            x[i] = x[i].max(V::splat(EXP_LOWEST));
            n[i] = x[i].mul(V::splat(LOG2_E)).round();
        }
        let mut r = x;
        for i in 0..P {
            r[i] = n[i].mul_add(V::splat(-LN_2_HIGH), x[i]);
        }
        for i in 0..P {
            r[i] = n[i].mul_add(V::splat(-LN_2_LOW), r[i]);
        }
        let mut q = [V::splat(c6); P];
        for c in [c5, c4, c3, c2] {
            for i in 0..P {
                q[i] = q[i].mul_add(r[i], V::splat(c));
            }
        }
        for i in 0..P {
            let tail = q[i].mul_add(r[i].mul(r[i]), r[i]);
            q[i] = tail.add(V::splat(1.0)).scale(n[i]);
        }
        q
    }
}

/// Largest element; −∞ of none.
///
/// # Safety
///
/// The set is available.
#[inline(always)]
pub(crate) unsafe fn maximum<V: Vector>(values: &[f32]) -> f32 {
    let from = values.as_ptr();
    let mut i = 0;
    let mut largest = f32::NEG_INFINITY;
    // SAFETY: every offset stays below the length.
    unsafe {
        if values.len() >= V::LANES {
            let mut lanes = V::load(from);
            i = V::LANES;
            while i + V::LANES <= values.len() {
                lanes = lanes.max(V::load(from.add(i)));
                i += V::LANES;
            }
            largest = lanes.maximum();
        }
        for j in i..values.len() {
            largest = largest.max(*from.add(j));
        }
    }
    largest
}

/// A function of one element. A trait and not a closure: closures would be compiled without the instruction set.
trait Unary: Copy {
    unsafe fn apply<V: Vector, const P: usize>(self, x: [V; P]) -> [V; P];
}

/// x ↦ e^(x − max).
#[derive(Clone, Copy)]
struct ExpBelow(f32);

impl Unary for ExpBelow {
    #[inline(always)]
    unsafe fn apply<V: Vector, const P: usize>(self, mut x: [V; P]) -> [V; P] {
        // SAFETY: the caller has the instruction set.
        unsafe {
            for x in &mut x {
                *x = x.sub(V::splat(self.0));
            }
            exp(x)
        }
    }
}

/// x ↦ φ(x) = elu(x) + 1, that is x + 1 above 0 and eˣ below.
#[derive(Clone, Copy)]
struct Phi;

impl Unary for Phi {
    #[inline(always)]
    unsafe fn apply<V: Vector, const P: usize>(self, x: [V; P]) -> [V; P] {
        // SAFETY: the caller has the instruction set.
        unsafe {
            let zero = V::splat(0.0);
            let mut below = x;
            for x in &mut below {
                *x = x.min(zero);
            }
            let mut out = exp(below);
            for i in 0..P {
                out[i] = x[i].max(zero).add(out[i]);
            }
            out
        }
    }
}

/// Applies `f` to every element and returns the sum of the results: `f32` lanes over stretches short enough to lose
/// nothing, `f64` across them. The last, short pack goes through a padded copy so that each element meets the same
/// arithmetic wherever it stands.
#[inline(always)]
unsafe fn map<V: Vector>(values: &mut [f32], f: impl Unary) -> f64 {
    let mut total = 0.0_f64;
    for stretch in values.chunks_mut(4 * TOGETHER * V::LANES) {
        let len = stretch.len();
        let at = stretch.as_mut_ptr();
        let mut i = 0;
        // SAFETY: every offset stays below the length; the padded copy holds the largest pack of any set.
        unsafe {
            let mut sums = [V::splat(0.0); TOGETHER];
            while i + TOGETHER * V::LANES <= len {
                let mut packs = sums;
                for (p, pack) in packs.iter_mut().enumerate() {
                    *pack = V::load(at.add(i + p * V::LANES));
                }
                let packs = f.apply(packs);
                for (p, pack) in packs.iter().enumerate() {
                    pack.store(at.add(i + p * V::LANES));
                    sums[p] = sums[p].add(*pack);
                }
                i += TOGETHER * V::LANES;
            }
            let [a, b, c, d] = sums;
            let mut sum = a.add(b).add(c.add(d));
            while i + V::LANES <= len {
                let [pack] = f.apply([V::load(at.add(i))]);
                pack.store(at.add(i));
                sum = sum.add(pack);
                i += V::LANES;
            }
            total += f64::from(sum.sum());
            if i < len {
                let mut padded = [0.0_f32; 16];
                core::ptr::copy_nonoverlapping(at.add(i), padded.as_mut_ptr(), len - i);
                let [pack] = f.apply([V::load(padded.as_ptr())]);
                pack.store(padded.as_mut_ptr());
                core::ptr::copy_nonoverlapping(padded.as_ptr(), at.add(i), len - i);
                total += padded[..len - i].iter().map(|&x| f64::from(x)).sum::<f64>();
            }
        }
    }
    total
}

/// Replaces each score s by e^(s − max) and returns the sum of the weights.
///
/// # Safety
///
/// The set is available.
#[inline(always)]
pub(crate) unsafe fn weigh<V: Vector>(scores: &mut [f32], max: f32) -> f64 {
    // SAFETY: the caller has the instruction set.
    unsafe { map::<V>(scores, ExpBelow(max)) }
}

/// φ of every element, in place.
///
/// # Safety
///
/// The set is available.
#[inline(always)]
pub(crate) unsafe fn feature_map<V: Vector>(values: &mut [f32]) {
    // SAFETY: the caller has the instruction set.
    unsafe { map::<V>(values, Phi) };
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) use super::simd128::{add, all_finite, scaled};

/// Whether no element is NaN or infinite.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
pub(crate) fn all_finite(values: &[f32]) -> bool {
    !values.iter().fold(false, |any, x| any | !x.is_finite())
}

/// `totals += addends`, in `f64`; as plain Rust that the compiler turns into vectors of the set at hand.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
pub(crate) fn add(addends: &[f32], totals: &mut [f64]) {
    totals.iter_mut().zip(addends).for_each(|(total, &addend)| *total += f64::from(addend));
}

/// `out = factor · values`, as plain Rust too.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
pub(crate) fn scaled(values: &[f64], factor: f64, out: &mut [f32]) {
    out.iter_mut().zip(values).for_each(|(out, value)| *out = (value * factor) as f32);
}
