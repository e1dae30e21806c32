//! Keys and values that grow row by row, as a decoder's do.

use crate::error::{Error, Needed, Result};
use crate::inputs::Inputs;
use crate::shape;
use crate::tensor::Tensor;
#[cfg(feature = "f16")]
use crate::tensor::{bf16, f16};
use alloc::vec::Vec;

/// How a [`KeyValueCache`] stores its elements; arithmetic is in `f32` whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Precision {
    /// 32 bits, exact.
    #[default]
    F32,
    /// 16 bits with 11 significant ones, up to ±65 504: half the memory and, where memory is the limit, half the time.
    #[cfg(feature = "f16")]
    F16,
    /// 16 bits with 8 significant ones and the range of `f32`.
    #[cfg(feature = "f16")]
    Bf16,
}

/// Keys and values of a growing sequence, stored so that attention reads them fast: from the start of a line of the
/// processor's caches on, or from 2 MiB on at addresses where the operating system can use huge pages.
///
/// Appending a row costs O(dim + value_dim), amortized. Storing in 16 bits rounds each element once, by at most 2⁻¹¹
/// of its size in `f16` and 2⁻⁸ in `bf16`; with δ that bound, a score moves by at most δ·Σ|q·k|/√d, and the result by that
/// and δ of the largest value besides.
///
/// ```
/// use ruvector_attention::{Attention, KeyValueCache, Options, Precision, ScaledDotProductAttention, Workspace};
/// let attention = ScaledDotProductAttention::new(2)?;
/// let mut cache = KeyValueCache::new(2, 1, Precision::F16)?;
/// let (mut workspace, mut out) = (Workspace::new(), [0.0]);
/// for step in [1.0, 2.0, 3.0] {
///     cache.append(&[0.0, step], &[step])?;
///     attention.forward_into(&cache.inputs(&[1.0, 0.0]), &Options::default(), &mut workspace, &mut out)?;
/// }
/// assert_eq!((cache.len(), out), (3, [2.0]));
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct KeyValueCache {
    dim: usize,
    value_dim: usize,
    rows: usize,
    keys: Store,
    values: Store,
}

impl KeyValueCache {
    /// An empty cache of keys of `dim` ≥ 1 and values of `value_dim` ≥ 1 elements.
    pub fn new(dim: usize, value_dim: usize, precision: Precision) -> Result<Self> {
        Ok(Self {
            dim: shape::positive("dim", dim)?,
            value_dim: shape::positive("value_dim", value_dim)?,
            rows: 0,
            keys: Store::new(precision),
            values: Store::new(precision),
        })
    }

    /// Makes room for so many more rows, so that appending them allocates nothing.
    ///
    /// Errors: [`Error::TooLarge`] where there is no such memory.
    pub fn reserve(&mut self, rows: usize) -> Result<()> {
        let more = |width| shape::product("rows", &[self.rows.saturating_add(rows), width]);
        let (keys, values) = (more(self.dim)?, more(self.value_dim)?);
        self.keys.reserve(keys)?;
        self.values.reserve(values)
    }

    /// Appends n keys, flat `[n·dim]`, and their values, `[n·value_dim]`.
    ///
    /// Errors: [`Error::Length`]; in 16 bits [`Error::Parameter`] for a finite element beyond their range. After an error
    /// the cache is as it was before the call.
    pub fn append(&mut self, keys: &[f32], values: &[f32]) -> Result<()> {
        let n = shape::rows("keys", keys.len(), self.dim)?;
        let needed = shape::product("values", &[n, self.value_dim])?;
        if values.len() != needed {
            return Err(shape::length("values", values.len(), Needed::Exactly(needed)));
        }
        self.keys.check("keys", keys)?;
        self.values.check("values", values)?;
        self.reserve(n)?;
        self.keys.append(keys);
        self.values.append(values);
        self.rows += n;
        Ok(())
    }

    /// Keeps the first `rows` rows only; does nothing where there are fewer. The memory stays.
    pub fn truncate(&mut self, rows: usize) {
        self.rows = self.rows.min(rows);
        self.keys.truncate(self.rows * self.dim);
        self.values.truncate(self.rows * self.value_dim);
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Length of a key.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Length of a value.
    pub fn value_dim(&self) -> usize {
        self.value_dim
    }

    /// How elements are stored.
    pub fn precision(&self) -> Precision {
        match self.keys {
            Store::F32(_) => Precision::F32,
            #[cfg(feature = "f16")]
            Store::F16(_) => Precision::F16,
            #[cfg(feature = "f16")]
            Store::Bf16(_) => Precision::Bf16,
        }
    }

    /// The keys, `[len·dim]`.
    pub fn keys(&self) -> Tensor<'_> {
        self.keys.tensor()
    }

