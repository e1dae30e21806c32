//! What can go wrong, and the sentence a user reads.

use std::fmt;
use std::io;

/// Shorthand for results of this program.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a command failed.
#[derive(Debug)]
pub enum Error {
    /// An input could not be used.
    Load { what: &'static str, from: String, reason: Reason },
    /// A result could not be written.
    Save { to: String, source: io::Error },
    /// Options that do not go together.
    Usage(String),
    /// The computation was refused.
    Compute(attention::Error),
}

/// Why an input could not be used.
#[derive(Debug)]
pub enum Reason {
    /// It could not be read.
    Io(io::Error),
    /// Its content is not what its format promises.
    Content(String),
    /// Its format is not known.
    Format(String),
}

impl Error {
    /// 2 for wrong usage, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) => 2,
            _ => 1,
        }
    }
}

impl From<attention::Error> for Error {
    fn from(error: attention::Error) -> Self {
        Error::Compute(error)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Io(error) => error.fmt(f),
            Reason::Content(text) => text.fmt(f),
            Reason::Format(found) => {
                write!(f, "unknown format '{found}': the name has to end in .f32, .bin or .json")
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Load { what, from, reason } => {
                write!(f, "Failed to load {what} from {from}: {reason}")
            }
            Error::Save { to, source } => write!(f, "Failed to save output to {to}: {source}"),
            Error::Usage(text) => text.fmt(f),
            Error::Compute(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}
