//! What an attention is made of: its mathematics and how it was configured.

use super::dropout::Dropout;
use super::linear::{Projection, RandomFeatures};
use crate::dispatch::Kernel;
use crate::error::{Needed, Result};
use crate::options::Options;
use crate::shape::{self, Shape};
use crate::threads::Threads;
use alloc::sync::Arc;

/// Which mathematics a computation follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mechanism {
    /// Scaled dot-product attention in one or more heads.
    Dot {
        /// Number of heads that split each row.
        heads: usize,
    },
    /// Hyperbolic attention of curvature −c.
    Ball {
        /// c.
        c: f64,
    },
    /// Linear attention.
    Linear {
        /// In place of elu(x) + 1.
        random: Option<RandomFeatures>,
    },
}

impl Mechanism {
    pub fn heads(&self) -> usize {
        match self {
            Mechanism::Dot { heads } => *heads,
            _ => 1,
        }
    }

    pub fn curvature(&self) -> Option<f64> {
        match self {
            Mechanism::Ball { c } => Some(*c),
            _ => None,
        }
    }

    pub fn random_features(&self) -> Option<RandomFeatures> {
        match self {
            Mechanism::Linear { random } => *random,
            _ => None,
        }
    }

    /// Checks the widths that follow from the mechanism: heads divide them.
    pub fn check_widths(&self, values: usize, shape: &Shape) -> Result<()> {
        let heads = self.heads();
        if !shape.value_dim.is_multiple_of(heads) {
            // The smallest length that keeps the number of rows and divides.
            let needed = Needed::MultipleOf(shape.keys.saturating_mul(heads));
            return Err(shape::length("values", values, needed));
        }
        Ok(())
    }
}

/// What a mechanism was configured with beyond its mathematics.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Settings {
    pub kernel: Kernel,
    pub threads: Threads,
    /// k of top-k where a call names none.
    pub neighbors: Option<usize>,
    /// Probability that training drops a weight.
    pub dropout: f64,
    /// Drawn for the mechanism's random features, if it has them.
    pub projection: Option<Arc<Projection>>,
}

impl Settings {
    /// A call's options, completed from the settings.
    pub fn complete<'a>(&self, options: &Options<'a>) -> Options<'a> {
        Options { neighbors: options.neighbors.or(self.neighbors), ..*options }
    }

    /// The dropout of this call: none at inference.
    pub fn dropout(&self, options: &Options<'_>) -> Option<Dropout> {
        let probability = self.dropout;
        options.training.filter(|_| probability > 0.0).map(|seed| Dropout { probability, seed })
    }
}

/// What every attention holds; cannot be made outside this crate.
#[derive(Debug, Clone, PartialEq)]
pub struct Common {
    pub(crate) kind: &'static str,
    pub(crate) dim: Option<usize>,
    pub(crate) mechanism: Mechanism,
    pub(crate) settings: Settings,
}

impl Common {
    pub(crate) fn new(kind: &'static str, dim: Option<usize>, mechanism: Mechanism) -> Self {
        Common { kind, dim, mechanism, settings: Settings::default() }
    }

    /// One head of scaled dot-product attention over rows of `dim` ≥ 1 elements.
    pub(crate) fn one_head(kind: &'static str, dim: usize) -> Result<Self> {
        Ok(Self::new(kind, Some(shape::positive("dim", dim)?), Mechanism::Dot { heads: 1 }))
    }
}

/// Setters and getters of what all mechanisms have in common; each struct has a field `common`.
macro_rules! configurable {
    ($name:ident) => {
        impl $name {
            /// Drops attention weights with this probability in training passes; in [0, 1), and nothing at inference.
            ///
            /// Linear attention has no weights to drop: above 0 it refuses training passes.
            pub fn with_dropout(mut self, dropout: f64) -> crate::Result<Self> {
                self.common.settings.dropout = crate::shape::dropout(dropout)?;
                Ok(self)
            }

            /// Computes with this kernel instead of the detected one.
            pub fn with_kernel(mut self, kernel: crate::Kernel) -> Self {
                self.common.settings.kernel = kernel;
                self
            }

            /// Computes with these threads instead of as many as there are cores.
            pub fn with_threads(mut self, threads: crate::Threads) -> Self {
                self.common.settings.threads = threads;
                self
            }

            /// Probability that a training pass drops a weight.
            pub fn dropout(&self) -> f64 {
                self.common.settings.dropout
            }
        }
    };
}
pub(crate) use configurable;

/// Setter and getter of top-k, for the mechanisms that have single weights.
macro_rules! selective {
    ($name:ident) => {
        impl $name {
            /// Attends to the k best keys wherever a call's options name no other k; k ≥ 1.
            pub fn with_neighbors(mut self, neighbors: usize) -> crate::Result<Self> {
                self.common.settings.neighbors = Some(crate::shape::positive("neighbors", neighbors)?);
                Ok(self)
            }

            /// k of top-k where a call's options name none.
            pub fn neighbors(&self) -> Option<usize> {
                self.common.settings.neighbors
            }
        }
    };
}
pub(crate) use selective;