    /// The values, `[len·value_dim]`.
    pub fn values(&self) -> Tensor<'_> {
        self.values.tensor()
    }

    /// These queries, flat `[m·dim]`, over the cache: what [`forward_into`](crate::Attention::forward_into) takes.
    pub fn inputs<'a>(&'a self, queries: &'a [f32]) -> Inputs<'a> {
        Inputs::new(queries, self.dim, self.keys(), self.values())
    }
}

/// Elements of one type.
#[derive(Debug, Clone)]
enum Store {
    F32(Aligned<f32>),
    #[cfg(feature = "f16")]
    F16(Aligned<f16>),
    #[cfg(feature = "f16")]
    Bf16(Aligned<bf16>),
}

/// Whether an element fits, and the words for what does.
type Range = (fn(f32) -> bool, &'static str);

impl Store {
    fn new(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Store::F32(Aligned::new()),
            #[cfg(feature = "f16")]
            Precision::F16 => Store::F16(Aligned::new()),
            #[cfg(feature = "f16")]
            Precision::Bf16 => Store::Bf16(Aligned::new()),
        }
    }

    /// What fits; `None` where everything does.
    fn range(&self) -> Option<Range> {
        match self {
            Store::F32(_) => None,
            #[cfg(feature = "f16")]
            Store::F16(_) => {
                Some((|x| f16::from_f32(x).is_finite(), "elements within the range of f16, 65504"))
            }
            #[cfg(feature = "f16")]
            Store::Bf16(_) => {
                Some((|x| bf16::from_f32(x).is_finite(), "elements within the range of bf16, 3.38e38"))
            }
        }
    }

    /// Refuses finite elements that would become infinite.
    fn check(&self, argument: &'static str, elements: &[f32]) -> Result<()> {
        let Some((fits, needed)) = self.range() else { return Ok(()) };
        match elements.iter().find(|x| x.is_finite() && !fits(**x)) {
            Some(&found) => Err(Error::Parameter { argument, found: f64::from(found), needed }),
            None => Ok(()),
        }
    }

    fn reserve(&mut self, len: usize) -> Result<()> {
        match self {
            Store::F32(elements) => elements.reserve(len),
            #[cfg(feature = "f16")]
            Store::F16(elements) => elements.reserve(len),
            #[cfg(feature = "f16")]
            Store::Bf16(elements) => elements.reserve(len),
        }
    }

    fn append(&mut self, elements: &[f32]) {
        match self {
            Store::F32(own) => own.elements.extend_from_slice(elements),
            #[cfg(feature = "f16")]
            Store::F16(own) => elements.iter().for_each(|&x| own.push(f16::from_f32(x))),
            #[cfg(feature = "f16")]
            Store::Bf16(own) => elements.iter().for_each(|&x| own.push(bf16::from_f32(x))),
        }
    }

    fn truncate(&mut self, len: usize) {
        match self {
            Store::F32(elements) => elements.truncate(len),
            #[cfg(feature = "f16")]
            Store::F16(elements) => elements.truncate(len),
            #[cfg(feature = "f16")]
            Store::Bf16(elements) => elements.truncate(len),
        }
    }

    fn tensor(&self) -> Tensor<'_> {
        match self {
            Store::F32(elements) => Tensor::F32(elements.get()),
            #[cfg(feature = "f16")]
            Store::F16(elements) => Tensor::F16(elements.get()),
            #[cfg(feature = "f16")]
            Store::Bf16(elements) => Tensor::Bf16(elements.get()),
        }
    }
}

/// A vector whose elements start where a line of the caches does, or from 2 MiB on where a huge page can.
#[derive(Debug)]
struct Aligned<T> {
    /// `start` elements that nobody reads, then the vector's own.
    elements: Vec<T>,
    start: usize,
}

/// Size of a huge page on x86-64 and AArch64 Linux.
const HUGE_PAGE: usize = 1 << 21;
/// Size of a line of the caches on nearly all machines: a vector that lies in two of them is read twice.
const LINE: usize = 64;

impl<T: Copy + Default> Aligned<T> {
    fn new() -> Self {
        Aligned { elements: Vec::new(), start: 0 }
    }

    fn get(&self) -> &[T] {
        self.elements.get(self.start..).unwrap_or(&[])
    }

    #[cfg(feature = "f16")]
    fn push(&mut self, element: T) {
        self.elements.push(element);
    }

    fn truncate(&mut self, len: usize) {
        self.elements.truncate(self.start + len);
    }

    /// Makes room for `len` elements in all; doubles where it grows.
    fn reserve(&mut self, len: usize) -> Result<()> {
        let room = self.elements.capacity() - self.start;
        if len > room {
            let len = len.max(room.saturating_mul(2));
            let mut elements = Vec::new();
            let reserved = elements.try_reserve_exact(len + Self::margin(len));
            reserved.map_err(|_| Error::TooLarge { argument: "rows" })?;
            *self = self.moved(elements, len);
        }
        Ok(())
    }

