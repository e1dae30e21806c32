//! Weights of multi-head attention, given as slices or read from a safetensors file.

use crate::dispatch::Kernel;
use crate::error::{Error, Needed, Result};
use crate::kernels::rows::{Pick, Rows};
use crate::shape;
use crate::tensor::Tensor;
use alloc::vec::Vec;

/// One linear layer, y = x·Wᵀ + b.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Projection {
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
}

impl Projection {
    /// The layer of each row, into a buffer that grows to what is needed; `widened` takes rows that are not `f32`.
    pub fn apply(
        &self,
        input: Tensor<'_>,
        hidden: usize,
        kernel: Kernel,
        widened: &mut Vec<f32>,
        out: &mut Vec<f32>,
    ) {
        out.clear();
        out.resize(input.len(), 0.0);
        widened.clear();
        #[allow(clippy::infallible_destructuring_match)] // Without 16-bit tensors there is one arm.
        let input = match input {
            Tensor::F32(input) => input,
            #[cfg(feature = "f16")]
            _ => {
                input.append_to(widened);
                widened
            }
        };
        self.apply_into(input, hidden, kernel, out);
    }

    /// The same into a slice as long as the input.
    pub fn apply_into(&self, input: &[f32], hidden: usize, kernel: Kernel, out: &mut [f32]) {
        let rows = Rows::packed(&self.weight, hidden);
        for (x, y) in input.chunks_exact(hidden).zip(out.chunks_exact_mut(hidden)) {
            kernel.products(x, rows, Pick::first(hidden), 1.0, y);
            if let Some(bias) = &self.bias {
                y.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            }
        }
    }
}

/// Weights of multi-head attention: four `[hidden, hidden]` matrices, row-major, with optional biases.
///
/// ```
/// use ruvector_attention::{Attention, MultiHeadAttention, MultiHeadWeights};
/// let identity = [1.0, 0.0, 0.0, 1.0];
/// let double = [2.0, 0.0, 0.0, 2.0];
/// let weights = MultiHeadWeights::new(2, &identity, &identity, &double, &identity)?;
/// let attention = MultiHeadAttention::new(1, 2, 0.0)?.with_weights(weights)?;
/// assert_eq!(attention.forward(&[1.0, 0.0], &[1.0, 0.0], &[3.0, 4.0])?, [6.0, 8.0]);
/// # Ok::<(), ruvector_attention::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MultiHeadWeights {
    pub(crate) hidden_dim: usize,
    pub(crate) query: Projection,
    pub(crate) key: Projection,
    pub(crate) value: Projection,
    pub(crate) output: Projection,
}

impl MultiHeadWeights {
    /// Copies the four matrices W_q, W_k, W_v and W_o, each `[hidden_dim, hidden_dim]` and finite.
    ///
    /// Errors name `q_proj.weight`, `k_proj.weight`, `v_proj.weight` or `out_proj.weight`.
    pub fn new(hidden_dim: usize, query: &[f32], key: &[f32], value: &[f32], output: &[f32]) -> Result<Self> {
        shape::positive("hidden_dim", hidden_dim)?;
        let size = shape::product("hidden_dim", &[hidden_dim, hidden_dim])?;
        let projection = |argument, weight: &[f32]| {
            Ok(Projection { weight: checked(argument, weight, size)?, bias: None })
        };
        Ok(Self {
            hidden_dim,
            query: projection("q_proj.weight", query)?,
            key: projection("k_proj.weight", key)?,
            value: projection("v_proj.weight", value)?,
            output: projection("out_proj.weight", output)?,
        })
    }

    /// Adds the four biases b_q, b_k, b_v and b_o, each `[hidden_dim]` and finite.
    ///
    /// Errors name `q_proj.bias`, `k_proj.bias`, `v_proj.bias` or `out_proj.bias`.
    pub fn with_biases(mut self, query: &[f32], key: &[f32], value: &[f32], output: &[f32]) -> Result<Self> {
        let size = self.hidden_dim;
        self.query.bias = Some(checked("q_proj.bias", query, size)?);
        self.key.bias = Some(checked("k_proj.bias", key, size)?);
        self.value.bias = Some(checked("v_proj.bias", value, size)?);
        self.output.bias = Some(checked("out_proj.bias", output, size)?);
        Ok(self)
    }

    /// The hidden dimension.
    pub fn hidden_dim(&self) -> usize {
        self.hidden_dim
    }
}

