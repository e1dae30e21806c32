//! The names of the mechanisms, and what they are made from; the same for every command.

use std::fmt;
use std::str::FromStr;

use attention::{
    Attention, CrossAttention, HyperbolicAttention, Kernel, LinearAttention, MultiHeadAttention,
    MultiHeadWeights, ScaledDotProductAttention, SelfAttention, Threads,
};
use clap::ValueEnum;

use crate::config::Config;

/// An attention mechanism.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mechanism {
    /// softmax(q·kᵀ/√d)·v.
    ScaledDotProduct,
    /// The same in each of several parts of the dimension.
    #[default]
    MultiHead,
    /// Distances in the Poincaré ball.
    Hyperbolic,
    /// Without the softmax: time and memory linear in the number of keys.
    Linear,
    /// Queries over another memory.
    #[value(alias = "cross")]
    CrossAttention,
    /// Rows over themselves.
    #[value(alias = "self")]
    SelfAttention,
}

impl Mechanism {
    /// The name, as in [`attention::features`].
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::ScaledDotProduct => "scaled-dot-product",
            Mechanism::MultiHead => "multi-head",
            Mechanism::Hyperbolic => "hyperbolic",
            Mechanism::Linear => "linear",
            Mechanism::CrossAttention => "cross-attention",
            Mechanism::SelfAttention => "self-attention",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads the names of D44, `cross` and `self` among them.
impl FromStr for Mechanism {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        <Self as ValueEnum>::from_str(name, false).map_err(|_| {
            let names = attention::features().join(", ");
            format!("unknown attention type '{name}', one of {names}")
        })
    }
}

/// What a mechanism is made with, besides the length of its queries.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// Heads of multi-head attention.
    pub num_heads: usize,
    /// c of hyperbolic attention.
    pub curvature: f64,
    /// Share of the weights that a training pass drops.
    pub dropout: f64,
    /// The machine's fastest kernel, or the portable one.
    pub use_simd: bool,
    /// Threads, shared by everything made with these parameters.
    pub threads: Threads,
    /// Projections of multi-head attention.
    pub weights: Option<MultiHeadWeights>,
    /// Whether hyperbolic attention projects points outside the ball onto it.
    pub project: bool,
}

impl Parameters {
    /// Those of the configuration, with curvature 1 and no weights.
    pub fn of(config: &Config) -> attention::Result<Self> {
        Ok(Self {
            num_heads: config.attention.num_heads,
            curvature: 1.0,
            dropout: config.attention.dropout,
            use_simd: config.optimization.use_simd,
            threads: config.optimization.num_threads.map_or(Ok(Threads::default()), Threads::new)?,
            weights: None,
            project: false,
        })
    }
}

impl Mechanism {
    /// The mechanism for queries of length `dim`.
    pub fn build(self, dim: usize, given: &Parameters) -> attention::Result<Box<dyn Attention>> {
        let kernel = if given.use_simd { Kernel::detect() } else { Kernel::scalar() };
        macro_rules! ready {
            ($attention:expr) => {
                Ok(Box::new(
                    $attention
                        .with_dropout(given.dropout)?
                        .with_kernel(kernel)
                        .with_threads(given.threads.clone()),
                ))
            };
        }
        if given.weights.is_some() && self != Mechanism::MultiHead {
            return Err(attention::Error::Unsupported { argument: "weights", by: self.name() });
        }
        match self {
            Mechanism::ScaledDotProduct => ready!(ScaledDotProductAttention::new(dim)?),
            Mechanism::MultiHead => {
                let attention = MultiHeadAttention::new(given.num_heads, dim, 0.0)?;
                match &given.weights {
                    Some(weights) => ready!(attention.with_weights(weights.clone())?),
                    None => ready!(attention),
                }
            }
            Mechanism::Hyperbolic => {
                let attention = HyperbolicAttention::new(given.curvature)?.with_dim(dim)?;
                ready!(attention.with_projection(given.project))
            }
            Mechanism::Linear => ready!(LinearAttention::new(dim)?),
            Mechanism::CrossAttention => ready!(CrossAttention::new(dim)?),
            Mechanism::SelfAttention => ready!(SelfAttention::new(dim)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    #[test]
    fn names_are_those_of_the_core() {
        let parameters = Parameters::of(&Sources::default().load().unwrap()).unwrap();
        let mut names: Vec<&str> = Vec::new();
        for mechanism in Mechanism::value_variants() {
            let built = mechanism.build(8, &parameters).unwrap();
            assert_eq!(mechanism.to_possible_value().unwrap().get_name(), built.kind());
            assert_eq!(mechanism.name(), built.kind());
            names.push(built.kind());
        }
        let mut features = attention::features().to_vec();
        features.sort_unstable();
        names.sort_unstable();
        assert_eq!(names, features);
    }

    #[test]
    fn short_names_are_known() {
        assert_eq!("cross".parse(), Ok(Mechanism::CrossAttention));
        assert_eq!("self".parse(), Ok(Mechanism::SelfAttention));
        assert!("quadratic".parse::<Mechanism>().unwrap_err().contains("'quadratic', one of scaled"));
    }

    #[test]
    fn parameters_reach_the_mechanism() {
        let mut parameters = Parameters::of(&Sources::default().load().unwrap()).unwrap();
        parameters.use_simd = false;
        assert_eq!(Mechanism::Linear.build(8, &parameters).unwrap().kernel(), "scalar");
        assert!(Mechanism::MultiHead.build(12, &parameters).is_err());
        parameters.weights = Some(MultiHeadWeights::new(1, &[1.0], &[1.0], &[1.0], &[1.0]).unwrap());
        let refused = Mechanism::Linear.build(8, &parameters).unwrap_err();
        assert_eq!((refused.code(), refused.argument()), ("unsupported", "weights"));
    }
}
