//! Any attention from one description.

use std::ffi::c_char;

use attention::{
    Attention, AttentionBuilder, AttentionType, Error, HyperbolicAttention, Kernel, LinearAttention,
    MultiHeadAttention, Threads,
};

use crate::attention_api::rvattn_attention;
use crate::memory::{hand_out, reference, text};
use crate::status::{guard, rvattn_status, Failure};
use crate::weights_api::rvattn_weights;

/// What an attention is made of. All zero is a good start: set `type`, `dim` and what else matters.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rvattn_config {
    /// A name of `rvattn_feature`, "cross" or "self" for short, or "auto": multi-head where `num_heads` is above 1, else
    /// scaled dot-product.
    pub r#type: *const c_char,
    /// Length of a query; 0 means any length, which hyperbolic attention alone allows.
    pub dim: usize,
    /// Heads of multi-head attention, which divide `dim`; 0 means 1.
    pub num_heads: usize,
    /// c of hyperbolic attention in the ball of curvature -c; 0 means 1.
    pub curvature: f64,
    /// Probability that a training pass drops a weight, in [0, 1).
    pub dropout: f64,
    /// k of top-k where a call names none; 0 means all keys.
    pub neighbors: usize,
    /// Most threads a call may use; 0 means as many as there are cores.
    pub threads: usize,
    /// A name of `rvattn_kernel`; NULL means the fastest.
    pub kernel: *const c_char,
    /// Projections of multi-head attention, copied; NULL means none.
    pub weights: *const rvattn_weights,
    /// Random features in place of linear attention's own map, to approximate softmax attention; 0 means none.
    pub random_features: usize,
    /// Seed of the random features.
    pub seed: u64,
    /// Not zero: hyperbolic attention projects its inputs into the ball.
    pub project: u8,
}

/// Makes the attention that `config` describes. What does not belong to its type is refused.
///
/// # Safety
/// `config` is NULL or readable, its texts end with NUL, its weights are NULL or alive; `out` is NULL or may be written.
/// Free what it receives with `rvattn_attention_free`.
#[no_mangle]
pub unsafe extern "C" fn rvattn_attention_new(
    config: *const rvattn_config,
    out: *mut *mut rvattn_attention,
) -> rvattn_status {
    let make = || -> Result<_, Failure> {
        // SAFETY: by this function's contract.
        let config = unsafe { reference(config, "config") }?;
        // SAFETY: by this function's contract.
        Ok(rvattn_attention(unsafe { build(config) }?))
    };
    // SAFETY: by this function's contract.
    guard(|| unsafe { hand_out(out, make) })
}

/// # Safety
/// As for `rvattn_attention_new`.
unsafe fn build(config: &rvattn_config) -> Result<Box<dyn Attention>, Failure> {
    if config.r#type.is_null() {
        return Err(Error::TypeNotSpecified.into());
    }
    // SAFETY: by this function's contract.
    let wanted: AttentionType = unsafe { text(config.r#type, "type") }?.parse()?;
    let mut builder = AttentionBuilder::new().attention_type(wanted).hidden_dim(config.dim);
    if config.num_heads > 0 {
        builder = builder.num_heads(config.num_heads);
    } else {
        builder = builder.num_heads(1);
    }
    let resolved = builder.resolve()?;
    refuse_strangers(config, &resolved)?;
    // SAFETY: by this function's contract.
    let shared = unsafe { Shared::read(config) }?;
    macro_rules! ready {
        ($attention:expr) => {{
            let attention = shared.apply($attention, |a, x| a.with_kernel(x), |a, x| a.with_threads(x));
            attention.with_dropout(config.dropout)?
        }};
    }
    macro_rules! selective {
        ($attention:expr) => {{
            let attention = ready!($attention);
            match config.neighbors {
                0 => Box::new(attention),
                k => Box::new(attention.with_neighbors(k)?),
            }
        }};
    }
    Ok(match resolved {
        AttentionType::Hyperbolic { .. } => {
            let c = if config.curvature == 0.0 { 1.0 } else { config.curvature };
            let ball = HyperbolicAttention::new(c)?.with_projection(config.project != 0);
            match config.dim {
                0 => selective!(ball),
                dim => selective!(ball.with_dim(dim)?),
            }
        }
        AttentionType::MultiHead { num_heads } => {
            let heads = MultiHeadAttention::new(num_heads, config.dim, 0.0)?;
            match config.weights.is_null() {
                true => selective!(heads),
                false => {
                    // SAFETY: by this function's contract.
                    let weights = unsafe { reference(config.weights, "weights") }?.0.clone();
                    selective!(heads.with_weights(weights)?)
                }
            }
        }
        AttentionType::Linear => {
            let linear = LinearAttention::new(config.dim)?;
            match config.random_features {
                0 => Box::new(ready!(linear)),
                features => Box::new(ready!(linear.with_random_features(features, config.seed)?)),
            }
        }
        AttentionType::Cross => selective!(attention::CrossAttention::new(config.dim)?),
        AttentionType::SelfAttention => selective!(attention::SelfAttention::new(config.dim)?),
        _ => selective!(attention::ScaledDotProductAttention::new(config.dim)?),
    })
}

/// Refuses what belongs to other types.
fn refuse_strangers(config: &rvattn_config, resolved: &AttentionType) -> Result<(), Failure> {
    let (heads, ball, linear) = (
        matches!(resolved, AttentionType::MultiHead { .. }),
        matches!(resolved, AttentionType::Hyperbolic { .. }),
        matches!(resolved, AttentionType::Linear),
    );
    let strangers = [
        (config.num_heads > 1 && !heads, "num_heads"),
        (!config.weights.is_null() && !heads, "weights"),
        (config.curvature != 0.0 && !ball, "curvature"),
        (config.project != 0 && !ball, "project"),
        (config.random_features != 0 && !linear, "random_features"),
        (config.neighbors != 0 && linear, "neighbors"),
    ];
    match strangers.iter().find(|(given, _)| *given) {
        Some((_, argument)) => Err(Error::Unsupported { argument, by: "this type of attention" }.into()),
        None => Ok(()),
    }
}

/// Settings that all mechanisms share.
struct Shared {
    kernel: Option<Kernel>,
    threads: Option<Threads>,
}

impl Shared {
    /// # Safety
    /// As for `rvattn_attention_new`.
    unsafe fn read(config: &rvattn_config) -> Result<Self, Failure> {
        let kernel = match config.kernel.is_null() {
            true => None,
            false => {
                // SAFETY: by this function's contract.
                let name = unsafe { text(config.kernel, "kernel") }?;
                let unknown = Error::Unsupported { argument: "kernel", by: "this machine" };
                Some(Kernel::named(name).ok_or(unknown)?)
            }
        };
        let threads = (config.threads > 0).then(|| Threads::new(config.threads)).transpose()?;
        Ok(Shared { kernel, threads })
    }

    fn apply<A>(&self, attention: A, kernel: fn(A, Kernel) -> A, threads: fn(A, Threads) -> A) -> A {
        let attention = match self.kernel {
            Some(chosen) => kernel(attention, chosen),
            None => attention,
        };
        match &self.threads {
            Some(chosen) => threads(attention, chosen.clone()),
            None => attention,
        }
    }
}
