//! One query: its comparison with rows, and weighted sums of rows.
//!
//! Written once over [`Vector`]; an instruction set's file only instantiates it. All functions are unsafe for two
//! reasons that their callers in `dispatch` settle: the instruction set must be available, and picks must lie inside
//! their rows.

use super::rows::{Pick, Picked, View};
use super::vector::{Element, Vector};

/// Rows that are compared together: enough sums to keep the arithmetic units busy, few enough for 16 registers.
const GROUP: usize = 4;

/// What is summed over the elements of a query and a row: `N` sums at once.
pub(crate) trait Term<const N: usize> {
    /// Whether the query takes part; where not, it is not read.
    const QUERY: bool = true;
    /// Whether rows of exactly four or eight packs have code of their own; in a module for the web, only what most calls
    /// need is worth its size.
    const SHORT: bool = !cfg!(target_arch = "wasm32");
    /// Adds one pack to the running sums.
    unsafe fn add<V: Vector>(query: V, key: V, sums: [V; N]) -> [V; N];
    /// The sums of one pack alone.
    #[inline(always)]
    unsafe fn one<V: Vector>(query: V, key: V) -> [V; N] {
        // SAFETY: the caller has the instruction set.
        unsafe { Self::add(query, key, [V::splat(-0.0); N]) }
    }
    /// The same for single elements.
    fn add_one(query: f32, key: f32, sums: [f32; N]) -> [f32; N];
}

/// Σ qᵢ·kᵢ.
pub(crate) struct Product;
/// Σ (qᵢ − kᵢ)².
pub(crate) struct SquaredDifference;
/// Σ kᵢ².
struct Square;
/// Σ (qᵢ − kᵢ)² and Σ kᵢ².
struct SquaredDifferenceAndSquare;

impl Term<1> for Product {
    const SHORT: bool = true;
    #[inline(always)]
    unsafe fn one<V: Vector>(query: V, key: V) -> [V; 1] {
        // SAFETY: the caller has the instruction set.
        unsafe { [query.mul(key)] }
    }
    #[inline(always)]
    unsafe fn add<V: Vector>(query: V, key: V, [sum]: [V; 1]) -> [V; 1] {
        // SAFETY: the caller has the instruction set.
        unsafe { [query.mul_add(key, sum)] }
    }
    #[inline(always)]
    fn add_one(query: f32, key: f32, [sum]: [f32; 1]) -> [f32; 1] {
        [query * key + sum]
    }
}

impl Term<1> for SquaredDifference {
    #[inline(always)]
    unsafe fn add<V: Vector>(query: V, key: V, [sum]: [V; 1]) -> [V; 1] {
        // SAFETY: the caller has the instruction set.
        unsafe {
            let difference = query.sub(key);
            [difference.mul_add(difference, sum)]
        }
    }
    #[inline(always)]
    fn add_one(query: f32, key: f32, [sum]: [f32; 1]) -> [f32; 1] {
        [(query - key) * (query - key) + sum]
    }
}

impl Term<1> for Square {
    const QUERY: bool = false;
    #[inline(always)]
    unsafe fn add<V: Vector>(_query: V, key: V, [sum]: [V; 1]) -> [V; 1] {
        // SAFETY: the caller has the instruction set.
        unsafe { [key.mul_add(key, sum)] }
    }
    #[inline(always)]
    fn add_one(_query: f32, key: f32, [sum]: [f32; 1]) -> [f32; 1] {
        [key * key + sum]
    }
}

impl Term<2> for SquaredDifferenceAndSquare {
    #[inline(always)]
    unsafe fn add<V: Vector>(query: V, key: V, [distance, norm]: [V; 2]) -> [V; 2] {
        // SAFETY: the caller has the instruction set.
        unsafe {
            let [distance] = SquaredDifference::add(query, key, [distance]);
            let [norm] = Square::add(query, key, [norm]);
            [distance, norm]
        }
    }
    #[inline(always)]
    fn add_one(query: f32, key: f32, [distance, norm]: [f32; 2]) -> [f32; 2] {
        let [distance] = SquaredDifference::add_one(query, key, [distance]);
        let [norm] = Square::add_one(query, key, [norm]);
        [distance, norm]
    }
}

