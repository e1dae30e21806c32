//! One call: its parts, spread over threads.
//!
//! How the keys are divided depends on the shape alone, and the sums of the parts are joined in their order: any number
//! of threads gives the same bits (D50).

use super::super::common::Settings;
use super::super::softmax::BLOCK;
use super::super::workspace::{Hand, Hands, Room};
use super::chunk::{room, Chunk};
use super::map::Map;
use super::random::RandomFeatures;
use super::sums::{Scratch, Sums};
use super::tile::{Seen, Tile, TILE};
use crate::error::{Error, Result};
use crate::kernels::rows::{Pick, Rows};
use alloc::vec::Vec;

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    sums: Sums,
    scratch: Scratch,
    tile: Tile,
}

impl Room for Buffers {
    fn match_room(&mut self, other: &Self) {
        let Buffers { sums, scratch, tile } = self;
        sums.match_room(&other.sums);
        scratch.match_room(&other.scratch);
        tile.match_room(&other.tile);
    }
}

/// Buffers of a call that its threads share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    parts: Vec<Sums>,
    seen: Seen,
    /// The projection of random features.
    panels: Vec<f32>,
}

/// Number of leading keys that a query sees; must not fall from query to query.
type Visible<'a> = dyn Fn(usize) -> usize + Sync + 'a;

/// What a call works with.
pub(crate) struct Call<'a> {
    pub settings: &'a Settings,
    pub random: Option<RandomFeatures>,
    pub chunk: &'a Chunk<'a>,
}

impl Call<'_> {
    /// Adds the keys from `start` to before `end` to the sums.
    pub fn absorb(&self, sums: &mut Sums, start: usize, end: usize, hands: &mut Hands) {
        let threads = &self.settings.threads;
        let pick = self.chunk.pick(start, end);
        let (dim, value_dim) = (self.chunk.keys.width(), self.chunk.values.width());
        let products = sums.products.len();
        let rows = segment_rows(pick.len(), products);
        let parts = pick.len().div_ceil(rows);
        let duration = self.duration(pick.len(), products);
        let (hands, shared) = hands.with_sums(threads.worth(duration));
        let Shared { parts: done, panels, .. } = &mut shared.linear;
        let map = self.map(panels);
        done.resize_with(done.len().max(parts), Sums::default);
        // They change places with those of the hands: none may be the first to need room in a later call.
        done.iter_mut().take(parts).for_each(|done| done.match_room(sums));
        let work = |Hand { linear, .. }: &mut Hand, part: usize| {
            linear.sums.reset(self.random, dim, value_dim);
            linear.sums.absorb(map, self.chunk, pick.part(part * rows, rows), &mut linear.scratch);
        };
        threads.run(hands, parts, &work, &mut |part, hand| {
            if let Some(done) = done.get_mut(part) {
                core::mem::swap(done, &mut hand.linear.sums);
            }
        });
        shared.linear.parts.iter().take(parts).for_each(|part| sums.merge(part));
    }

    /// Answers each query after adding the keys that it sees to the sums.
    pub fn attend(
        &self,
        sums: &mut Sums,
        queries: &[f32],
        visible: &Visible<'_>,
        hands: &mut Hands,
        out: &mut [f32],
    ) -> Result<()> {
        let count = queries.len() / self.chunk.keys.width();
        let first = visible(0);
        self.absorb(sums, 0, first, hands);
        if sums.keys == 0 {
            return Err(Error::NoVisibleKey { query: 0 });
        }
        match visible(count - 1) > first {
            true => self.attend_causally(sums, queries, visible, hands, out),
            false => self.attend_together(sums, queries, hands, out),
        }
        Ok(())
    }

    /// All queries see the same keys: tiles of queries are parts.
    fn attend_together(&self, sums: &Sums, queries: &[f32], hands: &mut Hands, out: &mut [f32]) {
        let threads = &self.settings.threads;
        let (dim, value_dim) = (self.chunk.keys.width(), self.chunk.values.width());
        let duration = self.duration(queries.len() / dim, sums.products.len());
        let (hands, shared) = hands.with_sums(threads.worth(duration));
        let Shared { seen, panels, .. } = &mut shared.linear;
        seen.pack(self.settings.kernel, sums);
        let map = self.map(panels);
        let (seen, tiles) = (&*seen, queries.len().div_ceil(TILE * dim));
        let work = |hand: &mut Hand, part: usize| {
            let queries = queries.get(part * TILE * dim..).unwrap_or(&[]);
            let queries = queries.get(..TILE * dim).unwrap_or(queries);
            hand.linear.tile.start(map, Rows::packed(queries, dim), sums, seen);
        };
        threads.run(hands, tiles, &work, &mut |part, hand| {
            let out = out.get_mut(part * TILE * value_dim..).unwrap_or_default();
            hand.linear.tile.finish(value_dim, out);
        });
    }

    /// Tile after tile, each after the keys that all its queries see have joined the sums.
    fn attend_causally(
        &self,
        sums: &mut Sums,
        queries: &[f32],
        visible: &Visible<'_>,
        hands: &mut Hands,
        out: &mut [f32],
    ) {
        let (dim, value_dim) = (self.chunk.keys.width(), self.chunk.values.width());
        let (hands, shared) = hands.with_sums(1);
        let Shared { seen, panels, .. } = &mut shared.linear;
        let map = self.map(panels);
        let Some(hand) = hands.first_mut().map(crate::threads::exclusive) else { return };
        let Buffers { scratch, tile, .. } = &mut hand.linear;
        let mut absorbed = visible(0);
        let tiles = queries.chunks(TILE * dim).zip(out.chunks_mut(TILE * value_dim));
        for (index, (queries, out)) in tiles.enumerate() {
            let first = index * TILE;
            let common = visible(first);
            sums.absorb(map, self.chunk, self.chunk.pick(absorbed, common), scratch);
            absorbed = common;
            seen.pack(self.settings.kernel, sums);
            tile.start(map, Rows::packed(queries, dim), sums, seen);
            tile.add_own(map, self.chunk, common, |row| visible(first + row));
            tile.finish(value_dim, out);
        }
    }

    /// φ, with a projection packed into the buffer.
    fn map<'m>(&'m self, panels: &'m mut Vec<f32>) -> Map<'m> {
        let kernel = self.settings.kernel;
        let random = self.settings.projection.as_deref().map(|projection| {
            let (dim, width) = (self.chunk.keys.width(), projection.features);
            let panels = room(panels, kernel.padded(width) * dim);
            kernel.along(Rows::packed(&projection.columns, width), Pick::first(dim), panels);
            (projection, &*panels)
        });
        Map { kernel, random }
    }

    /// Nanoseconds that one thread needs for so many rows, roughly: `products` multiply-adds each.
    fn duration(&self, rows: usize, products: usize) -> f64 {
        rows as f64 * products as f64 * 0.2 / self.settings.kernel.lanes() as f64
    }
}

/// Keys of a part: enough that joining its sums costs little, and so many that the parts' sums are few and fit in memory.
fn segment_rows(keys: usize, products: usize) -> usize {
    /// Multiply-adds: about 80 µs with eight lanes.
    const WORK: usize = 1 << 22;
    /// Elements of all sums: 32 MiB, or four parts.
    const SUMS: usize = 1 << 22;
    let most = (SUMS / products).clamp(4, 32);
    (WORK / products).max(keys.div_ceil(most)).next_multiple_of(BLOCK)
}
