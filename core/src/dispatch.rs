//! Which kernel runs: detected once, or chosen by name.

pub(crate) use crate::kernels::ball::has_lost;
use crate::kernels::panels::Matrices;
use crate::kernels::rows::{Pick, Rows, Typed};
use crate::kernels::{self, Table};
use core::fmt;

/// Calls a table's function for the rows' type of element.
macro_rules! call {
    ($kernel:expr, $function:ident, $rows:expr, $($argument:expr),*) => {
        match $rows.typed() {
            Typed::F32(rows) => ($kernel.0.f32.$function)(rows, $($argument),*),
            #[cfg(feature = "f16")]
            Typed::F16(rows) => ($kernel.0.f16.$function)(rows, $($argument),*),
            #[cfg(feature = "f16")]
            Typed::Bf16(rows) => ($kernel.0.bf16.$function)(rows, $($argument),*),
        }
    };
}

/// Fastest first; the last one runs everywhere.
static TABLES: &[&Table] = &[
    #[cfg(target_arch = "x86_64")]
    &kernels::avx512::TABLE,
    #[cfg(target_arch = "x86_64")]
    &kernels::avx2::TABLE,
    #[cfg(target_arch = "x86_64")]
    &kernels::sse2::TABLE,
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    &kernels::neon::TABLE,
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    &kernels::simd128::TABLE,
    &kernels::scalar::TABLE,
];

