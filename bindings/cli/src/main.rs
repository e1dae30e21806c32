//! `ruvector-attention`: attention from the command line.
//!
//! Results go to stdout or to `--output`, messages to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage.

mod commands;
mod error;
mod format;
mod mechanism;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{benchmark, compute, features};

// Faster than the system's; see Cargo.toml for where it is not used.
#[cfg(not(any(target_family = "wasm", target_abi = "llvm")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Attention mechanisms: compute with files of numbers, and measure.
#[derive(Parser)]
#[command(name = "ruvector-attention", version, arg_required_else_help = true)]
struct Arguments {
    /// Say more on stderr.
    #[arg(short, long, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Attend from queries to keys and values read from files.
    Compute(compute::Arguments),
    /// Measure mechanisms on random data.
    Benchmark(benchmark::Arguments),
    /// List the mechanisms.
    Features(features::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::Compute(given) => compute::run(given, arguments.verbose),
        Command::Benchmark(given) => benchmark::run(given, arguments.verbose),
        Command::Features(given) => features::run(given),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
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
