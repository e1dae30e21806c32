//! The kinds of numbers in files, and how they become `f32` and `f64`.

use clap::ValueEnum;
use half::{bf16, f16};

/// The kind of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dtype {
    /// IEEE 754 binary16.
    F16,
    /// The upper half of a float32.
    Bf16,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// One byte, of a mask.
    #[value(skip)]
    Byte,
}

impl Dtype {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Dtype::Byte => 1,
            Dtype::F16 | Dtype::Bf16 => 2,
            Dtype::F32 => 4,
            Dtype::F64 => 8,
        }
    }

    /// As a user writes it.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::Byte => "u8",
            Dtype::F16 => "f16",
            Dtype::Bf16 => "bf16",
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
        }
    }

    /// Numbers from their bytes, each turned into another kind by `take`, which never sees a wider one.
    pub(super) fn decode<T>(self, bytes: &[u8], big_endian: bool, out: &mut [T], take: fn(f64) -> T) {
        macro_rules! each {
            ($type:ty, $size:literal, $widen:expr) => {
                for (out, bytes) in out.iter_mut().zip(bytes.as_chunks::<$size>().0) {
                    let number = if big_endian {
                        <$type>::from_be_bytes(*bytes)
                    } else {
                        <$type>::from_le_bytes(*bytes)
                    };
                    *out = take($widen(number));
                }
            };
        }
        match self {
            Dtype::Byte => each!(u8, 1, f64::from),
            Dtype::F16 => each!(f16, 2, f64::from),
            Dtype::Bf16 => each!(bf16, 2, f64::from),
            Dtype::F32 => each!(f32, 4, f64::from),
            Dtype::F64 => each!(f64, 8, f64::from),
        }
    }
}
