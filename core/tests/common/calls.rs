//! Calls of the public API made from bytes, for the fuzzer and for the tests: an answer with its shape and nothing but
//! finite numbers, or an error that says what is wrong; never a panic.

#![allow(dead_code, clippy::indexing_slicing)]

use arbitrary::{Arbitrary, Result, Unstructured};
use ruvector_attention::sdk::prelude::*;
use ruvector_attention::{bf16, f16, poincare, Kernel, KeyValueCache, MultiHeadWeights, Precision, Tensor};

/// How often each end was reached, so that a test can tell that both were.
#[derive(Debug, Default)]
pub struct Tally {
    pub answers: usize,
    pub errors: usize,
}

impl Tally {
    fn count<T>(&mut self, result: &ruvector_attention::Result<T>) {
        match result {
            Ok(_) => self.answers += 1,
            Err(error) => {
                self.errors += 1;
                assert!(
                    !error.code().is_empty() && !error.argument().is_empty() && !error.to_string().is_empty()
                );
            }
        }
    }

    /// Counts a result that must be finite and have this length.
    fn check(&mut self, result: &ruvector_attention::Result<Vec<f32>>, len: usize) {
        self.count(result);
        if let Ok(out) = result {
            assert_eq!(out.len(), len);
            assert!(out.iter().all(|x| x.is_finite()), "not finite: {out:?}");
        }
    }
}

