//! The score by which checkpoints are compared, from what was played on the validation seeds.

use std::collections::BTreeMap;

use common::reward::{Preference, RewardPart};
use configuration::{LimitConfig, RewardConfig, RewardMode};

/// Weight in the score of jobs dropped beyond those that the yardstick drops.
const DROP_WEIGHT: f64 = 5.0;
/// Weight in the score of the logarithm by which a limit is exceeded: what holds its limits is nearly always before what does not.
const LIMIT_WEIGHT: f64 = 5.0;
/// A limit that is exceeded by no more than this factor counts as held.
const TOLERATED: f64 = 1.05;
/// A part that came to less than this fraction of the yardstick's counts as if it were this.
const LEAST: f64 = 1e-3;

/// A policy's result on the validation seeds.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// By which checkpoints are compared; lower is better, 0 equals shortest job first.
    pub score: f64,
    /// The primary figure of the scenario, averaged over its points.
    pub slowdown: f64,
    /// Every figure by its name, for the logs.
    pub figures: Vec<(String, f64)>,
    /// Of each limited part of the reward what it came to, as a multiple of its limit; 1 is at the limit.
    pub of_limits: BTreeMap<RewardPart, f64>,
}

impl Score {
    /// Whether a limit is exceeded by more than 5%.
    #[must_use]
    pub fn breaks_limits(&self) -> bool {
        self.of_limits.values().any(|of_limit| *of_limit > TOLERATED)
    }
}

/// One point of the validation: its name, the figures whose logarithms are averaged, and the fraction dropped.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) name: String,
    pub(crate) slowdowns: Vec<f64>,
    pub(crate) dropped: f64,
    /// What each part of the reward came to, where weights are not fixed.
    pub(crate) parts: BTreeMap<RewardPart, f64>,
}

/// The metric that shows what a part of the reward came to; lower is better.
pub(crate) fn metric_of(part: RewardPart) -> Option<&'static str> {
    match part {
        RewardPart::Latency => Some("slowdown_mean"),
        RewardPart::Fairness => Some("slowdown"),
        RewardPart::Slo => Some("slo_violations"),
        RewardPart::Cost => Some("cost_usd"),
        RewardPart::IdleMemory => Some("idle_gb_seconds"),
        RewardPart::ColdStarts => Some("cold_start_rate"),
        RewardPart::Utilisation => None,
    }
}

/// What results are judged by.
pub(crate) struct Judge<'a> {
    pub(crate) reward: &'a RewardConfig,
    /// What was played with.
    pub(crate) preference: Preference,
    pub(crate) yardstick: &'a [Point],
    /// The points of each rule that a limit names.
    pub(crate) rules: &'a BTreeMap<String, Vec<Point>>,
}

impl Judge<'_> {
    /// Mean over the points of the logarithm of what is minimised over the yardstick's, plus what is dropped beyond it and what limits are
    /// exceeded by.
    pub(crate) fn score(&self, points: &[Point]) -> Score {
        let mut score = Score::default();
        for (point, reference) in points.iter().zip(self.yardstick) {
            let more_dropped = (point.dropped - reference.dropped).max(0.0);
            score.score += self.relative(point, reference) + DROP_WEIGHT * more_dropped;
            score.slowdown += point.slowdowns[0];
            score.figures.extend(figures(point));
        }
        let count = points.len().max(1) as f64;
        score.score /= count;
        score.slowdown /= count;
        score.of_limits =
            self.reward.limits().into_iter().map(|limit| self.of_limit(points, limit)).collect();
        for (part, of_limit) in &score.of_limits {
            score.score += LIMIT_WEIGHT * of_limit.max(LEAST).ln().max(0.0);
            score.figures.push((format!("eval/of_limit/{}", part.name()), *of_limit));
        }
        score.figures.push(("eval/slowdown_mean".to_owned(), score.slowdown));
        score.figures.push(("eval/score".to_owned(), score.score));
        score
    }

    /// The logarithm of what is minimised over the yardstick's: of the slowdowns alike, or of the parts as they count.
    fn relative(&self, point: &Point, reference: &Point) -> f64 {
        if self.reward.mode == RewardMode::Fixed {
            let pairs = point.slowdowns.iter().zip(&reference.slowdowns);
            let total: f64 = pairs.map(|(mine, theirs)| (mine / theirs).ln()).sum();
            return total / point.slowdowns.len() as f64;
        }
        let (mut sum, mut total) = (0.0, 0.0);
        for (part, figure) in point.parts.iter().filter(|(part, _)| !self.reward.is_limited(**part)) {
            let factor = f64::from(self.preference.factor(*part));
            let reference = reference.parts[part];
            // Where the yardstick has nothing of a part, nothing can be said of it.
            let ratio = if reference > 0.0 { (figure / reference).max(LEAST) } else { 1.0 };
            sum += factor * ratio.ln();
            total += factor;
        }
        if total > 0.0 { sum / total } else { 0.0 }
    }

    /// What a limited part came to over all points, as a multiple of its limit.
    fn of_limit(&self, points: &[Point], (part, limit): (RewardPart, &LimitConfig)) -> (RewardPart, f64) {
        let sum = |points: &[Point]| points.iter().map(|point| point.parts[&part]).sum::<f64>();
        let unit = self.rules.get(&limit.of).map_or(points.len() as f64, |rule| sum(rule));
        (part, sum(points) / (limit.at_most * unit))
    }
}

