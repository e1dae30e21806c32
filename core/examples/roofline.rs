//! One query on one thread, beside the speed at which this machine reads the same keys and values.
//!
//! Prints, for each size, what each of several read loops reaches, and for each kernel the share that attention has of
//! the fastest loop's speed: best call against its best, median against its median. All of them take turns, so that
//! what disturbs the machine disturbs all. Arguments choose kernels by name.
//!
//! Keys and values lie in stores aligned to 2 MiB, for which Linux is asked for huge pages.

use ruvector_attention::sdk::prelude::*;
use ruvector_attention::{Kernel, Result};
use std::alloc::{alloc_zeroed, dealloc, handle_alloc_error, Layout};
use std::hint::black_box;
use std::time::Instant;

const SIZES: [(usize, usize); 6] =
    [(64, 1_000), (128, 1_000), (128, 10_000), (768, 1_000), (768, 10_000), (1_536, 1_000)];
/// Microseconds that a sample lasts at least: many calls where one is short, so that reading the clock costs nothing.
const SAMPLE: f64 = 30.0;
/// Seconds for a size and kernel.
const SECONDS: f64 = 1.0;

/// Floats in huge pages.
struct Store {
    start: *mut f32,
    len: usize,
}

impl Store {
    const ALIGN: usize = 2 << 20;

    fn layout(len: usize) -> Layout {
        let bytes = (len * size_of::<f32>()).next_multiple_of(Self::ALIGN);
        Layout::from_size_align(bytes, Self::ALIGN).expect("a size that fits the memory")
    }

    fn random(len: usize, seed: u32) -> Self {
        let layout = Self::layout(len);
        // SAFETY: the layout is not empty; madvise takes any mapped range, and its failure changes nothing.
        let start = unsafe {
            let start = alloc_zeroed(layout);
            if start.is_null() {
                handle_alloc_error(layout);
            }
            #[cfg(target_os = "linux")]
            {
                extern "C" {
                    fn madvise(start: *mut u8, len: usize, advice: i32) -> i32;
                }
                const HUGE_PAGES: i32 = 14;
                madvise(start, layout.size(), HUGE_PAGES);
            }
            start.cast::<f32>()
        };
        let mut store = Store { start, len };
        let mut state = seed;
        for x in store.slice_mut() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *x = (state >> 8) as f32 / 16_777_216.0 - 0.5;
        }
        store
    }

    fn slice(&self) -> &[f32] {
        // SAFETY: `len` initialised floats, owned by `self`.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    fn slice_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start.cast(), Self::layout(self.len)) }
    }
}

/// A loop that reads both slices once.
type Read = fn(&[f32], &[f32]);

/// Sums of integers, in `STREAMS` streams through each slice, with a prefetch `AHEAD` bytes before each read.
#[inline(always)]
fn read_plainly<const STREAMS: usize, const AHEAD: usize>(slice: &[f32]) {
    const PACK: usize = 32;
    let mut sums = [[0_u32; PACK]; 4];
    let len = slice.len() / STREAMS / PACK * PACK;
    for i in (0..len).step_by(PACK) {
        for stream in 0..STREAMS {
            let pack = &slice[stream * len + i..][..PACK];
            for lane in 0..PACK {
                sums[stream][lane] = sums[stream][lane].wrapping_add(pack[lane].to_bits());
            }
        }
    }
    black_box(sums);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{black_box, Read};
    use std::arch::x86_64::*;

    macro_rules! loops {
        ($name:ident, $feature:literal, $type:ty, $zero:ident, $load:ident, $or:ident) => {
            pub mod $name {
                use super::*;

                /// Reads `STREAMS` parts of the slice side by side, each with a prefetch `AHEAD` bytes in front.
                #[target_feature(enable = $feature)]
                unsafe fn read<const STREAMS: usize, const AHEAD: usize>(slice: &[f32]) {
                    const LANES: usize = size_of::<$type>() / 4;
                    const UNROLL: usize = 8;
                    let len = slice.len() / STREAMS / (UNROLL * LANES) * (UNROLL * LANES);
                    let mut sums = [$zero(); UNROLL];
                    let start = slice.as_ptr();
                    let mut i = 0;
                    while i < len {
                        for stream in 0..STREAMS {
                            for u in 0..UNROLL {
                                // SAFETY: the pack ends inside the stream's part; a prefetch may point anywhere.
                                unsafe {
                                    let at = start.add(stream * len + i + u * LANES);
                                    if AHEAD > 0 && u * LANES % 16 == 0 {
                                        _mm_prefetch::<_MM_HINT_T0>(at.wrapping_byte_add(AHEAD).cast());
                                    }
                                    sums[u] = $or(sums[u], $load(at.cast()));
                                }
                            }
                        }
                        i += UNROLL * LANES;
                    }
                    black_box(sums);
                }

                fn each<const STREAMS: usize, const AHEAD: usize>(k: &[f32], v: &[f32]) {
                    // SAFETY: listed only where the feature is there.
                    unsafe {
                        read::<STREAMS, AHEAD>(k);
                        read::<STREAMS, AHEAD>(v);
                    }
                }

                pub const LOOPS: [(&str, Read); 6] = [
                    (concat!(stringify!($name), ", 1 stream"), each::<1, 0>),
                    (concat!(stringify!($name), ", 1 stream, prefetch 512"), each::<1, 512>),
                    (concat!(stringify!($name), ", 1 stream, prefetch 4096"), each::<1, 4096>),
                    (concat!(stringify!($name), ", 2 streams"), each::<2, 0>),
                    (concat!(stringify!($name), ", 4 streams"), each::<4, 0>),
                    (concat!(stringify!($name), ", 4 streams, prefetch 1024"), each::<4, 1024>),
                ];
            }
        };
    }

    loops!(avx512, "avx512f", __m512i, _mm512_setzero_si512, _mm512_loadu_si512, _mm512_or_si512);
    loops!(avx2, "avx2", __m256i, _mm256_setzero_si256, _mm256_loadu_si256, _mm256_or_si256);
}

