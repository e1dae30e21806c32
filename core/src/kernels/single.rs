//! One query: its comparison with rows, and weighted sums of rows.
//!
//! Written once over [`Vector`]; an instruction set's file only instantiates it. All functions are unsafe for two
//! reasons that their callers in `dispatch` settle: the instruction set must be available, and picks must lie inside
//! their rows.

use super::rows::{Pick, View};
use super::vector::{Element, Vector};

/// Rows that are compared together.
const GROUP: usize = 4;

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

/// Compares one query with four rows, two accumulators each.
///
/// # Safety
///
/// The set is available and each row has `query.len()` elements.
#[inline(always)]
unsafe fn compare<V: Vector, T: Term, E: Element>(query: &[f32], rows: [*const E; GROUP]) -> [f32; GROUP] {
    let len = query.len();
    let from = query.as_ptr();
    // SAFETY: all offsets stay below `len`, which the caller guarantees for the rows.
    unsafe {
        let mut even = [V::splat(0.0); GROUP];
        let mut odd = [V::splat(0.0); GROUP];
        let mut i = 0;
        while i + 2 * V::LANES <= len {
            let (q0, q1) = (V::load(from.add(i)), V::load(from.add(i + V::LANES)));
            for r in 0..GROUP {
                even[r] = T::add(q0, E::load(rows[r].add(i)), even[r]);
                odd[r] = T::add(q1, E::load(rows[r].add(i + V::LANES)), odd[r]);
            }
            i += 2 * V::LANES;
        }
        if i + V::LANES <= len {
            let q = V::load(from.add(i));
            for r in 0..GROUP {
                even[r] = T::add(q, E::load(rows[r].add(i)), even[r]);
            }
            i += V::LANES;
        }
        for r in 0..GROUP {
            even[r] = even[r].add(odd[r]);
        }
        let mut totals = V::sum_four(even);
        for r in 0..GROUP {
            let mut tail = 0.0;
            for j in i..len {
                tail = T::add_one(*from.add(j), (*rows[r].add(j)).widen(), tail);
            }
            totals[r] += tail;
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
pub(crate) unsafe fn compare_all<V: Vector, T: Term, E: Element>(
    rows: View<'_, E>,
    query: &[f32],
    pick: Pick<'_>,
    scale: f32,
    out: &mut [f32],
) {
    for (index, out) in out.chunks_mut(GROUP).enumerate() {
        // SAFETY: picks lie inside the rows, whose width is the query's length. Where fewer than a group are left,
        // the last one is compared again, so that a row's result does not depend on its neighbours.
        let totals = unsafe {
            let last = out.len() - 1;
            compare::<V, T, E>(query, group(rows, pick, index * GROUP, last))
        };
        for (to, total) in out.iter_mut().zip(totals) {
            *to = total * scale;
        }
    }
}

/// The picked rows from the i-th on; behind the `last` of the group, that one again.
///
/// # Safety
///
/// The picks from `i` to `i + last` lie inside the rows.
#[inline(always)]
unsafe fn group<E: Element>(rows: View<'_, E>, pick: Pick<'_>, i: usize, last: usize) -> [*const E; GROUP] {
    let mut out = [core::ptr::null(); GROUP];
    for (r, pointer) in out.iter_mut().enumerate() {
        // SAFETY: by the caller's promise.
        *pointer = unsafe { rows.pointer(pick.row(i + r.min(last))) };
    }
    out
}

/// `out += Σᵢ weights[i] · row picked i-th`.
///
/// # Safety
///
/// The set is available, the picks lie inside the rows, `out` is as wide as a row and `weights` as long as the pick.
#[inline(always)]
pub(crate) unsafe fn accumulate<V: Vector, E: Element>(
    rows: View<'_, E>,
    weights: &[f32],
    pick: Pick<'_>,
    out: &mut [f32],
) {
    const GROUP: usize = 8;
    let mut i = 0;
    // SAFETY: picks lie inside the rows and `i` below the weights' length, by the caller's promise.
    unsafe {
        while i + GROUP <= weights.len() {
            let w = core::array::from_fn::<_, GROUP, _>(|r| *weights.get_unchecked(i + r));
            let group = core::array::from_fn::<_, GROUP, _>(|r| rows.pointer(pick.row(i + r)));
            add_rows::<V, E, GROUP>(w, group, out);
            i += GROUP;
        }
        while i < weights.len() {
            add_rows::<V, E, 1>([*weights.get_unchecked(i)], [rows.pointer(pick.row(i))], out);
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
unsafe fn add_rows<V: Vector, E: Element, const R: usize>(
    weights: [f32; R],
    rows: [*const E; R],
    out: &mut [f32],
) {
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
                total = lanes[r].mul_add(E::load(rows[r].add(i)), total);
            }
            total.store(to.add(i));
            i += V::LANES;
        }
        for j in i..len {
            let mut total = *to.add(j);
            for r in 0..R {
                total += weights[r] * (*rows[r].add(j)).widen();
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
pub(crate) unsafe fn accumulate_f64<E: Element>(
    rows: View<'_, E>,
    weights: &[f64],
    pick: Pick<'_>,
    out: &mut [f64],
) {
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
unsafe fn add_rows_f64<E: Element, const R: usize>(weights: [f64; R], rows: [*const E; R], out: &mut [f64]) {
    const PACK: usize = 8;
    let mut from = 0;
    let mut packs = out.chunks_exact_mut(PACK);
    for pack in &mut packs {
        let mut total = [0.0_f64; PACK];
        total.copy_from_slice(pack);
        for r in 0..R {
            // SAFETY: the pack's elements lie below the row's length.
            let row = unsafe { rows[r].add(from).cast::<[E; PACK]>().read_unaligned() };
            for lane in 0..PACK {
                total[lane] += weights[r] * f64::from(row[lane].widen());
            }
        }
        pack.copy_from_slice(&total);
        from += PACK;
    }
    for (j, total) in packs.into_remainder().iter_mut().enumerate() {
        for r in 0..R {
            // SAFETY: `from + j` lies below the row's length.
            *total += weights[r] * f64::from(unsafe { *rows[r].add(from + j) }.widen());
        }
    }
}

/// ‖row‖² of each row: in `f32` below `exact_from`, and in `f64` from there on, where a difference to 1/c would lose the
/// digits of an `f32`.
///
/// # Safety
///
/// The set is available and `out` has one element for each of the first rows.
#[inline(always)]
pub(crate) unsafe fn squared_norms<V: Vector, E: Element>(
    rows: View<'_, E>,
    exact_from: f64,
    out: &mut [f64],
) {
    for (i, total) in out.iter_mut().enumerate() {
        // SAFETY: `i` is below the number of rows.
        unsafe {
            let row = core::slice::from_raw_parts(rows.pointer(i), rows.width());
            let quick = f64::from(quick_norm::<V, E>(row));
            *total = if quick < exact_from { quick } else { squared_norm(row) };
        }
    }
}

/// ‖x‖² in `f32`.
#[inline(always)]
unsafe fn quick_norm<V: Vector, E: Element>(x: &[E]) -> f32 {
    let from = x.as_ptr();
    // SAFETY: every offset stays below the length; the caller has the set.
    unsafe {
        let mut total = V::splat(0.0);
        let mut i = 0;
        while i + V::LANES <= x.len() {
            let pack: V = E::load(from.add(i));
            total = pack.mul_add(pack, total);
            i += V::LANES;
        }
        let tail: f32 = x[i..].iter().map(|x| x.widen() * x.widen()).sum();
        total.sum() + tail
    }
}

/// ‖x‖² in `f64`, in eight running sums.
#[inline(always)]
pub(crate) fn squared_norm<E: Element>(x: &[E]) -> f64 {
    let mut lanes = [0.0_f64; 8];
    let packs = x.chunks_exact(8);
    let rest = packs.remainder();
    for pack in packs {
        for (lane, &value) in lanes.iter_mut().zip(pack) {
            *lane += f64::from(value.widen()) * f64::from(value.widen());
        }
    }
    let tail: f64 = rest.iter().map(|&value| f64::from(value.widen()) * f64::from(value.widen())).sum();
    lanes.iter().sum::<f64>() + tail
}