/// Copies a tensor that must have `len` finite elements.
fn checked(argument: &'static str, tensor: &[f32], len: usize) -> Result<Vec<f32>> {
    if tensor.len() != len {
        return Err(shape::length(argument, tensor.len(), Needed::Exactly(len)));
    }
    match shape::first_non_finite(tensor) {
        Some(index) => Err(Error::NonFinite { argument, index }),
        None => Ok(tensor.to_vec()),
    }
}

#[cfg(feature = "safetensors")]
mod file {
    use super::{Error, MultiHeadWeights, Result};
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use safetensors::{Dtype, SafeTensors};

    impl MultiHeadWeights {
        /// Reads the weights from the bytes of a safetensors file whose tensors are `F32`.
        ///
        /// Looked for, each with `prefix` before its name: `q_proj.weight`, `k_proj.weight`, `v_proj.weight` and
        /// `out_proj.weight`, or torch's `in_proj_weight` (the first three on top of each other) and
        /// `out_proj.weight`; and either all biases by the same names, or none.
        ///
        /// Errors: [`Error::InvalidWeights`] names the tensor that is missing, not `F32` or not of the shape that
        /// `out_proj.weight` implies; [`Error::NonFinite`].
        pub fn from_safetensors(bytes: &[u8], prefix: &str) -> Result<Self> {
            let file = File::open(bytes, prefix)?;
            let (shape, output) = file.required("out_proj.weight")?;
            let [hidden, _] = *shape else { return Err(file.wrong("out_proj.weight", "is not a matrix")) };
            let joined = file.has("in_proj_weight");
            let inputs = file.three(joined, "in_proj_weight", "weight", &[hidden, hidden])?;
            if shape != [hidden, hidden] || hidden == 0 {
                return Err(file.wrong("out_proj.weight", "is not square"));
            }
            let [query, key, value] = &inputs;
            let weights = Self::new(hidden, query, key, value, &output)?;
            if !file.has("out_proj.bias") {
                return Ok(weights);
            }
            let inputs = file.three(joined, "in_proj_bias", "bias", &[hidden])?;
            let output = file.of_shape("out_proj.bias", &[hidden])?;
            let [query, key, value] = &inputs;
            weights.with_biases(query, key, value, &output)
        }
    }

    struct File<'a> {
        tensors: SafeTensors<'a>,
        prefix: &'a str,
    }

    impl<'a> File<'a> {
        fn open(bytes: &'a [u8], prefix: &'a str) -> Result<Self> {
            let tensors = SafeTensors::deserialize(bytes).map_err(|error| Error::InvalidWeights {
                tensor: "file".to_string(),
                reason: error.to_string(),
            })?;
            Ok(File { tensors, prefix })
        }

        fn wrong(&self, name: &str, reason: &str) -> Error {
            Error::InvalidWeights { tensor: format!("{}{name}", self.prefix), reason: reason.to_string() }
        }

        fn has(&self, name: &str) -> bool {
            self.tensors.tensor(&format!("{}{name}", self.prefix)).is_ok()
        }

        /// Shape and elements of a tensor.
        fn required(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
            let tensor = self.tensors.tensor(&format!("{}{name}", self.prefix));
            let tensor = tensor.map_err(|_| self.wrong(name, "is missing"))?;
            if tensor.dtype() != Dtype::F32 {
                return Err(self.wrong(name, &format!("is {:?}, needed F32", tensor.dtype())));
            }
            let (elements, _) = tensor.data().as_chunks::<4>();
            Ok((tensor.shape().to_vec(), elements.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
        }

        fn of_shape(&self, name: &str, needed: &[usize]) -> Result<Vec<f32>> {
            let (shape, elements) = self.required(name)?;
            match shape == needed {
                true => Ok(elements),
                false => Err(self.wrong(name, &format!("has shape {shape:?}, needed {needed:?}"))),
            }
        }

        /// The parts for queries, keys and values, from one joined tensor or three.
        fn three(&self, joined: bool, name: &str, part: &str, needed: &[usize]) -> Result<[Vec<f32>; 3]> {
            if !joined {
                let one = |letter| self.of_shape(&format!("{letter}_proj.{part}"), needed);
                return Ok([one("q")?, one("k")?, one("v")?]);
            }
            let mut tall = needed.to_vec();
            if let Some(rows) = tall.first_mut() {
                *rows = rows.saturating_mul(3);
            }
            let elements = self.of_shape(name, &tall)?;
            let mut parts = elements.chunks(elements.len().div_ceil(3).max(1)).map(<[f32]>::to_vec);
            Ok(core::array::from_fn(|_| parts.next().unwrap_or_default()))
        }
    }
}
