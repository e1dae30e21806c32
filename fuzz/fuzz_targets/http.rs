#![no_main]
//! Any bytes as the body of a request, in every form and with any query string: a result or a refusal.

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use ruvector_attention_cli::config::Sources;
use ruvector_attention_cli::mechanism::Parameters;
use ruvector_attention_cli::server::call::Limits;
use ruvector_attention_cli::server::forms::Form;
use ruvector_attention_cli::server::requests::{read, Defaults, Source};

static DEFAULTS: OnceLock<Defaults> = OnceLock::new();

fn defaults() -> Defaults {
    let config = Sources::default().load().expect("the defaults are right");
    let parameters = Parameters::of(&config).expect("the defaults are right");
    Defaults { mechanism: config.attention.default_type, hidden_dim: None, parameters }
}

// The first byte chooses form and route, the rest of the first line is the query string, what follows the body.
fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (Ok(options), body) = (std::str::from_utf8(&rest[..end]), &rest[(end + 1).min(rest.len())..]) else { return };
    let form = Form::ALL[usize::from(choice % 3)];
    let many = choice & 4 != 0;
    let limits = Limits { queries: 64, bytes: 1 << 16 };
    let answer = read(Source { form, options, many }, body.into(), DEFAULTS.get_or_init(defaults), &limits)
        .and_then(|call| call.run(&mut Default::default())?.encode(form, many));
    match answer {
        // Numbers, each of 4 bytes or a few digits, and what stands around them.
        Ok(bytes) => assert!(bytes.len() <= (1 << 16) * 8),
        Err(refusal) => {
            assert!(matches!(refusal.status.as_u16(), 400 | 413 | 422), "{refusal:?}");
            assert!(!refusal.message.is_empty());
        }
    }
});
