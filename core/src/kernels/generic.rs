//! Each algorithm written once, over [`Vector`]; an instruction set's file only instantiates it.
//!
//! All functions are unsafe for two reasons that their callers in `dispatch` settle: the instruction set must be
//! available, and picks must lie inside their rows.

use super::panels::Matrices;
use super::rows::{Pick, Rows};
use super::vector::Vector;

/// log₂ e.
const LOG2_E: f32 = core::f32::consts::LOG2_E;
/// ln 2 in two parts; the high one has 9 significant bits, so that its products with |n| ≤ 2¹⁵ are exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Below this, eˣ rounds to 0 even as a subnormal.
const EXP_LOWEST: f32 = -104.0;
/// Minimax coefficients of (eʳ − 1 − r)/r² on |r| ≤ ln 2 / 2, by the Remez exchange; relative error 3.1e-9.
const EXP: [f32; 5] = [0.499_999_93, 0.166_665_2, 0.041_668_39, 0.008_368_745, 0.001_381_454];

/// eˣ for x ≤ 0: at most 1 ULP from the true value where that is a normal number; a NaN stays one.
#[inline(always)]
pub(crate) unsafe fn exp<V: Vector>(x: V) -> V {
    // SAFETY: the caller has the instruction set.
    unsafe {
        let x = x.max(V::splat(EXP_LOWEST));
        let n = x.mul(V::splat(LOG2_E)).round();
        let r = n.mul_add(V::splat(-LN_2_HIGH), x);
        let r = n.mul_add(V::splat(-LN_2_LOW), r);
        let [c2, c3, c4, c5, c6] = EXP;
        let q = V::splat(c6).mul_add(r, V::splat(c5));
        let q = q.mul_add(r, V::splat(c4));
        let q = q.mul_add(r, V::splat(c3));
        let q = q.mul_add(r, V::splat(c2));
        let tail = q.mul_add(r.mul(r), r);
        tail.add(V::splat(1.0)).scale(n)
    }
}

/// How two rows are compared.
pub(crate) trait Term {
    /// Adds one product (or squared difference) to the running sum.
    unsafe fn add<V: Vector>(query: V, key: V, total: V) -> V;
    /// The same for single elements.
    fn add_one(query: f32, key: f32, total: f32) -> f32;
}

/// Σ qᵢ·kᵢ.
pub(crate) struct Product;
/// Σ (qᵢ − kᵢ)².
pub(crate) struct SquaredDifference;

impl Term for Product {
    #[inline(always)]
    unsafe fn add<V: Vector>(query: V, key: V, total: V) -> V {
        // SAFETY: the caller has the instruction set.
        unsafe { query.mul_add(key, total) }
    }
    #[inline(always)]
    fn add_one(query: f32, key: f32, total: f32) -> f32 {
        query * key + total
    }
}

impl Term for SquaredDifference {
    #[inline(always)]
    unsafe fn add<V: Vector>(query: V, key: V, total: V) -> V {
        // SAFETY: the caller has the instruction set.
        unsafe {
            let difference = query.sub(key);
            difference.mul_add(difference, total)
        }
    }
    #[inline(always)]
    fn add_one(query: f32, key: f32, total: f32) -> f32 {
        let difference = query - key;
        difference * difference + total
    }
}

/// Compares one query with `R` rows, two accumulators each.
///
/// # Safety
///
/// The set is available and each row has `query.len()` elements.
#[inline(always)]
unsafe fn compare<V: Vector, T: Term, const R: usize>(query: &[f32], rows: [*const f32; R]) -> [f32; R] {
    let len = query.len();
    let from = query.as_ptr();
    // SAFETY: all offsets stay below `len`, which the caller guarantees for the rows.
    unsafe {
        let mut even = [V::splat(0.0); R];
        let mut odd = [V::splat(0.0); R];
        let mut i = 0;
        while i + 2 * V::LANES <= len {
            let (q0, q1) = (V::load(from.add(i)), V::load(from.add(i + V::LANES)));
            for r in 0..R {
                even[r] = T::add(q0, V::load(rows[r].add(i)), even[r]);
                odd[r] = T::add(q1, V::load(rows[r].add(i + V::LANES)), odd[r]);
            }
            i += 2 * V::LANES;
        }
        if i + V::LANES <= len {
            let q = V::load(from.add(i));
            for r in 0..R {
                even[r] = T::add(q, V::load(rows[r].add(i)), even[r]);
            }
            i += V::LANES;
        }
        let mut totals = [0.0_f32; R];
        for r in 0..R {
            let mut tail = 0.0;
            for j in i..len {
                tail = T::add_one(*from.add(j), *rows[r].add(j), tail);
            }
            totals[r] = even[r].add(odd[r]).sum() + tail;
        }
        totals
    }
}