/// A pack of the query, from its i-th element on.
///
/// # Safety
///
/// The set is available and, where the term has a query, the pack lies inside it.
#[inline(always)]
unsafe fn part<V: Vector, T: Term<N>, const N: usize>(query: *const f32, i: usize) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        match T::QUERY {
            true => V::load(query.add(i)),
            false => V::splat(0.0),
        }
    }
}

/// Asks for what follows the i-th element of a row, once a cache line.
///
/// Only for elements of 16 bits: their reads cover half the memory, too little of it at a time to keep it busy beyond the
/// caches. For `f32` it only costs.
///
/// # Safety
///
/// The set is available and the row has an i-th element.
#[inline(always)]
unsafe fn look_ahead<V: Vector, E: Element>(row: *const E, i: usize) {
    /// Bytes, measured: half as much comes too late, twice as much falls out of the first-level cache again.
    const AHEAD: usize = 2048;
    if size_of::<E>() == 2 && i.is_multiple_of(32) {
        // SAFETY: the caller's promise; nothing is read at the address.
        unsafe { V::prefetch(row.add(i).cast::<u8>().wrapping_add(AHEAD)) }
    }
}

/// Compares one query with a group of rows and writes `N` sums of each row, those of the first kind first.
///
/// # Safety
///
/// The set is available and each row has `len` elements, as the query has.
#[inline(always)]
unsafe fn compare<V: Vector, T: Term<N>, E: Element, const N: usize>(
    query: *const f32,
    len: usize,
    rows: [*const E; GROUP],
    out: [*mut f32; N],
) {
    // SAFETY: all offsets stay below `len`, which the caller guarantees for query and rows.
    unsafe {
        // Eight running sums hide the time that an addition takes; a second set is needed only where N is 1. Where loads come
        // first, two products are added before they join one of four sums; twice four sums take one pack at a time.
        let mut even = [[V::splat(0.0); N]; GROUP];
        let mut odd = [[V::splat(0.0); N]; GROUP];
        let mut i = 0;
        while (N == 1 || !V::LOADS_FIRST) && i + 2 * V::LANES <= len {
            let query = query.wrapping_add(i);
            let (q0, q1) = (part::<V, T, N>(query, 0), part::<V, T, N>(query, V::LANES));
            for r in 0..GROUP {
                look_ahead::<V, E>(rows[r], i);
                let row = rows[r].add(i);
                let (k0, k1) = (E::load(row), E::load(row.add(V::LANES)));
                match N {
                    1 if V::LOADS_FIRST => {
                        let pair = T::add(q1, k1, T::one(q0, k0));
                        even[r] = [even[r][0].add(pair[0]); N];
                    }
                    1 => {
                        even[r] = T::add(q0, k0, even[r]);
                        odd[r] = T::add(q1, k1, odd[r]);
                    }
                    _ => even[r] = T::add(q1, k1, T::add(q0, k0, even[r])),
                }
            }
            i += 2 * V::LANES;
        }
        while i + V::LANES <= len {
            let q = part::<V, T, N>(query, i);
            for r in 0..GROUP {
                even[r] = T::add(q, E::load(rows[r].add(i)), even[r]);
            }
            i += V::LANES;
        }
        for n in 0..N {
            let mut sums = [V::splat(0.0); GROUP];
            for r in 0..GROUP {
                sums[r] = even[r][n].add(odd[r][n]);
            }
            V::sum_four(sums, out[n]);
        }
        if i < len {
            compare_rest::<T, E, N>(query, i..len, rows, out);
        }
    }
}

/// Adds the elements behind the last pack.
///
/// # Safety
///
/// As for [`compare`]; the sums are written.
#[inline(never)]
unsafe fn compare_rest<T: Term<N>, E: Element, const N: usize>(
    query: *const f32,
    rest: core::ops::Range<usize>,
    rows: [*const E; GROUP],
    out: [*mut f32; N],
) {
    for (r, row) in rows.into_iter().enumerate() {
        let mut sums = [0.0; N];
        for j in rest.clone() {
            // SAFETY: the caller's promise.
            let (q, k) = unsafe { (if T::QUERY { *query.add(j) } else { 0.0 }, (*row.add(j)).widen()) };
            sums = T::add_one(q, k, sums);
        }
        for n in 0..N {
            // SAFETY: the caller's promise.
            unsafe { *out[n].add(r) += sums[n] };
        }
    }
}

