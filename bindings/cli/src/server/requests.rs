//! From a body to a computation.
//!
//! JSON names everything; the two binary forms bring the numbers, and the query string the rest. Everything here runs on
//! a compute thread, for a large body takes its time.

use std::ops::Range;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::SafeTensors;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::bodies::Buffer;
use super::call::{Call, Limits, Tensors};
use super::errors::Refusal;
use super::forms::Form;
use super::numbers::{Count, Numbers};
use crate::mechanism::{Mechanism, Parameters};

/// What holds where a request does not say.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The mechanism.
    pub mechanism: Mechanism,
    /// Length of a query in flat input; `None` is the whole query.
    pub hidden_dim: Option<usize>,
    /// The rest.
    pub parameters: Parameters,
}

/// A body, the head's part of it, and what it is to become.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// How the body is written.
    pub form: Form,
    /// The query string.
    pub options: &'a str,
    /// Whether the route takes many queries, as rows.
    pub many: bool,
}

/// Reads and checks a request.
pub fn read(source: Source<'_>, body: Buffer, defaults: &Defaults, limits: &Limits) -> Result<Call, Refusal> {
    let call = match source.form {
        Form::Json => from_json(body.bytes(), source.many, defaults),
        Form::Raw => from_raw(body, source, defaults),
        Form::SafeTensors => from_safetensors(body.bytes(), source, defaults),
    }?;
    call.check(limits)?;
    Ok(call)
}

/// What a request says of its computation, besides tensors.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    mechanism: Option<Mechanism>,
    num_neighbors: Option<usize>,
    num_heads: Option<usize>,
    curvature: Option<f64>,
    causal: bool,
}

impl Wanted {
    fn of(
        name: Option<&str>,
        num_neighbors: Option<usize>,
        num_heads: Option<usize>,
        curvature: Option<f64>,
        causal: Option<bool>,
    ) -> Result<Self, Refusal> {
        let unknown = |message| Refusal::malformed("unknown_type", "attention_type", message);
        let mechanism = name.map(str::parse).transpose().map_err(unknown)?;
        Ok(Wanted { mechanism, num_neighbors, num_heads, curvature, causal: causal.unwrap_or(false) })
    }

    fn mechanism(&self, defaults: &Defaults) -> Mechanism {
        self.mechanism.unwrap_or(defaults.mechanism)
    }

    fn call(
        self,
        tensors: Tensors,
        dim: usize,
        mask: Option<Vec<bool>>,
        many: bool,
        defaults: &Defaults,
    ) -> Result<Call, Refusal> {
        let mut parameters = defaults.parameters.clone();
        parameters.num_heads = self.num_heads.unwrap_or(parameters.num_heads);
        parameters.curvature = self.curvature.unwrap_or(parameters.curvature);
        let attention = self.mechanism(defaults).build(dim, &parameters)?;
        let field = if many { "queries" } else { "query" };
        Ok(Call { attention, tensors, dim, mask, neighbors: self.num_neighbors, causal: self.causal, field })
    }
}

/// The JSON body of both routes; each then asks for its own field of queries.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Json {
    #[serde(default, deserialize_with = "given")]
    attention_type: Option<String>,
    #[serde(default, deserialize_with = "given")]
    query: Option<Numbers>,
    #[serde(default, deserialize_with = "given")]
    queries: Option<Numbers>,
    #[serde(default, deserialize_with = "given")]
    keys: Option<Numbers>,
    #[serde(default, deserialize_with = "given")]
    values: Option<Numbers>,
    #[serde(default, deserialize_with = "given")]
    mask: Option<Vec<bool>>,
    #[serde(default, deserialize_with = "given")]
    num_neighbors: Option<Count>,
    #[serde(default, deserialize_with = "given")]
    num_heads: Option<Count>,
    #[serde(default, deserialize_with = "given")]
    hidden_dim: Option<Count>,
    #[serde(default, deserialize_with = "given")]
    curvature: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    causal: Option<bool>,
}