/// `out[i] = scale · compare(query, row picked i-th)`.
///
/// # Safety
///
/// The set is available, the picks lie inside the rows, the rows are as wide as the query, and `out` is as long as
/// the pick.
#[inline(always)]
pub(crate) unsafe fn compare_all<V: Vector, T: Term>(
    query: &[f32],
    rows: Rows<'_>,
    pick: Pick<'_>,
    scale: f32,
    out: &mut [f32],
) {
    const GROUP: usize = 4;
    let mut i = 0;
    // SAFETY: picks lie inside the rows, whose width is the query's length; `i` stays below `out.len()`.
    unsafe {
        while i + GROUP <= out.len() {
            let group = core::array::from_fn::<_, GROUP, _>(|r| rows.pointer(pick.row(i + r)));
            let totals = compare::<V, T, GROUP>(query, group);
            for (r, total) in totals.iter().enumerate() {
                *out.get_unchecked_mut(i + r) = total * scale;
            }
            i += GROUP;
        }
        while i < out.len() {
            let [total] = compare::<V, T, 1>(query, [rows.pointer(pick.row(i))]);
            *out.get_unchecked_mut(i) = total * scale;
            i += 1;
        }
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
    unsafe fn apply<V: Vector>(self, x: V) -> V;
}

/// x ↦ e^(x − max).
#[derive(Clone, Copy)]
struct ExpBelow(f32);

impl Unary for ExpBelow {
    #[inline(always)]
    unsafe fn apply<V: Vector>(self, x: V) -> V {
        // SAFETY: the caller has the instruction set.
        unsafe { exp(x.sub(V::splat(self.0))) }
    }
}

/// x ↦ φ(x) = elu(x) + 1, that is x + 1 above 0 and eˣ below.
#[derive(Clone, Copy)]
struct Phi;

impl Unary for Phi {
    #[inline(always)]
    unsafe fn apply<V: Vector>(self, x: V) -> V {
        // SAFETY: the caller has the instruction set.
        unsafe {
            let zero = V::splat(0.0);
            x.max(zero).add(exp(x.min(zero)))
        }
    }
}

/// Applies `f` to every element; the last, short pack goes through a padded copy so that each element meets the
/// same arithmetic wherever it stands.
#[inline(always)]
unsafe fn map<V: Vector>(values: &mut [f32], f: impl Unary) {
    let len = values.len();
    let at = values.as_mut_ptr();
    let mut i = 0;
    // SAFETY: every offset stays below the length; the padded copy holds the largest pack of any set.
    unsafe {
        while i + V::LANES <= len {
            f.apply(V::load(at.add(i))).store(at.add(i));
            i += V::LANES;
        }
        if i < len {
            let mut padded = [0.0_f32; 16];
            core::ptr::copy_nonoverlapping(at.add(i), padded.as_mut_ptr(), len - i);
            f.apply(V::load(padded.as_ptr())).store(padded.as_mut_ptr());
            core::ptr::copy_nonoverlapping(padded.as_ptr(), at.add(i), len - i);
        }
    }
}

/// Replaces each score s by e^(s − max) and returns the sum of the weights.
///
/// # Safety
///
/// The set is available.
#[inline(always)]
pub(crate) unsafe fn weigh<V: Vector>(scores: &mut [f32], max: f32) -> f64 {
    // SAFETY: the caller has the instruction set.
    unsafe {
        map::<V>(scores, ExpBelow(max));
        sum::<V>(scores)
    }
}

/// Sum of the elements: `f32` lanes over stretches short enough to lose nothing, `f64` across them.
#[inline(always)]
unsafe fn sum<V: Vector>(values: &[f32]) -> f64 {
    let mut total = 0.0_f64;
    for stretch in values.chunks(16 * V::LANES) {
        let from = stretch.as_ptr();
        let mut i = 0;
        // SAFETY: every offset stays below the stretch's length.
        unsafe {
            let mut lanes = V::splat(0.0);
            while i + V::LANES <= stretch.len() {
                lanes = lanes.add(V::load(from.add(i)));
                i += V::LANES;
            }
            total += f64::from(lanes.sum());
            for j in i..stretch.len() {
                total += f64::from(*from.add(j));
            }
        }
    }
    total
}

/// φ of every element, in place.
///
/// # Safety
///
/// The set is available.
#[inline(always)]
pub(crate) unsafe fn feature_map<V: Vector>(values: &mut [f32]) {
    // SAFETY: the caller has the instruction set.
    unsafe { map::<V>(values, Phi) }
}

/// `out += Σᵢ weights[i] · row picked i-th`.
///
/// # Safety
///
/// The set is available, the picks lie inside the rows, `out` is as wide as a row and `weights` as long as the pick.
#[inline(always)]
pub(crate) unsafe fn accumulate<V: Vector>(weights: &[f32], rows: Rows<'_>, pick: Pick<'_>, out: &mut [f32]) {
    const GROUP: usize = 8;
    let mut i = 0;
    // SAFETY: picks lie inside the rows and `i` below the weights' length, by the caller's promise.
    unsafe {
        while i + GROUP <= weights.len() {
            let w = core::array::from_fn::<_, GROUP, _>(|r| *weights.get_unchecked(i + r));
            let group = core::array::from_fn::<_, GROUP, _>(|r| rows.pointer(pick.row(i + r)));
            add_rows::<V, GROUP>(w, group, out);
            i += GROUP;
        }
        while i < weights.len() {
            add_rows::<V, 1>([*weights.get_unchecked(i)], [rows.pointer(pick.row(i))], out);
            i += 1;
        }
    }
}

/// `out += Σᵣ weights[r] · rows[r]`.
///
/// # Safety
///
/// The set is available and each row has `out.len()` elements.
#[inline(always)]
unsafe fn add_rows<V: Vector, const R: usize>(weights: [f32; R], rows: [*const f32; R], out: &mut [f32]) {
    let len = out.len();
    let to = out.as_mut_ptr();
    let mut i = 0;
    // SAFETY: every offset stays below `len`.
    unsafe {
        // Not `map`: its closure would be compiled without the instruction set.
        let mut lanes = [V::splat(0.0); R];
        for r in 0..R {
            lanes[r] = V::splat(weights[r]);
        }
        while i + V::LANES <= len {
            let mut total = V::load(to.add(i));
            for r in 0..R {
                total = lanes[r].mul_add(V::load(rows[r].add(i)), total);
            }
            total.store(to.add(i));
            i += V::LANES;
        }
        for j in i..len {
            let mut total = *to.add(j);
            for r in 0..R {
                total += weights[r] * *rows[r].add(j);
            }
            *to.add(j) = total;
        }
    }
}

/// `out += Σᵢ weights[i] · row picked i-th`, in `f64`.
///
/// # Safety
///
/// As for [`accumulate`].
#[inline(always)]
pub(crate) unsafe fn accumulate_f64(weights: &[f64], rows: Rows<'_>, pick: Pick<'_>, out: &mut [f64]) {
    const GROUP: usize = 8;
    let mut i = 0;
    // SAFETY: picks lie inside the rows and `i` below the weights' length, by the caller's promise.
    unsafe {
        while i + GROUP <= weights.len() {
            let w = core::array::from_fn::<_, GROUP, _>(|r| *weights.get_unchecked(i + r));
            let group = core::array::from_fn::<_, GROUP, _>(|r| rows.pointer(pick.row(i + r)));
            add_rows_f64(w, group, out);
            i += GROUP;
        }
        while i < weights.len() {
            add_rows_f64([*weights.get_unchecked(i)], [rows.pointer(pick.row(i))], out);
            i += 1;
        }
    }
}

/// `out += Σᵣ weights[r] · rows[r]`, in lane arrays that the compiler turns into vectors of `f64`.
///
/// # Safety
///
/// Each row has `out.len()` elements.
#[inline(always)]
unsafe fn add_rows_f64<const R: usize>(weights: [f64; R], rows: [*const f32; R], out: &mut [f64]) {
    const PACK: usize = 8;
    let mut from = 0;
    let mut packs = out.chunks_exact_mut(PACK);
    for pack in &mut packs {
        let mut total = [0.0_f64; PACK];
        total.copy_from_slice(pack);
        for r in 0..R {
            // SAFETY: the pack's elements lie below the row's length.
            let row = unsafe { rows[r].add(from).cast::<[f32; PACK]>().read_unaligned() };
            for lane in 0..PACK {
                total[lane] += weights[r] * f64::from(row[lane]);
            }
        }
        pack.copy_from_slice(&total);
        from += PACK;
    }
    for (j, total) in packs.into_remainder().iter_mut().enumerate() {
        for r in 0..R {
            // SAFETY: `from + j` lies below the row's length.
            *total += weights[r] * f64::from(unsafe { *rows[r].add(from + j) });
        }
    }
}

/// ‖row‖² of each row: in `f32` below `exact_from`, and in `f64` from there on, where a difference to 1/c would lose the
/// digits of an `f32`.
///
/// # Safety
///
/// The set is available and `out` has `rows.count()` elements.
#[inline(always)]
pub(crate) unsafe fn squared_norms<V: Vector>(rows: Rows<'_>, exact_from: f64, out: &mut [f64]) {
    for (i, total) in out.iter_mut().enumerate() {
        // SAFETY: `i` is below the number of rows.
        unsafe {
            let row = core::slice::from_raw_parts(rows.pointer(i), rows.width());
            let [quick] = compare::<V, Product, 1>(row, [row.as_ptr()]);
            *total = if f64::from(quick) < exact_from { f64::from(quick) } else { squared_norm(row) };
        }
    }
}

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

/// ‖x‖² in `f64`, in eight running sums.
#[inline(always)]
pub(crate) fn squared_norm(x: &[f32]) -> f64 {
    let mut lanes = [0.0_f64; 8];
    let packs = x.chunks_exact(8);
    let rest = packs.remainder();
    for pack in packs {
        for (lane, &value) in lanes.iter_mut().zip(pack) {
            *lane += f64::from(value) * f64::from(value);
        }
    }
    let tail: f64 = rest.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    lanes.iter().sum::<f64>() + tail
}

/// Columns of a panel: what the micro-kernel takes from each of its rows in one step.
pub(crate) const fn panel_width<V: Vector>() -> usize {
    2 * V::LANES
}

/// `c = a · b`.
///
/// # Safety
///
/// The set is available and the matrices [`fit`](Matrices::fit).
#[inline(always)]
pub(crate) unsafe fn multiply<V: Vector>(matrices: Matrices<'_>) {
    let width = panel_width::<V>();
    let panels = matrices.panels(width);
    let Matrices { a, a_stride, a_step, rows, b, b_rows, depth, c, c_stride } = matrices;
    for panel in 0..panels {
        // SAFETY: all rows and panels lie inside the slices, by the caller's promise.
        unsafe {
            let b = b.as_ptr().add(panel * b_rows * width);
            let at = |row: usize| (a.as_ptr().add(row * a_stride), row * c_stride + panel * width);
            let mut row = 0;
            while row + V::ROWS <= rows {
                let (a, place) = at(row);
                let c = c.as_mut_ptr().add(place);
                match V::ROWS {
                    12 => tile::<V, 12>(a, [a_stride, a_step], b, depth, c, c_stride),
                    6 => tile::<V, 6>(a, [a_stride, a_step], b, depth, c, c_stride),
                    _ => tile::<V, 4>(a, [a_stride, a_step], b, depth, c, c_stride),
                }
                row += if V::ROWS == 12 || V::ROWS == 6 { V::ROWS } else { 4 };
            }
            while row + 3 <= rows {
                let (a, place) = at(row);
                tile::<V, 3>(a, [a_stride, a_step], b, depth, c.as_mut_ptr().add(place), c_stride);
                row += 3;
            }
            while row < rows {
                let (a, place) = at(row);
                tile::<V, 1>(a, [a_stride, a_step], b, depth, c.as_mut_ptr().add(place), c_stride);
                row += 1;
            }
        }
    }
}

/// One tile of `R` rows by one panel, summed in registers.
///
/// # Safety
///
/// As for [`multiply`], from these pointers on.
#[inline(always)]
unsafe fn tile<V: Vector, const R: usize>(
    a: *const f32,
    [a_stride, a_step]: [usize; 2],
    b: *const f32,
    depth: usize,
    c: *mut f32,
    c_stride: usize,
) {
    // SAFETY: the caller promises R rows of a and c, and `depth` rows of one panel.
    unsafe {
        let mut left = [V::splat(0.0); R];
        let mut right = [V::splat(0.0); R];
        for p in 0..depth {
            let from = b.add(p * 2 * V::LANES);
            let (b0, b1) = (V::load(from), V::load(from.add(V::LANES)));
            for r in 0..R {
                let x = V::splat(*a.add(r * a_stride + p * a_step));
                left[r] = x.mul_add(b0, left[r]);
                right[r] = x.mul_add(b1, right[r]);
            }
        }
        for r in 0..R {
            left[r].store(c.add(r * c_stride));
            right[r].store(c.add(r * c_stride + V::LANES));
        }
    }
}
