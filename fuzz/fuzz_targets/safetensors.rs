#![no_main]
//! Any bytes as a .safetensors file: a tensor or an error.

use libfuzzer_sys::fuzz_target;
use ruvector_attention_cli::format::{from_bytes, Choice, Dtype, Format};

fuzz_target!(|bytes: &[u8]| {
    for dtype in [None, Some(Dtype::Byte)] {
        let choice = Choice { dtype, names: &["keys"], ..Choice::default() };
        let Ok(tensor) = from_bytes(bytes.to_vec(), Format::Safetensors, &choice) else { continue };
        let count = tensor.len();
        assert!(count <= bytes.len(), "more numbers than bytes");
        assert_eq!(tensor.load().map(|numbers| numbers.len()).ok(), Some(count));
    }
});
