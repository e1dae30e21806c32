//! The command line: what there is to say, and who does it.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{benchmark, compute, config as settings, convert, features, generate, repl, serve};
use crate::config::Sources;
use crate::error::Result;
use crate::logging::{self, Style};

/// Attention mechanisms: compute with files of numbers, measure, convert and serve.
#[derive(Parser, Debug)]
#[command(name = "ruvector-attention", version, arg_required_else_help = true, max_term_width = 80, after_help = AFTER)]
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
    /// Write the numbers of a tensor file in another format.
    Convert(convert::Arguments),
    /// Answer requests over HTTP.
    Serve(serve::Arguments),
    /// Load tensors, compute, compare and save, line by line.
    Repl(repl::Arguments),
    /// Show the settings and where they come from, or write a file of them.
    Config(settings::Arguments),
    /// List the mechanisms.
    Features(features::Arguments),
    /// Print the completions of a shell.
    Completions(generate::Completions),
    /// Print the manual page.
    Man(generate::Man),
}

const AFTER: &str = "\
Exit codes:
  0  done
  1  an input could not be read, or is not what its format promises
  2  wrong usage or configuration
  3  the computation was refused: shapes, ranges, numbers that are not finite
  4  the output could not be written
  5  slower than --baseline allows
  6  not in this build of the program
  7  the server failed

Settings: a flag, else RUVECTOR_<SECTION>_<KEY>, else the configuration file,
else the default; 'ruvector-attention config show' prints them. NO_COLOR is
honoured.";

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
        Command::Benchmark(given) => given.set(&mut sources),
        // These need no settings, so wrong ones are not in their way.
        Command::Features(given) => return features::run(given),
        Command::Completions(given) => return generate::completions(given),
        Command::Man(given) => return generate::man(given),
        Command::Convert(_) | Command::Repl(_) | Command::Config(_) => {}
    }
    let config = match &arguments.command {
        // It is how wrong settings are replaced.
        Command::Config(given) if !given.reads() => Sources::default().load()?,
        _ => sources.load()?,
    };
    logging::start(&config.logging, style);
    match &arguments.command {
        Command::Compute(given) => compute::run(given, &config),
        Command::Benchmark(given) => benchmark::run(given, &config),
        Command::Convert(given) => convert::run(given),
        Command::Serve(given) => serve::run(given, &config),
        Command::Repl(given) => repl::run(given, &config),
        Command::Config(given) => settings::run(given, &sources),
        Command::Features(_) | Command::Completions(_) | Command::Man(_) => Ok(()),
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
