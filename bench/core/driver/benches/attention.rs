//! `cargo bench -p ruvector-attention`: a few sizes of each mechanism, to hold a change against the last run.
//!
//! `rva bench core` measures against the machine's limits and against other libraries.

use criterion::{criterion_group, criterion_main, Criterion, Throughput};
use ruvector_attention::sdk::prelude::*;

/// Numbers in [−1, 1), the same in every run.
fn tensor(len: usize) -> Vec<f32> {
    let mut state = 1_u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

/// m queries over n keys and values of length `dim`, throughput in multiplications and additions.
fn measure(
    criterion: &mut Criterion,
    name: &str,
    attention: &dyn Attention,
    [m, n, dim]: [usize; 3],
    options: Options<'_>,
) {
    let (queries, keys, values) = (tensor(m * dim), tensor(n * dim), tensor(n * dim));
    let inputs = Inputs::new(&queries, dim, &keys, &values);
    let (mut workspace, mut out) = (Workspace::new(), vec![0.0; m * dim]);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(4 * (m * n * dim) as u64));
    group.bench_function(format!("{m}x{n}x{dim}"), |bencher| {
        bencher.iter(|| attention.forward_into(&inputs, &options, &mut workspace, &mut out));
    });
    group.finish();
}

fn single(criterion: &mut Criterion) {
    let full = Options::default();
    for (dim, n) in [(64, 1_000), (128, 10_000), (768, 1_000)] {
        let attention = ScaledDotProductAttention::new(dim).expect("dim ≥ 1");
        measure(criterion, "single", &attention, [1, n, dim], full);
        measure(
            criterion,
            "single, top 100",
            &attention,
            [1, n, dim],
            Options { neighbors: Some(100), ..full },
        );
    }
}

fn many(criterion: &mut Criterion) {
    let attention = MultiHeadAttention::new(8, 512, 0.0).expect("8 heads divide 512");
    measure(criterion, "many, 8 heads", &attention, [512, 512, 512], Options::default());
    let causal = Options { causal: true, ..Options::default() };
    measure(criterion, "many, 8 heads, causal", &attention, [512, 512, 512], causal);
}

fn linear(criterion: &mut Criterion) {
    let attention = LinearAttention::new(64).expect("dim ≥ 1");
    measure(criterion, "linear", &attention, [1, 10_000, 64], Options::default());
}

criterion_group!(benches, single, many, linear);
criterion_main!(benches);
