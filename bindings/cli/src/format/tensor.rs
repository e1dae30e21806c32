//! An opened tensor, read whole or in parts.

use std::io::SeekFrom;

use super::{fault, Dtype, Input, Parsed};
use crate::error::Reason;

/// Bytes decoded at a time.
const CHUNK: usize = 1 << 16;

/// A tensor: in memory where its file had to be parsed, else still in the file.
pub struct Tensor {
    shape: Vec<usize>,
    dtype: Dtype,
    body: Body,
}

enum Body {
    F32(Vec<f32>),
    F64(Vec<f64>),
    File { input: Box<dyn Input>, offset: u64, big_endian: bool },
}

impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tensor({} {:?})", self.dtype.name(), self.shape)
    }
}

/// The product of a shape, if it fits in memory's addresses.
pub fn element_count(shape: &[usize]) -> Option<usize> {
    // A 0 anywhere makes it 0, however large the rest is.
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1usize, |count, size| count.checked_mul(*size))
}

/// A file without a header.
pub(super) fn raw(input: Box<dyn Input>, length: u64, dtype: Dtype) -> Parsed<Tensor> {
    let size = dtype.size() as u64;
    if !length.is_multiple_of(size) {
        let name = dtype.name();
        return fault(format!("{length} bytes is not a whole number of {size}-byte {name} values"));
    }
    let Ok(count) = usize::try_from(length / size) else { return fault("larger than this machine's memory") };
    Tensor::in_file(input, length, 0, dtype, false, vec![count])
}

impl Tensor {
    /// Numbers in memory, as many as the shape says.
    pub fn of(data: Vec<f32>, shape: Vec<usize>) -> Self {
        debug_assert_eq!(element_count(&shape), Some(data.len()));
        Tensor { shape, dtype: Dtype::F32, body: Body::F32(data) }
    }

    /// Numbers that begin at `offset` of the file and reach to its end, `length`.
    pub(super) fn in_file(
        input: Box<dyn Input>,
        length: u64,
        offset: u64,
        dtype: Dtype,
        big_endian: bool,
        shape: Vec<usize>,
    ) -> Parsed<Tensor> {
        let bytes = element_count(&shape).and_then(|count| count.checked_mul(dtype.size()));
        let found = length.saturating_sub(offset);
        match bytes {
            Some(bytes) if bytes as u64 == found => {}
            Some(bytes) => return fault(format!("shape {shape:?} needs {bytes} bytes, found {found}")),
            None => return fault(format!("shape {shape:?} is larger than memory can be")),
        }
        Ok(Tensor { shape, dtype, body: Body::File { input, offset, big_endian } })
    }

    /// The same numbers in C order, of a tensor whose first index runs fastest.
    pub(super) fn in_c_order(mut self) -> Parsed<Tensor> {
        if self.shape.iter().filter(|size| **size > 1).count() < 2 {
            return Ok(self);
        }
        self.body = match self.dtype {
            Dtype::F64 => Body::F64(self.scattered(0.0, Self::read_wide)?),
            _ => Body::F32(self.scattered(0.0, Self::read)?),
        };
        Ok(self)
    }

    fn scattered<T: Copy>(
        &mut self,
        zero: T,
        read: fn(&mut Self, usize, &mut [T]) -> Parsed<()>,
    ) -> Parsed<Vec<T>> {
        let mut data = reserve(self.len())?;
        data.resize(self.len(), zero);
        let mut strides = vec![1; self.shape.len()];
        for axis in (1..self.shape.len()).rev() {
            strides[axis - 1] = strides[axis] * self.shape[axis];
        }
        let (mut place, mut to) = (vec![0; self.shape.len()], 0);
        let mut part = vec![zero; CHUNK.min(self.len())];
        for start in (0..self.len()).step_by(CHUNK) {
            let part = &mut part[..CHUNK.min(self.len() - start)];
            read(self, start, part)?;
            for number in part {
                data[to] = *number;
                for axis in 0..place.len() {
                    place[axis] += 1;
                    to += strides[axis];
                    if place[axis] < self.shape[axis] {
                        break;
                    }
                    to -= strides[axis] * place[axis];
                    place[axis] = 0;
                }
            }
        }
        Ok(data)
    }

