//! The command line: what there is to say, and who does it.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{benchmark, compute, features, serve};
use crate::config::Sources;
use crate::error::Result;
use crate::logging::{self, Style};

/// Attention mechanisms: compute with files of numbers, measure, convert and serve.
#[derive(Parser, Debug)]
#[command(name = "ruvector-attention", version, arg_required_else_help = true, max_term_width = 80)]
pub struct Arguments {
    /// Say more on stderr: log level debug.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Read this configuration file.
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Attend from queries to keys and values read from files.
    Compute(compute::Arguments),
    /// Measure mechanisms on random data.
    Benchmark(benchmark::Arguments),
    /// Answer requests over HTTP.
    Serve(serve::Arguments),
    /// List the mechanisms.
    Features(features::Arguments),
}

/// Reads the configuration, starts logging, runs the command.
pub fn dispatch(arguments: &Arguments) -> Result<()> {
    let mut sources = Sources::of_process(arguments.config.as_deref());
    sources.flag("logging.level", arguments.verbose.then_some("debug"));
    let mut style = Style::Plain;
    match &arguments.command {
        Command::Compute(given) => given.set(&mut sources),
        Command::Serve(given) => {
            given.set(&mut sources);
            style = Style::Dated;
        }
        Command::Benchmark(_) | Command::Features(_) => {}
    }
    let config = sources.load()?;
    logging::start(&config.logging, style);
    match &arguments.command {
        Command::Compute(given) => compute::run(given, &config),
        Command::Benchmark(given) => benchmark::run(given, &config),
        Command::Serve(given) => serve::run(given, &config),
        Command::Features(given) => features::run(given),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Arguments::command().debug_assert();
    }
}
