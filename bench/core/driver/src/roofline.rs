//! The machine's own limits: how fast it reads two buffers once, and how fast it multiplies and adds.

use crate::lanes::{Lanes, Portable};
use std::hint::black_box;

/// Reads keys and values once.
pub type Read = unsafe fn(&[u8], &[u8]);
/// Multiplies and adds for a number of rounds; returns how many operations that was.
pub type Multiply = unsafe fn(u64) -> u64;

/// The instruction sets of this processor, by name.
fn has(set: &str) -> bool {
    match set {
        #[cfg(target_arch = "x86_64")]
        "avx512" => is_x86_feature_detected!("avx512f"),
        #[cfg(target_arch = "x86_64")]
        "avx2" => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
        _ => true,
    }
}

/// One loop: its name, the instruction set it needs, and itself.
type Way<T> = (&'static str, &'static str, T);

/// The loop of this name, if the processor can run it.
pub fn read(name: &str) -> Option<Read> {
    find(READS, name)
}

/// The loop of this name, if the processor can run it.
pub fn multiply(name: &str) -> Option<Multiply> {
    find(MULTIPLIES, name)
}

/// The names of the reading loops that this processor can run, then of the multiplying ones.
pub fn names() -> (Vec<&'static str>, Vec<&'static str>) {
    (runnable(READS), runnable(MULTIPLIES))
}

fn find<T: Copy>(ways: &[Way<T>], name: &str) -> Option<T> {
    ways.iter().find(|way| way.0 == name && has(way.1)).map(|way| way.2)
}

fn runnable<T>(ways: &[Way<T>]) -> Vec<&'static str> {
    ways.iter().filter(|way| has(way.1)).map(|way| way.0).collect()
}

/// Reads as `STREAMS` streams, `UNROLL` vectors of each a turn, asking for what lies `AHEAD` bytes on (0: nothing).
/// Less than a turn at the end of a stream is left out.
#[inline(always)]
unsafe fn read_with<V: Lanes, const STREAMS: usize, const UNROLL: usize, const AHEAD: usize>(
    keys: &[u8],
    values: &[u8],
) {
    let width = 4 * V::COUNT;
    // SAFETY: the caller has the instruction set.
    let mut sums = [[unsafe { V::splat(0.0) }; UNROLL]; STREAMS];
    for streams in groups::<STREAMS>(keys, values).into_iter().flatten() {
        let mut at = 0;
        while at + UNROLL * width <= streams[0].len() {
            for (sum, stream) in sums.iter_mut().zip(&streams) {
                for (i, sum) in sum.iter_mut().enumerate() {
                    let from = stream.as_ptr().wrapping_add(at + i * width);
                    if AHEAD > 0 && (i * width).is_multiple_of(64) {
                        prefetch(from.wrapping_add(AHEAD));
                    }
                    // SAFETY: the vector ends within the stream, all of which have one length.
                    *sum = unsafe { sum.xor(V::load(from)) };
                }
            }
            at += UNROLL * width;
        }
    }
    black_box(sums);
}

/// One stream reads the keys, then the values; two read both side by side; four read halves of each.
#[inline(always)]
fn groups<'a, const STREAMS: usize>(keys: &'a [u8], values: &'a [u8]) -> [Option<[&'a [u8]; STREAMS]>; 2] {
    if STREAMS == 1 {
        return [Some([keys; STREAMS]), Some([values; STREAMS])];
    }
    let each = STREAMS / 2;
    let piece = |bytes: &'a [u8], i: usize| {
        let len = bytes.len() / each;
        &bytes[i * len..(i + 1) * len]
    };
    let len = keys.len().min(values.len());
    let stream = |i| if i < each { piece(&keys[..len], i) } else { piece(&values[..len], i - each) };
    [Some(std::array::from_fn(stream)), None]
}

#[inline(always)]
fn prefetch(_from: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(_from.cast());
    }
}

/// `CHAINS` independent chains: enough to fill two units of four or five cycles' latency.
#[inline(always)]
unsafe fn multiply_with<V: Lanes, const CHAINS: usize>(rounds: u64) -> u64 {
    // SAFETY: the caller has the instruction set.
    unsafe {
        // Values stay near b / (1 − a): neither overflow nor denormals.
        let (a, b) = (V::splat(black_box(0.75)), V::splat(black_box(0.25)));
        let mut sums = [V::splat(black_box(1.0)); CHAINS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = sum.multiply_add(a, b);
            }
        }
        black_box(sums);
    }
    2 * rounds * (CHAINS * V::COUNT) as u64
}