fn loops() -> Vec<(&'static str, Read)> {
    fn both<const STREAMS: usize>(k: &[f32], v: &[f32]) {
        read_plainly::<STREAMS, 0>(k);
        read_plainly::<STREAMS, 0>(v);
    }
    #[allow(unused_mut)]
    let mut all: Vec<(&'static str, Read)> = vec![
        ("plain, 1 stream", both::<1>),
        ("plain, 2 streams", both::<2>),
        ("plain, 3 streams", both::<3>),
        ("plain, 4 streams", both::<4>),
    ];
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx2") {
            all.extend(x86::avx2::LOOPS);
        }
        if std::is_x86_feature_detected!("avx512f") {
            all.extend(x86::avx512::LOOPS);
        }
    }
    all
}

/// Times of one competitor, microseconds a call.
struct Times(Vec<f64>);

impl Times {
    fn sample(&mut self, calls: usize, mut call: impl FnMut()) {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        self.0.push(start.elapsed().as_secs_f64() * 1e6 / calls as f64);
    }

    fn best(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }
}

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let chosen = |kernel: &Kernel| wanted.is_empty() || wanted.iter().any(|name| name == kernel.name());
    let kernels: Vec<Kernel> = Kernel::available().filter(chosen).collect();
    let loops = loops();
    for (d, n) in SIZES {
        let (k, v) = (Store::random(n * d, 1), Store::random(n * d, 2));
        let query = Store::random(d, 3);
        let inputs = Inputs::new(query.slice(), d, k.slice(), v.slice());
        let (mut workspace, mut out) = (Workspace::new(), vec![0.0; d]);
        let mut reads: Vec<Times> = loops.iter().map(|_| Times(Vec::new())).collect();
        let mut ours: Vec<Times> = kernels.iter().map(|_| Times(Vec::new())).collect();
        let attentions = kernels
            .iter()
            .map(|&kernel| {
                Ok(ScaledDotProductAttention::new(d)?.with_kernel(kernel).with_threads(Threads::new(1)?))
            })
            .collect::<Result<Vec<_>>>()?;
        // At about 100 GB/s.
        let calls = (SAMPLE / (n * d * 8) as f64 * 1e5).ceil() as usize;
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < SECONDS * kernels.len() as f64 || ours[0].0.len() < 7 {
            for ((_, read), times) in loops.iter().zip(&mut reads) {
                times.sample(calls, || read(black_box(k.slice()), black_box(v.slice())));
            }
            for (attention, times) in attentions.iter().zip(&mut ours) {
                times.sample(calls, || {
                    attention
                        .forward_into(&inputs, &Options::default(), &mut workspace, &mut out)
                        .expect("tensors that fit");
                    black_box(&mut out);
                });
            }
        }
        let speed = |microseconds: f64| (n * d * 8) as f64 / microseconds / 1e3;
        println!("{d} x {n}: {:.1} MB", (n * d * 8) as f64 / 1e6);
        if wanted.is_empty() {
            for ((name, _), times) in loops.iter().zip(&reads) {
                println!(
                    "  {name:32} {:7.1} GB/s, median {:7.1}",
                    speed(times.best()),
                    speed(times.median())
                );
            }
        }
        let fastest = |time: fn(&Times) -> f64| reads.iter().map(time).fold(f64::INFINITY, f64::min);
        let (best, median) = (fastest(Times::best), fastest(Times::median));
        println!("  roofline {:7.1} GB/s, median {:7.1}", speed(best), speed(median));
        for (kernel, times) in kernels.iter().zip(&ours) {
            println!(
                "  {:8} {:9.2} us {:7.1} GB/s = {:3.0} %, median {:9.2} us {:7.1} GB/s = {:3.0} %",
                kernel.name(),
                times.best(),
                speed(times.best()),
                100.0 * best / times.best(),
                times.median(),
                speed(times.median()),
                100.0 * median / times.median(),
            );
        }
    }
    Ok(())
}
