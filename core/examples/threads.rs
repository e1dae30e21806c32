//! One thread against two, in turns: where the second thread begins to pay, and how much.

use ruvector_attention::sdk::prelude::*;
use std::time::Instant;

fn tensor(len: usize) -> Vec<f32> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn main() -> Result<()> {
    println!("{:28} {:>12} {:>12} {:>8} {:>8}", "", "one, us", "two, us", "best", "median");
    for (heads, m, n, d) in [
        (1, 1, 1_000, 64),
        (1, 1, 5_000, 64),
        (1, 1, 10_000, 64),
        (1, 1, 10_000, 128),
        (1, 1, 30_000, 64),
        (1, 1, 20_000, 128),
        (1, 1, 60_000, 64),
        (1, 1, 10_000, 768),
        (1, 32, 512, 64),
        (1, 64, 512, 64),
        (1, 128, 512, 64),
        (8, 512, 512, 64),
        (8, 1_024, 1_024, 128),
        (1, 4_096, 4_096, 64),
    ] {
        let hidden = heads * d;
        let (q, k, v) = (tensor(m * hidden), tensor(n * hidden), tensor(n * hidden));
        let (mut workspace, mut out) = (Workspace::new(), vec![0.0; m * hidden]);
        let of = |threads| {
            let threads = Threads::new(threads)?;
            Result::Ok(MultiHeadAttention::new(heads, hidden, 0.0)?.with_threads(threads))
        };
        let contenders = [of(1)?, of(2)?];
        let mut times = [Vec::new(), Vec::new()];
        let begin = Instant::now();
        while begin.elapsed().as_millis() < 1_000 {
            for (attention, times) in contenders.iter().zip(&mut times) {
                for _ in 0..10 {
                    let start = Instant::now();
                    let inputs = Inputs::new(&q, hidden, &k, &v);
                    attention.forward_into(&inputs, &Options::default(), &mut workspace, &mut out)?;
                    times.push(start.elapsed().as_secs_f64() * 1e6);
                }
            }
        }
        times.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
        let [(best_one, one), (best_two, two)] = [&times[0], &times[1]].map(|t| (t[0], t[t.len() / 2]));
        let name = format!("{heads} heads {m}x{n}x{d}");
        println!("{name:28} {one:12.1} {two:12.1} {:8.2} {:8.2}", best_one / best_two, one / two);
    }
    Ok(())
}
