//! Draws from a few scores, on the CPU and in `f64`, so that the log-probabilities that an actor records are accurate.

use rand::Rng;

/// How a decision is made from scores.
#[derive(Debug)]
pub(crate) enum Pick<'a, R: Rng> {
    /// The highest score, the first of equals.
    Greedy,
    /// A draw from the softmax.
    Sample(&'a mut R),
}

/// Picks one of `scores` (logits, at least one) and returns its index and its log-probability under the softmax, nats.
pub(crate) fn pick<R: Rng>(scores: &[f32], how: &mut Pick<'_, R>) -> (usize, f32) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |score: f32| f64::from(score - largest).exp();
    let total: f64 = scores.iter().map(|&score| weight(score)).sum();
    let place = match how {
        Pick::Greedy => scores.iter().position(|&score| score == largest).unwrap_or(0),
        Pick::Sample(rng) => draw(scores, rng.random::<f64>() * total, weight),
    };
    (place, (f64::from(scores[place] - largest) - total.ln()) as f32)
}

fn draw(scores: &[f32], mut left: f64, weight: impl Fn(f32) -> f64) -> usize {
    let mut last_possible = 0;
    for (place, &score) in scores.iter().enumerate() {
        let weight = weight(score);
        if weight > 0.0 {
            last_possible = place;
        }
        left -= weight;
        if left < 0.0 {
            return place;
        }
    }
    last_possible
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::{RunSeed, Stream};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn draws_follow_the_softmax() {
        let scores = [0.0_f32, 1.0, 2.0, -1e9];
        let total: f64 = [0.0_f64, 1.0, 2.0].iter().map(|score| score.exp()).sum();
        let mut rng = RunSeed(3).rng(Stream::Actions, 0);
        let mut counts = [0_u32; 4];
        let draws = 60_000;
        for _ in 0..draws {
            let (place, log_probability) = pick(&scores, &mut Pick::Sample(&mut rng));
            assert!((f64::from(log_probability) - (f64::from(scores[place]) - total.ln())).abs() < 1e-6);
            counts[place] += 1;
        }
        for place in 0..3 {
            let expected = f64::from(draws) * f64::from(scores[place]).exp() / total;
            let deviation = (f64::from(counts[place]) - expected).abs() / expected.sqrt();
            assert!(deviation < 4.0, "{counts:?}");
        }
        assert_eq!(counts[3], 0);
    }

    #[test]
    fn greedy_takes_the_first_of_the_best() {
        let (place, _) = pick::<ChaCha8Rng>(&[0.5, 2.0, 2.0], &mut Pick::Greedy);
        assert_eq!(place, 1);
    }
}
