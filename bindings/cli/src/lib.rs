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

/// Columns of a line on a terminal.
pub const WIDTH: usize = 80;

/// Tells an error; on a terminal in colour and in lines that fit.
fn report(error: &error::Error) {
    use std::io::IsTerminal;
    let style = anstyle::AnsiColor::Red.on_default().bold();
    let mut text = format!("error: {error}");
    if std::io::stderr().is_terminal() {
        text = text.lines().map(|line| wrapped(line, WIDTH)).collect::<Vec<_>>().join("\n");
    }
    let text = text.strip_prefix("error:").unwrap_or(&text);
    anstream::eprintln!("{style}error:{style:#}{text}");
}

/// A line broken at its blanks; its indentation stays, and so does a word that is too long.
fn wrapped(line: &str, width: usize) -> String {
    let words = line.trim_start();
    let mut text = line.strip_suffix(words).unwrap_or_default().to_owned();
    let mut column = text.len();
    for (index, word) in words.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > width {
            text += "\n  ";
            column = 2;
        } else if index > 0 {
            text.push(' ');
            column += 1;
        }
        text += word;
        column += length;
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_are_broken_at_blanks() {
        assert_eq!(super::wrapped("a bc def", 5), "a bc\n  def");
        assert_eq!(super::wrapped("  a longer word", 9), "  a\n  longer\n  word");
        assert_eq!(super::wrapped("unbreakable", 5), "unbreakable");
    }
}