/// One fuzz target.
pub type Call = fn(&mut Unstructured<'_>, &mut Tally) -> Result<()>;

/// Makes the calls that the bytes say; bytes that run out end them early, which is no fault.
pub fn run(call: Call, data: &[u8], tally: &mut Tally) {
    let _ = call(&mut Unstructured::new(data), tally);
}

/// Every call, by the name of its fuzz target and folder of seeds.
pub const CALLS: [(&str, Call); 5] =
    [("forward", forward), ("state", state), ("bytes", bytes), ("poincare", ball), ("builder", builder)];

const AWKWARD: [f32; 12] = [
    0.0,
    -0.0,
    1.0,
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::MAX,
    f32::MIN,
    1e-45,
    -1e-40,
    3e18,
    1e4,
];

/// Elements of a tensor: as many as fit, or not; tame, awkward or any bit pattern.
///
/// A few bytes give a large tensor, which is what reaches tiles and threads.
struct Elements {
    seed: u64,
    scale: f32,
    /// One element in so many comes from `strange`; 0 means none.
    every: u64,
    strange: Vec<f32>,
}

impl Elements {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        let scale = *u.choose(&[0.3, 1.0, 0.01, 30.0, 1e4, 1e18])?;
        let every = *u.choose(&[0, 0, 0, 1, 7, 1000])?;
        let mut strange = Vec::new();
        for _ in 0..u.int_in_range(1..=6)? {
            strange.push(if u.arbitrary()? { *u.choose(&AWKWARD)? } else { f32::from_bits(u.arbitrary()?) });
        }
        Ok(Elements { seed: u.arbitrary()?, scale, every, strange })
    }

    /// SplitMix64.
    fn bits(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn tensor(&mut self, len: usize) -> Vec<f32> {
        (0..len)
            .map(|_| {
                let bits = self.bits();
                if self.every > 0 && bits.is_multiple_of(self.every) {
                    return self.strange[(bits >> 32) as usize % self.strange.len()];
                }
                ((bits >> 40) as f32 / (1_u32 << 23) as f32 - 1.0) * self.scale
            })
            .collect()
    }
}

/// A length: the fitting one, mostly.
fn length(u: &mut Unstructured<'_>, fitting: usize) -> Result<usize> {
    match u.ratio(1, 10)? {
        true => Ok(*u.choose(&[0, 1, 2, 3, 7, fitting + 1, fitting.saturating_sub(1), fitting / 2])?),
        false => Ok(fitting),
    }
}

/// A number of rows: small as a rule, at times enough for tiles, rarely for threads.
fn rows(u: &mut Unstructured<'_>, most: usize) -> Result<usize> {
    let end = *u.choose(&[3, 9, 40, 40, 300, most])?;
    u.int_in_range(1..=end.min(most))
}

fn mask(u: &mut Unstructured<'_>, keys: usize) -> Result<Vec<bool>> {
    let (every, from) = (u.int_in_range(1..=9)?, u.int_in_range(0..=keys)?);
    let len = length(u, keys)?;
    Ok((0..len).map(|key| key >= from || key % every == 1).collect())
}

fn options<'a>(u: &mut Unstructured<'_>, mask: Option<&'a [bool]>) -> Result<Options<'a>> {
    Ok(Options {
        neighbors: *u.choose(&[None, None, Some(1), Some(3), Some(20), Some(usize::MAX), Some(0)])?,
        mask,
        causal: u.arbitrary()?,
        training: Option::<u64>::arbitrary(u)?,
    })
}

fn curvature(u: &mut Unstructured<'_>) -> Result<f64> {
    let usual = *u.choose(&[1.0, 0.3, 4.0, 1e-300, 1e300, f64::MIN_POSITIVE, 1e-9, 1e9])?;
    Ok(if u.ratio(1, 4)? { f64::from_bits(u.arbitrary()?) } else { usual })
}

fn kernel(u: &mut Unstructured<'_>) -> Result<Kernel> {
    let kernels: Vec<Kernel> = Kernel::available().collect();
    Ok(*u.choose(&kernels)?)
}

/// Any mechanism on any kernel, for queries of `dim`; `None` where the constructor refuses.
fn attention(
    u: &mut Unstructured<'_>,
    tally: &mut Tally,
    dim: usize,
    threads: &Threads,
) -> Result<Option<Box<dyn Attention>>> {
    let (kernel, which) = (kernel(u)?, u.int_in_range(0..=6)?);
    let dropout = *u.choose(&[0.0, 0.0, 0.5, 0.999, 1.0, f64::NAN])?;
    let dim = length(u, dim)?;
    macro_rules! ready {
        ($new:expr) => {
            $new.and_then(|new| new.with_dropout(dropout)).map(|new| {
                Box::new(new.with_kernel(kernel).with_threads(threads.clone())) as Box<dyn Attention>
            })
        };
    }
    let made = match which {
        0 => ready!(ScaledDotProductAttention::new(dim)),
        1 => ready!(CrossAttention::new(dim)),
        2 => ready!(SelfAttention::new(dim)),
        3 => ready!(LinearAttention::new(dim)),
        4 => {
            let (c, projects) = (curvature(u)?, u.arbitrary()?);
            ready!(HyperbolicAttention::new(c).map(|new| new.with_projection(projects)))
        }
        5 => ready!(MultiHeadAttention::new(*u.choose(&[1, 2, 3, 4, 8, 0])?, dim, 0.0)),
        _ => {
            let weights = weights(u, dim)?;
            tally.count(&weights);
            let heads = *u.choose(&[1, 2, 3])?;
            ready!(weights.and_then(|weights| MultiHeadAttention::new(heads, dim, 0.0)?.with_weights(weights)))
        }
    };
    tally.count(&made);
    Ok(made.ok())
}

fn weights(u: &mut Unstructured<'_>, dim: usize) -> Result<ruvector_attention::Result<MultiHeadWeights>> {
    let (mut elements, len) = (Elements::new(u)?, length(u, dim * dim)?);
    let mut part = || elements.tensor(len);
    let weights = MultiHeadWeights::new(dim, &part(), &part(), &part(), &part());
    let (mut elements, len) = (Elements::new(u)?, length(u, dim)?);
    let mut part = || elements.tensor(len);
    Ok(weights.and_then(|weights| weights.with_biases(&part(), &part(), &part(), &part())))
}

/// Keys or values as a caller may hold them.
enum Stored {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
}

impl Stored {
    fn new(u: &mut Unstructured<'_>, elements: Vec<f32>) -> Result<Self> {
        Ok(match u.int_in_range(0..=3)? {
            0 => Stored::F16(elements.into_iter().map(f16::from_f32).collect()),
            1 => Stored::Bf16(elements.into_iter().map(bf16::from_f32).collect()),
            _ => Stored::F32(elements),
        })
    }

    fn tensor(&self) -> Tensor<'_> {
        match self {
            Stored::F32(elements) => elements.into(),
            Stored::F16(elements) => elements.into(),
            Stored::Bf16(elements) => elements.into(),
        }
    }
}

