//! Samplers: what they promise, and how well they search, beside random search.

use std::f64::consts::PI;

use serde_json::{Value, json};

use super::*;
use crate::space::{Parameter, Range};

fn parameter(key: &str, range: Range) -> Parameter {
    Parameter { key: key.to_owned(), range, only_if: None }
}

fn sampler(kind: SamplerKind, seed: u64) -> Sampler {
    Sampler::new(&SamplerFile { kind, ..SamplerFile::default() }, RunSeed(seed))
}

fn number(setting: &Setting, key: &str) -> f64 {
    setting[key].as_f64().unwrap()
}

/// The least value that `trials` trials find; each is told at once.
fn least(sampler: &mut Sampler, space: &Space, trials: usize, function: impl Fn(&Setting) -> f64) -> f64 {
    let mut tried: Vec<(Setting, f64)> = Vec::new();
    for _ in 0..trials {
        let Suggestion::Setting(setting) = sampler.suggest(space, &known(&tried), None).unwrap() else {
            break;
        };
        let value = function(&setting);
        tried.push((setting, value));
    }
    tried.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min)
}

fn known(tried: &[(Setting, f64)]) -> Vec<Known<'_>> {
    let mut order: Vec<usize> = (0..tried.len()).collect();
    order.sort_by(|&one, &other| tried[one].1.total_cmp(&tried[other].1));
    let mut ranks = vec![0; tried.len()];
    order.iter().zip(0..).for_each(|(place, rank)| ranks[*place] = rank);
    let ranked = tried.iter().zip(ranks);
    ranked.map(|((setting, _), rank)| Known { setting, rank: Some(rank), is_suggested: true }).collect()
}

fn branin_space() -> Space {
    Space {
        parameters: vec![
            parameter("x", Range::Uniform(-5.0, 10.0)),
            parameter("y", Range::Uniform(0.0, 15.0)),
        ],
    }
}

/// Its least value is 0.398.
fn branin(setting: &Setting) -> f64 {
    let (x, y) = (number(setting, "x"), number(setting, "y"));
    let curve = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
    curve * curve + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x.cos() + 10.0
}

/// A space with a condition, a word and a whole number; the least value is 0.
fn mixed_space() -> Space {
    let words = vec![json!("low"), json!("high")];
    Space {
        parameters: vec![
            parameter("kind", Range::Choice(words)),
            parameter("count", Range::LogInteger(1, 256)),
            Parameter {
                only_if: Some((0, vec![json!("high")])),
                ..parameter("rate", Range::LogUniform(1e-5, 1.0))
            },
        ],
    }
}

fn mixed(setting: &Setting) -> f64 {
    let count = (number(setting, "count") / 32.0).ln().powi(2);
    match setting.get("rate") {
        Some(rate) => count + (rate.as_f64().unwrap() / 3e-3).ln().powi(2) / 4.0,
        None => count + 2.0,
    }
}

fn mean_of_seeds(kind: SamplerKind, space: &Space, trials: usize, function: fn(&Setting) -> f64) -> f64 {
    let of_seed = |seed| least(&mut sampler(kind, seed), space, trials, function);
    (1..=10).map(of_seed).sum::<f64>() / 10.0
}

#[test]
fn models_find_better_settings_than_chance() {
    for (kind, space, trials, function, part) in [
        (SamplerKind::Tpe, branin_space(), 60, branin as fn(&Setting) -> f64, 0.8),
        (SamplerKind::Tpe, mixed_space(), 60, mixed, 0.6),
        (SamplerKind::CmaEs, branin_space(), 90, branin, 0.8),
    ] {
        let found = mean_of_seeds(kind, &space, trials, function);
        let by_chance = mean_of_seeds(SamplerKind::Random, &space, trials, function);
        let least = if space == branin_space() { 0.3979 } else { 0.0 };
        assert!(found - least < part * (by_chance - least), "{kind:?}: {found} beside {by_chance}");
    }
}

