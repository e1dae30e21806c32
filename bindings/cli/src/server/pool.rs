//! Compute threads behind a bounded queue.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use attention::Workspace;
use tokio::sync::{oneshot, OwnedSemaphorePermit, Semaphore};

/// Why there is no result.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// The queue is full.
    Full,
    /// The work panicked, or the pool has ended.
    Broken,
}

/// Whether to wait for a place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A full queue refuses.
    Now,
    /// Work that has begun goes on as soon as there is a place.
    Wait,
}

struct Job {
    work: Box<dyn FnOnce(&mut Workspace) + Send>,
    /// The job's place, free again when it is done.
    _place: OwnedSemaphorePermit,
}

/// A fixed number of threads, each with buffers of its own.
pub struct Pool {
    jobs: Sender<Job>,
    places: Arc<Semaphore>,
    size: usize,
}

impl Pool {
    /// `threads` threads, and room for `queue` jobs that wait for one.
    pub fn new(threads: usize, queue: usize) -> std::io::Result<Self> {
        let threads = threads.max(1);
        let (jobs, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        for index in 0..threads {
            let receiver = Arc::clone(&receiver);
            let name = format!("compute-{index}");
            thread::Builder::new().name(name).spawn(move || live(&receiver))?;
        }
        let size = threads.saturating_add(queue).min(Semaphore::MAX_PERMITS);
        Ok(Pool { jobs, places: Arc::new(Semaphore::new(size)), size })
    }

    /// Whether a job that comes now would be refused.
    pub fn is_full(&self) -> bool {
        self.places.available_permits() == 0
    }

    /// Number of jobs that are computed or wait.
    pub fn depth(&self) -> usize {
        self.size - self.places.available_permits()
    }

    /// Does the work on one of the threads.
    ///
    /// Work that nobody waits for any more when its turn comes is not done, and `abandoned` is called in its place.
    pub async fn run<T: Send + 'static>(
        &self,
        admission: Admission,
        work: impl FnOnce(&mut Workspace) -> T + Send + 'static,
        abandoned: impl FnOnce() + Send + 'static,
    ) -> Result<T, Failure> {
        let places = Arc::clone(&self.places);
        let place = match admission {
            Admission::Now => places.try_acquire_owned().map_err(|_| Failure::Full)?,
            Admission::Wait => places.acquire_owned().await.map_err(|_| Failure::Broken)?,
        };
        let (answer, result) = oneshot::channel();
        let work = Box::new(move |workspace: &mut Workspace| {
            if answer.is_closed() {
                return abandoned();
            }
            // The waiting side may have gone in the meantime.
            let _ = answer.send(work(workspace));
        });
        self.jobs.send(Job { work, _place: place }).map_err(|_| Failure::Broken)?;
        result.await.map_err(|_| Failure::Broken)
    }
}

fn live(jobs: &Mutex<Receiver<Job>>) {
    let mut workspace = Workspace::new();
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { work, _place }) = next else { return };
        if catch_unwind(AssertUnwindSafe(|| work(&mut workspace))).is_err() {
            // What the panic left in the buffers is not to be trusted.
            workspace = Workspace::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[tokio::test]
    async fn work_comes_back_and_a_panic_breaks_nothing_else() {
        let pool = Pool::new(1, 1).unwrap();
        assert_eq!(pool.run(Admission::Now, |_| 7, || {}).await, Ok(7));
        let broken = pool.run(Admission::Now, |_| -> usize { panic!("as the test wants") }, || {}).await;
        assert_eq!(broken, Err(Failure::Broken));
        assert_eq!(pool.run(Admission::Now, |_| 8, || {}).await, Ok(8));
    }

    /// A pool whose one thread is held, and what lets it go.
    fn held(queue: usize) -> (Arc<Pool>, Sender<()>) {
        let pool = Arc::new(Pool::new(1, queue).unwrap());
        let (go, wait) = channel::<()>();
        let held = Arc::clone(&pool);
        tokio::spawn(async move { held.run(Admission::Now, move |_| wait.recv(), || {}).await });
        (pool, go)
    }

    #[tokio::test]
    async fn a_full_queue_refuses_or_makes_wait() {
        let (pool, go) = held(0);
        tokio::task::yield_now().await;
        assert!(pool.is_full());
        assert_eq!(pool.run(Admission::Now, |_| (), || {}).await, Err(Failure::Full));
        let waiting = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.run(Admission::Wait, |_| 5, || {}).await }
        });
        go.send(()).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(5));
        assert_eq!(pool.depth(), 0);
    }

    #[tokio::test]
    async fn nothing_is_computed_for_those_who_left() {
        static DONE: AtomicUsize = AtomicUsize::new(0);
        static LEFT: AtomicUsize = AtomicUsize::new(0);
        let (pool, go) = held(4);
        tokio::task::yield_now().await;
        let count = |counter: &'static AtomicUsize| {
            move || {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        };
        let done = count(&DONE);
        let patient = pool.run(Admission::Now, move |_| done(), count(&LEFT));
        let gone = tokio::time::timeout(Duration::from_millis(20), patient).await;
        assert!(gone.is_err());
        go.send(()).unwrap();
        assert_eq!(pool.run(Admission::Now, |_| 1, || {}).await, Ok(1));
        assert_eq!((DONE.load(Ordering::SeqCst), LEFT.load(Ordering::SeqCst)), (0, 1));
    }
}