/// Tensors of up to three calls with one workspace, whatever it held before; alone and with another thread.
pub fn forward(u: &mut Unstructured<'_>, tally: &mut Tally) -> Result<()> {
    let threads = [Threads::new(1), Threads::new(2)].map(|threads| threads.expect("at least one"));
    let mut workspace = Workspace::new();
    for _ in 0..u.int_in_range(1..=3)? {
        let (dim, value_dim) = (u.int_in_range(1..=40)?, u.int_in_range(1..=40)?);
        let threads = &threads[u.int_in_range(0..=1)?];
        let Some(attention) = attention(u, tally, dim, threads)? else { continue };
        let most = if u.ratio(1, 30)? { 20_000 } else { 600 };
        let n = rows(u, most)?;
        let m = rows(u, most.min(200_000 / n))?;
        let mut elements = Elements::new(u)?;
        let queries = elements.tensor(length(u, m * dim)?);
        let mut elements = if u.arbitrary()? { elements } else { Elements::new(u)? };
        let keys = elements.tensor(length(u, n * dim)?);
        let values = elements.tensor(length(u, n * value_dim)?);
        let flags = mask(u, n)?;
        let masked = u.arbitrary()?;
        let options = options(u, if masked { Some(&flags) } else { None })?;
        let claimed = if u.ratio(1, 12)? { *u.choose(&[0, 1, usize::MAX, dim + 1])? } else { dim };

        let len = (queries.len() / claimed.max(1)) * (values.len() / (keys.len() / claimed.max(1)).max(1));
        let batch = attention.forward_batch(&queries, claimed, &keys, &values, &options);
        tally.check(&batch, len);
        if let Ok(batch) = &batch {
            let mut again = vec![f32::NAN; len];
            let inputs = Inputs::new(&queries, claimed, &keys, &values);
            let told = attention.forward_into(&inputs, &options, &mut workspace, &mut again);
            assert_eq!(told, Ok(()));
            assert!(
                batch.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits()),
                "a used workspace matters"
            );
        }
        // One query: all of them in a row.
        let alone = values.len() / (keys.len() / queries.len().max(1)).max(1);
        tally.check(&attention.forward_with(&queries, &keys, &values, &options), alone);

        let stored = (Stored::new(u, keys.clone())?, Stored::new(u, values.clone())?);
        let inputs = Inputs::new(&queries, claimed, stored.0.tensor(), stored.1.tensor());
        let mut out = vec![0.0; length(u, len.min(1 << 20))?];
        let told = attention.forward_into(&inputs, &options, &mut workspace, &mut out);
        tally.check(&told.map(|()| out), len);
        cache(u, tally, (&*attention, &options), (&queries, dim, value_dim), (&keys, &values))?;
    }
    Ok(())
}

