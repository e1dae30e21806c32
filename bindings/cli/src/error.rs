//! What can go wrong, the sentence a user reads, and the exit code of each.

use std::fmt;
use std::io;

/// Shorthand for results of this program.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a command failed.
#[derive(Debug)]
pub enum Error {
    /// An input could not be used.
    Load {
        /// What it is: query, keys, configuration, …
        what: &'static str,
        /// The file, or stdin.
        from: String,
        /// What is the matter with it.
        reason: Reason,
    },
    /// A result could not be written.
    Save {
        /// What it is: output, history, …
        what: &'static str,
        /// The file, or stdout.
        to: String,
        /// What the system said.
        source: io::Error,
    },
    /// Options that do not go together, or a value that is not allowed.
    Usage(String),
    /// What is wrong with the configuration, every fault a sentence.
    Config(Vec<String>),
    /// The computation was refused.
    Compute(attention::Error),
    /// What was measured is slower than the baseline allows.
    Slower(String),
    /// This build of the program cannot do it.
    Unavailable(&'static str),
    /// The server could not start or go on.
    Server(String),
    /// A line of a script failed.
    Line {
        /// Number of the line, from 1.
        number: usize,
        /// Why.
        source: Box<Error>,
    },
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

/// Exit codes: each belongs to one class of outcomes, and `--help` lists them.
pub mod exit {
    /// The input could not be used.
    pub const INPUT: u8 = 1;
    /// Wrong usage or configuration; the argument parser's own code.
    pub const USAGE: u8 = 2;
    /// The computation was refused.
    pub const REFUSED: u8 = 3;
    /// The output could not be written.
    pub const OUTPUT: u8 = 4;
    /// Slower than the baseline allows.
    pub const SLOWER: u8 = 5;
    /// Not in this build of the program.
    pub const UNAVAILABLE: u8 = 6;
    /// The server failed.
    pub const SERVER: u8 = 7;
}

impl Error {
    /// The exit code of this class of errors.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Load { .. } => exit::INPUT,
            Error::Usage(_) | Error::Config(_) => exit::USAGE,
            Error::Compute(_) => exit::REFUSED,
            Error::Save { .. } => exit::OUTPUT,
            Error::Slower(_) => exit::SLOWER,
            Error::Unavailable(_) => exit::UNAVAILABLE,
            Error::Server(_) => exit::SERVER,
            Error::Line { source, .. } => source.exit_code(),
        }
    }

    /// Whether whoever read our output went away: no failure of ours, and nobody to tell.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Error::Save { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<attention::Error> for Error {
    fn from(error: attention::Error) -> Self {
        Error::Compute(error)
    }
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        Reason::Io(error)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Io(error) => error.fmt(f),
            Reason::Content(text) => text.fmt(f),
            Reason::Format(found) => write!(
                f,
                "unknown format '{found}'; names end in .f32, .bin, .npy, .safetensors, .json or .csv"
            ),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Load { what, from, reason } => write!(f, "Failed to load {what} from {from}: {reason}"),
            Error::Save { what, to, source } => write!(f, "Failed to save {what} to {to}: {source}"),
            Error::Usage(text) | Error::Slower(text) | Error::Server(text) => text.fmt(f),
            Error::Config(faults) => match faults.as_slice() {
                [fault] => write!(f, "configuration: {fault}"),
                _ => {
                    write!(f, "configuration:")?;
                    faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
                }
            },
            Error::Compute(error) => error.fmt(f),
            Error::Unavailable(what) => write!(f, "{what}"),
            Error::Line { number, source } => write!(f, "line {number}: {source}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_a_code_of_its_own() {
        let load =
            Error::Load { what: "keys", from: "k.npy".into(), reason: Reason::Content("empty".into()) };
        assert_eq!(load.to_string(), "Failed to load keys from k.npy: empty");
        let codes = [
            load.exit_code(),
            Error::Config(vec!["a".into()]).exit_code(),
            Error::Compute(attention::Error::AllMasked).exit_code(),
            Error::Save { what: "output", to: "o".into(), source: io::ErrorKind::NotFound.into() }
                .exit_code(),
            Error::Slower(String::new()).exit_code(),
            Error::Unavailable("x").exit_code(),
            Error::Server(String::new()).exit_code(),
        ];
        assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7]);
        let line = Error::Line { number: 3, source: Box::new(Error::Usage("no such command".into())) };
        assert_eq!((line.exit_code(), line.to_string().as_str()), (2, "line 3: no such command"));
    }
}
