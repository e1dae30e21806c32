//! Attention whose keys and values arrive in chunks, and partial results that merge.

mod bytes;

use super::common::{Common, Mechanism, Settings};
use super::engine::Call;
use super::linear::{self, Chunk, Sums};
use super::memory::{self, Memory};
use super::partial::Partial;
use super::softmax::Scratch;
use super::tiled;
use super::top;
use super::workspace::{Hand, Workspace};
use crate::error::{Error, Needed, Result};
use crate::options::Options;
use crate::shape::{self, Shape};
use alloc::vec;
use alloc::vec::Vec;

/// A computation in progress: fixed queries, and the keys seen so far, reduced to running sums.
///
/// Any chunking of the keys gives the one-shot result, up to rounding. States over different shards of the keys
/// [`merge`](AttentionState::merge), in the order of the shards where top-k ties or causal order make order matter;
/// merging is associative. A state can travel as bytes.
///
/// Made by [`Attention::stream`](crate::Attention::stream) of any mechanism, or by [`new`](AttentionState::new) for
/// scaled dot-product. Memory does not grow with the number of keys: O(m·dv), O(m·k·dv) with top-k, O(d·dv) for linear,
/// and in causal order the last m − 1 keys and values besides.
///
/// ```
/// use ruvector_attention::{Attention, AttentionState, Options, ScaledDotProductAttention};
/// let (query, keys, values) = ([1.0, 2.0], [0.5, 0.1, 0.2, 0.7, 0.9, 0.3], [1.0, 2.0, 3.0]);
///
/// let mut first = AttentionState::new(&query, 2, 1, &Options::default())?;
/// first.push(&keys[..2], &values[..1])?;
/// let mut second = AttentionState::new(&query, 2, 1, &Options::default())?;
/// second.push(&keys[2..], &values[1..])?;
/// first.merge(&AttentionState::from_bytes(&second.to_bytes())?)?;
///
/// let whole = ScaledDotProductAttention::new(2)?.forward(&query, &keys, &values)?;
/// assert!((first.finish()?[0] - whole[0]).abs() < 1e-6);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AttentionState {
    mechanism: Mechanism,
    settings: Settings,
    queries: Vec<f32>,
    query_gaps: Vec<f64>,
    dim: usize,
    value_dim: usize,
    neighbors: Option<usize>,
    causal: bool,
    /// Keys seen, masked ones included.
    seen: usize,
    progress: Progress,
    /// In causal order the last m − 1 rows, which not every query sees.
    tail: Tail,
    workspace: Workspace,
}

/// Running sums of all queries.
#[derive(Debug, Clone, PartialEq)]
enum Progress {
    /// One partial softmax a query and head.
    Softmax(Vec<Partial>),
    /// The best keys so far of each query and head.
    Best(Vec<Candidates>),
    Linear(Sums),
}

/// The k best keys so far, in the order of their arrival.
#[derive(Debug, Clone, PartialEq, Default)]
struct Candidates {
    scores: Vec<f32>,
    /// The same scores in `f64`, for weights that an `f32` would blur.
    exact: Vec<f64>,
    /// One row a score.
    values: Vec<f32>,
}

/// Rows held back.
#[derive(Debug, Clone, PartialEq, Default)]
struct Tail {
    keys: Vec<f32>,
    values: Vec<f32>,
    mask: Vec<bool>,
}

impl AttentionState {
    /// Starts scaled dot-product attention of m queries, flat `[m·dim]`, over values of `value_dim` elements.
    ///
    /// Errors: sizes of zero, lengths that do not agree, NaN or ∞ in the queries, and options that a stream cannot
    /// honour: `mask` (it belongs to a chunk).
    pub fn new(queries: &[f32], dim: usize, value_dim: usize, options: &Options<'_>) -> Result<Self> {
        Self::start(&Common::one_head("scaled-dot-product", dim)?, queries, dim, value_dim, options)
    }

