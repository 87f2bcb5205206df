//! Draws from a few scores, on the CPU and in `f64`, so that the log-probabilities that an actor records are accurate.

use std::f32::consts::LN_2;

use rand::Rng;

/// How a decision is made from scores.
#[derive(Debug)]
pub(crate) enum Pick<'a, R: Rng> {
    /// The highest score, the first of equals.
    Greedy,
    /// A draw from the softmax.
    Sample(&'a mut R),
    /// The highest of scores that are Q-values.
    Best,
    /// The same, but with this probability any.
    EpsilonGreedy(&'a mut R, f64),
}

/// Picks one of `scores` (logits or Q-values, at least one) and returns its index and its log-probability, nats: under the softmax, or of
/// Q-values under what draws.
pub(crate) fn pick<R: Rng>(scores: &[f32], how: &mut Pick<'_, R>) -> (usize, f32) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let best = || scores.iter().position(|&score| score == largest).unwrap_or(0);
    let weight = |score: f32| f64::from(score - largest).exp();
    let total: f64 = scores.iter().map(|&score| weight(score)).sum();
    let place = match how {
        Pick::Greedy => best(),
        Pick::Sample(rng) => draw(scores, rng.random::<f64>() * total, weight),
        Pick::Best => return (best(), if largest.is_finite() { 0.0 } else { f32::NAN }),
        Pick::EpsilonGreedy(rng, epsilon) => {
            let place = if rng.random_bool(*epsilon) { rng.random_range(0..scores.len()) } else { best() };
            let any = *epsilon / scores.len() as f64;
            let probability = if place == best() { 1.0 - *epsilon + any } else { any };
            return (place, if largest.is_finite() { probability.ln() as f32 } else { f32::NAN });
        }
    };
    (place, (f64::from(scores[place] - largest) - total.ln()) as f32)
}

/// Picks one of `scores`, of which the last belongs to *wait*. Greedy waits where that is more probable than all options together,
/// and else takes the most probable option: many good starts, each with a small probability, do not lose to *wait*.
pub(crate) fn pick_option_or_wait<R: Rng>(scores: &[f32], how: &mut Pick<'_, R>) -> (usize, f32) {
    let (place, log_probability) = pick(scores, how);
    let wait = scores.len() - 1;
    // exp(log 0.5): a probability above one half is above all others together.
    if !matches!(how, Pick::Greedy) || place < wait || log_probability > -LN_2 || wait == 0 {
        return (place, log_probability);
    }
    let (option, _) = pick(&scores[..wait], how);
    (option, log_probability + scores[option] - scores[wait])
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
    fn q_values_are_explored_with_the_probability_that_is_recorded() {
        let scores = [0.3_f32, 2.0, -1.0, 1.9];
        assert_eq!(pick_option_or_wait::<ChaCha8Rng>(&scores, &mut Pick::Best), (1, 0.0));
        let (mut rng, draws) = (RunSeed(5).rng(Stream::Actions, 0), 40_000);
        let mut counts = [0_u32; 4];
        for _ in 0..draws {
            let (place, log_probability) =
                pick_option_or_wait(&scores, &mut Pick::EpsilonGreedy(&mut rng, 0.2));
            let expected = if place == 1 { 0.85_f32 } else { 0.05 };
            assert!((log_probability.exp() - expected).abs() < 1e-6);
            counts[place] += 1;
        }
        let fraction = |place: usize| f64::from(counts[place]) / f64::from(draws);
        assert!((fraction(1) - 0.85).abs() < 0.01 && (fraction(3) - 0.05).abs() < 0.006, "{counts:?}");
        assert!(pick::<ChaCha8Rng>(&[f32::NAN], &mut Pick::Best).1.is_nan());
    }

    #[test]
    fn greedy_waits_only_where_it_is_above_one_half() {
        let decide = |wait: f32| {
            let mut scores = vec![0.0; 20];
            scores[7] = 0.01;
            scores.push(wait);
            pick_option_or_wait::<ChaCha8Rng>(&scores, &mut Pick::Greedy)
        };
        // Wait has 20% and each start 4%.
        let (place, log_probability) = decide(5.0_f32.ln());
        assert_eq!(place, 7);
        assert!((log_probability.exp() - 0.04).abs() < 1e-3, "{log_probability}");
        assert_eq!(decide(19.0_f32.ln()).0, 7);
        let (place, log_probability) = decide(21.0_f32.ln());
        assert_eq!(place, 20);
        assert!(log_probability.exp() > 0.5);
        assert_eq!(pick_option_or_wait::<ChaCha8Rng>(&[0.3], &mut Pick::Greedy).0, 0);
    }

    #[test]
    fn greedy_takes_the_first_of_the_best() {
        let (place, _) = pick::<ChaCha8Rng>(&[0.5, 2.0, 2.0], &mut Pick::Greedy);
        assert_eq!(place, 1);
    }
}