/// A field that is there has a value: null is none.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

fn parse_json(body: &[u8]) -> Result<Json, Refusal> {
    let syntax = |error| Refusal::malformed("json", "", format!("the body is not JSON: {error}"));
    // serde would take an array for an object without its names.
    if body.trim_ascii_start().first() != Some(&b'{') {
        serde_json::from_slice::<IgnoredAny>(body).map_err(syntax)?;
        return Err(Refusal::malformed("type", "", "the body is JSON, but no object"));
    }
    serde_json::from_slice(body).map_err(|error| {
        if !error.is_data() {
            return syntax(error);
        }
        // The path is looked for only now, so that good requests do not pay for it.
        let read = &mut serde_json::Deserializer::from_slice(body);
        let path = match serde_path_to_error::deserialize::<_, Json>(read) {
            Err(error) => error.path().to_string(),
            Ok(_) => ".".to_owned(),
        };
        field_fault(&path, &error.to_string())
    })
}

/// A value of the wrong kind, an unknown field or one that came twice.
fn field_fault(path: &str, text: &str) -> Refusal {
    let named = |prefix: &str| Some(text.strip_prefix(prefix)?.split('`').next()?.to_owned());
    if let Some(field) = named("unknown field `") {
        return Refusal::malformed("unknown_field", field, text);
    }
    if let Some(field) = named("duplicate field `") {
        return Refusal::malformed("duplicate_field", field, text);
    }
    let field = if path == "." { "" } else { path };
    Refusal::malformed("type", field, text)
}

fn missing(field: &'static str) -> Refusal {
    Refusal::malformed("missing_field", field, format!("{field} is missing"))
}

fn superfluous(field: &'static str, why: &str) -> Refusal {
    Refusal::malformed("unknown_field", field, format!("{field}: {why}"))
}

fn from_json(body: &[u8], many: bool, defaults: &Defaults) -> Result<Call, Refusal> {
    let json = parse_json(body)?;
    let count = |count: Option<Count>| count.map(|Count(number)| number);
    let wanted = Wanted::of(
        json.attention_type.as_deref(),
        count(json.num_neighbors),
        count(json.num_heads),
        json.curvature,
        json.causal,
    )?;
    let (queries, other, field) = match many {
        true => (json.queries.ok_or_else(|| missing("queries"))?, json.query, "queries"),
        false => (json.query.ok_or_else(|| missing("query"))?, json.queries, "query"),
    };
    if other.is_some() {
        let (field, why) = match many {
            true => ("query", "this route takes queries, a row each"),
            false => ("queries", "this route takes query; /attention/batch takes queries"),
        };
        return Err(superfluous(field, why));
    }
    if many && queries.columns.is_none() {
        let message = "queries: flat numbers, this route takes a row a query: [[...], ...]";
        return Err(Refusal::malformed("type", "queries", message));
    }
    let dim =
        count(json.hidden_dim).or(queries.columns).or(defaults.hidden_dim).unwrap_or(queries.data.len());
    check_columns(field, &queries, dim)?;
    let own = wanted.mechanism(defaults) == Mechanism::SelfAttention;
    let tensors = match (json.keys, json.values, own) {
        (None, None, true) => Tensors::Own { rows: queries.data },
        (Some(_), _, true) => return Err(superfluous("keys", SELF)),
        (_, Some(_), true) => return Err(superfluous("values", SELF)),
        (Some(keys), Some(values), false) => {
            check_columns("keys", &keys, dim)?;
            check_rows(&values, keys.data.len() / dim.max(1))?;
            Tensors::Apart { queries: queries.data, keys: keys.data, values: values.data }
        }
        (None, _, false) => return Err(missing("keys")),
        (_, None, false) => return Err(missing("values")),
    };
    wanted.call(tensors, dim, json.mask, many, defaults)
}

