//! Quick times of single calls, for working on kernels; names of kernels as arguments leave out the others.

use ruvector_attention::sdk::prelude::*;
use ruvector_attention::{Kernel, Result};
use std::time::Instant;

fn tensor(len: usize, scale: f32) -> Vec<f32> {
    let mut state = 1_u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / 8_388_608.0 - 1.0) * scale
        })
        .collect()
}

/// Fastest and median of calls for about 0.2 s, in microseconds.
fn time(mut call: impl FnMut()) -> (f64, f64) {
    let start = Instant::now();
    let mut times = Vec::new();
    while start.elapsed().as_millis() < 200 || times.len() < 5 {
        let start = Instant::now();
        call();
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    (times[0], times[times.len() / 2])
}

fn report(name: &str, kernel: &str, bytes: usize, flops: u64, times: (f64, f64)) {
    let (best, median) = times;
    println!(
        "{name:34} {kernel:8} best {best:10.1} us  median {median:10.1} us  {:7.1} GB/s {:7.1} GFLOP/s",
        bytes as f64 / best / 1e3,
        flops as f64 / best / 1e3
    );
}

fn main() -> Result<()> {
    let plain = Options::default();
    let mut workspace = Workspace::new();
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for kernel in Kernel::available()
        .filter(|kernel| wanted.is_empty() || wanted.iter().any(|name| name == kernel.name()))
    {
        for (d, n) in [(64, 1_000), (128, 1_000), (128, 10_000), (768, 1_000), (768, 10_000)] {
            let (q, k, v) = (tensor(d, 0.5), tensor(n * d, 0.5), tensor(n * d, 0.5));
            let mut out = vec![0.0; d];
            let attention = ScaledDotProductAttention::new(d)?.with_kernel(kernel);
            let times = time(|| {
                attention
                    .forward_into(&Inputs::new(&q, d, &k, &v), &plain, &mut workspace, &mut out)
                    .expect("valid")
            });
            report(&format!("scaled 1x{n}x{d}"), kernel.name(), 8 * n * d, 4 * (n * d) as u64, times);
            let top = Options { neighbors: Some(100), ..plain };
            let times = time(|| {
                attention
                    .forward_into(&Inputs::new(&q, d, &k, &v), &top, &mut workspace, &mut out)
                    .expect("valid")
            });
            report(&format!("top-100 1x{n}x{d}"), kernel.name(), 8 * n * d, 4 * (n * d) as u64, times);
            let points: Vec<f32> = k.iter().map(|x| x / d as f32).collect();
            let hyperbolic = HyperbolicAttention::new(1.0)?.with_kernel(kernel);
            let times = time(|| {
                hyperbolic
                    .forward_into(
                        &Inputs::new(&points[..d], d, &points, &points),
                        &plain,
                        &mut workspace,
                        &mut out,
                    )
                    .expect("valid");
            });
            report(&format!("hyperbolic 1x{n}x{d}"), kernel.name(), 8 * n * d, 4 * (n * d) as u64, times);
        }
        for (heads, length, d, causal) in
            [(8, 512, 64, false), (8, 1_024, 128, false), (8, 512, 64, true), (1, 4_096, 64, false)]
        {
            let hidden = heads * d;
            let x = tensor(length * hidden, 0.5);
            let mut out = vec![0.0; length * hidden];
            let attention = MultiHeadAttention::new(heads, hidden, 0.0)?.with_kernel(kernel);
            let options = Options { causal, ..plain };
            let times = time(|| {
                attention
                    .forward_into(&Inputs::new(&x, hidden, &x, &x), &options, &mut workspace, &mut out)
                    .expect("valid")
            });
            let flops = 4 * (heads * length * length * d) as u64 / if causal { 2 } else { 1 };
            report(&format!("heads {heads}x{length}x{d} causal={causal}"), kernel.name(), 0, flops, times);
        }
        for n in [1_000, 100_000] {
            let d = 64;
            let (q, k, v) = (tensor(d, 0.5), tensor(n * d, 0.5), tensor(n * d, 0.5));
            let mut out = vec![0.0; d];
            let attention = LinearAttention::new(d)?.with_kernel(kernel);
            let times = time(|| {
                attention
                    .forward_into(&Inputs::new(&q, d, &k, &v), &plain, &mut workspace, &mut out)
                    .expect("valid")
            });
            report(&format!("linear 1x{n}x{d}"), kernel.name(), 0, 2 * (n * d * d) as u64, times);
        }
    }
    Ok(())
}