/// The same keys and values, appended to a cache in pieces.
fn cache(
    u: &mut Unstructured<'_>,
    tally: &mut Tally,
    (attention, options): (&dyn Attention, &Options<'_>),
    (queries, dim, value_dim): (&[f32], usize, usize),
    (keys, values): (&[f32], &[f32]),
) -> Result<()> {
    let precision = *u.choose(&[Precision::F32, Precision::F16, Precision::Bf16])?;
    let mut cache = KeyValueCache::new(dim, value_dim, precision).expect("both at least 1");
    let step = u.int_in_range(1..=200)?;
    for (keys, values) in keys.chunks(step * dim).zip(values.chunks(step * value_dim)) {
        let before = cache.len();
        let appended = cache.append(keys, values);
        tally.count(&appended);
        assert_eq!(cache.len(), before + if appended.is_ok() { keys.len() / dim } else { 0 });
        if u.ratio(1, 20)? {
            cache.truncate(u.arbitrary()?);
        }
        if u.ratio(1, 20)? {
            tally.count(&cache.reserve(*u.choose(&[
                0,
                5,
                3000,
                usize::MAX >> 17,
                usize::MAX / 64,
                usize::MAX,
            ])?));
        }
    }
    let mut out = vec![0.0; (queries.len() / dim).saturating_mul(value_dim)];
    let told = attention.forward_into(&cache.inputs(queries), options, &mut Workspace::new(), &mut out);
    let len = out.len();
    tally.check(&told.map(|()| out), len);
    Ok(())
}

/// Streams that grow, merge, travel as bytes and finish, in any order.
pub fn state(u: &mut Unstructured<'_>, tally: &mut Tally) -> Result<()> {
    let threads = Threads::new(2).expect("at least one");
    let (dim, value_dim) = (u.int_in_range(1..=20)?, u.int_in_range(1..=20)?);
    let Some(attention) = attention(u, tally, dim, &threads)? else { return Ok(()) };
    let m = rows(u, 60)?;
    let queries = Elements::new(u)?.tensor(length(u, m * dim)?);
    let claimed = if u.ratio(1, 12)? { *u.choose(&[0, 1, usize::MAX, dim + 1])? } else { dim };
    let huge = [0, 1, usize::MAX, usize::MAX / 64, usize::MAX >> 17, value_dim + 1];
    let width = if u.ratio(1, 12)? { *u.choose(&huge)? } else { value_dim };
    let options = options(u, None)?;
    let started = attention.stream(&queries, claimed, width, &options);
    tally.count(&started);
    let Ok(mut state) = started else { return Ok(()) };
    let mut other = state.clone();
    for _ in 0..u.int_in_range(1..=8)? {
        step(u, tally, &mut state, &mut other, value_dim)?;
    }
    assert!(!state.finish().is_ok_and(|out| out.iter().any(|x| !x.is_finite())));
    Ok(())
}

fn step(
    u: &mut Unstructured<'_>,
    tally: &mut Tally,
    state: &mut AttentionState,
    other: &mut AttentionState,
    value_dim: usize,
) -> Result<()> {
    let n = rows(u, 400)?;
    match u.int_in_range(0..=5)? {
        0 | 1 => {
            let mut elements = Elements::new(u)?;
            let keys = elements.tensor(length(u, n * state.dim())?);
            let values = elements.tensor(length(u, n * value_dim)?);
            let before = state.keys();
            let added = match u.arbitrary()? {
                true => state.push(&keys, &values),
                false => state.push_masked(&keys, &values, &mask(u, n)?),
            };
            tally.count(&added);
            assert_eq!(state.keys(), before + if added.is_ok() { keys.len() / state.dim() } else { 0 });
        }
        2 => tally.count(&state.merge(other)),
        3 => core::mem::swap(state, other),
        4 => {
            let there = state.to_bytes();
            let back = AttentionState::from_bytes(&there).expect("a state reads itself");
            assert_eq!(back.to_bytes(), there);
            // It computes with the kernel detected here, so only whether there is a result is the same.
            assert_eq!(back.finish().is_ok(), state.finish().is_ok());
            *state = back;
        }
        _ => {
            let len = state.queries().saturating_mul(state.value_dim());
            tally.check(&state.finish(), len);
        }
    }
    Ok(())
}

/// Bytes from anywhere as a state and as a file of weights, with a right checksum and with their own.
pub fn bytes(u: &mut Unstructured<'_>, tally: &mut Tally) -> Result<()> {
    let sealed: bool = u.arbitrary()?;
    let body = u.bytes(u.len())?;
    #[cfg(feature = "safetensors")]
    tally.count(&MultiHeadWeights::from_safetensors(body, ""));
    let hash = body.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let whole = if sealed { [body, &hash.to_le_bytes()].concat() } else { body.to_vec() };
    let read = AttentionState::from_bytes(&whole);
    tally.count(&read);
    let Ok(mut state) = read else { return Ok(()) };
    // Not always `whole`: −0.0 may stand for 0.0.
    let there = state.to_bytes();
    assert_eq!(AttentionState::from_bytes(&there).expect("a state reads itself").to_bytes(), there);
    let len = state.queries().saturating_mul(state.value_dim());
    tally.check(&state.finish(), len);
    // One row at a time: bytes may claim any width, and a caller would have to bring as much.
    if state.dim().max(state.value_dim()) < 10_000 {
        tally.count(&state.push(&vec![0.1; 2 * state.dim()], &vec![0.1; 2 * state.value_dim()]));
        let copy = state.clone();
        tally.count(&state.merge(&copy));
        tally.check(&state.finish(), len);
    }
    Ok(())
}

/// Distances and maps of the Poincaré ball.
pub fn ball(u: &mut Unstructured<'_>, tally: &mut Tally) -> Result<()> {
    let len = u.int_in_range(0..=70)?;
    let c = curvature(u)?;
    let x = Elements::new(u)?.tensor(len);
    let y = Elements::new(u)?.tensor(length(u, len)?);
    let distance = poincare::distance(&x, &y, c);
    tally.count(&distance);
    assert!(distance.map_or(true, |distance| distance >= 0.0 && distance.is_finite()));
    for map in [poincare::to_poincare, poincare::from_poincare, poincare::project_to_ball] {
        tally.check(&map(&x, c), len);
    }
    Ok(())
}

/// The builder with any configuration, and types by any name.
pub fn builder(u: &mut Unstructured<'_>, tally: &mut Tally) -> Result<()> {
    let name = match u.arbitrary()? {
        true => u.choose(ruvector_attention::features())?.to_string(),
        false => String::arbitrary(u)?,
    };
    let kind = name.parse::<AttentionType>();
    tally.count(&kind);
    let sizes = [1, 2, 4, 6, 8, 128, 0, usize::MAX >> 24, usize::MAX];
    let mut made = AttentionBuilder::new().hidden_dim(*u.choose(&sizes)?).use_simd(u.arbitrary()?);
    if let Ok(kind) = kind {
        made = made.attention_type(kind);
    }
    if u.arbitrary()? {
        let (curvature, num_heads) = (curvature(u)?, *u.choose(&sizes)?);
        made = made.attention_type(match u.int_in_range(0..=2)? {
            0 => AttentionType::Auto,
            1 => AttentionType::Hyperbolic { curvature },
            _ => AttentionType::MultiHead { num_heads },
        });
    }
    if u.arbitrary()? {
        made = made.num_threads(*u.choose(&sizes)?).num_heads(*u.choose(&sizes)?);
    }
    if u.arbitrary()? {
        made = made.neighbors(*u.choose(&sizes)?).dropout(f64::from_bits(u.arbitrary()?));
    }
    tally.count(&made.resolve());
    let built = made.build();
    tally.count(&built);
    if let Ok(attention) = built {
        let dim = attention.dim().unwrap_or(3).min(1000);
        let mut elements = Elements::new(u)?;
        let (query, keys, values) = (elements.tensor(dim), elements.tensor(3 * dim), elements.tensor(3 * 8));
        tally.check(&attention.forward(&query, &keys, &values), 8);
    }
    Ok(())
}
