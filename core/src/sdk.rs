//! The builder: from a type and a configuration to a ready attention.

use crate::attention::cross::{CrossAttention, SelfAttention};
use crate::attention::hyperbolic::HyperbolicAttention;
use crate::attention::linear::LinearAttention;
use crate::attention::multi_head::MultiHeadAttention;
use crate::attention::scaled_dot::ScaledDotProductAttention;
use crate::attention::Attention;
use crate::dispatch::Kernel;
use crate::error::{Error, Result};
use crate::shape;
use crate::threads::Threads;
use alloc::boxed::Box;
use alloc::string::ToString;
use core::str::FromStr;

/// Everything an application usually needs, in one `use`.
pub mod prelude {
    pub use super::{AttentionBuilder, AttentionConfig, AttentionType};
    pub use crate::{
        Attention, AttentionState, CrossAttention, Error, HyperbolicAttention, Inputs, LinearAttention,
        MultiHeadAttention, Options, Result, ScaledDotProductAttention, SelfAttention, Threads, Workspace,
    };
}

/// Which attention to build, with the parameters that belong to it alone.
///
/// Names, as read by [`FromStr`], are those of [`features`](crate::features), `cross` and `self` for short, and
/// `auto`; parameters then have their defaults: all keys, 8 heads, curvature 1.
///
/// ```
/// use ruvector_attention::sdk::AttentionType;
/// assert_eq!("multi-head".parse(), Ok(AttentionType::MultiHead { num_heads: 8 }));
/// assert_eq!("cross".parse(), Ok(AttentionType::Cross));
/// assert!("sideways".parse::<AttentionType>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum AttentionType {
    /// [`ScaledDotProductAttention`].
    ScaledDotProduct {
        /// k of top-k; `None` attends to all keys.
        #[cfg_attr(feature = "serde", serde(default))]
        neighbors: Option<usize>,
    },
    /// [`MultiHeadAttention`].
    MultiHead {
        /// Number of heads.
        num_heads: usize,
    },
    /// [`HyperbolicAttention`].
    Hyperbolic {
        /// c, for curvature −c.
        curvature: f64,
    },
    /// [`LinearAttention`].
    Linear,
    /// [`CrossAttention`].
    #[cfg_attr(feature = "serde", serde(rename = "cross-attention", alias = "cross"))]
    Cross,
    /// [`SelfAttention`].
    #[cfg_attr(feature = "serde", serde(alias = "self"))]
    SelfAttention,
    /// The builder's choice, see [`AttentionBuilder::resolve`].
    Auto,
}

impl FromStr for AttentionType {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "scaled-dot-product" => Ok(AttentionType::ScaledDotProduct { neighbors: None }),
            "multi-head" => Ok(AttentionType::MultiHead { num_heads: 8 }),
            "hyperbolic" => Ok(AttentionType::Hyperbolic { curvature: 1.0 }),
            "linear" => Ok(AttentionType::Linear),
            "cross-attention" | "cross" => Ok(AttentionType::Cross),
            "self-attention" | "self" => Ok(AttentionType::SelfAttention),
            "auto" => Ok(AttentionType::Auto),
            _ => Err(Error::UnknownType { found: name.to_string() }),
        }
    }
}

/// What all types share.
///
/// ```
/// use ruvector_attention::sdk::AttentionConfig;
/// let config = AttentionConfig::default();
/// assert_eq!((config.hidden_dim, config.dropout, config.use_simd), (128, 0.0, true));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct AttentionConfig {
    /// Length of a query.
    pub hidden_dim: usize,
    /// Probability that a training pass drops a weight, in [0, 1).
    pub dropout: f64,
    /// Whether to use the fastest kernel of the machine instead of the portable one.
    pub use_simd: bool,
    /// Most threads a call may use; `None` means as many as there are cores.
    pub num_threads: Option<usize>,
}

impl Default for AttentionConfig {
    fn default() -> Self {
        Self { hidden_dim: 128, dropout: 0.0, use_simd: true, num_threads: None }
    }
}

/// Builds any attention.
///
/// ```
/// use ruvector_attention::sdk::prelude::*;
/// let attention = AttentionBuilder::new()
///     .attention_type(AttentionType::MultiHead { num_heads: 2 })
///     .hidden_dim(4)
///     .build()?;
/// assert_eq!(attention.kind(), "multi-head");
/// assert_eq!(attention.forward(&[0.0; 4], &[0.0; 8], &[1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0])?.len(), 4);
/// assert_eq!(AttentionBuilder::new().build().unwrap_err().to_string(), "Attention type not specified");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AttentionBuilder {
    attention_type: Option<AttentionType>,
    config: AttentionConfig,
    num_heads: Option<usize>,
    neighbors: Option<usize>,
}

impl AttentionBuilder {
    /// A builder with the default configuration and no type.
    pub fn new() -> Self {
        Self::default()
    }

