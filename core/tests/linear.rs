//! Linear attention at sizes that are divided: parts of the keys, tiles of queries, threads.

mod common;

use common::{assert_close, Case, Kind, Random};
use ruvector_attention::{Inputs, Kernel, Options, Threads, Workspace};

/// As in `properties.rs`: 32 half-ULPs of `f32`.
const CLOSE: f64 = 32.0 * 6.0e-8;

/// Several parts of the keys and several threads' worth of work; queries: one, many, more than a tile in causal order.
const SIZES: [(usize, usize, bool); 6] = [
    (2, 9_000, false),
    (2, 9_000, false),
    (1, 9_000, false),
    (3, 9_000, true),
    (5_000, 60, false),
    (50, 9_000, true),
];

fn answer(
    case: &Case,
    kernel: Kernel,
    threads: usize,
    options: &Options<'_>,
    workspace: &mut Workspace,
) -> Vec<f32> {
    let attention = case.kind.build_for(case.dim, kernel, Threads::new(threads).unwrap());
    let mut out = vec![0.0; case.queries.len() / case.dim * case.value_dim];
    let inputs = Inputs::new(&case.queries, case.dim, &case.keys, &case.values);
    attention.forward_into(&inputs, options, workspace, &mut out).unwrap();
    out
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for kernel in Kernel::available() {
        let mut workspace = Workspace::new();
        for (seed, (m, n, causal)) in SIZES.into_iter().enumerate() {
            let kind = [Kind::Linear, Kind::Random(100)][seed % 2];
            let case = Case::random(kind, seed as u64, m, n, 64, 48);
            let mut random = Random(seed as u64);
            let mask: Vec<bool> = (0..n).map(|i| i == 0 || random.below(8) > 0).collect();
            for mask in [None, Some(&mask[..])] {
                let options = Options { causal, mask, ..Options::default() };
                let one = answer(&case, kernel, 1, &options, &mut workspace);
                for count in [2, 3] {
                    let more = answer(&case, kernel, count, &options, &mut workspace);
                    assert!(one == more, "{count} threads, m={m} n={n} on {}", kernel.name());
                }
            }
        }
    }
}

#[test]
fn parts_add_up_to_the_whole() {
    for kernel in Kernel::available() {
        for (m, n, causal) in [(1, 9_000, false), (30, 5_000, true)] {
            let case = Case::random(Kind::Linear, 3, m, n, 64, 33);
            let options = Options { causal, ..Options::default() };
            let got = answer(&case, kernel, 2, &options, &mut Workspace::new());
            assert_close(&got, &case.expected(&options), CLOSE, kernel.name());
        }
    }
}

#[test]
fn any_chunking_and_any_order_of_many_keys_give_the_same() {
    let case = Case::random(Kind::Linear, 4, 30, 7_000, 40, 24);
    let kernel = Kernel::detect();
    for causal in [false, true] {
        let options = Options { causal, ..Options::default() };
        let whole: Vec<f64> = case.got(kernel, &options).iter().map(|&x| f64::from(x)).collect();
        for cuts in [&[1][..], &[5_000, 6_980, 6_999], &[256, 300, 3_000]] {
            assert_close(&case.streamed(kernel, &options, cuts), &whole, CLOSE, "chunks");
        }
    }
    let mut order: Vec<usize> = (0..case.n()).collect();
    let mut random = Random(5);
    (1..order.len()).rev().for_each(|i| order.swap(i, random.below(i + 1)));
    let sorted = |tensor: &[f32], width: usize| -> Vec<f32> {
        order.iter().flat_map(|&row| tensor[row * width..][..width].to_vec()).collect()
    };
    let whole: Vec<f64> = case.got(kernel, &Options::default()).iter().map(|&x| f64::from(x)).collect();
    let permuted = Case {
        keys: sorted(&case.keys, case.dim),
        values: sorted(&case.values, case.value_dim),
        queries: case.queries.clone(),
        ..case
    };
    assert_close(&permuted.got(kernel, &Options::default()), &whole, CLOSE, "permuted");
}
