#![no_main]
//! Any text as a configuration file: settings or faults.

use libfuzzer_sys::fuzz_target;
use ruvector_attention_cli::config::from_text;

fuzz_target!(|text: &str| {
    let _ = from_text(text);
});
