//! States as bytes: little-endian, versioned, checked when read.
//!
//! Layout: magic and version; nine 64-bit fields (mechanism, its parameter, m, dim, value_dim, neighbors, causal, keys
//! seen, rows held back), and the seed of random features; queries, held keys, held values as `f32`; held mask as bytes; the running sums; a checksum.

use super::super::common::{Common, Mechanism};
use super::super::linear::{Projection, RandomFeatures};
use super::{AttentionState, Progress, Tail};
use crate::error::{Error, Result};
use crate::options::Options;
use crate::shape;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// First bytes of every serialized state.
const MAGIC: [u8; 8] = *b"rvattn\0\x01";

impl AttentionState {
    /// The state as bytes, the same on every machine: little-endian, with a version and a checksum.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer(MAGIC.to_vec());
        let (mechanism, parameter) = match self.mechanism {
            Mechanism::Dot { heads } => (0, heads as f64),
            Mechanism::Ball { c } => (1, c),
            Mechanism::Linear { random: None } => (2, 0.0),
            Mechanism::Linear { random: Some(random) } => (3, random.features as f64),
        };
        writer.size(mechanism);
        writer.double(parameter);
        writer.size(self.queries());
        writer.size(self.dim);
        writer.size(self.value_dim);
        writer.size(self.neighbors.unwrap_or(0));
        writer.size(usize::from(self.causal));
        writer.size(self.seen);
        writer.size(self.tail.mask.len());
        if let Some(random) = self.mechanism.random_features() {
            writer.0.extend_from_slice(&random.seed.to_le_bytes());
        }
        writer.floats(&self.queries);
        writer.floats(&self.tail.keys);
        writer.floats(&self.tail.values);
        writer.0.extend(self.tail.mask.iter().map(|&keep| u8::from(keep)));
        match &self.progress {
            Progress::Softmax(partials) => {
                for partial in partials {
                    writer.double(partial.max);
                    writer.double(partial.sum);
                    writer.doubles(&partial.total);
                }
            }
            Progress::Best(candidates) => {
                for best in candidates {
                    writer.size(best.scores.len());
                    writer.floats(&best.scores);
                    writer.doubles(&best.exact);
                    writer.floats(&best.values);
                }
            }
            Progress::Linear(sums) => {
                writer.size(sums.keys);
                writer.doubles(&sums.products);
                writer.doubles(&sums.features);
                writer.double(sums.log);
            }
        }
        let checksum = fnv1a(&writer.0);
        writer.0.extend_from_slice(&checksum.to_le_bytes());
        writer.0
    }

    /// Reads what [`to_bytes`](AttentionState::to_bytes) wrote, and checks it: length, checksum, version, sizes, and
    /// that all numbers are possible.
    ///
    /// The state computes with the kernel detected here. Errors: [`Error::InvalidState`] says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (body, checksum) = bytes.split_last_chunk::<8>().ok_or(invalid("it is cut short"))?;
        let mut reader = Reader(body);
        if reader.take::<8>()? != MAGIC {
            return Err(invalid("its first bytes or its version are unknown"));
        }
        if u64::from_le_bytes(*checksum) != fnv1a(body) {
            return Err(invalid("its checksum does not match"));
        }
        let is_count = |x: f64| x >= 1.0 && x <= f64::from(u32::MAX) && libm::trunc(x) == x;
        let mut mechanism = match (reader.size()?, reader.double()?) {
            (0, heads) if is_count(heads) => Mechanism::Dot { heads: heads as usize },
            (1, c) if c > 0.0 && c.is_finite() => Mechanism::Ball { c },
            (2, 0.0) => Mechanism::Linear { random: None },
            (3, features) if is_count(features) => {
                Mechanism::Linear { random: Some(RandomFeatures { features: features as usize, seed: 0 }) }
            }
            _ => return Err(invalid("its mechanism is unknown")),
        };
        let (m, dim, value_dim) = (reader.size()?, reader.size()?, reader.size()?);
        let (neighbors, causal) = (reader.size()?, reader.size()?);
        let (seen, held) = (reader.size()?, reader.size()?);
        if causal > 1 {
            return Err(invalid("its options are unknown"));
        }
        let fits = m > 0 && dim > 0 && value_dim > 0;
        if !fits || !dim.is_multiple_of(mechanism.heads()) || !value_dim.is_multiple_of(mechanism.heads()) {
            return Err(invalid("its sizes do not agree"));
        }
        if held != if causal == 1 { seen.min(m - 1) } else { 0 } {
            return Err(invalid("it holds back a wrong number of keys"));
        }
        if let Mechanism::Linear { random: Some(random) } = &mut mechanism {
            random.seed = u64::from_le_bytes(reader.take()?);
        }
        let queries = reader.floats(&[m, dim])?;
        let options = Options {
            neighbors: (neighbors > 0).then_some(neighbors),
            causal: causal == 1,
            ..Options::default()
        };
        if matches!(mechanism, Mechanism::Linear { .. }) && options.neighbors.is_some() {
            return Err(invalid("its options are unknown"));
        }
        let tail = Tail {
            keys: reader.floats(&[held, dim])?,
            values: reader.floats(&[held, value_dim])?,
            mask: reader.flags(held)?,
        };
        // What comes next is at least this long: refuse before allocating for it.
        reader.check_room(mechanism, m, dim, value_dim, options.neighbors)?;
        let impossible = |_| invalid("its queries or sizes are not possible");
        let mut common = Common::new("", None, mechanism);
        if let Some(random) = mechanism.random_features() {
            common.settings.projection = Some(Arc::new(Projection::new(dim, random).map_err(impossible)?));
        }
        let mut state = Self::start(&common, &queries, dim, value_dim, &options).map_err(impossible)?;
        state
            .check_ball(&tail.keys, &tail.values, Some(&tail.mask), held)
            .map_err(|_| invalid("a held row lies outside the ball"))?;
        state.seen = seen;
        state.tail = tail;
        state.read_progress(&mut reader)?;
        match reader.0 {
            [] if state.progress.is_possible(seen - held, mechanism) => Ok(state),
            [] => Err(invalid("its sums are not possible")),
            _ => Err(invalid("it is too long")),
        }
    }

    fn read_progress(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let width = self.value_dim / self.mechanism.heads();
        let k = self.neighbors.unwrap_or(0);
        match &mut self.progress {
            Progress::Softmax(partials) => {
                for partial in partials {
                    partial.max = reader.double()?;
                    partial.sum = reader.double()?;
                    partial.total = reader.doubles(&[width])?;
                }
            }
            Progress::Best(candidates) => {
                for best in candidates {
                    let count = reader.size()?;
                    if count > k {
                        return Err(invalid("it holds more candidates than neighbors"));
                    }
                    best.scores = reader.floats(&[count])?;
                    best.exact = reader.doubles(&[count])?;
                    best.values = reader.floats(&[count, width])?;
                }
            }
            Progress::Linear(sums) => {
                sums.keys = reader.size()?;
                let width = sums.features.len();
                sums.products = reader.doubles(&[width, self.value_dim])?;
                sums.features = reader.doubles(&[width])?;
                sums.log = reader.double()?;
            }
        }
        Ok(())
    }
}

