#![no_main]
//! Any lines in the repl, except those that touch files or take their time.

use libfuzzer_sys::fuzz_target;
use ruvector_attention_cli::commands::repl::Session;
use ruvector_attention_cli::config::Sources;

fuzz_target!(|text: &str| {
    let config = Sources::default().load();
    let Ok(mut session) = config.and_then(|config| Session::new(&config)) else { return };
    for line in text.lines().take(20) {
        if ["load", "save", "time", "num_threads"].iter().all(|word| !line.contains(word)) {
            let _ = session.answer(line);
        }
    }
});
