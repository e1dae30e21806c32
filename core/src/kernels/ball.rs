//! Scores in the Poincaré ball.

use super::elements::{LN_2_HIGH, LN_2_LOW};
use super::vector::Vector;

/// Minimax coefficients of (ln(1 + f) − f + f²/2)/f³ on √½ ≤ 1 + f ≤ √2, by the Remez exchange; relative error of the
/// logarithm 5.9e-9.
const LN: [f32; 8] = [
    0.333_333_3,
    -0.250_008_28,
    0.200_012_36,
    -0.166_231_45,
    0.142_013_69,
    -0.131_620_02,
    0.127_654_28,
    -0.076_343_94,
];

/// Curvatures for which no intermediate result leaves the normal range of `f32`: c·d² ≤ 4, and a positive gap that was
/// computed in `f64` is at least 2⁻⁵³, so c·d²/(query_gap·gap) stays below 4·2¹⁰⁶.
const MODERATE: core::ops::RangeInclusive<f64> = 1e-12..=1e12;

/// Turns squared distances into scores −2/√c · asinh(√(c·d²/(query_gap·gap))), D38's distance with a minus.
///
/// In `f32`, to a relative error of 4e-7 beyond that of the squared distances; in `f64` where c is extreme.
///
/// # Safety
///
/// The set is available and there are as many gaps as scores.
#[inline(always)]
pub(crate) unsafe fn ball_scores<V: Vector>(scores: &mut [f32], gaps: &[f64], c: f64, query_gap: f64) {
    if !MODERATE.contains(&c) {
        return exact_scores(scores, gaps, c, query_gap);
    }
    let (factor, slope) = ((c / query_gap) as f32, (-1.0 / libm::sqrt(c)) as f32);
    let len = scores.len();
    let (at, gap) = (scores.as_mut_ptr(), gaps.as_ptr());
    let mut i = 0;
    // SAFETY: every offset stays below the length; the padded copies hold the largest pack of any set.
    unsafe {
        while i + TOGETHER * V::LANES <= len {
            let (mut squared, mut gaps) = ([V::splat(0.0); TOGETHER], [V::splat(0.0); TOGETHER]);
            for p in 0..TOGETHER {
                squared[p] = V::load(at.add(i + p * V::LANES));
                gaps[p] = V::load_f64(gap.add(i + p * V::LANES));
            }
            let scores = pack_scores(squared, gaps, factor, slope);
            for (p, pack) in scores.iter().enumerate() {
                pack.store(at.add(i + p * V::LANES));
            }
            i += TOGETHER * V::LANES;
        }
        while i < len {
            let count = V::LANES.min(len - i);
            let (mut padded, mut padded_gaps) = ([0.0_f32; 16], [1.0_f64; 16]);
            core::ptr::copy_nonoverlapping(at.add(i), padded.as_mut_ptr(), count);
            core::ptr::copy_nonoverlapping(gap.add(i), padded_gaps.as_mut_ptr(), count);
            let (squared, gaps) = (V::load(padded.as_ptr()), V::load_f64(padded_gaps.as_ptr()));
            let [pack] = pack_scores([squared], [gaps], factor, slope);
            pack.store(padded.as_mut_ptr());
            core::ptr::copy_nonoverlapping(padded.as_ptr(), at.add(i), count);
            i += count;
        }
    }
}

/// Packs that are computed side by side: one's steps wait for each other, several fill the time.
const TOGETHER: usize = 4;

/// Some packs of [`ball_scores`], with x = c·d²/(query_gap·gap): 2·asinh √x = ln(1 + u) with u = 2(x + √(x + x²)), which
/// has the digits of x however small that is.
#[inline(always)]
unsafe fn pack_scores<V: Vector, const P: usize>(
    squared: [V; P],
    gaps: [V; P],
    factor: f32,
    slope: f32,
) -> [V; P] {
    /// From here on √(x + x²) is x for an `f32`, whose range x² would leave.
    const LARGE: f32 = 1e18;
    // SAFETY: the caller has the instruction set.
    unsafe {
        let mut u = squared;
        for p in 0..P {
            let x = squared[p].mul(V::splat(factor)).div(gaps[p]);
            let small = x.min(V::splat(LARGE));
            let root = small.mul_add(small, small).sqrt();
            let half = x.add(x.sub(small)).add(root);
            u[p] = half.add(half);
        }
        let mut out = ln_1p(u);
        for out in &mut out {
            *out = out.mul(V::splat(slope));
        }
        out
    }
}

