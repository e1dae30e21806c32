//! The one error type: every variant names the argument at fault, what was found and what is needed.

use alloc::string::String;
use core::fmt;

/// Shorthand for results of this crate.
pub type Result<T> = core::result::Result<T, Error>;

/// What a length has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    /// This many elements.
    Exactly(usize),
    /// A positive multiple of this many elements.
    MultipleOf(usize),
    /// This many elements or more.
    AtLeast(usize),
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Needed::Exactly(length) => write!(f, "{length}"),
            Needed::MultipleOf(length) => write!(f, "a positive multiple of {length}"),
            Needed::AtLeast(length) => write!(f, "at least {length}"),
        }
    }
}

/// Why a call was refused.
///
/// [`code`](Error::code) is stable across versions and meant for programs; the `Display` text is meant for people.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A buffer or byte string has the wrong number of elements.
    Length {
        /// Name of the argument.
        argument: &'static str,
        /// Number of elements it has.
        found: usize,
        /// Number of elements it must have.
        needed: Needed,
    },
    /// The sizes asked for do not fit this machine's address space.
    TooLarge {
        /// Name of the argument that makes the result too large.
        argument: &'static str,
    },
    /// A scalar parameter lies outside its domain.
    Parameter {
        /// Name of the parameter.
        argument: &'static str,
        /// Its value.
        found: f64,
        /// The values it may have.
        needed: &'static str,
    },
    /// The mask leaves no key.
    AllMasked,
    /// Under causal order this query sees no key.
    NoVisibleKey {
        /// Index of the query.
        query: usize,
    },
    /// The input holds a NaN or an infinity.
    NonFinite {
        /// Name of the tensor.
        argument: &'static str,
        /// Flat index of its first such element.
        index: usize,
    },
    /// All inputs are finite, but a result lies beyond the range of `f32`.
    Overflow {
        /// Flat index of the first such element of the result.
        index: usize,
    },
    /// A point does not lie inside the Poincaré ball.
    OutsideBall {
        /// Name of the tensor.
        argument: &'static str,
        /// Index of the row.
        row: usize,
        /// Norm of the row.
        norm: f64,
        /// Radius of the ball, 1/√c.
        radius: f64,
    },
    /// The mechanism does not offer what an option asks for.
    Unsupported {
        /// Name of the option.
        argument: &'static str,
        /// What refuses it.
        by: &'static str,
    },
    /// The builder was not told which attention to build.
    TypeNotSpecified,
    /// No attention type has this name.
    UnknownType {
        /// The name that was given.
        found: String,
    },
    /// A file of weights cannot be used.
    InvalidWeights {
        /// Name of the tensor at fault, or `file`.
        tensor: String,
        /// What is wrong with it.
        reason: String,
    },
    /// These bytes are not a partial state this version can read.
    InvalidState {
        /// What is wrong with them.
        reason: &'static str,
    },
    /// Two partial states belong to different computations.
    StateMismatch {
        /// What differs between them.
        field: &'static str,
    },
}

impl Error {
    /// Stable, machine-readable name of the variant.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Length { .. } => "length",
            Error::TooLarge { .. } => "too_large",
            Error::Parameter { .. } => "parameter",
            Error::AllMasked => "all_masked",
            Error::NoVisibleKey { .. } => "no_visible_key",
            Error::NonFinite { .. } => "non_finite",
            Error::Overflow { .. } => "overflow",
            Error::OutsideBall { .. } => "outside_ball",
            Error::Unsupported { .. } => "unsupported",
            Error::TypeNotSpecified => "type_not_specified",
            Error::UnknownType { .. } => "unknown_type",
            Error::InvalidWeights { .. } => "invalid_weights",
            Error::InvalidState { .. } => "invalid_state",
            Error::StateMismatch { .. } => "state_mismatch",
        }
    }

    /// The same error under the name an argument has in another signature.
    pub(crate) fn renamed(mut self, from: &'static str, to: &'static str) -> Self {
        match &mut self {
            Error::Length { argument, .. }
            | Error::TooLarge { argument }
            | Error::NonFinite { argument, .. }
            | Error::OutsideBall { argument, .. }
                if *argument == from =>
            {
                *argument = to;
            }
            _ => {}
        }
        self
    }

    /// Name of the argument at fault, as in this crate's signatures (snake_case).
    pub fn argument(&self) -> &'static str {
        match self {
            Error::Length { argument, .. }
            | Error::TooLarge { argument }
            | Error::Parameter { argument, .. }
            | Error::NonFinite { argument, .. }
            | Error::OutsideBall { argument, .. }
            | Error::Unsupported { argument, .. } => argument,
            Error::AllMasked => "mask",
            Error::NoVisibleKey { .. } => "causal",
            Error::Overflow { .. } => "output",
            Error::TypeNotSpecified | Error::UnknownType { .. } => "attention_type",
            Error::InvalidWeights { .. } => "weights",
            Error::InvalidState { .. } => "bytes",
            Error::StateMismatch { .. } => "other",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Length { argument, found, needed } => {
                write!(f, "{argument}: length {found}, needed {needed}")
            }
            Error::TooLarge { argument } => {
                write!(f, "{argument}: the result would not fit in this machine's memory")
            }
            Error::Parameter { argument, found, needed } => {
                write!(f, "{argument}: found {found}, needed {needed}")
            }
            Error::AllMasked => write!(f, "mask: all keys are masked, at least one must be true"),
            Error::NoVisibleKey { query } => {
                write!(f, "causal: query {query} sees no key, there must be at least as many keys as queries")
            }
            Error::NonFinite { argument, index } => {
                write!(f, "{argument}: element {index} is NaN or infinite")
            }
            Error::Overflow { index } => {
                write!(f, "output: element {index} is beyond the range of f32, scale the inputs down")
            }
            Error::OutsideBall { argument, row, norm, radius } => write!(
                f,
                "{argument}: row {row} has norm {norm}, outside the ball of radius {radius}; project it first"
            ),
            Error::Unsupported { argument, by } => {
                write!(f, "{argument}: not supported by {by}")
            }
            Error::TypeNotSpecified => write!(f, "Attention type not specified"),
            Error::UnknownType { found } => {
                write!(f, "attention_type: unknown attention type '{found}', one of ")?;
                for (i, name) in crate::features().iter().enumerate() {
                    write!(f, "{}{name}", if i == 0 { "" } else { ", " })?;
                }
                write!(f, ", auto")
            }
            Error::InvalidWeights { tensor, reason } => write!(f, "weights: {tensor} {reason}"),
            Error::InvalidState { reason } => write!(f, "bytes: not a partial state: {reason}"),
            Error::StateMismatch { field } => {
                write!(f, "other: belongs to another computation, its {field} differs")
            }
        }
    }
}

impl core::error::Error for Error {}