/// Compiles a loop for an instruction set.
macro_rules! compiled {
    ($name:ident, $feature:literal, read $vector:ty, $streams:literal, $unroll:literal, $ahead:literal) => {
        #[target_feature(enable = $feature)]
        pub unsafe fn $name(keys: &[u8], values: &[u8]) {
            // SAFETY: the set is named above; whoever calls this has it.
            unsafe { read_with::<$vector, $streams, $unroll, $ahead>(keys, values) }
        }
    };
    ($name:ident, $feature:literal, multiply $vector:ty, $chains:literal) => {
        #[target_feature(enable = $feature)]
        pub unsafe fn $name(rounds: u64) -> u64 {
            // SAFETY: as above.
            unsafe { multiply_with::<$vector, $chains>(rounds) }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use std::arch::x86_64::{__m128, __m256, __m512};

    compiled!(avx512_1, "avx512f", read __m512, 1, 8, 0);
    compiled!(avx512_2, "avx512f", read __m512, 2, 4, 0);
    compiled!(avx512_4, "avx512f", read __m512, 4, 4, 0);
    compiled!(avx512_1_ahead, "avx512f", read __m512, 1, 8, 4096);
    compiled!(avx512_4_ahead, "avx512f", read __m512, 4, 4, 2048);
    compiled!(avx2_1, "avx2", read __m256, 1, 8, 0);
    compiled!(avx2_4, "avx2", read __m256, 4, 2, 0);
    compiled!(sse2_4, "sse2", read __m128, 4, 2, 0);
    compiled!(avx512_peak, "avx512f", multiply __m512, 20);
    compiled!(avx2_peak, "avx2,fma", multiply __m256, 12);
    compiled!(sse2_peak, "sse2", multiply __m128, 12);
}

#[cfg(target_arch = "x86_64")]
const READS: &[Way<Read>] = &[
    ("avx512, 1 stream", "avx512", x86::avx512_1),
    ("avx512, 2 streams", "avx512", x86::avx512_2),
    ("avx512, 4 streams", "avx512", x86::avx512_4),
    ("avx512, 1 stream, prefetch", "avx512", x86::avx512_1_ahead),
    ("avx512, 4 streams, prefetch", "avx512", x86::avx512_4_ahead),
    ("avx2, 1 stream", "avx2", x86::avx2_1),
    ("avx2, 4 streams", "avx2", x86::avx2_4),
    ("sse2, 4 streams", "", x86::sse2_4),
    ("portable", "", read_with::<Portable, 2, 2, 0>),
];
#[cfg(target_arch = "x86_64")]
const MULTIPLIES: &[Way<Multiply>] =
    &[("avx512", "avx512", x86::avx512_peak), ("avx2", "avx2", x86::avx2_peak), ("sse2", "", x86::sse2_peak)];

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod arm {
    use super::*;
    use std::arch::aarch64::float32x4_t;

    compiled!(neon_1, "neon", read float32x4_t, 1, 8, 0);
    compiled!(neon_2, "neon", read float32x4_t, 2, 8, 0);
    compiled!(neon_4, "neon", read float32x4_t, 4, 4, 0);
    compiled!(neon_peak, "neon", multiply float32x4_t, 24);
}

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
const READS: &[Way<Read>] = &[
    ("neon, 1 stream", "", arm::neon_1),
    ("neon, 2 streams", "", arm::neon_2),
    ("neon, 4 streams", "", arm::neon_4),
    ("portable", "", read_with::<Portable, 2, 2, 0>),
];
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
const MULTIPLIES: &[Way<Multiply>] = &[("neon", "", arm::neon_peak)];

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little"))))]
const READS: &[Way<Read>] = &[
    ("portable, 1 stream", "", read_with::<Portable, 1, 2, 0>),
    ("portable, 2 streams", "", read_with::<Portable, 2, 2, 0>),
    ("portable, 4 streams", "", read_with::<Portable, 4, 1, 0>),
    ("portable, 1 stream, unrolled", "", read_with::<Portable, 1, 4, 0>),
];
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little"))))]
const MULTIPLIES: &[Way<Multiply>] = &[("portable", "", multiply_with::<Portable, 4>)];