/// The same for rows of exactly `C` packs: the query stays in registers, and nothing is left to loop over.
///
/// # Safety
///
/// As for [`compare`].
#[inline(always)]
unsafe fn compare_short<V: Vector, T: Term<N>, E: Element, const N: usize, const C: usize>(
    query: [V; C],
    rows: [*const E; GROUP],
    out: [*mut f32; N],
) {
    // SAFETY: all offsets stay below `C` packs.
    unsafe {
        let mut sums = [[V::splat(0.0); GROUP]; N];
        for r in 0..GROUP {
            let mut row = [V::splat(0.0); N];
            for c in 0..C {
                row = T::add(query[c], E::load(rows[r].add(c * V::LANES)), row);
            }
            for n in 0..N {
                sums[n][r] = row[n];
            }
        }
        for n in 0..N {
            V::sum_four(sums[n], out[n]);
        }
    }
}

/// Compares the query with each picked row; `out[n][i]` becomes the n-th sum of the i-th one.
///
/// # Safety
///
/// The set is available, the picks lie inside the rows, the query, where the term has one, is as long as they are wide,
/// and each `out` is as long as the pick.
#[inline(always)]
unsafe fn compare_all<V: Vector, T: Term<N>, E: Element, const N: usize>(
    rows: View<'_, E>,
    query: *const f32,
    pick: Pick<'_>,
    out: [&mut [f32]; N],
) {
    let count = pick.len();
    let out = out.map(|out| out.as_mut_ptr());
    // SAFETY: the caller's promise.
    unsafe {
        let picked = rows.picked(pick);
        let len = rows.width();
        if T::SHORT && len == 4 * V::LANES {
            compare_groups::<V, T, E, N, 4>(picked, query, len, count, out)
        } else if T::SHORT && len == 8 * V::LANES {
            compare_groups::<V, T, E, N, 8>(picked, query, len, count, out)
        } else {
            compare_groups::<V, T, E, N, 0>(picked, query, len, count, out)
        }
    }
}

/// [`compare_all`] for rows of `C` packs, or of any length where `C` is 0.
///
/// Short rows are taken as they stand. Of longer ones, the groups are a quarter of all rows apart: four long runs through
/// memory, which the machine prefetches better than one, and far better than four rows that end soon.
///
/// # Safety
///
/// As there, for `count` picks.
#[inline(always)]
unsafe fn compare_groups<V: Vector, T: Term<N>, E: Element, const N: usize, const C: usize>(
    rows: Picked<'_, E>,
    query: *const f32,
    len: usize,
    count: usize,
    out: [*mut f32; N],
) {
    // SAFETY: picks lie inside the rows, whose width is the query's length; `i` stays below `count`.
    unsafe {
        let mut packs = [V::splat(0.0); C];
        for c in 0..C {
            packs[c] = part::<V, T, N>(query, c * V::LANES);
        }
        let quarter = count / GROUP;
        for i in 0..quarter {
            if C == 0 {
                let mut sums = [[0.0; GROUP]; N];
                compare::<V, T, E, N>(query, len, rows.group(i, quarter), pointers(&mut sums));
                for n in 0..N {
                    for r in 0..GROUP {
                        *out[n].add(i + r * quarter) = sums[n][r];
                    }
                }
            } else {
                let mut to = out;
                for n in 0..N {
                    to[n] = out[n].add(GROUP * i);
                }
                compare_short::<V, T, E, N, C>(packs, rows.group(GROUP * i, 1), to);
            }
        }
        // A row that is left over stands for a whole group, so that its result does not depend on its neighbours.
        for i in GROUP * quarter..count {
            let mut sums = [[0.0; GROUP]; N];
            let to = pointers(&mut sums);
            match C {
                0 => compare::<V, T, E, N>(query, len, rows.group(i, 0), to),
                _ => compare_short::<V, T, E, N, C>(packs, rows.group(i, 0), to),
            }
            for n in 0..N {
                *out[n].add(i) = sums[n][0];
            }
        }
    }
}

