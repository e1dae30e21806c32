//! Dropout of attention weights during training (D36).

use crate::kernels::rows::Pick;

/// Drops weights with this probability, by a function of the seed and of each weight's place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    pub probability: f64,
    pub seed: u64,
}

impl Dropout {
    /// Factor of one weight: 0 where it is dropped, else 1/(1 − p). A function of its place alone, so that the
    /// order of evaluation does not matter.
    fn factor(&self, stream: u64, key: usize) -> f32 {
        let place = mix(self.seed ^ mix(stream)).wrapping_add(key as u64);
        let uniform = (mix(place) >> 11) as f64 / (1_u64 << 53) as f64;
        if uniform < self.probability {
            0.0
        } else {
            (1.0 / (1.0 - self.probability)) as f32
        }
    }

    /// Drops and rescales the weights of the picked keys.
    pub fn apply(&self, stream: u64, pick: Pick<'_>, weights: &mut [f32]) {
        for (i, weight) in weights.iter_mut().enumerate() {
            *weight *= self.factor(stream, pick.row(i));
        }
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014) after its increment.
pub(crate) fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
