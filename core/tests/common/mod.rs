//! What the tests share: an oracle in `f64`, written from the formulas and nothing else, and seeded data.

#![allow(dead_code, clippy::indexing_slicing)]

use ruvector_attention::{
    Attention, CrossAttention, HyperbolicAttention, Kernel, LinearAttention, MultiHeadAttention, Options,
    Result, ScaledDotProductAttention, SelfAttention, Threads,
};

/// The mathematics of a mechanism, for the oracle and for building the real one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    ScaledDot,
    Cross,
    SelfRows,
    MultiHead(usize),
    Hyperbolic(f64),
    Linear,
    /// Linear attention with so many random features.
    Random(usize),
}

impl Kind {
    pub fn build(self, dim: usize, kernel: Kernel) -> Box<dyn Attention> {
        self.build_for(dim, kernel, Threads::default())
    }

    pub fn build_for(self, dim: usize, kernel: Kernel, threads: Threads) -> Box<dyn Attention> {
        macro_rules! ready {
            ($attention:expr) => {
                Box::new($attention.unwrap().with_kernel(kernel).with_threads(threads))
            };
        }
        match self {
            Kind::ScaledDot => ready!(ScaledDotProductAttention::new(dim)),
            Kind::Cross => ready!(CrossAttention::new(dim)),
            Kind::SelfRows => ready!(SelfAttention::new(dim)),
            Kind::MultiHead(heads) => ready!(MultiHeadAttention::new(heads, dim, 0.0)),
            Kind::Hyperbolic(c) => ready!(HyperbolicAttention::new(c)),
            Kind::Linear => ready!(LinearAttention::new(dim)),
            Kind::Random(features) => ready!(random_features(dim, features)),
        }
    }

    /// Whether it has no single weights to select by.
    pub fn is_linear(self) -> bool {
        matches!(self, Kind::Linear | Kind::Random(_))
    }

    fn heads(self) -> usize {
        match self {
            Kind::MultiHead(heads) => heads,
            _ => 1,
        }
    }
}

/// Random features of a fixed seed.
pub fn random_features(dim: usize, features: usize) -> Result<LinearAttention> {
    LinearAttention::new(dim)?.with_random_features(features, 2_026)
}

/// ln Σ e^(w·q − ‖q‖²/2) e^(w·k − ‖k‖²/2), given the rows w/d^(1/4), transposed.
pub fn log_features(projection: &[f64], q: &[f64], k: &[f64]) -> f64 {
    let (dim, features) = (q.len(), projection.len() / q.len());
    let halves = (dot(q, q) + dot(k, k)) / 2.0 / (dim as f64).sqrt();
    let logs: Vec<f64> = (0..features)
        .map(|i| (0..dim).map(|p| projection[p * features + i] * (q[p] + k[p])).sum::<f64>() - halves)
        .collect();
    let max = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + logs.iter().map(|log| (log - max).exp()).sum::<f64>().ln()
}

pub fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// arcosh form of the distance, on purpose not the one the library uses.
pub fn distance(x: &[f64], y: &[f64], c: f64) -> f64 {
    let difference: Vec<f64> = x.iter().zip(y).map(|(a, b)| a - b).collect();
    let argument = 2.0 * c * dot(&difference, &difference) / ((1.0 - c * dot(x, x)) * (1.0 - c * dot(y, y)));
    // arcosh(1 + t) without losing a small t
    (argument + (argument * (argument + 2.0)).sqrt()).ln_1p() / c.sqrt()
}

fn phi(x: f64) -> f64 {
    if x > 0.0 {
        x + 1.0
    } else {
        x.exp()
    }
}

/// Keys that query `i` of `m` attends to, best scores first where `neighbors` cuts.
fn chosen(scores: &[f64], i: usize, m: usize, options: &Options<'_>) -> Vec<usize> {
    let n = scores.len();
    let mut keys: Vec<usize> = (0..n)
        .filter(|&j| options.mask.is_none_or(|mask| mask[j]))
        .filter(|&j| !options.causal || j + m <= i + n)
        .collect();
    if let Some(k) = options.neighbors {
        // A stable sort: ties stay in order of the index.
        keys.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        keys.truncate(k);
    }
    keys
}

/// Attention in `f64`.
pub fn oracle(
    kind: Kind,
    queries: &[f32],
    dim: usize,
    keys: &[f32],
    values: &[f32],
    options: &Options<'_>,
) -> Vec<f64> {
    let n = keys.len() / dim;
    let value_dim = values.len() / n;
    let m = queries.len() / dim;
    let (queries, keys, values) = (wide(queries), wide(keys), wide(values));
    let projection = match kind {
        Kind::Random(features) => wide(random_features(dim, features).unwrap().projection().unwrap()),
        _ => Vec::new(),
    };
    let heads = kind.heads();
    let (width, value_width) = (dim / heads, value_dim / heads);
    let mut out = Vec::new();
    for (i, query) in queries.chunks(dim).enumerate() {
        for head in 0..heads {
            let q = &query[head * width..][..width];
            let key = |j: usize| &keys[j * dim + head * width..][..width];
            let value = |j: usize| &values[j * value_dim + head * value_width..][..value_width];
            let scores: Vec<f64> = (0..n)
                .map(|j| match kind {
                    Kind::Hyperbolic(c) => -distance(q, key(j), c),
                    Kind::Linear => q.iter().zip(key(j)).map(|(&a, &b)| phi(a) * phi(b)).sum::<f64>().ln(),
                    Kind::Random(_) => log_features(&projection, q, key(j)),
                    _ => dot(q, key(j)) / (width as f64).sqrt(),
                })
                .collect();
            let keys = chosen(&scores, i, m, options);
            let max = keys.iter().map(|&j| scores[j]).fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = keys.iter().map(|&j| (scores[j] - max).exp()).collect();
            let mean = |factor: &dyn Fn(usize) -> f64, norm: f64| -> Vec<f64> {
                (0..value_width)
                    .map(|e| {
                        keys.iter().zip(&weights).map(|(&j, w)| w * factor(j) * value(j)[e]).sum::<f64>()
                            / norm
                    })
                    .collect()
            };
            match kind {
                Kind::Hyperbolic(c) => {
                    let lambda = |j: usize| 2.0 / (1.0 - c * dot(value(j), value(j)));
                    let norm = keys.iter().zip(&weights).map(|(&j, w)| w * (lambda(j) - 1.0)).sum();
                    let point = mean(&lambda, norm);
                    let norm = (c * dot(&point, &point)).sqrt();
                    // 1/2 (x) p, by its definition
                    let half =
                        if norm > 0.0 { (0.5 * norm.min(1.0 - 1e-15).atanh()).tanh() / norm } else { 0.0 };
                    out.extend(point.iter().map(|x| x * half));
                }
                _ => out.extend(mean(&|_| 1.0, weights.iter().sum())),
            }
        }
    }
    out
}