const SELF: &str = "self-attention takes none, its queries are both keys and values";

/// Rows that are spelled out are not cut up otherwise.
fn check_columns(field: &'static str, numbers: &Numbers, dim: usize) -> Result<(), Refusal> {
    match numbers.columns {
        Some(found) if found != dim => {
            let message = format!("{field}: rows of {found} numbers, needed {dim}");
            Err(Refusal::unusable("length", field, message))
        }
        _ => Ok(()),
    }
}

fn check_rows(values: &Numbers, keys: usize) -> Result<(), Refusal> {
    let Some(columns) = values.columns else { return Ok(()) };
    let rows = values.data.len() / columns.max(1);
    if rows == keys {
        return Ok(());
    }
    let message = format!("values: {rows} rows, needed {keys}, one a key");
    Err(Refusal::unusable("length", "values", message))
}

/// The query string of the binary forms.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
struct Options {
    attention_type: Option<String>,
    hidden_dim: Option<usize>,
    num_keys: Option<usize>,
    value_dim: Option<usize>,
    num_neighbors: Option<usize>,
    num_heads: Option<usize>,
    curvature: Option<f64>,
    causal: Option<bool>,
}

fn parse_options(text: &str) -> Result<(Options, Wanted), Refusal> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    let options: Options = serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        field_fault(&path, &error.into_inner().to_string())
    })?;
    let wanted = Wanted::of(
        options.attention_type.as_deref(),
        options.num_neighbors,
        options.num_heads,
        options.curvature,
        options.causal,
    )?;
    Ok((options, wanted))
}

/// Queries, keys and values one after the other; the query string says where each begins.
fn from_raw(body: Buffer, source: Source<'_>, defaults: &Defaults) -> Result<Call, Refusal> {
    let (options, wanted) = parse_options(source.options)?;
    let length = body.bytes().len();
    if !length.is_multiple_of(4) {
        let message = format!("{length} bytes are no whole number of 4-byte float32 values");
        return Err(Refusal::malformed("length", "body", message));
    }
    let data = body.floats();
    let dim = options.hidden_dim.ok_or_else(|| missing("hidden_dim"))?;
    if wanted.mechanism(defaults) == Mechanism::SelfAttention {
        let extra = options.num_keys.map(|_| "num_keys").or(options.value_dim.map(|_| "value_dim"));
        return match extra {
            Some(field) => Err(superfluous(field, SELF)),
            None => wanted.call(Tensors::Own { rows: data }, dim, None, source.many, defaults),
        };
    }
    let n = options.num_keys.ok_or_else(|| missing("num_keys"))?;
    if n == 0 {
        return Err(Refusal::unusable("parameter", "num_keys", "num_keys: found 0, needed at least 1"));
    }
    let value_dim = options.value_dim.unwrap_or(dim);
    let sizes = n.checked_mul(dim).zip(n.checked_mul(value_dim));
    let rest = sizes.and_then(|(keys, values)| data.len().checked_sub(keys)?.checked_sub(values));
    let (Some((keys, _)), Some(queries)) = (sizes, rest) else {
        let message =
            format!("{} numbers are less than {n} keys of {dim} and {n} values of {value_dim}", data.len());
        return Err(Refusal::unusable("length", "body", message));
    };
    wanted.call(Tensors::Joined { data, queries, keys }, dim, None, source.many, defaults)
}

fn floats<const N: usize>(bytes: &[u8], read: fn([u8; N]) -> f32) -> Vec<f32> {
    let number = |chunk: &[u8]| <[u8; N]>::try_from(chunk).map_or(0.0, read);
    bytes.chunks_exact(N).map(number).collect()
}