    /// Sizes of the dimensions; a raw file has one.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Length of a row, where the file tells it.
    pub fn columns(&self) -> Option<usize> {
        match self.shape.len() {
            0 | 1 => None,
            _ => self.shape.last().copied(),
        }
    }

    /// The kind of number that the file holds.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        // Checked when the tensor was made.
        element_count(&self.shape).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives it another shape of as many elements.
    pub fn reshaped(mut self, shape: &[usize]) -> Parsed<Self> {
        if element_count(shape) != Some(self.len()) {
            return fault(format!("{} numbers do not make the shape {shape:?}", self.len()));
        }
        self.shape = shape.to_vec();
        Ok(self)
    }

    /// The numbers from `start` on as `f32`, a wider one rounded to the nearest.
    pub fn read(&mut self, start: usize, out: &mut [f32]) -> Parsed<()> {
        match &mut self.body {
            Body::F32(data) => out.copy_from_slice(part_of(data, start, out.len())?),
            Body::F64(data) => {
                let data = part_of(data, start, out.len())?;
                out.iter_mut().zip(data).for_each(|(out, number)| *out = *number as f32);
            }
            Body::File { input, offset, big_endian } => {
                let at = *offset + (start * self.dtype.size()) as u64;
                input.seek(SeekFrom::Start(at))?;
                if self.dtype == Dtype::F32 && !*big_endian && cfg!(target_endian = "little") {
                    input.read_exact(bytemuck::cast_slice_mut(out))?;
                } else {
                    decode(&mut **input, self.dtype, *big_endian, out, |number| number as f32)?;
                }
            }
        }
        Ok(())
    }

    /// The numbers from `start` on as `f64`, which loses nothing.
    pub fn read_wide(&mut self, start: usize, out: &mut [f64]) -> Parsed<()> {
        match &mut self.body {
            Body::F32(data) => {
                let data = part_of(data, start, out.len())?;
                out.iter_mut().zip(data).for_each(|(out, number)| *out = f64::from(*number));
            }
            Body::F64(data) => out.copy_from_slice(part_of(data, start, out.len())?),
            Body::File { input, offset, big_endian } => {
                let at = *offset + (start * self.dtype.size()) as u64;
                input.seek(SeekFrom::Start(at))?;
                decode(&mut **input, self.dtype, *big_endian, out, |number| number)?;
            }
        }
        Ok(())
    }

    /// All numbers as `f32`.
    pub fn load(mut self) -> Parsed<Vec<f32>> {
        if let Body::F32(data) = self.body {
            return Ok(data);
        }
        let mut data = reserve(self.len())?;
        data.resize(self.len(), 0.0);
        self.read(0, &mut data)?;
        Ok(data)
    }
}

fn part_of<T>(data: &[T], start: usize, length: usize) -> Parsed<&[T]> {
    let end = start.checked_add(length);
    end.and_then(|end| data.get(start..end)).ok_or_else(|| Reason::Content("read past the end".to_owned()))
}

fn decode<T>(
    input: &mut dyn Input,
    dtype: Dtype,
    big_endian: bool,
    out: &mut [T],
    take: fn(f64) -> T,
) -> Parsed<()> {
    let mut bytes = vec![0; CHUNK.min(out.len() * dtype.size())];
    for part in out.chunks_mut(CHUNK / dtype.size()) {
        let bytes = &mut bytes[..part.len() * dtype.size()];
        input.read_exact(bytes)?;
        dtype.decode(bytes, big_endian, part, take);
    }
    Ok(())
}

/// An empty vector with room, or an error.
pub(super) fn reserve<T>(count: usize) -> Parsed<Vec<T>> {
    let mut data = Vec::new();
    match data.try_reserve_exact(count) {
        Ok(()) => Ok(data),
        Err(_) => fault(format!("no memory for {count} numbers")),
    }
}
