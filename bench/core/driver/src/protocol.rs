//! Lines of JSON: a request on standard input, an answer on standard output.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What the harness asks for.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Request {
    /// What this processor can run.
    Describe,
    /// Get everything ready that a measurement needs.
    Prepare(Box<Prepare>),
    /// Call for about `seconds`, at least once and at most `most` times.
    Run { id: String, seconds: f64, most: usize },
    /// Write the last result as little-endian `f32`.
    Result { id: String, path: PathBuf },
    /// Forget a measurement and its tensors.
    Drop { id: String },
}

/// One measurement.
#[derive(Deserialize)]
pub struct Prepare {
    pub id: String,
    /// `scaled`, `hyperbolic`, `linear`, `read` or `multiply`.
    pub mechanism: String,
    /// The loop's name for `read` and `multiply`, else the kernel's; empty: the detected kernel.
    pub way: String,
    pub threads: usize,
    pub queries: PathBuf,
    pub keys: PathBuf,
    pub values: PathBuf,
    /// `f32`, `f16` or `bf16`: the elements of keys and values.
    pub element: String,
    /// Length of a row of queries and keys.
    pub dim: usize,
    pub heads: usize,
    pub causal: bool,
    pub neighbors: Option<usize>,
}

/// What it is told.
#[derive(Serialize, Default)]
pub struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What computes, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub with: String,
    /// Nanoseconds of each call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ns: Vec<u64>,
    /// Kernels of the library that this processor can run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernels: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub multiplies: Vec<&'static str>,
    /// Floating-point operations of one call, where they are counted.
    #[serde(skip_serializing_if = "is_zero")]
    pub operations: u64,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}
