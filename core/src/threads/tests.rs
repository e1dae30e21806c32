//! Every part is done once, whoever does it; busy, nested and broken jobs are survived.

#![allow(clippy::unwrap_used)]

use super::{Slot, Threads};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::vec::Vec;

fn slots(count: usize) -> Vec<Slot<usize>> {
    (0..count).map(Slot::new).collect()
}

/// Runs `parts` parts and returns how often each was worked on and taken, and the states that did it.
fn counts(
    threads: &Threads,
    slots: &mut [Slot<usize>],
    parts: usize,
    pause: Duration,
) -> (Vec<usize>, Vec<usize>) {
    let worked: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
    let (mut taken, mut by) = (std::vec![0; parts], Vec::new());
    let work = |_: &mut usize, part: usize| {
        worked[part].fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(pause);
    };
    threads.run(slots, parts, &work, &mut |part, state| {
        taken[part] += 1;
        by.push(*state);
    });
    assert!(worked.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    (taken, by)
}

#[test]
fn every_part_is_done_once() {
    for count in [1, 2, 5] {
        let threads = Threads::new(count).unwrap();
        for parts in [0, 1, 2, 7, 100] {
            for _ in 0..50 {
                let (taken, _) = counts(&threads, &mut slots(count), parts, Duration::ZERO);
                assert_eq!(taken, std::vec![1; parts]);
            }
        }
    }
}

#[test]
fn other_threads_help() {
    let (_, by) = counts(&Threads::new(3).unwrap(), &mut slots(3), 60, Duration::from_millis(1));
    assert!((0..3).all(|state| by.contains(&state)), "{by:?}");
}

#[test]
fn a_job_inside_a_job_runs_alone() {
    let (outer, inner) = (Threads::new(2).unwrap(), Threads::new(2).unwrap());
    let work = |_: &mut usize, _: usize| {
        for threads in [&outer, &inner] {
            let (taken, by) = counts(threads, &mut slots(2), 4, Duration::from_micros(100));
            assert_eq!((taken, by), (std::vec![1; 4], std::vec![0; 4]));
        }
    };
    outer.run(&mut slots(2), 8, &work, &mut |_, _| {});
}

#[test]
fn many_callers_share_a_pool() {
    let threads = Threads::new(2).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert_eq!(counts(&threads, &mut slots(2), 10, Duration::ZERO).0, [1; 10]);
                }
            });
        }
    });
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
    let threads = Threads::new(2).unwrap();
    for broken in 0..20 {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let work = |_: &mut usize, part: usize| assert_ne!(part, broken, "on purpose");
            threads.run(&mut slots(2), 20, &work, &mut |_, _| {});
        }));
        assert!(caught.is_err());
    }
    assert_eq!(counts(&threads, &mut slots(2), 10, Duration::ZERO).0, [1; 10]);
}

#[test]
fn small_work_stays_on_one_thread() {
    let threads = Threads::new(4).unwrap();
    assert_eq!([0.0, 140e3, 160e3, 250e3, 1e9].map(|time| threads.worth(time)), [1, 1, 2, 3, 4]);
}

#[cfg(feature = "rayon")]
#[test]
fn inside_a_rayon_pool_its_threads_are_used() {
    let pool = rayon_core::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    pool.install(|| {
        let (taken, by) = counts(&Threads::new(2).unwrap(), &mut slots(2), 40, Duration::from_millis(1));
        assert_eq!(taken, [1; 40]);
        assert!(by.contains(&0) && by.contains(&1));
    });
}
