//! Many queries on one thread: times, and their share of the multiply-add peak measured beside them.
//!
//! Arguments leave out what they do not name: kernels (`avx2`), or parts of the names of cases (`64 full`). The peak is that of the kernel's own instruction set:
//! independent chains of multiply-adds in registers, run between the calls.

use ruvector_attention::sdk::prelude::*;
use ruvector_attention::{Kernel, Result};
use std::hint::black_box;
use std::time::Instant;

/// Multiply-adds of one element in a run of the chains.
type Chains = fn() -> usize;

/// Chains that the compiler keeps in registers, `$steps` multiply-adds each.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! chains {
    ($name:ident, $feature:literal, $lanes:literal, $chains:literal, $splat:path, |$x:ident, $factor:ident, $addend:ident| $step:expr) => {
        fn $name() -> usize {
            #[target_feature(enable = $feature)]
            unsafe fn run() -> usize {
                const STEPS: usize = 20_000;
                let $factor = $splat(black_box(0.999));
                let $addend = $splat(black_box(1e-3));
                let mut sums = [$splat(black_box(1.0)); $chains];
                for _ in 0..STEPS {
                    for sum in &mut sums {
                        let $x = *sum;
                        *sum = $step;
                    }
                }
                black_box(sums);
                STEPS * $chains * $lanes
            }
            // SAFETY: chosen by the name of a kernel that this machine has.
            unsafe { run() }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod sets {
    use super::black_box;
    use std::arch::x86_64::*;
    chains!(avx512, "avx512f", 16, 16, _mm512_set1_ps, |x, f, a| _mm512_fmadd_ps(x, f, a));
    chains!(avx2, "avx2,fma", 8, 12, _mm256_set1_ps, |x, f, a| _mm256_fmadd_ps(x, f, a));
    chains!(sse2, "sse2", 4, 12, _mm_set1_ps, |x, f, a| _mm_add_ps(_mm_mul_ps(x, f), a));
    pub const ALL: &[(&str, super::Chains)] = &[("avx512", avx512), ("avx2", avx2), ("sse2", sse2)];
}

#[cfg(target_arch = "aarch64")]
mod sets {
    use super::black_box;
    use std::arch::aarch64::*;
    chains!(neon, "neon", 4, 24, vdupq_n_f32, |x, f, a| vfmaq_f32(a, x, f));
    pub const ALL: &[(&str, super::Chains)] = &[("neon", neon)];
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod sets {
    pub const ALL: &[(&str, super::Chains)] = &[];
}

fn tensor(len: usize, scale: f32) -> Vec<f32> {
    let mut state = 1_u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / 8_388_608.0 - 1.0) * scale
        })
        .collect()
}

/// Best and median.
fn summary(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[0], times[times.len() / 2])
}

/// Times calls for about half a second, each followed by a run of the chains.
fn report(name: &str, kernel: Kernel, flops: f64, mut call: impl FnMut()) {
    let is_kernel = |argument: &String| Kernel::named(argument).is_some();
    let mut cases = std::env::args().skip(1).filter(|argument| !is_kernel(argument)).peekable();
    if cases.peek().is_some() && !cases.any(|case| name.contains(&case)) {
        return;
    }
    let chains = sets::ALL.iter().find(|(set, _)| *set == kernel.name());
    let (mut calls, mut peaks) = (Vec::new(), Vec::new());
    let start = Instant::now();
    while start.elapsed().as_millis() < 500 || calls.len() < 5 {
        let begin = Instant::now();
        call();
        calls.push(begin.elapsed().as_secs_f64() * 1e9);
        if let Some((_, chains)) = chains {
            let begin = Instant::now();
            let done = 2.0 * chains() as f64;
            peaks.push(begin.elapsed().as_secs_f64() * 1e9 / done);
        }
    }
    let (best, median) = summary(calls);
    print!("{name:24} {:8} best {:9.1} us {:6.1} GFLOP/s", kernel.name(), best / 1e3, flops / best);
    if peaks.is_empty() {
        return println!("  median {:6.1} GFLOP/s", flops / median);
    }
    let (peak, typical) = summary(peaks);
    println!(
        "  peak {:6.1}  share {:3.0} % of best, {:3.0} % of medians",
        1.0 / peak,
        100.0 * flops / best * peak,
        100.0 * flops / median * typical
    );
}

fn main() -> Result<()> {
    let named: Vec<Kernel> = std::env::args().filter_map(|argument| Kernel::named(&argument)).collect();
    let mut workspace = Workspace::new();
    for kernel in Kernel::available().filter(|kernel| named.is_empty() || named.contains(kernel)) {
        for (heads, length, d) in [(8, 512, 64), (8, 1_024, 128), (1, 4_096, 64)] {
            let hidden = heads * d;
            let (q, k, v) =
                (tensor(length * hidden, 0.5), tensor(length * hidden, 0.4), tensor(length * hidden, 0.3));
            let mut out = vec![0.0; length * hidden];
            let attention = MultiHeadAttention::new(heads, hidden, 0.0)?
                .with_kernel(kernel)
                .with_threads(Threads::new(1)?);
            let flops = 4.0 * (heads * length * length * d) as f64;
            for causal in [false, true] {
                let options = Options { causal, ..Options::default() };
                let order = if causal { "causal" } else { "full" };
                // In causal order half of the products are asked for.
                let flops = if causal { flops / 2.0 } else { flops };
                let inputs = Inputs::new(&q, hidden, &k, &v);
                report(&format!("{heads} x {length} x {d} {order}"), kernel, flops, || {
                    attention.forward_into(&inputs, &options, &mut workspace, &mut out).expect("valid");
                });
            }
        }
        for (length, d) in [(512, 64), (1_024, 128)] {
            let points = tensor(length * d, 1.0 / d as f32);
            let mut out = vec![0.0; length * d];
            let flops = 4.0 * (length * length * d) as f64;
            let options = Options::default();
            let inputs = Inputs::new(&points, d, &points, &points);
            let attention = HyperbolicAttention::new(1.0)?.with_kernel(kernel).with_threads(Threads::new(1)?);
            report(&format!("hyperbolic {length} x {d}"), kernel, flops, || {
                attention.forward_into(&inputs, &options, &mut workspace, &mut out).expect("valid");
            });
            let attention =
                ScaledDotProductAttention::new(d)?.with_kernel(kernel).with_threads(Threads::new(1)?);
            report(&format!("scaled {length} x {d}"), kernel, flops, || {
                attention.forward_into(&inputs, &options, &mut workspace, &mut out).expect("valid");
            });
        }
    }
    Ok(())
}
