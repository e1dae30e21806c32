//! A pool for one job at a time, in which the calling thread works too.
//!
//! Other pools make the caller sleep until a woken thread has done its work, and allocate for every job. Here the
//! caller starts at once, and threads that have not come when the work is done are no longer waited for.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use std::vec::Vec;

/// How long a thread looks for the next job before it sleeps: about what waking it costs.
const PATIENCE: Duration = Duration::from_micros(50);

/// Threads of the operating system.
#[cfg(not(all(target_family = "wasm", not(target_feature = "atomics"))))]
mod worker {
    use std::thread::{Builder, JoinHandle};

    pub type Worker = JoinHandle<()>;

    pub fn start(life: impl FnOnce() + Send + 'static) -> Option<Worker> {
        Builder::new().name("ruvector-attention".into()).spawn(life).ok()
    }

    pub fn join(worker: Worker) {
        // Its panics were caught.
        let _ = worker.join();
    }
}

/// WebAssembly without atomics has no threads, and not every libc for it has the functions that would say so.
#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
mod worker {
    pub type Worker = core::convert::Infallible;

    pub fn start(_: impl FnOnce() + Send + 'static) -> Option<Worker> {
        None
    }

    pub fn join(worker: Worker) {
        match worker {}
    }
}

/// More threads than any machine has cores for would only cost memory.
const MOST: usize = 1024;

/// A borrowed job whose lifetime [`Pool::run`] answers for.
#[derive(Clone, Copy)]
struct Job(*const (dyn Fn(usize) + Sync));

// SAFETY: the job behind the pointer is `Sync`, and `Pool::run` does not return before the last thread left it.
unsafe impl Send for Job {}

#[derive(Default)]
struct State {
    /// What there is to do; gone as soon as its caller finds no part left.
    job: Option<Job>,
    /// Places at the job that nobody has taken yet; the caller's is 0.
    open: usize,
    /// Threads inside the job.
    running: usize,
    /// A thread's job panicked.
    panicked: bool,
    ended: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Number of jobs so far: what waiting threads watch.
    jobs: AtomicU64,
    came: Condvar,
    left: Condvar,
}

/// Threads that wait for jobs.
pub(crate) struct Pool {
    count: usize,
    shared: Arc<Shared>,
    /// Held by the thread whose job runs.
    entry: Mutex<()>,
    workers: OnceLock<Vec<worker::Worker>>,
}

/// The process-wide pool.
pub(super) fn global() -> &'static Pool {
    static GLOBAL: OnceLock<Pool> = OnceLock::new();
    GLOBAL.get_or_init(|| {
        let asked = std::env::var("RUVECTOR_ATTENTION_THREADS").ok().and_then(|text| text.parse().ok());
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        Pool::new(asked.filter(|&count| count > 0).unwrap_or_else(cores))
    })
}

std::thread_local! {
    /// Whether this thread is at work on some pool's job: a job inside a job runs alone.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    pub fn new(count: usize) -> Self {
        Pool {
            count: count.min(MOST),
            shared: Arc::default(),
            entry: Mutex::new(()),
            workers: OnceLock::new(),
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Runs `job(place)` on the calling thread, with place 0, and on up to `helpers` others, until it has returned
    /// everywhere. Does nothing and says `false` where the pool is busy.
    pub fn run(&self, helpers: usize, job: &(dyn Fn(usize) + Sync)) -> bool {
        if AT_WORK.get() {
            return false;
        }
        let Ok(_entry) = self.entry.try_lock() else { return false };
        let workers = self.workers.get_or_init(|| self.start());
        let helpers = helpers.min(workers.len());
        // SAFETY: only the lifetime changes. `Closing` ends the job before this function returns, also by a panic: then
        // no thread is inside it, and none can enter.
        let erased = unsafe {
            core::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const (dyn Fn(usize) + Sync + 'static)>(
                job,
            )
        };
        let mut state = locked(&self.shared.state);
        (state.job, state.open) = (Some(Job(erased)), helpers);
        self.shared.jobs.fetch_add(1, Ordering::Release);
        drop(state);
        match helpers {
            1 => self.shared.came.notify_one(),
            _ => self.shared.came.notify_all(),
        }
        let closing = Closing(&self.shared);
        AT_WORK.set(true);
        job(0);
        drop(closing);
        let panicked = core::mem::take(&mut locked(&self.shared.state).panicked);
        assert!(!panicked, "a thread of the attention pool panicked");
        true
    }

    fn start(&self) -> Vec<worker::Worker> {
        let start = |_| {
            let shared = Arc::clone(&self.shared);
            // Where threads cannot be started, the caller works alone.
            worker::start(move || shared.serve())
        };
        (1..self.count).map_while(start).collect()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        locked(&self.shared.state).ended = true;
        self.shared.jobs.fetch_add(1, Ordering::Release);
        self.shared.came.notify_all();
        for worker in self.workers.take().unwrap_or_default() {
            worker::join(worker);
        }
    }
}

/// Ends the job: nobody enters any more, and those inside are waited for.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        AT_WORK.set(false);
        let mut state = locked(&self.0.state);
        (state.job, state.open) = (None, 0);
        let begin = Instant::now();
        while state.running > 0 {
            if begin.elapsed() < PATIENCE {
                drop(state);
                (0..64).for_each(|_| core::hint::spin_loop());
                state = locked(&self.0.state);
            } else {
                state = self.0.left.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Shared {
    /// A thread's life: waits for jobs and takes part in them.
    fn serve(&self) {
        AT_WORK.set(true);
        let mut seen = 0;
        loop {
            self.look_out(seen);
            let mut state = locked(&self.state);
            let job = loop {
                if state.ended {
                    return;
                }
                seen = self.jobs.load(Ordering::Acquire);
                if let Some(job) = state.job.filter(|_| state.open > 0) {
                    break job;
                }
                state = self.came.wait(state).unwrap_or_else(PoisonError::into_inner);
            };
            let place = state.open;
            state.open -= 1;
            state.running += 1;
            drop(state);
            // SAFETY: `running` was raised under the lock while the job stood: its caller waits until it is lowered.
            let work = std::panic::AssertUnwindSafe(|| unsafe { (*job.0)(place) });
            let outcome = std::panic::catch_unwind(work);
            let mut state = locked(&self.state);
            state.panicked |= outcome.is_err();
            state.running -= 1;
            if state.running == 0 {
                self.left.notify_one();
            }
        }
    }

    /// Returns when there is a new job, or when patience is at its end.
    fn look_out(&self, seen: u64) {
        let begin = Instant::now();
        while self.jobs.load(Ordering::Acquire) == seen && begin.elapsed() < PATIENCE {
            (0..32).for_each(|_| core::hint::spin_loop());
        }
    }
}
