//! The commands, one a file.

pub mod benchmark;
pub mod compute;
pub mod config;
pub mod convert;
pub mod features;
pub mod generate;
pub mod repl;
pub mod serve;