#[test]
fn the_same_history_gives_the_same_suggestion_whoever_asks() {
    for kind in
        [SamplerKind::Random, SamplerKind::Sobol, SamplerKind::Tpe, SamplerKind::CmaEs, SamplerKind::Grid]
    {
        let space = branin_space();
        let mut lasting = sampler(kind, 7);
        let mut tried: Vec<(Setting, f64)> = Vec::new();
        for _ in 0..25 {
            let told = known(&tried);
            let suggestion = lasting.suggest(&space, &told, None).unwrap();
            // One that was just made, as by a coordinator that was started again.
            assert_eq!(sampler(kind, 7).suggest(&space, &told, None).unwrap(), suggestion, "{kind:?}");
            let Suggestion::Setting(setting) = suggestion else { panic!("{kind:?} ends") };
            let value = branin(&setting);
            tried.push((setting, value));
        }
    }
}

#[test]
fn running_trials_are_not_suggested_again() {
    let space =
        Space { parameters: vec![parameter("word", Range::Choice((0..6).map(Value::from).collect()))] };
    for kind in [SamplerKind::Random, SamplerKind::Tpe, SamplerKind::Sobol, SamplerKind::Grid] {
        let mut sampler = sampler(kind, 3);
        let mut settings: Vec<Setting> = Vec::new();
        for _ in 0..6 {
            let running: Vec<Known<'_>> =
                settings.iter().map(|setting| Known { setting, rank: None, is_suggested: true }).collect();
            let Suggestion::Setting(setting) = sampler.suggest(&space, &running, None).unwrap() else {
                panic!("{kind:?} ends")
            };
            assert!(!settings.contains(&setting), "{kind:?}");
            settings.push(setting);
        }
        let all: Vec<Known<'_>> =
            settings.iter().map(|setting| Known { setting, rank: None, is_suggested: true }).collect();
        assert_eq!(sampler.suggest(&space, &all, None).unwrap(), Suggestion::Exhausted, "{kind:?}");
    }
}

#[test]
fn a_grid_has_every_combination_once() {
    let mut tried: Vec<(Setting, f64)> = Vec::new();
    let mut grid = sampler(SamplerKind::Grid, 1);
    while let Suggestion::Setting(setting) = grid.suggest(&mixed_space(), &known(&tried), None).unwrap() {
        tried.push((setting, 0.0));
    }
    // Five counts without a rate; with it five rates for each.
    assert_eq!(tried.len(), 5 + 5 * 5);
    assert!(tried.iter().any(|(setting, _)| setting.get("rate") == Some(&json!(1e-5))));
}

#[test]
fn a_generation_waits_for_the_one_before() {
    let space = branin_space();
    let mut cma_es = sampler(SamplerKind::CmaEs, 1);
    let mut settings = Vec::new();
    for _ in 0..6 {
        let running: Vec<Known<'_>> =
            settings.iter().map(|setting| Known { setting, rank: None, is_suggested: true }).collect();
        let Suggestion::Setting(setting) = cma_es.suggest(&space, &running, None).unwrap() else {
            panic!("a generation has six")
        };
        settings.push(setting);
    }
    let ranked = |last: Option<u32>| -> Vec<Known<'_>> {
        let rank = |place: usize| if place == 5 { last } else { Some(place as u32) };
        let one = |(place, setting)| Known { setting, rank: rank(place), is_suggested: true };
        settings.iter().enumerate().map(one).collect()
    };
    assert_eq!(cma_es.suggest(&space, &ranked(None), None).unwrap(), Suggestion::Wait);
    assert!(matches!(cma_es.suggest(&space, &ranked(Some(5)), None).unwrap(), Suggestion::Setting(_)));
}

#[test]
fn a_sobol_sequence_leaves_no_gaps() {
    let space = branin_space();
    let points: Vec<Vec<f64>> = (0..64).map(|index| sobol(&space, RunSeed(5), index)).collect();
    for dimension in 0..2 {
        let mut eighths = [0; 8];
        points.iter().for_each(|point| eighths[(point[dimension] * 8.0) as usize] += 1);
        assert_eq!(eighths, [8; 8]);
    }
}
