//! In steady state nothing is allocated: what the first call of a shape needed, the next ones find in the workspace.

mod common;

use common::{Case, Kind, Random};
use ruvector_attention::{
    f16, Attention, CrossAttention, HyperbolicAttention, Inputs, Kernel, LinearAttention, MultiHeadAttention,
    MultiHeadWeights, Options, ScaledDotProductAttention, SelfAttention, Tensor, Threads, Workspace,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what all threads allocate.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Number of allocations, by any thread, while this runs.
fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    work();
    ALLOCATIONS.load(Ordering::SeqCst) - before
}

/// Every mechanism over rows of `dim`, with what data suits it.
fn mechanisms(dim: usize, threads: &Threads) -> Vec<(Kind, Box<dyn Attention>)> {
    let mut random = Random(1);
    let mut matrix = || random.tensor(dim * dim, 0.1);
    let (q, k, v, o) = (matrix(), matrix(), matrix(), matrix());
    let bias = vec![0.1; dim];
    let weights = MultiHeadWeights::new(dim, &q, &k, &v, &o).unwrap();
    let weights = weights.with_biases(&bias, &bias, &bias, &bias).unwrap();
    let heads = MultiHeadAttention::new(4, dim, 0.0).unwrap().with_threads(threads.clone());
    vec![
        (
            Kind::ScaledDot,
            Box::new(ScaledDotProductAttention::new(dim).unwrap().with_threads(threads.clone())),
        ),
        (Kind::Cross, Box::new(CrossAttention::new(dim).unwrap().with_threads(threads.clone()))),
        (Kind::SelfRows, Box::new(SelfAttention::new(dim).unwrap().with_threads(threads.clone()))),
        (Kind::MultiHead(4), Box::new(heads.clone())),
        (Kind::MultiHead(4), Box::new(heads.with_weights(weights).unwrap())),
        (
            Kind::Hyperbolic(1.0),
            Box::new(HyperbolicAttention::new(1.0).unwrap().with_threads(threads.clone())),
        ),
        (Kind::Linear, Box::new(LinearAttention::new(dim).unwrap().with_threads(threads.clone()))),
        (Kind::Random(40), Kind::Random(40).build_for(dim, Kernel::detect(), threads.clone())),
    ]
}

const DIM: usize = 64;

/// More than 150 µs of work, which several threads share: a query whose keys are divided, batches of few and of many
/// queries, and causal order.
const SIZES: [(usize, usize); 4] = [(1, 24_500), (40, 3_000), (3_100, 60), (400, 600)];

/// Calls `each` with every size, precision and set of options that suits the mechanism.
fn each_call(kind: Kind, mut each: impl FnMut(&Inputs<'_>, &Options<'_>, &mut [f32])) {
    for (m, n) in SIZES {
        let heads = if let Kind::MultiHead(heads) = kind { heads } else { 1 };
        let case = Case::random(kind, 1, m, n, DIM / heads, DIM / heads);
        let half = |tensor: &[f32]| -> Vec<f16> { tensor.iter().map(|&x| f16::from_f32(x)).collect() };
        let (keys, values) = (half(&case.keys), half(&case.values));
        let tensors: [(Tensor<'_>, Tensor<'_>); 2] =
            [((&case.keys).into(), (&case.values).into()), ((&keys).into(), (&values).into())];
        let mask: Vec<bool> = (0..n).map(|i| i % 7 != 3).collect();
        let mut out = vec![0.0; m * DIM];
        for (keys, values) in tensors {
            let inputs = Inputs::new(&case.queries, DIM, keys, values);
            for (neighbors, mask, causal) in [
                (None, None, false),
                (None, None, true),
                (None, Some(&mask[..]), false),
                (Some(50), None, false),
                (Some(50), Some(&mask[..]), true),
            ] {
                let linear = kind.is_linear();
                if !(neighbors.is_some() && linear || causal && n < m) {
                    each(&inputs, &Options { neighbors, mask, causal, training: None }, &mut out);
                }
            }
        }
    }
}

/// Starts the threads, which allocate while they do; there is no sign of when they have.
fn start(threads: &Threads) {
    let case = Case::random(Kind::ScaledDot, 1, 1, SIZES[0].1, DIM, DIM);
    let attention = ScaledDotProductAttention::new(DIM).unwrap().with_threads(threads.clone());
    for _ in 0..10 {
        attention.forward(&case.queries, &case.keys, &case.values).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// A program of its own, without a harness: nothing else allocates beside it.
fn main() {
    for count in [1, 2] {
        let threads = Threads::new(count).unwrap();
        start(&threads);
        for (kind, attention) in mechanisms(DIM, &threads) {
            let what = format!("{attention:?} on {count} threads");
            let mut shared = Workspace::new();
            each_call(kind, |inputs, options, out| {
                let mut workspace = Workspace::new();
                let mut call = || attention.forward_into(inputs, options, &mut workspace, out).unwrap();
                assert!(allocations(&mut call) > 0, "the first call fills the workspace");
                let more = allocations(|| (0..2).for_each(|_| call()));
                assert_eq!(more, 0, "{what}: {} queries, {options:?}", inputs.queries.len() / DIM);
                attention.forward_into(inputs, options, &mut shared, out).unwrap();
            });
            // A workspace that has served them all serves each of them.
            each_call(kind, |inputs, options, out| {
                let call = || attention.forward_into(inputs, options, &mut shared, out).unwrap();
                assert_eq!(
                    allocations(call),
                    0,
                    "{what}, all shapes: {} queries",
                    inputs.queries.len() / DIM
                );
            });
        }
    }
}