/// Where each group of sums stands.
#[inline(always)]
fn pointers<const N: usize>(sums: &mut [[f32; GROUP]; N]) -> [*mut f32; N] {
    let mut out = [core::ptr::null_mut(); N];
    for n in 0..N {
        out[n] = sums[n].as_mut_ptr();
    }
    out
}

/// `out[i] = scale · (query · row picked i-th)`.
///
/// # Safety
///
/// As for [`compare_all`].
#[inline(always)]
pub(crate) unsafe fn products<V: Vector, E: Element>(
    rows: View<'_, E>,
    query: &[f32],
    pick: Pick<'_>,
    scale: f32,
    out: &mut [f32],
) {
    // SAFETY: the caller's promise.
    unsafe { compare_all::<V, Product, E, 1>(rows, query.as_ptr(), pick, [out]) };
    // SAFETY: the set is available.
    unsafe { multiply_all::<V>(out, scale) }
}

/// `values *= factor`.
///
/// # Safety
///
/// The set is available.
#[inline(always)]
unsafe fn multiply_all<V: Vector>(values: &mut [f32], factor: f32) {
    let mut packs = values.chunks_exact_mut(V::LANES);
    for pack in &mut packs {
        // SAFETY: a pack has `LANES` elements.
        unsafe { V::load(pack.as_ptr()).mul(V::splat(factor)).store(pack.as_mut_ptr()) }
    }
    packs.into_remainder().iter_mut().for_each(|value| *value *= factor);
}

/// `out[i] = ‖query − row picked i-th‖²`.
///
/// # Safety
///
/// As for [`compare_all`].
#[inline(always)]
pub(crate) unsafe fn squared_distances<V: Vector, E: Element>(
    rows: View<'_, E>,
    query: &[f32],
    pick: Pick<'_>,
    out: &mut [f32],
) {
    // SAFETY: the caller's promise.
    unsafe { compare_all::<V, SquaredDifference, E, 1>(rows, query.as_ptr(), pick, [out]) }
}

/// Squared distances as [`squared_distances`] gives them and, from the same reads, squared norms as
/// [`squared_norms`] does.
///
/// # Safety
///
/// As for [`compare_all`].
#[inline(always)]
pub(crate) unsafe fn squared_distances_and_norms<V: Vector, E: Element>(
    rows: View<'_, E>,
    query: &[f32],
    pick: Pick<'_>,
    exact_from: f64,
    distances: &mut [f32],
    norms: &mut [f64],
) {
    let pairs = distances.chunks_mut(PART).zip(norms.chunks_mut(PART));
    for (index, (distances, norms)) in pairs.enumerate() {
        let pick = pick.part(index * PART, PART);
        let mut quick = [0.0; PART];
        let quick = &mut quick[..norms.len()];
        // SAFETY: the caller's promise, for a part of the pick.
        unsafe {
            compare_all::<V, SquaredDifferenceAndSquare, E, 2>(
                rows,
                query.as_ptr(),
                pick,
                [distances, quick],
            );
            refine(rows, pick, exact_from, quick, norms);
        }
    }
}

/// ‖row‖² of each picked row: in `f32` below `exact_from`, and in `f64` from there on, where a difference to 1/c would
/// lose the digits of an `f32`.
///
/// # Safety
///
/// The set is available, the picks lie inside the rows and `out` is as long as the pick.
#[inline(always)]
pub(crate) unsafe fn squared_norms<V: Vector, E: Element>(
    rows: View<'_, E>,
    pick: Pick<'_>,
    exact_from: f64,
    out: &mut [f64],
) {
    for (index, out) in out.chunks_mut(PART).enumerate() {
        let pick = pick.part(index * PART, PART);
        let mut quick = [0.0; PART];
        let quick = &mut quick[..out.len()];
        // SAFETY: the caller's promise, for a part of the pick.
        unsafe {
            compare_all::<V, Square, E, 1>(rows, core::ptr::null(), pick, [quick]);
            refine(rows, pick, exact_from, quick, out);
        }
    }
}

/// Rows whose norms in `f32` are kept until those in `f64` are known.
const PART: usize = 256;

