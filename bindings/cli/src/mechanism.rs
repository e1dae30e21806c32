//! The names of the mechanisms, and what they are made from.

use attention::{
    Attention, CrossAttention, HyperbolicAttention, LinearAttention, MultiHeadAttention,
    ScaledDotProductAttention, SelfAttention,
};
use clap::ValueEnum;

/// An attention mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mechanism {
    ScaledDotProduct,
    MultiHead,
    Hyperbolic,
    Linear,
    #[value(alias = "cross")]
    CrossAttention,
    #[value(alias = "self")]
    SelfAttention,
}

/// Parameters of the mechanisms that have some.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    pub num_heads: usize,
    pub curvature: f64,
}

impl Mechanism {
    /// The mechanism for queries of length `dim`.
    pub fn build(self, dim: usize, given: &Parameters) -> attention::Result<Box<dyn Attention>> {
        Ok(match self {
            Mechanism::ScaledDotProduct => Box::new(ScaledDotProductAttention::new(dim)?),
            Mechanism::MultiHead => Box::new(MultiHeadAttention::new(given.num_heads, dim, 0.0)?),
            Mechanism::Hyperbolic => Box::new(HyperbolicAttention::new(given.curvature)?),
            Mechanism::Linear => Box::new(LinearAttention::new(dim)?),
            Mechanism::CrossAttention => Box::new(CrossAttention::new(dim)?),
            Mechanism::SelfAttention => Box::new(SelfAttention::new(dim)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: Parameters = Parameters { num_heads: 2, curvature: 1.0 };

    #[test]
    fn names_are_those_of_the_core() {
        let mut names: Vec<&str> = Vec::new();
        for mechanism in Mechanism::value_variants() {
            let built = mechanism.build(4, &PARAMETERS).unwrap();
            let name = mechanism.to_possible_value().unwrap().get_name().to_owned();
            assert_eq!(name, built.kind());
            names.push(built.kind());
        }
        let mut features = attention::features().to_vec();
        features.sort_unstable();
        names.sort_unstable();
        assert_eq!(names, features);
    }

    #[test]
    fn short_names_are_known() {
        assert_eq!(Mechanism::from_str("cross", false), Ok(Mechanism::CrossAttention));
        assert_eq!(Mechanism::from_str("self", false), Ok(Mechanism::SelfAttention));
        assert!(Mechanism::from_str("quadratic", false).unwrap_err().contains("quadratic"));
    }
}
