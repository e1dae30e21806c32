//! The parts of the program `ruvector-attention`, for its own tests and fuzzers; not an interface to build on.
//!
//! Results go to stdout or to `--output`, messages to stderr. [`error::exit`] has the exit codes.

pub mod cli;
pub mod commands;
pub mod config;
pub mod error;
pub mod format;
pub mod logging;
pub mod mechanism;
pub mod progress;
#[cfg(not(target_family = "wasm"))]
pub mod server;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::Parser;

/// Runs a command line, the program's name first; the only place that reports errors.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match cli::Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nobody to tell if it cannot be printed.
            let _ = error.print();
            let shown = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if shown { 0 } else { error::exit::USAGE });
        }
    };
    match cli::dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Tells an error, in colour where stderr shows it.
fn report(error: &error::Error) {
    let style = anstyle::AnsiColor::Red.on_default().bold();
    anstream::eprintln!("{style}error:{style:#} {error}");
}