/// The norms in `f64`: the quick ones below `exact_from`, and those of the rows again from there on.
///
/// # Safety
///
/// The picks lie inside the rows; `out` is as long.
#[inline(always)]
unsafe fn refine<E: Element>(
    rows: View<'_, E>,
    pick: Pick<'_>,
    exact_from: f64,
    quick: &[f32],
    out: &mut [f64],
) {
    // Without branches first, so that the compiler makes vectors of it: few rows need the second look.
    let mut far = false;
    for (out, &quick) in out.iter_mut().zip(quick) {
        *out = f64::from(quick);
        far |= *out >= exact_from || quick.is_nan();
    }
    if !far {
        return;
    }
    for (i, (out, &quick)) in out.iter_mut().zip(quick).enumerate() {
        if *out >= exact_from || quick.is_nan() {
            // SAFETY: the i-th pick is a row of this width.
            let row = unsafe { core::slice::from_raw_parts(rows.picked(pick).row(i), rows.width()) };
            *out = squared_norm(row);
        }
    }
}

/// ‖x‖² in `f64`.
#[inline(always)]
pub(crate) fn squared_norm<E: Element>(x: &[E]) -> f64 {
    sum_f64(x, x)
}

/// `out[i] = scale · (query · row picked i-th)`, in `f64`: the products are exact, and so the error is that of the sum.
///
/// # Safety
///
/// The picks lie inside the rows, the rows are as wide as the query, and `out` is as long as the pick.
#[inline(always)]
pub(crate) unsafe fn products_f64<E: Element>(
    rows: View<'_, E>,
    query: &[f32],
    pick: Pick<'_>,
    scale: f64,
    out: &mut [f64],
) {
    for (i, out) in out.iter_mut().enumerate() {
        // SAFETY: the i-th pick is a row as wide as the query.
        let row = unsafe { core::slice::from_raw_parts(rows.picked(pick).row(i), query.len()) };
        *out = scale * sum_f64(query, row);
    }
}

/// Σ xᵢ·yᵢ in `f64`, in lane arrays that the compiler turns into vectors.
// Inlined for the sake of the instruction set, which in a module for the web is the same everywhere.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn sum_f64<A: Element, B: Element>(x: &[A], y: &[B]) -> f64 {
    const PACK: usize = 16;
    let mut lanes = [0.0_f64; PACK];
    let (xs, ys) = (x.chunks_exact(PACK), y.chunks_exact(PACK));
    let rest = xs.remainder().iter().zip(ys.remainder());
    let tail: f64 = rest.map(|(x, y)| f64::from(x.widen()) * f64::from(y.widen())).sum();
    for (x, y) in xs.zip(ys) {
        for lane in 0..PACK {
            lanes[lane] += f64::from(x[lane].widen()) * f64::from(y[lane].widen());
        }
    }
    lanes.iter().sum::<f64>() + tail
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
    let len = out.len();
    let to = out.as_mut_ptr();
    // SAFETY: picks lie inside the rows and are as many as the weights, by the caller's promise; columns stay below
    // `len`.
    unsafe {
        let rows = rows.picked(pick);
        let packs = len / V::LANES;
        if packs > 8 {
            return accumulate_long::<V, E>(rows, weights, out);
        }
        let mut column = 0;
        if packs & 8 != 0 {
            add_columns::<V, E, 8, 1>(rows, weights, column, to);
            column += 8 * V::LANES;
        }
        if packs & 4 != 0 {
            add_columns::<V, E, 4, 2>(rows, weights, column, to);
            column += 4 * V::LANES;
        }
        if packs & 2 != 0 {
            add_columns::<V, E, 2, 4>(rows, weights, column, to);
            column += 2 * V::LANES;
        }
        if packs & 1 != 0 {
            add_columns::<V, E, 1, 4>(rows, weights, column, to);
            column += V::LANES;
        }
        for j in column..len {
            let mut total = *to.add(j);
            for (i, weight) in weights.iter().enumerate() {
                total += weight * (*rows.row(i).add(j)).widen();
            }
            *to.add(j) = total;
        }
    }
}

