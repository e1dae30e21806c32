//! Keys and values as the caller stores them: `f32`, or 16 bits an element with arithmetic in `f32` all the same.

use crate::kernels::vector::Element;
use alloc::vec::Vec;
pub use half::{bf16, f16};

/// Elements of keys or values, borrowed.
///
/// Half-precision elements are widened as they are read, exactly; everything after that is the arithmetic of `f32`. So
/// the only error they add is the one made when they were rounded to 16 bits: at most 2⁻¹¹ of the element for
/// [`f16`](struct@f16) (within ±65 504, and 2⁻²⁵ below 2⁻¹⁴) and 2⁻⁸ for [`bf16`](struct@bf16).
///
/// ```
/// use ruvector_attention::{f16, Tensor};
/// let stored: Vec<f16> = [0.5, -2.0].map(f16::from_f32).to_vec();
/// let tensor = Tensor::from(&stored);
/// assert_eq!(tensor.len(), 2);
/// assert_eq!(tensor.iter().collect::<Vec<f32>>(), [0.5, -2.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Tensor<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// IEEE 754 half precision: 11 significant bits, up to 65 504.
    #[cfg(feature = "f16")]
    F16(&'a [f16]),
    /// The upper half of an `f32`: its range with 8 significant bits.
    #[cfg(feature = "f16")]
    Bf16(&'a [bf16]),
}

/// The same expression for each type of slice.
macro_rules! each {
    ($tensor:expr, $slice:ident => $do:expr) => {
        match $tensor {
            Tensor::F32($slice) => $do,
            #[cfg(feature = "f16")]
            Tensor::F16($slice) => $do,
            #[cfg(feature = "f16")]
            Tensor::Bf16($slice) => $do,
        }
    };
}

impl<'a> Tensor<'a> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        each!(self, slice => slice.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements from `start` to before `end`; `None` where they are not all there.
    pub fn get(&self, start: usize, end: usize) -> Option<Self> {
        Some(match self {
            Tensor::F32(slice) => Tensor::F32(slice.get(start..end)?),
            #[cfg(feature = "f16")]
            Tensor::F16(slice) => Tensor::F16(slice.get(start..end)?),
            #[cfg(feature = "f16")]
            Tensor::Bf16(slice) => Tensor::Bf16(slice.get(start..end)?),
        })
    }

    /// Each element as an `f32`.
    pub fn iter(&self) -> impl Iterator<Item = f32> + 'a {
        let tensor = *self;
        (0..self.len()).map(move |i| each!(tensor, slice => slice.get(i).map_or(0.0, |x| x.widen())))
    }

    /// Appends the elements as `f32`.
    pub(crate) fn append_to(&self, out: &mut Vec<f32>) {
        each!(self, slice => out.extend(slice.iter().map(|x| x.widen())));
    }

    /// Index of the first element that is not finite.
    pub(crate) fn first_non_finite(&self) -> Option<usize> {
        each!(self, slice => slice.iter().position(|x| !x.widen().is_finite()))
    }
}

macro_rules! from {
    ($type:ty, $variant:ident) => {
        impl<'a> From<&'a [$type]> for Tensor<'a> {
            fn from(elements: &'a [$type]) -> Self {
                Tensor::$variant(elements)
            }
        }
        impl<'a> From<&'a Vec<$type>> for Tensor<'a> {
            fn from(elements: &'a Vec<$type>) -> Self {
                Tensor::$variant(elements)
            }
        }
        impl<'a, const N: usize> From<&'a [$type; N]> for Tensor<'a> {
            fn from(elements: &'a [$type; N]) -> Self {
                Tensor::$variant(elements)
            }
        }
    };
}

from!(f32, F32);
#[cfg(feature = "f16")]
from!(f16, F16);
#[cfg(feature = "f16")]
from!(bf16, Bf16);
