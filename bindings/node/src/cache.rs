//! Keys and values that stay on this side.

use std::sync::Arc;

use attention::{Inputs, KeyValueCache, Precision};

use crate::buffer::Source;
use crate::class::{define, free, getter, method, tell, this, unwrap, wrap, Arguments, Content, Run};
use crate::error::{Failure, Result};
use crate::js::Value;
use crate::types::{count, each};

/// What an object holds.
pub struct Cache {
    /// Calls in flight hold it as it was when they were made; whoever changes it then changes a copy.
    rows: Arc<KeyValueCache>,
    /// Bytes that the garbage collector was told of.
    told: usize,
}

impl Content for Cache {
    fn told(&self) -> usize {
        self.told
    }
}

pub fn export(exports: Value<'_>) -> Result<Value<'_>> {
    let size = |name, size: Run| getter(name, size);
    let members = [
        method(c"append", append),
        method(c"clear", clear),
        method(c"free", free::<Cache>),
        size(c"length", |a| number_of(a, KeyValueCache::len)),
        size(c"dim", |a| number_of(a, KeyValueCache::dim)),
        size(c"valueDim", |a| number_of(a, KeyValueCache::value_dim)),
        size(c"bytes", |a| number_of(a, bytes)),
    ];
    define(exports, c"KeyValueCache", new, &members)
}

impl Cache {
    /// A query and what is held.
    pub fn inputs<'a>(&'a self, query: &'a [f32]) -> Inputs<'a> {
        Inputs::new(query, query.len(), self.rows.keys(), self.rows.values())
    }
}

/// The cache that an argument is.
pub fn find(value: Value<'_>, argument: &str) -> Result<Arc<KeyValueCache>> {
    let held = unwrap::<Cache>(value).ok_or_else(|| Failure::kind(argument, "a KeyValueCache"))?;
    Ok(Arc::clone(&held.get(argument)?.rows))
}

/// `new KeyValueCache(dim, valueDim?, { precision? })`.
fn new<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    let [dim, value_dim, options] = [0, 1, 2].map(|index| arguments.get(index));
    let dim = count(dim, "dim")?;
    let value_dim = if value_dim.is_absent() { dim } else { count(value_dim, "valueDim")? };
    let mut precision = Precision::F32;
    if !options.is_absent() {
        each(options, "options", "precision", |name, value| {
            if name == "precision" && !value.is_absent() {
                precision = read_precision(value)?;
            }
            Ok(name == "precision")
        })?;
    }
    let rows = Arc::new(KeyValueCache::new(dim, value_dim, precision)?);
    wrap(arguments, Cache { rows, told: 0 })
}

fn read_precision(value: Value<'_>) -> Result<Precision> {
    match value.text(&mut [0; 8]) {
        Some(b"f32") => Ok(Precision::F32),
        Some(b"f16") => Ok(Precision::F16),
        Some(b"bf16") => Ok(Precision::Bf16),
        _ => Err(Failure::kind("precision", "one of f32, f16, bf16")),
    }
}

/// `append(keys, values)`.
fn append<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    let held = this::<Cache>(arguments)?;
    let (dim, value_dim) = {
        let cache = held.get("this")?;
        (cache.rows.dim(), cache.rows.value_dim())
    };
    let keys = Source::matrix(arguments.get(0), "keys")?;
    let values = Source::matrix(arguments.get(1), "values")?;
    let (keys, values) = (keys.view("keys")?, values.view("values")?);
    keys.check_width(dim, "keys")?;
    values.check_width(value_dim, "values")?;
    let mut cache = held.get_mut("this")?;
    Arc::make_mut(&mut cache.rows).append(&keys.data, &values.data)?;
    let bytes = bytes(&cache.rows);
    let more = bytes.saturating_sub(cache.told);
    cache.told += more;
    tell(arguments.env(), more as i64)?;
    arguments.env().undefined()
}

/// `clear()`: the memory stays for the next rows, unless a call in flight reads it.
fn clear<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    let mut cache = this::<Cache>(arguments)?.get_mut("this")?;
    let rows = &mut cache.rows;
    match Arc::get_mut(rows) {
        Some(rows) => rows.truncate(0),
        None => *rows = Arc::new(KeyValueCache::new(rows.dim(), rows.value_dim(), rows.precision())?),
    }
    arguments.env().undefined()
}

fn number_of<'e>(arguments: &Arguments<'e>, size: fn(&KeyValueCache) -> usize) -> Result<Value<'e>> {
    let size = size(&this::<Cache>(arguments)?.get("this")?.rows);
    arguments.env().number(size as f64)
}

/// Memory that the rows take.
fn bytes(cache: &KeyValueCache) -> usize {
    let element = if cache.precision() == Precision::F32 { size_of::<f32>() } else { size_of::<u16>() };
    (cache.keys().len() + cache.values().len()) * element
}