/// Adds the weighted sum of `C` packs of columns, kept in registers over all rows; `S` rows are summed apart, because one
/// sum alone would wait for each addition.
///
/// # Safety
///
/// The set is available and the packs from `column` on lie inside the rows and behind `out`.
#[inline(always)]
unsafe fn add_columns<V: Vector, E: Element, const C: usize, const S: usize>(
    rows: Picked<'_, E>,
    weights: &[f32],
    column: usize,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[V::splat(0.0); C]; S];
        let mut i = 0;
        while i + S <= weights.len() {
            for s in 0..S {
                let (row, weight) = (rows.row(i + s).add(column), V::splat(*weights.get_unchecked(i + s)));
                for c in 0..C {
                    sums[s][c] = weight.mul_add(E::load(row.add(c * V::LANES)), sums[s][c]);
                }
            }
            i += S;
        }
        while i < weights.len() {
            let (row, weight) = (rows.row(i).add(column), V::splat(*weights.get_unchecked(i)));
            for c in 0..C {
                sums[0][c] = weight.mul_add(E::load(row.add(c * V::LANES)), sums[0][c]);
            }
            i += 1;
        }
        for c in 0..C {
            let to = out.add(column + c * V::LANES);
            let mut total = V::load(to);
            for s in 0..S {
                total = total.add(sums[s][c]);
            }
            total.store(to);
        }
    }
}

/// [`accumulate`] for rows too wide for registers: a few rows a pass over `out`, far apart, as in [`compare_groups`].
///
/// Narrow vectors take eight, for they are short of time to load and store `out` again, or four where eight and their loads
/// do not fit the registers; wide ones wait for memory.
///
/// # Safety
///
/// As there.
#[inline(always)]
unsafe fn accumulate_long<V: Vector, E: Element>(rows: Picked<'_, E>, weights: &[f32], out: &mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe {
        match V::LANES {
            4 if !V::LOADS_FIRST => accumulate_runs::<V, E, 8>(rows, weights, out),
            _ => accumulate_runs::<V, E, 4>(rows, weights, out),
        }
    }
}

/// The same with `R` rows a pass.
///
/// # Safety
///
/// As there.
#[inline(always)]
unsafe fn accumulate_runs<V: Vector, E: Element, const R: usize>(
    rows: Picked<'_, E>,
    weights: &[f32],
    out: &mut [f32],
) {
    let step = weights.len() / R;
    // SAFETY: all rows are below the number of weights.
    unsafe {
        for i in 0..step {
            let mut group = [0.0; R];
            for r in 0..R {
                group[r] = *weights.get_unchecked(i + r * step);
            }
            add_rows::<V, E, R>(group, rows.group(i, step), out);
        }
        for i in R * step..weights.len() {
            add_rows::<V, E, 1>([*weights.get_unchecked(i)], [rows.row(i)], out);
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
        // More packs a turn need no more registers, because a store waits for what comes before it; they save counting.
        const TURN: usize = 4;
        while V::LOADS_FIRST && R > 1 && i + TURN * V::LANES <= len {
            let mut here = rows;
            for r in 0..R {
                here[r] = rows[r].add(i);
            }
            for pack in 0..TURN {
                add_pack::<V, E, R>(lanes, here, pack * V::LANES, to.add(i));
            }
            i += TURN * V::LANES;
        }
        while i + V::LANES <= len {
            for r in 0..R {
                look_ahead::<V, E>(rows[r], i);
            }
            add_pack::<V, E, R>(lanes, rows, i, to);
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

/// The same for one pack, `at` elements into the rows and `to`.
///
/// # Safety
///
/// The set is available and the pack lies inside the rows and behind `to`.
#[inline(always)]
unsafe fn add_pack<V: Vector, E: Element, const R: usize>(
    weights: [V; R],
    rows: [*const E; R],
    at: usize,
    to: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut total = V::load(to.add(at));
        for r in 0..R {
            total = weights[r].mul_add(E::load(rows[r].add(at)), total);
        }
        total.store(to.add(at));
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
        let rows = rows.picked(pick);
        while i + GROUP <= weights.len() {
            let mut group = [0.0; GROUP];
            group.copy_from_slice(weights.get_unchecked(i..i + GROUP));
            add_rows_f64(group, rows.group(i, 1), out);
            i += GROUP;
        }
        while i < weights.len() {
            add_rows_f64([*weights.get_unchecked(i)], [rows.row(i)], out);
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