/// The instruction set that the arithmetic uses.
///
/// A value of this type exists only for a set that the machine at hand has, so using it is safe.
///
/// ```
/// use ruvector_attention::Kernel;
/// assert!(Kernel::available().any(|kernel| kernel.name() == "scalar"));
/// assert_eq!(Kernel::named("no such set"), None);
/// ```
#[derive(Clone, Copy)]
pub struct Kernel(&'static Table);

impl Kernel {
    /// The fastest kernel of this machine, detected once.
    ///
    /// With the feature `std`, the environment variable `RUVECTOR_ATTENTION_KERNEL`, read once, picks another by name;
    /// a name this machine does not have is ignored, so compare [`name`](Kernel::name) where it matters.
    pub fn detect() -> Self {
        #[cfg(feature = "std")]
        {
            static CHOICE: std::sync::OnceLock<Kernel> = std::sync::OnceLock::new();
            *CHOICE.get_or_init(|| {
                std::env::var("RUVECTOR_ATTENTION_KERNEL")
                    .ok()
                    .and_then(|name| Kernel::named(&name))
                    .unwrap_or_else(Kernel::fastest)
            })
        }
        #[cfg(not(feature = "std"))]
        Kernel::fastest()
    }

    /// The kernels that this machine can run, fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        TABLES.iter().filter(|table| (table.available)()).map(|table| Kernel(table))
    }

    /// The kernel of this name, if the machine can run it.
    pub fn named(name: &str) -> Option<Self> {
        Self::available().find(|kernel| kernel.name() == name)
    }

    /// The portable kernel, without any instruction set beyond the target's baseline.
    pub fn scalar() -> Self {
        Kernel(&kernels::scalar::TABLE)
    }

    /// Its name, such as `avx2` or `scalar`.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    fn fastest() -> Self {
        Self::available().next().unwrap_or_else(Self::scalar)
    }

    /// Scaled dot products of the query with the picked rows.
    pub(crate) fn products(
        &self,
        query: &[f32],
        rows: Rows<'_>,
        pick: Pick<'_>,
        scale: f32,
        out: &mut [f32],
    ) {
        if fits(rows, pick, query.len(), out.len()) {
            // SAFETY: the set is available, and `fits` checked what the kernel asks for.
            unsafe { call!(self, products, rows, query, pick, scale, out) }
        }
    }

    /// The same, computed in `f64`.
    pub(crate) fn products_f64(
        &self,
        query: &[f32],
        rows: Rows<'_>,
        pick: Pick<'_>,
        scale: f64,
        out: &mut [f64],
    ) {
        if fits(rows, pick, query.len(), out.len()) {
            // SAFETY: as in `products`.
            unsafe { call!(self, products_f64, rows, query, pick, scale, out) }
        }
    }

    /// Squared Euclidean distances of the query to the picked rows.
    pub(crate) fn squared_distances(&self, query: &[f32], rows: Rows<'_>, pick: Pick<'_>, out: &mut [f32]) {
        if fits(rows, pick, query.len(), out.len()) {
            // SAFETY: as in `products`.
            unsafe { call!(self, squared_distances, rows, query, pick, out) }
        }
    }

    /// Largest element.
    pub(crate) fn maximum(&self, values: &[f32]) -> f32 {
        // SAFETY: the set is available.
        unsafe { (self.0.maximum)(values) }
    }

    /// Turns scores into e^(score − max) and returns their sum.
    pub(crate) fn weigh(&self, scores: &mut [f32], max: f32) -> f64 {
        // SAFETY: the set is available.
        unsafe { (self.0.weigh)(scores, max) }
    }

    /// φ of each element, in place.
    pub(crate) fn feature_map(&self, values: &mut [f32]) {
        // SAFETY: the set is available.
        unsafe { (self.0.feature_map)(values) }
    }

    /// Adds to each total its addend.
    pub(crate) fn add(&self, addends: &[f32], totals: &mut [f64]) {
        // SAFETY: the set is available.
        unsafe { (self.0.add)(addends, totals) }
    }

    /// Writes each value times the factor.
    pub(crate) fn scaled(&self, values: &[f64], factor: f64, out: &mut [f32]) {
        // SAFETY: the set is available.
        unsafe { (self.0.scaled)(values, factor, out) }
    }

    /// Adds the weighted sum of the picked rows to `out`.
    pub(crate) fn accumulate(&self, weights: &[f32], rows: Rows<'_>, pick: Pick<'_>, out: &mut [f32]) {
        if fits(rows, pick, out.len(), weights.len()) {
            // SAFETY: as in `products`.
            unsafe { call!(self, accumulate, rows, weights, pick, out) }
        }
    }

    /// The same in double precision.
    pub(crate) fn accumulate_f64(&self, weights: &[f64], rows: Rows<'_>, pick: Pick<'_>, out: &mut [f64]) {
        if fits(rows, pick, out.len(), weights.len()) {
            // SAFETY: as in `products`.
            unsafe { call!(self, accumulate_f64, rows, weights, pick, out) }
        }
    }

    /// Elements it works on at once.
    pub(crate) fn lanes(&self) -> usize {
        self.0.panel_width / 2
    }

    /// Packs the transposed picked rows into panels: as many rows of panels as a row has elements, and as many columns as
    /// [`padded`](Kernel::padded) gives for the picks.
    pub(crate) fn across(&self, rows: Rows<'_>, pick: Pick<'_>, panels: &mut [f32]) {
        let len = self.padded(pick.len()) * rows.width();
        if fits(rows, pick, rows.width(), pick.len()) && holds(panels, len) {
            // SAFETY: the set is available, the picks lie inside the rows, and there is room.
            unsafe { call!(self, across, rows, pick, panels) }
        }
    }

    /// Packs the picked rows into panels: as many rows of panels as picks, and as many columns as
    /// [`padded`](Kernel::padded) gives for a row's elements.
    pub(crate) fn along(&self, rows: Rows<'_>, pick: Pick<'_>, panels: &mut [f32]) {
        let len = self.padded(rows.width()) * pick.len();
        if fits(rows, pick, rows.width(), pick.len()) && holds(panels, len) {
            // SAFETY: as in `across`.
            unsafe { call!(self, along, rows, pick, panels) }
        }
    }

    /// The smallest number of columns of whole panels that is not below `columns`.
    pub(crate) fn padded(&self, columns: usize) -> usize {
        columns.next_multiple_of(self.panel_width())
    }

    /// Columns of a panel of [`multiply`](Kernel::multiply).
    pub(crate) fn panel_width(&self) -> usize {
        self.0.panel_width
    }

    /// `c = a · b`, with panels of [`panel_width`](Kernel::panel_width) columns.
    pub(crate) fn multiply(&self, matrices: Matrices<'_>) {
        let fit = matrices.fit(self.panel_width());
        debug_assert!(fit, "matrices that do not agree");
        if fit {
            // SAFETY: the set is available and the matrices fit.
            unsafe { (self.0.multiply)(matrices) }
        }
    }

    /// Squared norms of the picked rows, in full precision from `exact_from` on.
    pub(crate) fn squared_norms(&self, rows: Rows<'_>, pick: Pick<'_>, exact_from: f64, out: &mut [f64]) {
        if fits(rows, pick, rows.width(), out.len()) {
            // SAFETY: as in `products`.
            unsafe { call!(self, squared_norms, rows, pick, exact_from, out) }
        }
    }

    /// Squared distances of the query to the picked rows and the rows' squared norms, from one reading.
    pub(crate) fn squared_distances_and_norms(
        &self,
        query: &[f32],
        rows: Rows<'_>,
        pick: Pick<'_>,
        exact_from: f64,
        distances: &mut [f32],
        norms: &mut [f64],
    ) {
        if fits(rows, pick, query.len(), distances.len()) && norms.len() == distances.len() {
            // SAFETY: as in `products`.
            unsafe {
                call!(self, squared_distances_and_norms, rows, query, pick, exact_from, distances, norms)
            }
        }
    }

    /// Turns squared norms into gaps 1 − c‖x‖² and returns the smallest; NaN if one is not finite.
    pub(crate) fn gaps(&self, norms: &mut [f64], c: f64) -> f64 {
        // SAFETY: the set is available.
        unsafe { (self.0.gaps)(norms, c) }
    }

    /// Multiplies weights by λ = 2/gap of their values in the ball and returns Σ w(λ − 1).
    pub(crate) fn weigh_points(&self, weights: &mut [f32], gaps: &[f64]) -> f64 {
        // SAFETY: the set is available.
        unsafe { (self.0.weigh_points)(weights, gaps) }
    }

    /// Turns squared distances of a query to keys into scores in the ball of curvature −c, given 1 − c‖·‖² of both.
    pub(crate) fn ball_scores(&self, scores: &mut [f32], gaps: &[f64], c: f64, query_gap: f64) {
        if same(scores.len(), gaps.len()) {
            // SAFETY: the set is available and each score has a gap.
            unsafe { (self.0.ball_scores)(scores, gaps, c, query_gap) }
        }
    }

    /// Turns products −2·q·k of a query with keys into squared distances, given the squared norms of both; whether one lost
    /// digits that [`squared_distances`](Kernel::squared_distances) would keep, see [`has_lost`].
    pub(crate) fn distances(&self, products: &mut [f32], norms: &[f32], query_norm: f32) -> bool {
        // SAFETY: the set is available and each product has a norm.
        same(products.len(), norms.len()) && unsafe { (self.0.distances)(products, norms, query_norm) }
    }
}

/// Whether picks, widths and lengths agree. They always do behind `shape`; this keeps a mistake there from
/// becoming an access out of bounds.
fn fits(rows: Rows<'_>, pick: Pick<'_>, width: usize, len: usize) -> bool {
    let fit = pick.inside(rows.count()) && rows.width() == width && pick.len() == len;
    debug_assert!(fit, "kernel called with shapes that do not agree");
    fit
}

/// Whether there are as many of one as of the other.
fn same(left: usize, right: usize) -> bool {
    debug_assert!(left == right, "slices of different lengths");
    left == right
}

/// Whether there is room for exactly these panels.
fn holds(panels: &[f32], len: usize) -> bool {
    debug_assert!(panels.len() == len, "panels of another size");
    panels.len() == len
}

impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Kernel {}

impl Default for Kernel {
    fn default() -> Self {
        Self::detect()
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kernel({})", self.name())
    }
}