    /// Starts any mechanism.
    pub(crate) fn start(
        common: &Common,
        queries: &[f32],
        dim: usize,
        value_dim: usize,
        options: &Options<'_>,
    ) -> Result<Self> {
        let (mechanism, settings) = (common.mechanism, &common.settings);
        shape::batch_dim(dim, common.dim)?;
        let options = settings.complete(options);
        let m = shape::rows("queries", queries.len(), dim)?;
        shape::positive("value_dim", value_dim)?;
        shape::product("value_dim", &[m, value_dim])?;
        let width = mechanism.random_features().map_or(dim, |random| random.features);
        shape::product("value_dim", &[width, value_dim])?;
        if !value_dim.is_multiple_of(mechanism.heads()) {
            return Err(Error::Parameter {
                argument: "value_dim",
                found: value_dim as f64,
                needed: "a multiple of num_heads",
            });
        }
        if options.mask.is_some() {
            return Err(Error::Unsupported {
                argument: "mask",
                by: "the start of a stream, see push_masked",
            });
        }
        if settings.dropout(&options).is_some() {
            return Err(Error::Unsupported { argument: "training", by: "streaming with dropout" });
        }
        if let Some(index) = shape::first_non_finite(queries) {
            return Err(Error::NonFinite { argument: "queries", index });
        }
        let neighbors = shape::neighbors(&options)?;
        match (mechanism, neighbors) {
            (Mechanism::Linear { .. }, _) => shape::room("value_dim", &[width, value_dim])?,
            (_, None) => shape::room("value_dim", &[m, value_dim])?,
            (_, Some(_)) => {}
        }
        let mut query_gaps = Vec::new();
        memory::query_gaps(mechanism, queries, dim, settings.kernel, &mut query_gaps)?;
        let mut state = AttentionState {
            mechanism,
            settings: settings.clone(),
            queries: queries.to_vec(),
            query_gaps,
            dim,
            value_dim,
            neighbors,
            causal: options.causal,
            seen: 0,
            progress: Progress::Softmax(Vec::new()),
            tail: Tail::default(),
            workspace: Workspace::new(),
        };
        state.progress = state.no_progress();
        Ok(state)
    }

    /// Number of queries.
    pub fn queries(&self) -> usize {
        self.queries.len() / self.dim
    }

    /// Length of a query and of a key.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Length of a value.
    pub fn value_dim(&self) -> usize {
        self.value_dim
    }

    /// Number of keys pushed or merged so far, masked ones included.
    pub fn keys(&self) -> usize {
        self.seen
    }

    /// Adds keys, flat `[n·dim]`, and their values, `[n·value_dim]`.
    ///
    /// After an error the state is as it was before the call.
    pub fn push(&mut self, keys: &[f32], values: &[f32]) -> Result<()> {
        self.add(keys, values, None)
    }

    /// Adds those keys and values whose flag in the mask is true; all false is allowed here.
    ///
    /// After an error the state is as it was before the call.
    pub fn push_masked(&mut self, keys: &[f32], values: &[f32], mask: &[bool]) -> Result<()> {
        self.add(keys, values, Some(mask))
    }

    /// Adds the keys that another state of the same computation has seen; they come after this state's own.
    ///
    /// Errors: [`Error::StateMismatch`] names what differs. After an error the state is as it was before the call.
    pub fn merge(&mut self, other: &AttentionState) -> Result<()> {
        self.check_same(other)?;
        let seen = self.seen.checked_add(other.seen).ok_or(Error::TooLarge { argument: "other" })?;
        if other.seen < self.held() {
            // All that the other one saw is still in its tail.
            let Tail { keys, values, mask } = &other.tail;
            return if mask.is_empty() { Ok(()) } else { self.add(keys, values, Some(mask)) };
        }
        let mut progress = self.progress.clone();
        if !self.tail.mask.is_empty() {
            // As many rows came after them as could be hidden from a query: now every query sees these.
            let Tail { keys, values, mask } = &self.tail;
            let everything = |_: usize| mask.len();
            let addend = self.reduce(keys, values, Some(mask), &everything, &mut Workspace::new())?;
            self.combine(&mut progress, &addend);
        }
        self.combine(&mut progress, &other.progress);
        if !progress.is_finite() {
            return Err(Error::Overflow { index: 0 });
        }
        (self.progress, self.tail, self.seen) = (progress, other.tail.clone(), seen);
        Ok(())
    }

    /// The result for all keys so far, `[m·value_dim]`; the state can go on afterwards.
    ///
    /// Errors: [`Error::Length`] if no key was pushed, [`Error::AllMasked`] if none took part,
    /// [`Error::NoVisibleKey`] if causal order leaves a query without keys.
    pub fn finish(&self) -> Result<Vec<f32>> {
        if self.seen == 0 {
            return Err(shape::length("keys", 0, Needed::MultipleOf(self.dim)));
        }
        let m = self.queries();
        if self.causal && self.seen < m {
            return Err(Error::NoVisibleKey { query: 0 });
        }
        // Before room is made for a result: bytes from elsewhere may claim any value_dim.
        self.check_seen()?;
        let mut out = vec![0.0; shape::product("queries", &[m, self.value_dim])?];
        if let Progress::Linear(sums) = &self.progress {
            self.finish_linear(sums, &mut out)?;
        } else if self.tail.mask.is_empty() {
            self.write(&self.progress, &mut out)?;
        } else {
            let Tail { keys, values, mask } = &self.tail;
            let mut progress = self.progress.clone();
            let visible = |query: usize| self.visible_tail(query);
            let addend = self.reduce(keys, values, Some(mask), &visible, &mut Workspace::new())?;
            self.combine(&mut progress, &addend);
            self.write(&progress, &mut out)?;
        }
        match shape::first_non_finite(&out) {
            Some(index) => Err(Error::Overflow { index }),
            None => Ok(out),
        }
    }