/// Tensors `query` or `queries`, `keys`, `values` and `mask`.
fn from_safetensors(body: &[u8], source: Source<'_>, defaults: &Defaults) -> Result<Call, Refusal> {
    let (options, wanted) = parse_options(source.options)?;
    for (field, found) in [("num_keys", options.num_keys), ("value_dim", options.value_dim)] {
        if found.is_some() {
            return Err(superfluous(field, "the tensors' shapes tell"));
        }
    }
    let file = SafeTensors::deserialize(body).map_err(|error| {
        let message = format!("the body is not a safetensors file: {error}");
        Refusal::malformed("safetensors", "body", message)
    })?;
    let first = if source.many { "queries" } else { "query" };
    let names = [first, "keys", "values", "mask"];
    if let Some(name) = file.names().into_iter().find(|name| !names.contains(name)) {
        let message = format!("tensor '{}' is none of {}", short(name), names.join(", "));
        return Err(Refusal::malformed("unknown_field", short(name), message));
    }
    let tensor = |name| file.tensor(name).ok().map(|view| numbers(name, &view)).transpose();
    let queries = tensor(first)?.ok_or_else(|| missing(first))?;
    let dim = options.hidden_dim.or(queries.columns).or(defaults.hidden_dim).unwrap_or(queries.data.len());
    check_columns(first, &queries, dim)?;
    let mask = file.tensor("mask").ok().map(|view| mask(&view)).transpose()?;
    let tensors = match (tensor("keys")?, tensor("values")?) {
        (None, None) if wanted.mechanism(defaults) == Mechanism::SelfAttention => {
            Tensors::Own { rows: queries.data }
        }
        (keys, _) if wanted.mechanism(defaults) == Mechanism::SelfAttention => {
            return Err(superfluous(if keys.is_some() { "keys" } else { "values" }, SELF));
        }
        (Some(keys), Some(values)) => {
            check_columns("keys", &keys, dim)?;
            check_rows(&values, keys.data.len() / dim.max(1))?;
            Tensors::Apart { queries: queries.data, keys: keys.data, values: values.data }
        }
        (None, _) => return Err(missing("keys")),
        (_, None) => return Err(missing("values")),
    };
    wanted.call(tensors, dim, mask, source.many, defaults)
}

/// A name as it may stand in a message.
fn short(name: &str) -> String {
    name.chars().take(64).collect()
}

fn numbers(field: &'static str, view: &TensorView<'_>) -> Result<Numbers, Refusal> {
    let columns = match view.shape() {
        [_] => None,
        [_, columns] => Some(*columns),
        shape => {
            let message = format!("{field}: {} dimensions, needed 1 or 2", shape.len());
            return Err(Refusal::unusable("shape", field, message));
        }
    };
    let bytes = view.data();
    let data = match view.dtype() {
        Dtype::F32 => floats(bytes, f32::from_le_bytes),
        Dtype::F16 => floats(bytes, |b: [u8; 2]| half::f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => floats(bytes, |b: [u8; 2]| half::bf16::from_le_bytes(b).to_f32()),
        Dtype::F64 => floats(bytes, |b: [u8; 8]| f64::from_le_bytes(b) as f32),
        other => return Err(wrong_dtype(field, other, "F32, F16, BF16 or F64")),
    };
    Ok(Numbers { data, columns })
}

fn mask(view: &TensorView<'_>) -> Result<Vec<bool>, Refusal> {
    match view.dtype() {
        Dtype::BOOL | Dtype::U8 => Ok(view.data().iter().map(|byte| *byte != 0).collect()),
        other => Err(wrong_dtype("mask", other, "BOOL or U8")),
    }
}

fn wrong_dtype(field: &'static str, found: Dtype, needed: &str) -> Refusal {
    Refusal::unusable("dtype", field, format!("{field}: elements of type {found:?}, needed {needed}"))
}

/// Which queries are computed together when answers are sent one by one.
pub fn parts(rows: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    let size = size.max(1);
    (0..rows).step_by(size).map(move |start| start..start.saturating_add(size).min(rows))
}

#[cfg(test)]
#[path = "requests_tests.rs"]
mod tests;
