//! Whatever the bytes say: an answer or an error, never a panic. The fuzz targets' calls, on their seeds and at random.

#[path = "common/calls.rs"]
mod calls;

use calls::{run, Tally, CALLS};
use std::path::Path;

/// SplitMix64, so that every run sees the same bytes.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn random_calls_end_well() {
    let mut seed = 2026;
    for (name, call) in CALLS {
        let mut tally = Tally::default();
        for _ in 0..2_000 {
            let len = 40 + random(&mut seed) as usize % 400;
            let data: Vec<u8> = (0..len).map(|_| random(&mut seed) as u8).collect();
            run(call, &data, &mut tally);
        }
        // Both ends are reached, or this test would say nothing. Random bytes are no state and no file.
        let answers = if name == "bytes" { 0 } else { 1_000 };
        assert!(tally.answers >= answers && tally.errors >= 1_000, "{name}: {tally:?}");
    }
}

/// Inputs that found something once, or that reach far.
#[test]
fn seeds_end_well() {
    for (name, call) in CALLS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(name);
        let mut seeds = 0;
        let mut tally = Tally::default();
        for entry in std::fs::read_dir(&folder).expect("a folder of seeds") {
            let data = std::fs::read(entry.expect("an entry").path()).expect("a seed");
            run(call, &data, &mut tally);
            seeds += 1;
        }
        assert!(seeds >= 3 && tally.answers > 0, "{name}: {seeds} seeds, {tally:?}");
    }
}
