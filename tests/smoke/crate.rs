// Reads the reference cases in their binary form (cases.py), computes each through the crate and writes for each a
// count (int32, negative: failed) and that many doubles. Usage: consumer CASES RESULTS

use std::error::Error;
use std::fs;

use ruvector_attention::{
    poincare, Attention, CrossAttention, HyperbolicAttention, LinearAttention, MultiHeadAttention, Options,
    ScaledDotProductAttention, SelfAttention,
};

/// What is left of the input.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take(&mut self, size: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(size);
        self.0 = rest;
        taken
    }

    fn integer(&mut self) -> i32 {
        i32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    fn size(&mut self) -> usize {
        self.integer().try_into().unwrap()
    }

    fn double(&mut self) -> f64 {
        f64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn floats(&mut self, count: usize) -> Vec<f32> {
        self.take(4 * count).chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }
}

fn run(input: &mut Input<'_>) -> Result<Vec<f64>, Box<dyn Error>> {
    let kind = input.integer();
    let [m, n, d, dv, heads] = [(); 5].map(|()| input.size());
    let neighbors = usize::try_from(input.integer()).ok();
    let causal = input.integer() != 0;
    let mask_len = input.size();
    let curvature = input.double();
    let (query, keys, values) = (input.floats(m * d), input.floats(n * d), input.floats(n * dv));
    let mask: Vec<bool> = input.take(mask_len).iter().map(|take| *take != 0).collect();
    let attention: Box<dyn Attention> = match kind {
        0 => Box::new(ScaledDotProductAttention::new(d)?),
        1 => Box::new(CrossAttention::new(d)?),
        2 => Box::new(SelfAttention::new(d)?),
        3 => Box::new(MultiHeadAttention::new(heads, d, 0.0)?),
        4 => Box::new(HyperbolicAttention::new(curvature)?),
        5 => Box::new(LinearAttention::new(d)?),
        6 => return Ok(vec![poincare::distance(&query, &keys, curvature)?]),
        7 => return Ok(widen(&poincare::to_poincare(&query, curvature)?)),
        _ => return Ok(widen(&poincare::from_poincare(&query, curvature)?)),
    };
    let mask = (mask_len > 0).then_some(mask.as_slice());
    let options = Options { neighbors, mask, causal, ..Options::default() };
    Ok(widen(&attention.forward_batch(&query, d, &keys, &values, &options)?))
}

fn widen(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|number| f64::from(*number)).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let [_, cases, results] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: consumer CASES RESULTS".into());
    };
    eprintln!("version {}", ruvector_attention::version());
    let bytes = fs::read(cases)?;
    let mut input = Input(&bytes);
    let mut out = Vec::new();
    while !input.0.is_empty() {
        let numbers = run(&mut input);
        if let Err(error) = &numbers {
            eprintln!("{error}");
        }
        let count = numbers.as_ref().map_or(-1, |numbers| numbers.len() as i32);
        out.extend(count.to_le_bytes());
        out.extend(numbers.unwrap_or_default().iter().flat_map(|number| number.to_le_bytes()));
    }
    Ok(fs::write(results, out)?)
}
