//! How good a setting samplers find after so many trials.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use common::RunSeed;
use serde::{Deserialize, Serialize};
use sweep::{Known, Sampler, SamplerFile, SamplerKind, Setting, Suggestion};

use super::Function;

/// What a sampler found on a function.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Search {
    /// The function.
    pub function: String,
    /// The sampler.
    pub sampler: String,
    /// Least value so far less the least there is, by trial; one list a seed.
    pub regrets: Vec<Vec<f64>>,
}

impl Search {
    /// The mean over seeds after so many trials, with its standard error.
    #[must_use]
    pub fn after(&self, trials: usize) -> (f64, f64) {
        let values: Vec<f64> = self.regrets.iter().filter_map(|seed| seed.get(trials - 1).copied()).collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance =
            values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
        (mean, (variance / count).sqrt())
    }
}

/// Every sampler of ours that suits the function.
#[must_use]
pub fn searches(function: Function, trials: usize, seeds: u64) -> Vec<Search> {
    let kinds = [
        ("random", SamplerKind::Random),
        ("sobol", SamplerKind::Sobol),
        ("tpe", SamplerKind::Tpe),
        ("cma_es", SamplerKind::CmaEs),
    ];
    let search = |(name, kind): (&str, SamplerKind)| Search {
        function: function.name().to_owned(),
        sampler: name.to_owned(),
        regrets: (1..=seeds).map(|seed| search(function, kind, trials, seed)).collect(),
    };
    kinds.into_iter().map(search).collect()
}

fn search(function: Function, kind: SamplerKind, trials: usize, seed: u64) -> Vec<f64> {
    let mut sampler = Sampler::new(&SamplerFile { kind, ..SamplerFile::default() }, RunSeed(seed));
    let space = function.space();
    let mut tried: Vec<(Setting, f64)> = Vec::new();
    let mut ranks: Vec<u32> = Vec::new();
    let mut best = f64::INFINITY;
    let mut regrets = Vec::new();
    for _ in 0..trials {
        let known: Vec<Known<'_>> = tried
            .iter()
            .zip(&ranks)
            .map(|((setting, _), rank)| Known { setting, rank: Some(*rank), is_suggested: true })
            .collect();
        let Ok(Suggestion::Setting(setting)) = sampler.suggest(&space, &known, None) else { break };
        let value = function.regret(&setting);
        // The new trial moves all that are worse by one.
        let rank = tried.iter().filter(|(_, other)| *other <= value).count() as u32;
        ranks.iter_mut().filter(|other| **other >= rank).for_each(|other| *other += 1);
        ranks.push(rank);
        tried.push((setting, value));
        best = best.min(value);
        regrets.push(best);
    }
    regrets
}

/// The same by Optuna, in the Python of a virtual environment made as `bench/peers/sweep/README.md` says.
///
/// # Errors
/// Where the peer cannot be started or fails.
pub fn peer_searches(
    python: &Path,
    script: &Path,
    function: Function,
    trials: usize,
    seeds: u64,
) -> anyhow::Result<Vec<Search>> {
    let arguments = ["search".to_owned(), function.name().to_owned(), trials.to_string(), seeds.to_string()];
    let output = Command::new(python).arg(script).args(arguments).output();
    let output = output.with_context(|| format!("{} cannot be started", python.display()))?;
    ensure!(output.status.success(), "the peer failed: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout)?;
    lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
