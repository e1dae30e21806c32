//! Threads that share one computation, and how many of them it is worth.

#[cfg(feature = "std")]
mod pool;

use crate::error::Result;
use crate::shape;
use core::fmt;

/// How many threads a computation may use: the cores of the machine, unless made with another number.
///
/// The threads of one value are shared by all attentions that hold a clone of it; they start with the first computation
/// that is worth them and end with the last clone. Small computations stay on the calling thread, and so does one that
/// begins while the threads are at work, be it inside their own work: whoever calls from many threads is not
/// oversubscribed. The number of threads never changes a bit of the result.
///
/// Without the feature `std`, and where threads cannot be started, everything runs on the calling thread. With the
/// feature `rayon`, a call made inside a rayon pool uses that pool's threads.
///
/// ```
/// use ruvector_attention::{ScaledDotProductAttention, Threads};
/// let threads = Threads::new(2)?;
/// let attention = ScaledDotProductAttention::new(64)?.with_threads(threads);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Threads {
    /// `None`: the process-wide pool, started when first needed.
    #[cfg(feature = "std")]
    own: Option<std::sync::Arc<pool::Pool>>,
}

impl Threads {
    /// At most `count` ≥ 1 threads, the calling one among them, and 1024 in any case.
    pub fn new(count: usize) -> Result<Self> {
        let _count = shape::positive("threads", count)?;
        #[cfg(feature = "std")]
        return Ok(Self { own: Some(std::sync::Arc::new(pool::Pool::new(_count))) });
        #[cfg(not(feature = "std"))]
        Ok(Self {})
    }

    /// Number of threads, the calling one among them.
    ///
    /// Of the default value: the environment variable `RUVECTOR_ATTENTION_THREADS` where it holds a number ≥ 1, else
    /// the cores this process may use.
    pub fn count(&self) -> usize {
        #[cfg(feature = "std")]
        return self.pool().count();
        #[cfg(not(feature = "std"))]
        1
    }

    #[cfg(feature = "std")]
    fn pool(&self) -> &pool::Pool {
        self.own.as_deref().unwrap_or_else(|| pool::global())
    }

    /// Threads that work of so many nanoseconds on one thread is worth.
    pub(crate) fn worth(&self, nanoseconds: f64) -> usize {
        /// A sleeping thread takes 40 to 50 µs to come, so less than this a thread is not worth waking it.
        const SHARE: f64 = 75_000.0;
        if nanoseconds < 2.0 * SHARE {
            return 1;
        }
        self.at_hand().min((nanoseconds / SHARE) as usize)
    }

    /// Number of threads that a computation begun now may use: inside a rayon pool that pool's.
    fn at_hand(&self) -> usize {
        #[cfg(feature = "rayon")]
        if rayon_core::current_thread_index().is_some() {
            return rayon_core::current_num_threads();
        }
        self.count()
    }

    /// Calls `work(state, part)` for every part, and `take(part, state)` after each, one at a time.
    ///
    /// At most `states.len()` threads take part, each with a state of its own. Parts are begun in ascending order.
    pub(crate) fn run<S: Send>(
        &self,
        states: &mut [Slot<S>],
        parts: usize,
        work: &(dyn Fn(&mut S, usize) + Sync),
        take: &mut (dyn FnMut(usize, &mut S) + Send),
    ) {
        #[cfg(feature = "std")]
        if states.len() > 1 && parts > 1 && self.run_together(states, parts, work, take) {
            return;
        }
        let Some(state) = states.first_mut() else { return };
        let state = exclusive(state);
        for part in 0..parts {
            work(state, part);
            take(part, state);
        }
    }

    /// Calls `work(index, item)` for every item, on as many threads as there are states.
    pub(crate) fn run_each<S: Send, T: Send>(
        &self,
        states: &mut [Slot<S>],
        items: &mut [T],
        work: &(dyn Fn(usize, &mut T) + Sync),
    ) {
        #[cfg(feature = "std")]
        {
            let count = items.len();
            let left = std::sync::Mutex::new(items.iter_mut().enumerate());
            let one = |_: &mut S, _: usize| {
                let next = left.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
                next.into_iter().for_each(|(index, item)| work(index, item));
            };
            self.run(states, count, &one, &mut |_, _| {});
        }
        #[cfg(not(feature = "std"))]
        {
            let _ = states;
            items.iter_mut().enumerate().for_each(|(index, item)| work(index, item));
        }
    }

    /// Whether the parts were shared out; not if the threads are busy.
    #[cfg(feature = "std")]
    fn run_together<S: Send>(
        &self,
        states: &[Slot<S>],
        parts: usize,
        work: &(dyn Fn(&mut S, usize) + Sync),
        take: &mut (dyn FnMut(usize, &mut S) + Send),
    ) -> bool {
        use std::sync::atomic::{AtomicUsize, Ordering};
        use std::sync::{Mutex, PoisonError};
        let next = AtomicUsize::new(0);
        let take = Mutex::new(take);
        let job = |place: usize| {
            let Some(state) = states.get(place) else { return };
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                let part = next.fetch_add(1, Ordering::Relaxed);
                if part >= parts {
                    return;
                }
                work(&mut state, part);
                let mut take = take.lock().unwrap_or_else(PoisonError::into_inner);
                take(part, &mut state);
            }
        };
        let helpers = states.len().min(parts) - 1;
        #[cfg(feature = "rayon")]
        if rayon_core::current_thread_index().is_some() {
            rayon_core::in_place_scope(|scope| {
                let job = &job;
                (0..helpers).for_each(|helper| scope.spawn(move |_| job(helper + 1)));
                job(0);
            });
            return true;
        }
        self.pool().run(helpers, &job)
    }
}

impl PartialEq for Threads {
    fn eq(&self, other: &Self) -> bool {
        self.count() == other.count()
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Threads({})", self.count())
    }
}

/// What one thread at a time may use.
#[cfg(feature = "std")]
pub(crate) type Slot<S> = std::sync::Mutex<S>;
/// Without threads there is nobody to share it with.
#[cfg(not(feature = "std"))]
#[derive(Debug, Default)]
pub(crate) struct Slot<S>(S);

/// What the slot holds, for its only owner.
pub(crate) fn exclusive<S>(slot: &mut Slot<S>) -> &mut S {
    #[cfg(feature = "std")]
    return slot.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
    #[cfg(not(feature = "std"))]
    &mut slot.0
}

#[cfg(all(test, feature = "std"))]
mod tests;
