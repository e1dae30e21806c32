#![no_main]

#[path = "../../core/tests/common/calls.rs"]
mod calls;

libfuzzer_sys::fuzz_target!(|data: &[u8]| calls::run(calls::ball, data, &mut calls::Tally::default()));
