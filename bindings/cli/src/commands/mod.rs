//! The commands, one a file.

pub mod benchmark;
pub mod compute;
pub mod features;
pub mod serve;
