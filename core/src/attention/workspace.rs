//! Buffers that calls share, so that a hot loop allocates nothing.

use super::linear;
use super::memory;
use super::partial::Partial;
use super::softmax::Scratch;
use super::tiled::{Packed, TileScratch};
use crate::threads::{exclusive, Slot};
use alloc::vec::Vec;
use core::fmt;

/// Buffers for [`forward_into`](crate::Attention::forward_into).
///
/// They grow to what the largest call needed; from then on no call allocates. One workspace serves any attention and any
/// shape, but one call at a time.
#[derive(Default)]
pub struct Workspace {
    pub(crate) memory: memory::Buffers,
    pub(crate) query_gaps: Vec<f64>,
    pub(crate) hands: Hands,
    /// Queries, keys, values and result as a mechanism projects them.
    pub(crate) projected: [Vec<f32>; 4],
}

impl Workspace {
    /// An empty workspace.
    pub fn new() -> Self {
        Self::default()
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workspace")
    }
}

/// A clone is empty: buffers hold nothing between calls.
impl Clone for Workspace {
    fn clone(&self) -> Self {
        Self::new()
    }
}

/// What the threads of a call write to.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    hands: Vec<Slot<Hand>>,
    sums: Sums,
    /// The running state of linear attention.
    pub linear: linear::Sums,
}

/// Buffers that can be given the room that others have.
pub(crate) trait Room {
    fn match_room(&mut self, other: &Self);
}

impl<T: Copy> Room for Vec<T> {
    fn match_room(&mut self, other: &Self) {
        self.reserve_exact(other.capacity().saturating_sub(self.len()));
    }
}

impl Room for Vec<Partial> {
    fn match_room(&mut self, other: &Self) {
        self.resize_with(self.len().max(other.len()), || Partial::new(0));
        self.iter_mut().zip(other).for_each(|(own, other)| own.total.match_room(&other.total));
    }
}

impl Room for Hand {
    fn match_room(&mut self, other: &Self) {
        let Hand { scratch, scores, partials, tile, linear } = self;
        scratch.match_room(&other.scratch);
        scores.match_room(&other.scores);
        partials.match_room(&other.partials);
        tile.match_room(&other.tile);
        linear.match_room(&other.linear);
    }
}

/// What one thread writes to.
#[derive(Debug, Default)]
pub(crate) struct Hand {
    pub scratch: Scratch,
    /// Scores of all heads.
    pub scores: Vec<f32>,
    /// Sums of the part that was done last, one a head; may be more than there are heads.
    pub partials: Vec<Partial>,
    pub tile: TileScratch,
    pub linear: linear::Buffers,
}

/// What the parts of a call are joined from.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    pub partials: Vec<Partial>,
    pub scores: Vec<f32>,
    /// Packed heads.
    pub packed: Vec<Packed>,
    pub linear: linear::Shared,
}

impl Hands {
    /// Hands for so many threads.
    pub fn of(&mut self, threads: usize) -> &mut [Slot<Hand>] {
        self.with_sums(threads).0
    }

    /// The same, and the sums to join.
    pub fn with_sums(&mut self, threads: usize) -> (&mut [Slot<Hand>], &mut Sums) {
        let threads = threads.max(1);
        let missing = threads.saturating_sub(self.hands.len());
        self.hands.extend((0..missing).map(|_| Slot::default()));
        (self.hands.get_mut(..threads).unwrap_or_default(), &mut self.sums)
    }

    /// Gives all hands the same room: which thread does which part is chance, and the next call must not allocate because
    /// of it.
    pub fn even(&mut self) {
        let [first, others @ ..] = self.hands.as_mut_slice() else { return };
        let first = exclusive(first);
        others.iter_mut().for_each(|other| first.match_room(exclusive(other)));
        others.iter_mut().for_each(|other| exclusive(other).match_room(first));
    }
}