/// Asserts that every element is within `relative` of the largest expected magnitude.
pub fn assert_close(got: &[f32], expected: &[f64], relative: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    let largest = expected.iter().fold(1e-30_f64, |largest, x| largest.max(x.abs()));
    for (i, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(got) - expected).abs() / largest;
        assert!(
            error <= relative,
            "{what}: element {i} is {got}, expected {expected}, error {error:e} of the largest"
        );
    }
}

/// A small generator (SplitMix64), so that every run sees the same data.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// Elements in [−scale, scale].
    pub fn tensor(&mut self, len: usize, scale: f64) -> Vec<f32> {
        (0..len).map(|_| ((2.0 * self.uniform() - 1.0) * scale) as f32).collect()
    }

    /// Rows of norm up to `reach` of the ball's radius.
    pub fn points(&mut self, rows: usize, dim: usize, c: f64, reach: f64) -> Vec<f32> {
        let mut out = Vec::new();
        for _ in 0..rows {
            let row = self.tensor(dim, 1.0);
            let norm = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt().max(1e-9);
            let target = self.uniform() * reach / c.sqrt();
            out.extend(row.iter().map(|x| (f64::from(*x) * target / norm) as f32));
        }
        out
    }
}

/// Random tensors that suit a mechanism.
pub struct Case {
    pub kind: Kind,
    pub dim: usize,
    pub value_dim: usize,
    pub queries: Vec<f32>,
    pub keys: Vec<f32>,
    pub values: Vec<f32>,
}

impl Case {
    pub fn random(kind: Kind, seed: u64, m: usize, n: usize, dim: usize, value_dim: usize) -> Case {
        let mut random = Random(seed);
        let heads = kind.heads();
        let (dim, value_dim) = (dim * heads, value_dim * heads);
        let (queries, keys, values) = match kind {
            Kind::Hyperbolic(c) => (
                random.points(m, dim, c, 0.95),
                random.points(n, dim, c, 0.95),
                random.points(n, value_dim, c, 0.95),
            ),
            _ => {
                (random.tensor(m * dim, 1.0), random.tensor(n * dim, 1.0), random.tensor(n * value_dim, 1.0))
            }
        };
        Case { kind, dim, value_dim, queries, keys, values }
    }

    pub fn n(&self) -> usize {
        self.keys.len() / self.dim
    }

    pub fn expected(&self, options: &Options<'_>) -> Vec<f64> {
        oracle(self.kind, &self.queries, self.dim, &self.keys, &self.values, options)
    }

    pub fn got(&self, kernel: Kernel, options: &Options<'_>) -> Vec<f32> {
        let attention = self.kind.build(self.dim, kernel);
        attention.forward_batch(&self.queries, self.dim, &self.keys, &self.values, options).unwrap()
    }

    /// The same through a stream, cut before these rows (ascending).
    pub fn streamed(&self, kernel: Kernel, options: &Options<'_>, cuts: &[usize]) -> Vec<f32> {
        let attention = self.kind.build(self.dim, kernel);
        let start = Options { mask: None, ..*options };
        let mut state = attention.stream(&self.queries, self.dim, self.value_dim, &start).unwrap();
        for (from, to) in ranges(cuts, self.n()) {
            self.push(&mut state, options.mask, from, to);
        }
        state.finish().unwrap()
    }

    pub fn push(
        &self,
        state: &mut ruvector_attention::AttentionState,
        mask: Option<&[bool]>,
        from: usize,
        to: usize,
    ) {
        let keys = &self.keys[from * self.dim..to * self.dim];
        let values = &self.values[from * self.value_dim..to * self.value_dim];
        match mask {
            Some(mask) => state.push_masked(keys, values, &mask[from..to]).unwrap(),
            None => state.push(keys, values).unwrap(),
        }
    }
}

/// The stretches between the cuts.
pub fn ranges(cuts: &[usize], n: usize) -> Vec<(usize, usize)> {
    let mut edges = vec![0];
    edges.extend(cuts.iter().copied().filter(|&cut| cut > 0 && cut < n));
    edges.push(n);
    edges.dedup();
    edges.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

/// Every mechanism; two curvatures and several head counts among them.
pub const KINDS: [Kind; 9] = [
    Kind::ScaledDot,
    Kind::Cross,
    Kind::SelfRows,
    Kind::MultiHead(1),
    Kind::MultiHead(3),
    Kind::Hyperbolic(1.0),
    Kind::Hyperbolic(0.3),
    Kind::Linear,
    Kind::Random(37),
];
