//! Scores in the Poincaré ball.

/// Turns squared distances into scores −2/√c · asinh(√(c·d²/(query_gap·gap))), D38's distance with a minus.
///
/// In `f64`, without branches or calls, so that the compiler makes vectors of it.
#[inline(always)]
pub(crate) fn ball_scores(scores: &mut [f32], gaps: &[f64], c: f64, query_gap: f64) {
    let factor = c / query_gap;
    let slope = -2.0 / sqrt(c);
    for (score, gap) in scores.iter_mut().zip(gaps) {
        let squared_sinh = factor * f64::from(*score) / gap;
        *score = (slope * ln(sqrt(squared_sinh) + sqrt(1.0 + squared_sinh))) as f32;
    }
}

/// Correctly rounded on every platform, so that this choice is one of speed alone: std's becomes an instruction.
#[inline(always)]
fn sqrt(x: f64) -> f64 {
    #[cfg(feature = "std")]
    return x.sqrt();
    #[cfg(not(feature = "std"))]
    libm::sqrt(x)
}

/// ln x for x ≥ 1, to an absolute error of 4e-15 + 2e-16·ln x; NaN for ∞ and NaN.
///
/// x = 2ᵉ·m with m in [√½, √2), and ln m = 2 artanh s with s = (m − 1)/(m + 1), |s| ≤ 0.1716, by its power series.
#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    const SQRT_HALF: u64 = core::f64::consts::FRAC_1_SQRT_2.to_bits();
    const MANTISSA: u64 = (1 << 52) - 1;
    // 2⁵²: an integer below that, put into its mantissa, becomes the float 2⁵² + integer.
    const SHIFT: u64 = 0x4330_0000_0000_0000;
    let offset = x.to_bits().wrapping_sub(SQRT_HALF);
    let exponent = f64::from_bits(SHIFT | (offset >> 52)) - f64::from_bits(SHIFT);
    let m = f64::from_bits((offset & MANTISSA).wrapping_add(SQRT_HALF));
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut series = 1.0 / 17.0;
    for divisor in [15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        series = series * z + 1.0 / divisor;
    }
    // 0·x is 0, or NaN where x is not finite.
    exponent * core::f64::consts::LN_2 + 2.0 * s * series + 0.0 * x
}
