//! How much each part of the reward counts in an episode.

use common::reward::{Preference, RewardPart};
use common::{RunSeed, Stream};
use configuration::{RewardConfig, RewardMode};
use rand::Rng;

/// With limits, an episode's multiplier is the learner's times a number between 1 / e and e to this: the policy learns what multipliers
/// near by mean, so that it decides well when the learner moves on to them.
const SPREAD: f64 = 1.0;

/// The preference of an episode with this seed; `learner` is the one that came with the weights. With mode "preference" all mixtures of
/// the parts are equally likely (a flat Dirichlet distribution).
pub(crate) fn preference_of(config: &RewardConfig, learner: &Preference, episode: RunSeed) -> Preference {
    let mut rng = episode.rng(Stream::Preference, 0);
    let parts = config.weighted_parts();
    match config.mode {
        RewardMode::Fixed => Preference::default(),
        RewardMode::Preference => {
            let counts: Vec<(RewardPart, f64)> =
                parts.into_iter().map(|part| (part, -(1.0 - rng.random::<f64>()).ln())).collect();
            Preference::of(counts).unwrap_or(*learner)
        }
        RewardMode::Constrained => {
            let counts = parts.into_iter().map(|part| {
                let factor =
                    if config.is_limited(part) { rng.random_range(-SPREAD..=SPREAD).exp() } else { 1.0 };
                (part, f64::from(learner.factor(part)) * factor)
            });
            Preference::of(counts).unwrap_or(*learner)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reward(text: &str) -> RewardConfig {
        let text = format!(
            "schema = 1\nname = \"t\"\nseed = 1\n[simulator]\nscenario = \"serverless\"\n[reward]\n{text}\n"
        );
        configuration::parse(&text, "test", &[]).unwrap().reward
    }

    #[test]
    fn fixed_weights_count_as_they_are() {
        let fixed = reward("latency = 0.8\ncost = 2.0");
        assert_eq!(preference_of(&fixed, &Preference::default(), RunSeed(1)), Preference::default());
    }

    #[test]
    fn drawn_preferences_add_up_to_one_and_cover_all_mixtures() {
        let drawn = reward("mode = \"preference\"\nlatency = 1.0\nidle_memory = 0.1");
        let latency: Vec<f32> = (0..2000)
            .map(|seed| preference_of(&drawn, &Preference::default(), RunSeed(seed)))
            .inspect(|preference| assert!((preference.factors().iter().sum::<f32>() - 1.0).abs() < 1e-6))
            .map(|preference| preference.factor(RewardPart::Latency))
            .collect();
        // Of two parts each is uniform from 0 to 1.
        let mean = latency.iter().sum::<f32>() / 2000.0;
        let below = latency.iter().filter(|factor| **factor < 0.1).count();
        assert!((mean - 0.5).abs() < 0.03 && (140..260).contains(&below), "{mean} {below}");
    }

    #[test]
    fn multipliers_are_drawn_around_the_learners() {
        let limited = reward(
            "mode = \"constrained\"\nlatency = 1.0\nidle_memory = 0.1\nlimits.idle_memory = { at_most = 1.0, of = \"sjf\" }",
        );
        let learner = limited.preference_at(|_| 3.0);
        let multipliers: Vec<f32> = (0..2000)
            .map(|seed| preference_of(&limited, &learner, RunSeed(seed)))
            .map(|one| one.factor(RewardPart::IdleMemory) / one.factor(RewardPart::Latency))
            .collect();
        let logarithms = multipliers.iter().map(|one| (one / 3.0).ln());
        assert!(logarithms.clone().all(|one| one.abs() <= 1.001));
        assert!((logarithms.sum::<f32>() / 2000.0).abs() < 0.05);
    }
}
