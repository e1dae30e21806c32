//! A roofline loop set up for one measurement, on one thread or several.

use crate::buffer::Buffer;
use crate::protocol::Prepare;
use crate::roofline::{self, Multiply, Read};
use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

/// Rounds of a multiplying loop: about a tenth of a millisecond.
const ROUNDS: u64 = 20_000;
/// Says that no more turns come.
const OVER: usize = usize::MAX;

/// What is measured.
pub struct Limit {
    work: Work,
    threads: usize,
    keys: Arc<Buffer>,
    values: Arc<Buffer>,
    /// Operations of one call, all threads together.
    pub operations: u64,
}

#[derive(Clone, Copy)]
enum Work {
    Read(Read),
    Multiply(Multiply),
}

impl Limit {
    /// The loop that a request names.
    pub fn new(ask: &Prepare, [_, keys, values]: [Arc<Buffer>; 3]) -> Result<Self, String> {
        let lacking = || format!("this processor cannot run the loop {:?}", ask.way);
        let work = if ask.mechanism == "read" {
            Work::Read(roofline::read(&ask.way).ok_or_else(lacking)?)
        } else {
            Work::Multiply(roofline::multiply(&ask.way).ok_or_else(lacking)?)
        };
        let mut limit = Self { work, threads: ask.threads.max(1), keys, values, operations: 0 };
        if let Work::Multiply(_) = work {
            limit.operations = limit.share(0) * limit.threads as u64;
        }
        Ok(limit)
    }

    /// Calls for as long as `go_on` says; every thread does its share of each call, and the slowest one counts.
    pub fn run(&self, go_on: impl Fn(usize) -> bool) -> Vec<u64> {
        let (turn, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for index in 1..self.threads {
                let (turn, done) = (&turn, &done);
                scope.spawn(move || self.help(index, turn, done));
            }
            let mut times = Vec::new();
            while go_on(times.len()) {
                let start = Instant::now();
                turn.fetch_add(1, Ordering::Release);
                self.share(0);
                // Threads spin: being woken would cost as much as reading a megabyte.
                while done.load(Ordering::Acquire) < (times.len() + 1) * (self.threads - 1) {
                    spin_loop();
                }
                times.push(start.elapsed().as_nanos() as u64);
            }
            turn.store(OVER, Ordering::Release);
            times
        })
    }

    fn help(&self, index: usize, turn: &AtomicUsize, done: &AtomicUsize) {
        let mut seen = 0;
        loop {
            match turn.load(Ordering::Acquire) {
                OVER => return,
                now if now == seen => spin_loop(),
                now => {
                    seen = now;
                    self.share(index);
                    done.fetch_add(1, Ordering::Release);
                }
            }
        }
    }

    /// One thread's part of a call.
    fn share(&self, index: usize) -> u64 {
        match self.work {
            Work::Read(read) => {
                let piece = |bytes: &[u8]| {
                    let len = bytes.len() / self.threads;
                    index * len..(index + 1) * len
                };
                let (keys, values) = (self.keys.as_slice::<u8>(), self.values.as_slice::<u8>());
                // SAFETY: `roofline` gives only loops whose instructions this processor has.
                unsafe { read(&keys[piece(keys)], &values[piece(values)]) };
                0
            }
            // SAFETY: as above.
            Work::Multiply(multiply) => unsafe { multiply(ROUNDS) },
        }
    }
}
