//! φ, the map from queries and keys to features.

use super::super::workspace::Room;
use super::chunk::{copied, room};
use super::random::Projection;
use crate::dispatch::Kernel;
use crate::kernels::panels::Matrices;
use crate::kernels::rows::{Pick, Rows};
use alloc::vec::Vec;

/// φ of rows, in one of its two forms.
///
/// Random features of a row are e^(w·x − ‖x‖²/2) of many w. They are kept as e^(w·x − max w·x), at most 1, beside the
/// logarithm of what that left out: max w·x − ‖x‖²/2.
#[derive(Clone, Copy)]
pub(super) struct Map<'a> {
    pub kernel: Kernel,
    /// The projection, and its panels.
    pub random: Option<(&'a Projection, &'a [f32])>,
}

/// φ of some rows, with buffers that serve again.
#[derive(Debug, Default)]
pub(super) struct Features {
    rows: Vec<f32>,
    elements: Vec<f32>,
    width: usize,
    stride: usize,
    /// Of random features, ‖x‖²/2 of each row; then the logarithm of the factor that its features leave out.
    pub logs: Vec<f64>,
}

impl Room for Features {
    fn match_room(&mut self, other: &Self) {
        let Features { rows, elements, width: _, stride: _, logs } = self;
        rows.match_room(&other.rows);
        elements.match_room(&other.elements);
        logs.match_room(&other.logs);
    }
}

impl Features {
    /// The features, row by row, `stride` apart.
    pub fn elements(&self) -> &[f32] {
        self.elements.get(..self.logs.len() * self.stride).unwrap_or(&self.elements)
    }

    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The features as rows without what pads them.
    pub fn rows(&self) -> Rows<'_> {
        Rows::column_block(self.elements(), self.stride, 0, self.width)
    }
}

impl Map<'_> {
    /// φ of the picked rows, each random one relative to its own largest feature.
    pub fn apply(&self, rows: Rows<'_>, pick: Pick<'_>, out: &mut Features) {
        let Some((projection, panels)) = self.random else {
            (out.width, out.stride) = (rows.width(), rows.width());
            self.kernel.feature_map(copied(rows, pick, &mut out.elements));
            out.logs.clear();
            out.logs.resize(pick.len(), 0.0);
            return;
        };
        self.project(projection, panels, rows, pick, out);
        let elements = out.elements.chunks_exact_mut(out.stride);
        for (row, log) in elements.zip(&mut out.logs) {
            let row = row.get_mut(..out.width).unwrap_or_default();
            let max = self.kernel.maximum(row);
            self.kernel.weigh(row, max);
            *log = f64::from(max) - *log;
        }
    }

    /// Random features of the picked rows, all relative to the largest or to e^`log`, whichever is more; returns the
    /// logarithm of that.
    pub fn apply_together(
        &self,
        (projection, panels): (&Projection, &[f32]),
        rows: Rows<'_>,
        pick: Pick<'_>,
        log: f64,
        out: &mut Features,
    ) -> f64 {
        self.project(projection, panels, rows, pick, out);
        let mut largest = log;
        for (row, half_square) in out.elements.chunks_exact(out.stride).zip(&out.logs) {
            let max = self.kernel.maximum(row.get(..out.width).unwrap_or(row));
            largest = largest.max(f64::from(max) - half_square);
        }
        for (row, half_square) in out.elements.chunks_exact_mut(out.stride).zip(&out.logs) {
            self.kernel.weigh(row.get_mut(..out.width).unwrap_or_default(), (largest + half_square) as f32);
        }
        largest
    }

    /// Writes w·x of the picked rows, and their ‖x‖²/2.
    fn project(
        &self,
        projection: &Projection,
        panels: &[f32],
        rows: Rows<'_>,
        pick: Pick<'_>,
        out: &mut Features,
    ) {
        let (dim, width) = (rows.width(), projection.features);
        (out.width, out.stride) = (width, self.kernel.padded(width));
        let rows = copied(rows, pick, &mut out.rows);
        out.logs.clear();
        out.logs.extend(rows.chunks_exact(dim).map(|row| projection.half_square(row)));
        self.kernel.multiply(Matrices {
            a: rows,
            a_stride: dim,
            a_step: 1,
            rows: pick.len(),
            b: panels,
            b_rows: dim,
            depth: dim,
            c: room(&mut out.elements, pick.len() * out.stride),
            c_stride: out.stride,
            ahead: [&[]; 2],
        });
    }
}