    /// A builder with this configuration and no type.
    pub fn from_config(config: AttentionConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Sets the type; required.
    pub fn attention_type(mut self, attention_type: AttentionType) -> Self {
        self.attention_type = Some(attention_type);
        self
    }

    /// Sets the length of a query, 128 unless set.
    pub fn hidden_dim(mut self, hidden_dim: usize) -> Self {
        self.config.hidden_dim = hidden_dim;
        self
    }

    /// Sets the dropout of training passes, 0 unless set.
    pub fn dropout(mut self, dropout: f64) -> Self {
        self.config.dropout = dropout;
        self
    }

    /// Uses the fastest kernel of the machine (as is the default), or the portable one.
    pub fn use_simd(mut self, use_simd: bool) -> Self {
        self.config.use_simd = use_simd;
        self
    }

    /// Sets the most threads a call may use, at least 1; as many as there are cores unless set.
    pub fn num_threads(mut self, num_threads: usize) -> Self {
        self.config.num_threads = Some(num_threads);
        self
    }

    /// Attends to the k best keys wherever a call's options name no other k. Overrides the type's own k.
    pub fn neighbors(mut self, neighbors: usize) -> Self {
        self.neighbors = Some(neighbors);
        self
    }

    /// Number of heads for [`AttentionType::Auto`] and, where set, for [`AttentionType::MultiHead`].
    pub fn num_heads(mut self, num_heads: usize) -> Self {
        self.num_heads = Some(num_heads);
        self
    }

    /// The configuration as it stands.
    pub fn config(&self) -> &AttentionConfig {
        &self.config
    }

    /// The type that [`build`](AttentionBuilder::build) will build: the one set, and for `Auto` multi-head if more
    /// than one head was set, else scaled dot-product. Both are exact; `Auto` never picks an approximation, and speed
    /// comes from the kernel, which [`Attention::kernel`] names.
    ///
    /// ```
    /// use ruvector_attention::sdk::{AttentionBuilder, AttentionType};
    /// let auto = AttentionBuilder::new().attention_type(AttentionType::Auto);
    /// assert_eq!(auto.resolve()?, AttentionType::ScaledDotProduct { neighbors: None });
    /// assert_eq!(auto.num_heads(4).resolve()?, AttentionType::MultiHead { num_heads: 4 });
    /// # Ok::<(), ruvector_attention::Error>(())
    /// ```
    pub fn resolve(&self) -> Result<AttentionType> {
        let chosen = self.attention_type.clone().ok_or(Error::TypeNotSpecified)?;
        Ok(match (chosen, self.num_heads) {
            (AttentionType::Auto, Some(num_heads)) if num_heads != 1 => {
                AttentionType::MultiHead { num_heads }
            }
            (AttentionType::Auto, _) => AttentionType::ScaledDotProduct { neighbors: self.neighbors },
            (AttentionType::MultiHead { .. }, Some(num_heads)) => AttentionType::MultiHead { num_heads },
            (AttentionType::ScaledDotProduct { neighbors }, _) => {
                AttentionType::ScaledDotProduct { neighbors: self.neighbors.or(neighbors) }
            }
            (other, _) => other,
        })
    }

    /// Checks everything and builds.
    ///
    /// Errors: [`Error::TypeNotSpecified`]; a parameter outside its domain; `neighbors` with linear attention.
    pub fn build(&self) -> Result<Box<dyn Attention>> {
        let AttentionConfig { hidden_dim, dropout, use_simd, num_threads } = self.config;
        shape::dropout(dropout)?;
        shape::positive("hidden_dim", hidden_dim)?;
        let kernel = if use_simd { Kernel::detect() } else { Kernel::scalar() };
        let threads = num_threads.map_or(Ok(Threads::default()), Threads::new)?;
        macro_rules! ready {
            ($attention:expr, $neighbors:expr) => {{
                let attention = $attention.with_dropout(dropout)?.with_kernel(kernel).with_threads(threads);
                Ok(match $neighbors {
                    Some(k) => Box::new(attention.with_neighbors(k)?),
                    None => Box::new(attention),
                })
            }};
        }
        match self.resolve()? {
            AttentionType::ScaledDotProduct { neighbors } => {
                ready!(ScaledDotProductAttention::new(hidden_dim)?, neighbors)
            }
            AttentionType::MultiHead { num_heads } => {
                ready!(MultiHeadAttention::new(num_heads, hidden_dim, dropout)?, self.neighbors)
            }
            AttentionType::Hyperbolic { curvature } => {
                ready!(HyperbolicAttention::new(curvature)?.with_dim(hidden_dim)?, self.neighbors)
            }
            AttentionType::Cross => ready!(CrossAttention::new(hidden_dim)?, self.neighbors),
            AttentionType::SelfAttention => ready!(SelfAttention::new(hidden_dim)?, self.neighbors),
            AttentionType::Linear if self.neighbors.is_some() => {
                Err(Error::Unsupported { argument: "neighbors", by: "linear attention" })
            }
            AttentionType::Linear => {
                let attention = LinearAttention::new(hidden_dim)?.with_dropout(dropout)?;
                Ok(Box::new(attention.with_kernel(kernel).with_threads(threads)))
            }
            // `resolve` never returns it.
            AttentionType::Auto => Err(Error::TypeNotSpecified),
        }
    }
}
