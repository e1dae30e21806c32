//! NumPy's .npy, versions 1 to 3: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use py_literal::Value;

use super::{fault, Choice, Dtype, Input, Parsed, Tensor};
use crate::error::Reason;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// NumPy itself refuses longer headers unless told otherwise (10 000 characters).
const MOST_HEADER: u64 = 1 << 14;
/// A dictionary that holds a tuple: deeper headers belong to structured arrays, and recursion has its price.
const MOST_DEPTH: usize = 3;

pub fn open(mut input: Box<dyn Input>, length: u64, choice: &Choice<'_>) -> Parsed<Tensor> {
    let mut start = [0; 12];
    let short = length.min(12) as usize;
    input.read_exact(&mut start[..short])?;
    if !start.starts_with(MAGIC) {
        return fault("not a .npy file: it does not begin with \\x93NUMPY");
    }
    let (text_at, text_length) = match (start[6], short) {
        (1, 10..) => (10, u64::from(u16::from_le_bytes([start[8], start[9]]))),
        (2 | 3, 12) => (12, u64::from(u32::from_le_bytes([start[8], start[9], start[10], start[11]]))),
        (1..=3, _) => return fault("the header is cut short"),
        (version, _) => return fault(format!("version {version} of .npy is not known, 1 to 3 are")),
    };
    if text_length > MOST_HEADER.min(length - text_at) {
        return fault(format!("the header claims {text_length} bytes, of a file of {length}"));
    }
    input.seek(std::io::SeekFrom::Start(text_at))?;
    let mut text = vec![0; text_length as usize];
    input.read_exact(&mut text)?;
    let header = Header::parse(&text)?;
    let (dtype, big_endian) = header.kind(choice)?;
    let offset = text_at + text_length;
    let tensor = Tensor::in_file(input, length, offset, dtype, big_endian, header.shape)?;
    if header.fortran {
        tensor.in_c_order()
    } else {
        Ok(tensor)
    }
}

struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &[u8]) -> Parsed<Self> {
        let Ok(text) = std::str::from_utf8(text) else { return fault("the header is not UTF-8") };
        let mut depth = 0usize;
        for byte in text.bytes() {
            match byte {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > MOST_DEPTH {
                return fault("the header is nested too deeply: structured arrays are not read");
            }
        }
        let Ok(Value::Dict(entries)) = text.trim().parse() else {
            return fault("the header is not a Python dictionary");
        };
        let entry = |name: &str| {
            let mut found = entries.iter().filter(|(key, _)| key.as_string().is_some_and(|key| key == name));
            match (found.next(), found.next()) {
                (Some((_, value)), None) => Ok(value),
                _ => Err(Reason::Content(format!("the header needs one '{name}'"))),
            }
        };
        let descr = match entry("descr")? {
            Value::String(descr) => descr.clone(),
            _ => return fault("structured arrays are not read"),
        };
        let Value::Boolean(fortran) = entry("fortran_order")? else {
            return fault("'fortran_order' is neither True nor False");
        };
        let Value::Tuple(sizes) = entry("shape")? else { return fault("'shape' is not a tuple") };
        let size = |value: &Value| value.as_integer().and_then(|size| usize::try_from(size).ok());
        let shape: Option<Vec<usize>> = sizes.iter().map(size).collect();
        let Some(shape) = shape else { return fault("'shape' holds what is no size") };
        Ok(Header { descr, fortran: *fortran, shape })
    }

    /// The kind of number, and whether it is big-endian.
    fn kind(&self, choice: &Choice<'_>) -> Parsed<(Dtype, bool)> {
        let (order, kind) = self.descr.split_at_checked(1).unwrap_or_default();
        let mask = choice.dtype == Some(Dtype::Byte);
        let dtype = match kind {
            "f2" => Dtype::F16,
            "f4" => Dtype::F32,
            "f8" => Dtype::F64,
            "b1" | "u1" | "i1" if mask => Dtype::Byte,
            // NumPy knows no bf16: ml_dtypes saves it as two bytes of anything.
            "V2" if choice.dtype == Some(Dtype::Bf16) => Dtype::Bf16,
            _ => return fault(format!("dtype '{}' is not read: float16, 32 and 64 are", self.descr)),
        };
        match order {
            "<" => Ok((dtype, false)),
            ">" => Ok((dtype, true)),
            "=" => Ok((dtype, cfg!(target_endian = "big"))),
            "|" if dtype.size() == 1 || kind == "V2" => Ok((dtype, false)),
            _ => fault(format!("dtype '{}' has no known byte order", self.descr)),
        }
    }
}

/// A header of version 1 whose length is a multiple of 64, as NumPy writes it.
pub fn header(shape: &[usize], dtype: Dtype) -> Vec<u8> {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let descr = if dtype == Dtype::F16 { "<f2" } else { "<f4" };
    let dict =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}{comma}), }}", sizes.join(", "));
    let total = (10 + dict.len() + 1).next_multiple_of(64);
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend(((total - 10) as u16).to_le_bytes());
    bytes.extend(dict.as_bytes());
    bytes.resize(total - 1, b' ');
    bytes.push(b'\n');
    bytes
}
