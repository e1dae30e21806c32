//! `features`: the mechanisms this program knows.

use crate::error::Result;
use crate::format;

/// List the mechanisms.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
}

/// Prints one name a line, or a JSON array.
pub fn run(given: &Arguments) -> Result<()> {
    let names = attention::features();
    let text = if given.json {
        format!("{}\n", serde_json::json!(names))
    } else {
        names.iter().map(|name| format!("{name}\n")).collect()
    };
    format::write_stdout(text.as_bytes())
}