    /// Without causal order, refuses a state in which no key took part.
    fn check_seen(&self) -> Result<()> {
        let nothing = match &self.progress {
            Progress::Softmax(partials) => partials.iter().any(Partial::is_empty),
            Progress::Best(candidates) => candidates.iter().any(|best| best.scores.is_empty()),
            Progress::Linear(sums) => sums.keys == 0,
        };
        match nothing && self.tail.mask.is_empty() {
            true => Err(self.no_key(Error::NoVisibleKey { query: 0 })),
            false => Ok(()),
        }
    }

    /// Rows at the end that causal order hides from some query.
    fn held(&self) -> usize {
        if self.causal {
            self.queries() - 1
        } else {
            0
        }
    }

    /// Rows of the tail that a query sees: query i of m does not see the last m − 1 − i keys.
    fn visible_tail(&self, query: usize) -> usize {
        // Without causal order the tail is empty.
        (self.tail.mask.len() + query + 1).saturating_sub(self.queries()).min(self.tail.mask.len())
    }

    fn add(&mut self, keys: &[f32], values: &[f32], mask: Option<&[bool]>) -> Result<()> {
        let n = shape::rows("keys", keys.len(), self.dim)?;
        let needed = shape::product("values", &[n, self.value_dim])?;
        if values.len() != needed {
            return Err(shape::length("values", values.len(), Needed::Exactly(needed)));
        }
        if let Some(mask) = mask.filter(|mask| mask.len() != n) {
            return Err(shape::length("mask", mask.len(), Needed::Exactly(n)));
        }
        let seen = self.seen.checked_add(n).ok_or(Error::TooLarge { argument: "keys" })?;
        if self.held() == 0 {
            let addend = self.reduce_here(keys, values, mask)?;
            self.absorb(&addend);
        } else {
            self.add_behind_tail(keys, values, mask, n)?;
        }
        self.seen = seen;
        Ok(())
    }

    /// Causal order: rows leave the tail at its front as others arrive at its end.
    fn add_behind_tail(
        &mut self,
        keys: &[f32],
        values: &[f32],
        mask: Option<&[bool]>,
        n: usize,
    ) -> Result<()> {
        // Held rows meet the queries only later, when their indices would mean nothing to the caller.
        if let Some(error) = shape::blame_inputs(&[("keys", keys.into()), ("values", values.into())]) {
            return Err(error);
        }
        let mut rows = self.tail.clone();
        rows.keys.extend_from_slice(keys);
        rows.values.extend_from_slice(values);
        match mask {
            Some(mask) => rows.mask.extend_from_slice(mask),
            None => rows.mask.resize(rows.mask.len() + n, true),
        }
        self.check_ball(keys, values, mask, n)?;
        let ready = rows.mask.len().saturating_sub(self.held());
        if ready > 0 {
            let addend = self.reduce_here(
                rows.keys.get(..ready * self.dim).unwrap_or(&[]),
                rows.values.get(..ready * self.value_dim).unwrap_or(&[]),
                rows.mask.get(..ready),
            )?;
            self.absorb(&addend);
            rows.keys.drain(..ready * self.dim);
            rows.values.drain(..ready * self.value_dim);
            rows.mask.drain(..ready);
        }
        self.tail = rows;
        Ok(())
    }

