//! Threads change how long a call takes and nothing else.

mod common;

use common::{Case, Kind};
use ruvector_attention::sdk::prelude::*;
use ruvector_attention::Kernel;

const KINDS: [Kind; 5] =
    [Kind::ScaledDot, Kind::MultiHead(3), Kind::Hyperbolic(0.7), Kind::Linear, Kind::SelfRows];

/// Sizes whose work several threads share: few queries over many keys, and many queries.
fn cases(kind: Kind) -> [Case; 3] {
    [
        Case::random(kind, 1, 1, 200_000, 24, 8),
        Case::random(kind, 2, 3, 60_000, 40, 5),
        Case::random(kind, 3, 600, 1_200, 32, 17),
    ]
}

fn bits(out: &[f32]) -> Vec<u32> {
    out.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for kind in KINDS {
        for (which, case) in cases(kind).iter().enumerate() {
            let mask: Vec<bool> = (0..case.n()).map(|key| key % 7 != 3).collect();
            let options = [
                Options::default(),
                Options { causal: true, ..Options::default() },
                Options { mask: Some(&mask), ..Options::default() },
                Options { neighbors: Some(100), mask: Some(&mask), ..Options::default() },
            ];
            for options in options.iter().filter(|options| !kind.is_linear() || options.neighbors.is_none()) {
                let run = |threads| {
                    let threads = Threads::new(threads).unwrap();
                    let attention = kind.build_for(case.dim, Kernel::detect(), threads);
                    attention.forward_batch(&case.queries, case.dim, &case.keys, &case.values, options)
                };
                let one = bits(&run(1).unwrap());
                for threads in [2, 3, 5] {
                    assert_eq!(
                        bits(&run(threads).unwrap()),
                        one,
                        "{kind:?}, case {which}, {threads} threads"
                    );
                }
            }
        }
    }
}

#[test]
fn one_attention_serves_many_threads() {
    for kind in KINDS {
        let [_, case, _] = cases(kind);
        let attention = kind.build_for(case.dim, Kernel::detect(), Threads::new(2).unwrap());
        let run = || {
            let options = Options::default();
            attention.forward_batch(&case.queries, case.dim, &case.keys, &case.values, &options).unwrap()
        };
        let alone = bits(&run());
        std::thread::scope(|scope| {
            let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| bits(&run()))).collect();
            callers.into_iter().for_each(|caller| assert_eq!(caller.join().unwrap(), alone));
        });
    }
}

#[test]
fn faults_are_found_whoever_meets_them() {
    for kind in KINDS {
        for mut case in cases(kind) {
            let at = case.keys.len() - 3;
            case.keys[at] = f32::NAN;
            let attention = kind.build_for(case.dim, Kernel::detect(), Threads::new(2).unwrap());
            let options = Options::default();
            let error = attention
                .forward_batch(&case.queries, case.dim, &case.keys, &case.values, &options)
                .unwrap_err();
            assert_eq!(error, Error::NonFinite { argument: "keys", index: at }, "{kind:?}");
        }
    }
}
