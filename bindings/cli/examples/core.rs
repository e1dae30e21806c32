//! One call of the core on raw float32 files, for comparison with `ruvector-attention compute`:
//! `core QUERY KEYS VALUES DIM` prints the milliseconds of the call alone.

use std::time::Instant;

// The program's own: where numbers lie in memory makes a difference of a tenth.
#[cfg(not(any(target_family = "wasm", target_abi = "llvm")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use attention::{Attention, Options, ScaledDotProductAttention};

fn floats(path: &str) -> std::io::Result<Vec<f32>> {
    Ok(std::fs::read(path)?.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [query, keys, values, dim] = words.as_slice() else {
        return Err("usage: core QUERY KEYS VALUES DIM".into());
    };
    let (query, keys, values) = (floats(query)?, floats(keys)?, floats(values)?);
    let attention = ScaledDotProductAttention::new(dim.parse()?)?;
    let start = Instant::now();
    let result = attention.forward_batch(&query, dim.parse()?, &keys, &values, &Options::default())?;
    println!("{}", start.elapsed().as_secs_f64() * 1e3);
    if result.iter().all(|number| number.is_finite()) {
        Ok(())
    } else {
        Err("not finite".into())
    }
}