    /// Refuses rows outside the ball when they arrive, not when they leave the tail.
    fn check_ball(&self, keys: &[f32], values: &[f32], mask: Option<&[bool]>, n: usize) -> Result<()> {
        let kernel = self.settings.kernel;
        let mut buffers = memory::Buffers::default();
        let what = (self.mechanism, kernel, self.shape(n));
        match Memory::new(what, (keys.into(), values.into()), mask, true, &mut buffers) {
            Ok(_) | Err(Error::AllMasked) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn shape(&self, keys: usize) -> Shape {
        Shape { queries: self.queries(), dim: self.dim, keys, value_dim: self.value_dim }
    }

    /// Sums of these rows alone, all of which every query sees, with the state's own buffers.
    fn reduce_here(&mut self, keys: &[f32], values: &[f32], mask: Option<&[bool]>) -> Result<Progress> {
        let mut workspace = core::mem::take(&mut self.workspace);
        let addend = self.reduce(keys, values, mask, &|_| usize::MAX, &mut workspace);
        self.workspace = workspace;
        addend
    }

    /// Sums of these rows alone, for each query over the first `visible(query)` of them.
    fn reduce(
        &self,
        keys: &[f32],
        values: &[f32],
        mask: Option<&[bool]>,
        visible: &(dyn Fn(usize) -> usize + Sync),
        workspace: &mut Workspace,
    ) -> Result<Progress> {
        let mut progress = self.no_progress();
        if mask.is_some_and(|mask| mask.iter().all(|keep| !keep)) {
            return Ok(progress);
        }
        let shape = self.shape(keys.len() / self.dim);
        let kernel = self.settings.kernel;
        if let Progress::Linear(sums) = &mut progress {
            let Workspace { memory, hands, .. } = workspace;
            let chunk = Chunk::new(shape, keys.into(), values.into(), mask, &mut memory.allowed)?;
            let random = self.mechanism.random_features();
            let call = linear::Call { settings: &self.settings, random, chunk: &chunk };
            call.absorb(sums, 0, shape.keys, hands);
        } else {
            let Workspace { memory: buffers, hands, .. } = workspace;
            let prepare = self.neighbors.is_some() || tiled::is_worth_it(self.queries());
            let what = (self.mechanism, kernel, shape);
            let memory = Memory::new(what, (keys.into(), values.into()), mask, prepare, buffers)?;
            let visible = |query| visible(query).min(shape.keys);
            let call = Call {
                memory: &memory,
                queries: &self.queries,
                query_gaps: &self.query_gaps,
                visible: &visible,
                neighbors: self.neighbors,
                dropout: None,
            };
            match &mut progress {
                Progress::Best(candidates) => reduce_best(&call, candidates),
                Progress::Softmax(partials) => {
                    let heads = self.mechanism.heads();
                    call.run(&self.settings.threads, hands, &mut |query, head, partial| {
                        if let Some(own) = partials.get_mut(query * heads + head) {
                            own.clone_from(partial);
                        }
                    })?;
                }
                Progress::Linear(_) => {}
            }
        }
        if progress.is_finite() {
            return Ok(progress);
        }
        Err(shape::blame_inputs(&[("keys", keys.into()), ("values", values.into())])
            .unwrap_or(Error::Overflow { index: 0 }))
    }

    /// Adds sums that are finite by themselves.
    fn absorb(&mut self, addend: &Progress) {
        let mut progress = core::mem::replace(&mut self.progress, Progress::Softmax(Vec::new()));
        self.combine(&mut progress, addend);
        // Sums of finite f32 cannot leave f64, whatever their number.
        debug_assert!(progress.is_finite());
        self.progress = progress;
    }

    fn combine(&self, progress: &mut Progress, addend: &Progress) {
        match (progress, addend) {
            (Progress::Softmax(own), Progress::Softmax(theirs)) => {
                own.iter_mut().zip(theirs).for_each(|(own, their)| own.merge(their));
            }
            (Progress::Best(own), Progress::Best(theirs)) => {
                let width = self.value_dim / self.mechanism.heads();
                let k = self.neighbors.unwrap_or(usize::MAX);
                own.iter_mut().zip(theirs).for_each(|(own, their)| own.merge(their, k, width));
            }
            (Progress::Linear(own), Progress::Linear(theirs)) => own.merge(theirs),
            _ => debug_assert!(false, "states of different mechanisms"),
        }
    }

    fn no_progress(&self) -> Progress {
        let heads = self.mechanism.heads();
        let places = self.queries().saturating_mul(heads);
        match (self.mechanism, self.neighbors) {
            (Mechanism::Linear { random }, _) => {
                let mut sums = Sums::default();
                sums.reset(random, self.dim, self.value_dim);
                Progress::Linear(sums)
            }
            (_, Some(_)) => Progress::Best(vec![Candidates::default(); places]),
            (_, None) => Progress::Softmax(vec![Partial::new(self.value_dim / heads); places]),
        }
    }

    fn finish_linear(&self, sums: &Sums, out: &mut [f32]) -> Result<()> {
        let Tail { keys, values, mask } = &self.tail;
        let mut allowed = Vec::new();
        let chunk = Chunk::held(self.shape(mask.len()), keys.into(), values.into(), mask, &mut allowed);
        let visible = |query: usize| self.visible_tail(query);
        let random = self.mechanism.random_features();
        let call = linear::Call { settings: &self.settings, random, chunk: &chunk };
        let answered =
            call.attend(&mut sums.clone(), &self.queries, &visible, &mut Workspace::new().hands, out);
        answered.map_err(|error| self.no_key(error))
    }

    /// Without causal order a query sees no key only if all were masked.
    fn no_key(&self, error: Error) -> Error {
        match error {
            Error::NoVisibleKey { .. } if !self.causal => Error::AllMasked,
            other => other,
        }
    }

    fn write(&self, progress: &Progress, out: &mut [f32]) -> Result<()> {
        let heads = self.mechanism.heads();
        let width = self.value_dim / heads;
        let c = self.mechanism.curvature();
        let mut scratch = Scratch::default();
        for (place, result) in out.chunks_exact_mut(width).enumerate() {
            let none = || self.no_key(Error::NoVisibleKey { query: place / heads });
            match progress {
                Progress::Softmax(partials) => {
                    let partial = partials.get(place).filter(|partial| !partial.is_empty());
                    partial.ok_or_else(none)?.finish(self.settings.kernel, c, result);
                }
                Progress::Best(candidates) => {
                    let best = candidates.get(place).filter(|best| !best.scores.is_empty());
                    self.write_best(best.ok_or_else(none)?, width, &mut scratch, result)?;
                }
                Progress::Linear(_) => {}
            }
        }
        Ok(())
    }

    /// Softmax over candidates, whose scores are known.
    fn write_best(
        &self,
        best: &Candidates,
        width: usize,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<()> {
        let count = best.scores.len();
        // A memory of one head whose keys are never read: only λ of the values is computed.
        let shape = Shape { queries: 1, dim: width, keys: count, value_dim: width };
        let mechanism = match self.mechanism {
            Mechanism::Dot { .. } => Mechanism::Dot { heads: 1 },
            other => other,
        };
        let mut buffers = memory::Buffers::default();
        let tensors = ((&best.values).into(), (&best.values).into());
        let what = (mechanism, self.settings.kernel, shape);
        let memory = Memory::new(what, tensors, None, false, &mut buffers)?;
        let mut partial = Partial::new(width);
        let task = memory.task(&[], 1.0, 0, 0, None);
        task.add_all_scored(&best.scores, &best.exact, scratch, &mut partial);
        partial.finish(self.settings.kernel, self.mechanism.curvature(), out);
        Ok(())
    }

    fn check_same(&self, other: &AttentionState) -> Result<()> {
        let differs = |field| Err(Error::StateMismatch { field });
        if self.mechanism != other.mechanism {
            return differs("mechanism");
        }
        if (self.dim, self.value_dim) != (other.dim, other.value_dim) {
            return differs("shape");
        }
        if (self.neighbors, self.causal) != (other.neighbors, other.causal) {
            return differs("options");
        }
        if self.queries != other.queries {
            return differs("queries");
        }
        Ok(())
    }
}

/// The k best keys of each query and head.
fn reduce_best(call: &Call<'_>, candidates: &mut [Candidates]) {
    let heads = call.memory.mechanism.heads();
    let mut hand = Hand::default();
    for (place, best) in candidates.iter_mut().enumerate() {
        let selected = call.best(place / heads, place % heads, &mut hand);
        best.scores.extend_from_slice(&selected.scores);
        let task = call.task(place / heads, place % heads);
        for &row in &selected.rows {
            best.exact.push(task.exact_score(row));
            if let Some(value) = task.values.get(row) {
                value.append_to(&mut best.values);
            }
        }
    }
}

impl Progress {
    fn is_finite(&self) -> bool {
        match self {
            Progress::Softmax(partials) => partials.iter().all(Partial::is_finite),
            Progress::Best(candidates) => {
                candidates.iter().all(|best| best.scores.iter().chain(&best.values).all(|x| x.is_finite()))
            }
            Progress::Linear(sums) => sums.is_finite(),
        }
    }
}

impl Candidates {
    /// Appends later candidates and keeps the k best.
    fn merge(&mut self, later: &Candidates, k: usize, width: usize) {
        self.scores.extend_from_slice(&later.scores);
        self.exact.extend_from_slice(&later.exact);
        self.values.extend_from_slice(&later.values);
        if self.scores.len() > k {
            let mut places = Vec::new();
            top::best_places(&self.scores, k, &mut places, &mut Vec::new());
            for (to, &from) in places.iter().enumerate() {
                // from ≥ to, and what is swapped back is not needed
                self.scores.swap(to, from);
                self.exact.swap(to, from);
                self.values.copy_within(from * width..(from + 1) * width, to * width);
            }
            self.scores.truncate(k);
            self.exact.truncate(k);
            self.values.truncate(k * width);
        }
    }
}
