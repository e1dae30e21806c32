//! States as bytes: they come back whole, and nothing else is ever taken for one.

mod common;

use common::{Case, Random, KINDS};
use ruvector_attention::{AttentionState, Kernel, Options};

fn states() -> Vec<AttentionState> {
    let mut out = Vec::new();
    for kind in KINDS {
        for causal in [false, true] {
            for neighbors in [None, Some(2)] {
                if neighbors.is_some() && kind.is_linear() {
                    continue;
                }
                for n in [0, 1, 2, 7] {
                    let case = Case::random(kind, 3, 3, n.max(1), 3, 2);
                    let options = Options { neighbors, causal, ..Options::default() };
                    let attention = kind.build(case.dim, Kernel::detect());
                    let mut state =
                        attention.stream(&case.queries, case.dim, case.value_dim, &options).unwrap();
                    if n > 0 {
                        case.push(&mut state, None, 0, n);
                    }
                    out.push(state);
                }
            }
        }
    }
    out
}

/// The checksum of the format, so that a changed body gets past it.
fn seal(body: &[u8]) -> Vec<u8> {
    let hash = body.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    [body, &hash.to_le_bytes()].concat()
}

#[test]
fn they_come_back_whole() {
    for state in states() {
        let bytes = state.to_bytes();
        let back = AttentionState::from_bytes(&bytes).unwrap();
        assert_eq!(back.to_bytes(), bytes);
        assert_eq!(back.finish(), state.finish());
        assert_eq!((back.queries(), back.dim(), back.value_dim(), back.keys()), {
            (state.queries(), state.dim(), state.value_dim(), state.keys())
        });
        let body = &bytes[..bytes.len() - 8];
        assert_eq!(seal(body), bytes, "the format's checksum is FNV-1a");
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    for state in states().iter().step_by(7) {
        let bytes = state.to_bytes();
        for len in 0..bytes.len() {
            let error = AttentionState::from_bytes(&bytes[..len]).unwrap_err();
            assert_eq!((error.code(), error.argument()), ("invalid_state", "bytes"));
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(AttentionState::from_bytes(&flipped).is_err(), "bit {bit}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(AttentionState::from_bytes(&longer).is_err());
    }
}

/// Each impossible field, behind a valid checksum, gets its own reason.
#[test]
fn forged_fields_are_named() {
    let case = Case::random(common::Kind::ScaledDot, 1, 2, 5, 3, 2);
    let state = |neighbors| {
        let options = Options { neighbors, ..Options::default() };
        let attention = case.kind.build(case.dim, Kernel::detect());
        let mut state = attention.stream(&case.queries, case.dim, case.value_dim, &options).unwrap();
        case.push(&mut state, None, 0, 5);
        let bytes = state.to_bytes();
        bytes[..bytes.len() - 8].to_vec()
    };
    let reason = |mut body: Vec<u8>, at: usize, field: &[u8]| {
        body[at..at + field.len()].copy_from_slice(field);
        AttentionState::from_bytes(&seal(&body)).unwrap_err().to_string()
    };
    let header = 8 + 9 * 8; // magic; mechanism, parameter, m, dim, value_dim, neighbors, causal, seen, held
    let sums = header + 4 * case.queries.len();
    let size = |x: u64| x.to_le_bytes();
    assert!(reason(state(None), 0, b"rvattn\0\x02").contains("version"));
    assert!(reason(state(None), 8, &size(4)).contains("mechanism"));
    assert!(reason(state(None), 16, &1.5_f64.to_le_bytes()).contains("mechanism"));
    assert!(reason(state(None), 24, &size(0)).contains("sizes"));
    assert!(reason(state(None), 56, &size(2)).contains("options"));
    assert!(reason(state(None), 72, &size(1)).contains("holds back"));
    // No keys seen, but sums of some.
    assert!(reason(state(None), 64, &size(0)).contains("sums"));
    // The first partial's sum: less than the weight of its best key, or not a number.
    assert!(reason(state(None), sums + 8, &0.25_f64.to_le_bytes()).contains("sums"));
    assert!(reason(state(None), sums + 8, &f64::NAN.to_le_bytes()).contains("sums"));
    // More candidates than k.
    assert!(reason(state(Some(2)), sums, &size(3)).contains("candidates"));
}

/// With a valid checksum, a hostile body is refused or is a state that works; it never panics or takes memory that it
/// does not bring itself.
#[test]
fn hostile_bodies_do_no_harm() {
    let mut random = Random(99);
    let states = states();
    for round in 0..20_000 {
        let bytes = states[random.below(states.len())].to_bytes();
        let mut body = bytes[..bytes.len() - 8].to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(body.len());
            match round % 4 {
                0 => body[at] ^= 1 << random.below(8),
                1 => body[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
                2 => {
                    // A whole field of the header becomes huge or tiny.
                    let field = 8 + 8 * random.below(9);
                    let value = [0, 1, 2, u64::MAX, 1 << 40, 1 << 61][random.below(6)];
                    body[field..field + 8].copy_from_slice(&value.to_le_bytes());
                }
                _ => body.truncate(at.max(1)),
            }
        }
        if let Ok(mut state) = AttentionState::from_bytes(&seal(&body)) {
            let (n, dim, value_dim) = (2, state.dim(), state.value_dim());
            let _ = state.finish();
            if dim.max(value_dim) > 1000 {
                continue; // It does no harm; feeding it would.
            }
            let _ = state.push(&vec![0.1; n * dim], &vec![0.1; n * value_dim]);
            let _ = state.finish();
            let copy = state.clone();
            let _ = state.merge(&copy);
        }
    }
}