impl Progress {
    /// Whether these sums can stem from at most `keys` keys.
    fn is_possible(&self, keys: usize, mechanism: Mechanism) -> bool {
        self.is_finite()
            && match self {
                Progress::Softmax(partials) => partials.iter().all(|partial| match partial.is_empty() {
                    true => partial.total.iter().all(|&total| total == 0.0),
                    // The best key alone weighs 1.
                    false => keys > 0 && partial.max.is_finite() && partial.sum >= 0.5,
                }),
                Progress::Best(candidates) => candidates.iter().all(|best| {
                    best.scores.len() <= keys
                        && mechanism.curvature().is_none_or(|c| {
                            let width = best.values.len() / best.scores.len().max(1);
                            best.values
                                .chunks_exact(width.max(1))
                                .all(|row| crate::poincare::gap("values", 0, row, c).is_ok())
                        })
                }),
                Progress::Linear(sums) => {
                    let log = match (mechanism.random_features(), sums.keys) {
                        (None, _) => sums.log == 0.0,
                        (Some(_), 0) => sums.log == f64::NEG_INFINITY,
                        (Some(_), _) => sums.log.is_finite(),
                    };
                    log && sums.keys <= keys && sums.features.iter().all(|&sum| sum >= 0.0)
                }
            }
    }
}

fn invalid(reason: &'static str) -> Error {
    Error::InvalidState { reason }
}

/// FNV-1a in 64 bits (Fowler, Noll and Vo): finds accidents, not attacks.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

struct Writer(Vec<u8>);

impl Writer {
    fn size(&mut self, size: usize) {
        self.0.extend_from_slice(&(size as u64).to_le_bytes());
    }

    fn double(&mut self, x: f64) {
        self.0.extend_from_slice(&x.to_le_bytes());
    }

    fn doubles(&mut self, numbers: &[f64]) {
        numbers.iter().for_each(|&x| self.double(x));
    }

    fn floats(&mut self, numbers: &[f32]) {
        self.0.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(invalid("it is cut short"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn size(&mut self) -> Result<usize> {
        let size = u64::from_le_bytes(self.take()?);
        usize::try_from(size).map_err(|_| invalid("its sizes do not fit this machine"))
    }

    fn double(&mut self) -> Result<f64> {
        Ok(f64::from_le_bytes(self.take()?))
    }

    /// The next `product(sizes)` items of `width` bytes, all of which must be there.
    fn items(&mut self, sizes: &[usize], width: usize) -> Result<&[u8]> {
        let bytes = shape::product("bytes", sizes).ok().and_then(|count| count.checked_mul(width));
        let split = bytes.and_then(|bytes| self.0.split_at_checked(bytes));
        let (items, rest) = split.ok_or(invalid("it is cut short"))?;
        self.0 = rest;
        Ok(items)
    }

    fn floats(&mut self, sizes: &[usize]) -> Result<Vec<f32>> {
        let (items, _) = self.items(sizes, 4)?.as_chunks::<4>();
        Ok(items.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    fn doubles(&mut self, sizes: &[usize]) -> Result<Vec<f64>> {
        let (items, _) = self.items(sizes, 8)?.as_chunks::<8>();
        Ok(items.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
    }

    fn flags(&mut self, count: usize) -> Result<Vec<bool>> {
        let flag = |&byte: &u8| match byte {
            0 | 1 => Ok(byte == 1),
            _ => Err(invalid("its mask is not made of 0 and 1")),
        };
        self.items(&[count], 1)?.iter().map(flag).collect()
    }

    /// Checks that the sums of a computation of this size can follow.
    fn check_room(
        &self,
        mechanism: Mechanism,
        m: usize,
        dim: usize,
        value_dim: usize,
        neighbors: Option<usize>,
    ) -> Result<()> {
        let least = match (mechanism, neighbors) {
            (Mechanism::Linear { random }, _) => {
                shape::product("bytes", &[random.map_or(dim, |random| random.features), value_dim])
            }
            (_, Some(_)) => shape::product("bytes", &[m, mechanism.heads()]),
            (_, None) => shape::product("bytes", &[m, value_dim]),
        };
        match least.ok().and_then(|items| items.checked_mul(8)) {
            Some(bytes) if bytes <= self.0.len() => Ok(()),
            _ => Err(invalid("it is cut short")),
        }
    }
}