/// ln(1 + u) for 0 ≤ u ≤ 2¹²⁰, to a relative error of 3e-7.
///
/// 1 + u = 2ᵉ(1 + f) with 1 + f in [√½, √2); what the sum rounded off goes into f.
#[inline(always)]
unsafe fn ln_1p<V: Vector, const P: usize>(u: [V; P]) -> [V; P] {
    let [c3, c4, c5, c6, c7, c8, c9, c10] = LN;
    // SAFETY: the caller has the instruction set.
    unsafe {
        let one = V::splat(1.0);
        let (mut e, mut f) = (u, u);
        for p in 0..P {
            let sum = one.add(u[p]);
            let rest = u[p].sub(sum.sub(one));
            e[p] = sum.mul(V::splat(core::f32::consts::SQRT_2)).exponent();
            let power = one.scale(V::splat(0.0).sub(e[p]));
            f[p] = rest.mul_add(power, sum.mul_add(power, V::splat(-1.0)));
        }
        let mut out = [V::splat(c10); P];
        for c in [c9, c8, c7, c6, c5, c4, c3] {
            for p in 0..P {
                out[p] = out[p].mul_add(f[p], V::splat(c));
            }
        }
        for p in 0..P {
            let square = f[p].mul(f[p]);
            let bent = square.mul(f[p]).mul_add(out[p], square.mul(V::splat(-0.5)));
            let low = e[p].mul_add(V::splat(LN_2_LOW), bent);
            out[p] = e[p].mul_add(V::splat(LN_2_HIGH), low.add(f[p]));
        }
        out
    }
}

/// Turns scaled products −2·q·k into squared distances ‖q‖² + ‖k‖² − 2·q·k; whether one is so small beside its norms that
/// it lost digits.
///
/// # Safety
///
/// The set is available and there are as many norms as products.
#[inline(always)]
pub(crate) unsafe fn distances<V: Vector>(products: &mut [f32], norms: &[f32], query_norm: f32) -> bool {
    let len = products.len();
    let (at, norm) = (products.as_mut_ptr(), norms.as_ptr());
    let mut i = 0;
    // SAFETY: every offset stays below the length.
    unsafe {
        let (own, share) = (V::splat(query_norm), V::splat(-KEPT));
        let mut spare = V::splat(f32::INFINITY);
        while i + V::LANES <= len {
            let sum = V::load(norm.add(i)).add(own);
            let squared = V::load(at.add(i)).add(sum);
            squared.store(at.add(i));
            spare = spare.min(sum.mul_add(share, squared));
            i += V::LANES;
        }
        let mut lost = V::splat(0.0).sub(spare).maximum() > 0.0;
        for j in i..len {
            let sum = *norm.add(j) + query_norm;
            *at.add(j) += sum;
            lost |= has_lost(*at.add(j), sum);
        }
        lost
    }
}

/// Squared distances from this share of ‖q‖² + ‖k‖² on keep their digits: at most two bits cancel, and half of those
/// matter to the distance.
const KEPT: f32 = 0.5;

/// Whether a squared distance lost digits, computed from norms of this sum.
pub(crate) fn has_lost(squared: f32, norms: f32) -> bool {
    squared < KEPT * norms
}

/// Turns squared norms into gaps 1 − c‖x‖² and returns the smallest; NaN if one is not finite.
///
/// In lane arrays of `f64` that the compiler turns into vectors, as the next one.
#[inline(always)]
pub(crate) fn gaps(norms: &mut [f64], c: f64) -> f64 {
    let mut least = [f64::INFINITY; PACK];
    // 0·x is 0, or NaN where x is not finite.
    let mut strange = [0.0_f64; PACK];
    let mut packs = norms.chunks_exact_mut(PACK);
    for pack in &mut packs {
        for i in 0..PACK {
            let gap = 1.0 - c * pack[i];
            pack[i] = gap;
            least[i] = if gap < least[i] { gap } else { least[i] };
            strange[i] += 0.0 * gap;
        }
    }
    for norm in packs.into_remainder() {
        *norm = 1.0 - c * *norm;
        least[0] = if *norm < least[0] { *norm } else { least[0] };
        strange[0] += 0.0 * *norm;
    }
    least.iter().fold(f64::INFINITY, |least, &gap| least.min(gap)) + strange.iter().sum::<f64>()
}

/// Multiplies weights by λ = 2/gap of their values and returns Σ w(λ − 1).
#[inline(always)]
pub(crate) fn weigh_points(weights: &mut [f32], gaps: &[f64]) -> f64 {
    let mut sums = [0.0_f64; PACK];
    let mut packs = weights.chunks_exact_mut(PACK);
    let mut gap_packs = gaps.chunks_exact(PACK);
    for (pack, gaps) in (&mut packs).zip(&mut gap_packs) {
        for i in 0..PACK {
            let weight = f64::from(pack[i]);
            let product = weight * (2.0 / gaps[i]);
            sums[i] += product - weight;
            pack[i] = product as f32;
        }
    }
    let mut total: f64 = sums.iter().sum();
    for (weight, gap) in packs.into_remainder().iter_mut().zip(gap_packs.remainder()) {
        let product = f64::from(*weight) * (2.0 / gap);
        total += product - f64::from(*weight);
        *weight = product as f32;
    }
    total
}

/// Elements that the two above work on at once.
const PACK: usize = 8;

/// The scores in `f64`.
fn exact_scores(scores: &mut [f32], gaps: &[f64], c: f64, query_gap: f64) {
    for (score, gap) in scores.iter_mut().zip(gaps) {
        let squared_sinh = c * f64::from(*score) / (query_gap * gap);
        *score = (-2.0 / libm::sqrt(c) * libm::asinh(libm::sqrt(squared_sinh))) as f32;
    }
}