    /// Elements more than `len` that let a line's or a huge page's start lie among them.
    fn margin(len: usize) -> usize {
        let [page, line] = [HUGE_PAGE, LINE].map(|bytes| bytes / size_of::<T>());
        if len >= page {
            page
        } else {
            line
        }
    }

    /// The same elements in a vector with room for `len` and its margin.
    fn moved(&self, mut elements: Vec<T>, len: usize) -> Self {
        let margin = Self::margin(len);
        let past = (elements.as_ptr() as usize / size_of::<T>()) % margin;
        let start = (margin - past) % margin;
        if margin * size_of::<T>() == HUGE_PAGE {
            ask_for_huge_pages(&mut elements);
        }
        elements.resize(start, T::default());
        elements.extend_from_slice(self.get());
        Aligned { elements, start }
    }
}

/// A clone has an address of its own, and so another start.
impl<T: Copy + Default> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        let len = self.get().len();
        self.moved(Vec::with_capacity(len + Self::margin(len)), len)
    }
}

/// Where Linux gives huge pages to those only who ask, asks. It is advice: nothing depends on the answer.
#[cfg(all(target_os = "linux", feature = "std"))]
fn ask_for_huge_pages<T>(elements: &mut Vec<T>) {
    const PAGE: usize = 4096;
    let begin = (elements.as_mut_ptr() as usize).next_multiple_of(PAGE);
    let end = elements.as_ptr() as usize + elements.capacity() * size_of::<T>();
    // SAFETY: the range lies inside the vector's own allocation, and this advice changes no contents.
    unsafe { libc::madvise(begin as *mut libc::c_void, end.saturating_sub(begin), libc::MADV_HUGEPAGE) };
}

#[cfg(not(all(target_os = "linux", feature = "std")))]
fn ask_for_huge_pages<T>(_: &mut Vec<T>) {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{KeyValueCache, Precision, HUGE_PAGE, LINE};
    use crate::tensor::Tensor;
    use alloc::vec;

    #[test]
    fn large_stores_stand_on_huge_pages_and_keep_their_rows() {
        let mut cache = KeyValueCache::new(64, 1, Precision::F32).unwrap();
        for row in 0..20_000_u16 {
            cache.append(&[f32::from(row); 64], &[f32::from(row)]).unwrap();
        }
        let Tensor::F32(keys) = cache.keys() else { unreachable!() };
        assert_eq!(keys.as_ptr() as usize % HUGE_PAGE, 0);
        let copy = cache.clone();
        let Tensor::F32(copied) = copy.keys() else { unreachable!() };
        assert_eq!((copied.as_ptr() as usize % HUGE_PAGE, copied), (0, keys));
        assert!(keys.chunks(64).enumerate().all(|(row, key)| key == vec![row as f32; 64]));
        cache.truncate(3);
        assert_eq!(cache.values().iter().collect::<alloc::vec::Vec<_>>(), [0.0, 1.0, 2.0]);
    }

    #[test]
    fn small_stores_start_at_a_line() {
        let mut cache = KeyValueCache::new(3, 1, Precision::F32).unwrap();
        for row in 1..100_u16 {
            cache.append(&[f32::from(row); 3], &[f32::from(row)]).unwrap();
            for stored in [&cache, &cache.clone()] {
                let (Tensor::F32(keys), Tensor::F32(values)) = (stored.keys(), stored.values()) else {
                    unreachable!()
                };
                assert_eq!((keys.as_ptr() as usize % LINE, values.as_ptr() as usize % LINE), (0, 0));
                assert_eq!((keys.len(), keys.last()), (3 * usize::from(row), Some(&f32::from(row))));
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let mut cache = KeyValueCache::new(2, 1, Precision::F16).unwrap();
        cache.append(&[1.0, 65_504.0], &[1.0]).unwrap();
        for (keys, values, argument) in [
            (&[1.0, 65_520.0][..], &[1.0][..], "keys"),
            (&[1.0, 2.0], &[-1e9], "values"),
            (&[1.0], &[1.0], "keys"),
            (&[1.0, 2.0], &[1.0, 2.0], "values"),
        ] {
            assert_eq!(cache.append(keys, values).unwrap_err().argument(), argument);
            assert_eq!((cache.len(), cache.keys().len(), cache.values().len()), (1, 2, 1));
        }
        assert!(KeyValueCache::new(0, 1, Precision::F32).is_err());
        // 32-bit machines may have as much memory as they can name.
        for rows in [usize::MAX, if usize::BITS == 64 { usize::MAX >> 18 } else { usize::MAX }] {
            assert_eq!(cache.reserve(rows).unwrap_err().code(), "too_large");
        }
    }
}
