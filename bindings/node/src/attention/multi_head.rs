//! Multi-head attention.

use super::*;
use crate::buffer::{self, Source};
use crate::class::{fixed, wrap};
use crate::error::Failure;
use crate::js::{Env, Kind};
use crate::types::{count, each, number};
use attention::{MultiHeadAttention as Mechanism, MultiHeadWeights};

pub fn export(exports: Value<'_>) -> Result<Value<'_>> {
    let size = |name, size: crate::class::Run| getter(name, size);
    let own = [
        size(c"numHeads", |a| number_of(a, Mechanism::num_heads)),
        size(c"hiddenDim", |a| number_of(a, Mechanism::hidden_dim)),
        size(c"headDim", |a| number_of(a, Mechanism::head_dim)),
        fixed(c"fromParams", from_params),
    ];
    export_mechanism::<Mechanism>(exports, c"MultiHeadAttention", new, own)
}

fn number_of<'e>(arguments: &Arguments<'e>, size: fn(&Mechanism) -> usize) -> Result<Value<'e>> {
    let size = size(&*this::<Arc<Mechanism>>(arguments)?.get("this")?);
    arguments.env().number(size as f64)
}

/// From a configuration, or from (numHeads, hiddenDim, dropout?).
fn new<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    let first = arguments.get(0);
    let config = match first.kind() {
        Kind::Number => Config {
            num_heads: Some(first),
            hidden_dim: Some(arguments.get(1)),
            dropout: Some(arguments.get(2)).filter(|value| !value.is_absent()),
            ..Config::default()
        },
        Kind::Object => Config::read(first)?,
        _ => return Err(Failure::kind("config", "an object, or numHeads and hiddenDim as numbers")),
    };
    wrap(arguments, Arc::new(config.build(arguments.env())?))
}

/// `fromParams(numHeads, hiddenDim, dropout?)`.
fn from_params<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    count(arguments.get(0), "numHeads")?;
    if arguments.this().kind() != Kind::Function {
        return Err(Failure::kind("this", "the class, as in MultiHeadAttention.fromParams()"));
    }
    arguments.this().construct(&[0, 1, 2].map(|index| arguments.get(index)))
}

#[derive(Default)]
struct Config<'e> {
    num_heads: Option<Value<'e>>,
    hidden_dim: Option<Value<'e>>,
    dropout: Option<Value<'e>>,
    neighbors: Option<Value<'e>>,
    weights: Option<Value<'e>>,
}

impl<'e> Config<'e> {
    fn read(object: Value<'e>) -> Result<Self> {
        let mut config = Config::default();
        each(object, "config", "numHeads, hiddenDim, dropout, neighbors, weights", |name, value| {
            let place = match name {
                "numHeads" => &mut config.num_heads,
                "hiddenDim" => &mut config.hidden_dim,
                "dropout" => &mut config.dropout,
                "neighbors" => &mut config.neighbors,
                "weights" => &mut config.weights,
                _ => return Ok(false),
            };
            *place = Some(value).filter(|value| !value.is_absent());
            Ok(true)
        })?;
        Ok(config)
    }

    fn build(self, env: Env<'e>) -> Result<Mechanism> {
        let nothing = env.undefined()?;
        let num_heads = count(self.num_heads.unwrap_or(nothing), "numHeads")?;
        let hidden_dim = count(self.hidden_dim.unwrap_or(nothing), "hiddenDim")?;
        let dropout = self.dropout.map_or(Ok(0.0), |value| number(value, "dropout"))?;
        let mut mechanism = Mechanism::new(num_heads, hidden_dim, dropout)?;
        if let Some(neighbors) = self.neighbors {
            mechanism = mechanism.with_neighbors(count(neighbors, "neighbors")?)?;
        }
        match self.weights {
            Some(weights) => Ok(mechanism.with_weights(read_weights(weights, hidden_dim)?)?),
            None => Ok(mechanism),
        }
    }
}

/// A safetensors file and the prefix of its names, or the matrices by name.
fn read_weights(value: Value<'_>, hidden_dim: usize) -> Result<MultiHeadWeights> {
    const KNOWN: &str =
        "safetensors, prefix, query, key, value, output, queryBias, keyBias, valueBias, outputBias";
    const PARTS: [&str; 8] =
        ["query", "key", "value", "output", "queryBias", "keyBias", "valueBias", "outputBias"];
    let (mut file, mut prefix, mut parts) = (None, String::new(), [None; PARTS.len()]);
    each(value, "weights", KNOWN, |name, value| {
        let there = Some(value).filter(|value| !value.is_absent());
        match (name, PARTS.iter().position(|part| *part == name)) {
            (_, Some(part)) => parts[part] = there,
            ("safetensors", _) => file = there,
            ("prefix", _) => prefix = there.map_or(Ok(String::new()), text)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if let Some(file) = file {
        return from_file(file, &prefix);
    }
    let sources = PARTS.iter().zip(parts).map(|(name, part)| match part {
        Some(part) if name.ends_with("Bias") => Source::vector(part, name).map(Some),
        Some(part) => Source::matrix(part, name).map(Some),
        None => Ok(None),
    });
    let sources = sources.collect::<Result<Vec<_>>>()?;
    let tensors = PARTS.iter().zip(sources).map(|(name, source)| match source {
        Some(source) => source.view(name).map(Some),
        None => Ok(None),
    });
    let tensors = tensors.collect::<Result<Vec<_>>>()?;
    let part = |index: usize| tensors.get(index).and_then(Option::as_ref).map(|tensor| &*tensor.data);
    let [Some(query), Some(key), Some(value), Some(output)] = [0, 1, 2, 3].map(part) else {
        return Err(Failure::kind("weights", "query, key, value and output"));
    };
    let named = |error| Failure::about(error, "weights");
    let weights = MultiHeadWeights::new(hidden_dim, query, key, value, output).map_err(named)?;
    match [4, 5, 6, 7].map(part) {
        [None, None, None, None] => Ok(weights),
        [Some(query), Some(key), Some(value), Some(output)] => {
            weights.with_biases(query, key, value, output).map_err(named)
        }
        _ => Err(Failure::kind("weights", "all four biases or none")),
    }
}

fn from_file(value: Value<'_>, prefix: &str) -> Result<MultiHeadWeights> {
    let bytes = buffer::bytes(value, "safetensors")?;
    let bytes = bytes.ok_or_else(|| Failure::kind("safetensors", "the bytes of a file as a Uint8Array"))?;
    MultiHeadWeights::from_safetensors(&bytes, prefix).map_err(|error| Failure::about(error, "weights"))
}

fn text(value: Value<'_>) -> Result<String> {
    let mut buffer = [0; 1024];
    let text = value.text(&mut buffer).and_then(|text| std::str::from_utf8(text).ok());
    text.map(str::to_owned).ok_or_else(|| Failure::kind("prefix", "a string"))
}
