#![doc = include_str!("../README.md")]
#![no_std]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::unreachable
    )
)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod attention;
mod cache;
mod dispatch;
mod error;
mod inputs;
mod kernels;
mod options;
pub mod poincare;
pub mod sdk;
mod shape;
mod tensor;
mod threads;

pub use attention::cross::{CrossAttention, SelfAttention};
pub use attention::hyperbolic::HyperbolicAttention;
pub use attention::linear::LinearAttention;
pub use attention::multi_head::MultiHeadAttention;
pub use attention::scaled_dot::ScaledDotProductAttention;
pub use attention::stream::AttentionState;
pub use attention::weights::MultiHeadWeights;
pub use attention::workspace::Workspace;
pub use attention::Attention;
pub use cache::{KeyValueCache, Precision};
pub use dispatch::Kernel;
pub use error::{Error, Needed, Result};
pub use inputs::Inputs;
pub use options::Options;
pub use sdk::{AttentionBuilder, AttentionConfig, AttentionType};
pub use tensor::Tensor;
#[cfg(feature = "f16")]
pub use tensor::{bf16, f16};
pub use threads::Threads;

/// The mechanisms by name, as [`Attention::kind`] gives them and [`AttentionType`] reads them.
///
/// ```
/// assert!(ruvector_attention::features().contains(&"hyperbolic"));
/// ```
pub fn features() -> &'static [&'static str] {
    &["scaled-dot-product", "multi-head", "hyperbolic", "linear", "cross-attention", "self-attention"]
}

/// Version of this crate.
///
/// ```
/// assert_eq!(ruvector_attention::version().split('.').count(), 3);
/// ```
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