fn figures(point: &Point) -> Vec<(String, f64)> {
    let mut figures = vec![
        (format!("eval/slowdown/{}", point.name), point.slowdowns[0]),
        (format!("eval/dropped/{}", point.name), point.dropped),
    ];
    figures
        .extend(point.slowdowns.get(1).map(|guard| (format!("eval/slowdown_guard/{}", point.name), *guard)));
    let parts = point.parts.iter();
    figures.extend(parts.map(|(part, figure)| (format!("eval/{}/{}", part.name(), point.name), *figure)));
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(slowdown: f64, idle: f64) -> Point {
        Point {
            name: "load_70".to_owned(),
            slowdowns: vec![slowdown, slowdown],
            dropped: 0.0,
            parts: BTreeMap::from([(RewardPart::Latency, slowdown), (RewardPart::IdleMemory, idle)]),
        }
    }

    fn reward(text: &str) -> RewardConfig {
        toml::from_str(&format!("latency = 1.0\nidle_memory = 0.1\n{text}")).unwrap()
    }

    fn score(text: &str, played: &Point) -> Score {
        let reward = reward(text);
        let preference = reward.preference_at(|_| 1.0);
        let (yardstick, rules) =
            ([point(2.0, 100.0)], BTreeMap::from([("sjf".to_owned(), vec![point(2.0, 100.0)])]));
        Judge { reward: &reward, preference, yardstick: &yardstick, rules: &rules }
            .score(std::slice::from_ref(played))
    }

    #[test]
    fn a_limit_counts_only_where_it_is_exceeded() {
        let limits = "mode = \"constrained\"\nlimits.idle_memory = { at_most = 1.0, of = \"sjf\" }";
        let held = score(limits, &point(1.0, 90.0));
        assert!(
            (held.score - 0.5_f64.ln()).abs() < 1e-3
                && (held.of_limits[&RewardPart::IdleMemory] - 0.9).abs() < 1e-9
        );
        let exceeded = score(limits, &point(1.0, 120.0));
        assert!((exceeded.score - held.score - LIMIT_WEIGHT * 1.2_f64.ln()).abs() < 1e-9);
        let number = "mode = \"constrained\"\nlimits.idle_memory = { at_most = 60.0 }";
        assert!((score(number, &point(1.0, 90.0)).of_limits[&RewardPart::IdleMemory] - 1.5).abs() < 1e-9);
    }

    #[test]
    fn with_a_preference_every_part_counts_and_with_fixed_weights_the_slowdowns() {
        let half = score("mode = \"preference\"", &point(1.0, 200.0));
        assert!(half.score.abs() < 1e-3, "{}", half.score);
        let fixed = score("mode = \"fixed\"", &point(1.0, 200.0));
        assert!((fixed.score - 0.5_f64.ln()).abs() < 1e-9);
    }
}
