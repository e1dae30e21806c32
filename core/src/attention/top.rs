//! Selection of the best scores, without sorting.

use alloc::vec::Vec;

/// Places of the k largest scores, ascending; ties go to the lower place, a NaN counts as largest so that it reaches
/// the result and is found there. `ranks` is a buffer.
///
/// Selects the k-th largest without sorting, then passes once over the scores: O(n).
pub(crate) fn best_places(scores: &[f32], k: usize, places: &mut Vec<usize>, ranks: &mut Vec<i32>) {
    places.clear();
    if k == 0 || k >= scores.len() {
        places.extend(0..scores.len().min(k));
        return;
    }
    ranks.clear();
    ranks.extend(scores.iter().map(|&score| rank(score)));
    let (_, &mut threshold, better) = ranks.select_nth_unstable(scores.len() - k);
    let mut ties = k - better.iter().filter(|&&rank| rank > threshold).count();
    for (place, &score) in scores.iter().enumerate() {
        let rank = rank(score);
        if rank > threshold {
            places.push(place);
        } else if rank == threshold && ties > 0 {
            ties -= 1;
            places.push(place);
        }
    }
}

/// An integer that orders as the scores do: the bits of a positive float ascend, those of a negative one descend.
fn rank(score: f32) -> i32 {
    if score.is_nan() {
        return i32::MAX;
    }
    let bits = score.to_bits() as i32;
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

#[cfg(test)]
mod tests {
    use super::best_places;
    use alloc::vec::Vec;

    #[test]
    fn the_best_places_are_those_of_a_stable_sort() {
        let some =
            [0.5, -0.5, f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.5, 1e-40, -1e-40, 3.0, 0.0];
        let (mut places, mut ranks) = (Vec::new(), Vec::new());
        for n in 0..60 {
            // Few different values, so that there are ties.
            let scores: Vec<f32> = (0..n).map(|i| some[(i * i * 7 + i * 3 + n) % some.len()]).collect();
            let mut sorted: Vec<usize> = (0..n).collect();
            let key = |i: &usize| if scores[*i].is_nan() { f32::NAN.abs() } else { scores[*i] };
            sorted.sort_by(|a, b| key(b).total_cmp(&key(a)));
            for k in 0..=n + 1 {
                let mut expected = sorted[..k.min(n)].to_vec();
                expected.sort_unstable();
                best_places(&scores, k, &mut places, &mut ranks);
                assert_eq!(places, expected, "n = {n}, k = {k}");
            }
        }
    }
}
