//! The state of a study: a fold over its journal, and nothing else. A coordinator that was killed has the same state again.

use std::collections::{BTreeMap, BTreeSet};

use crate::SweepError;
use crate::entry::{CopiedFrom, End, Entry, Origin, RunId};
use crate::journal::Timed;
use crate::outcome::{Outcome, best_first, mean, of_run};
use crate::space::Setting;
use crate::study::Study;
use crate::study_file::RacingRule;
use crate::suggestion::Known;
use crate::trial::{Run, RunStatus, Trial, TrialStatus};

/// What the study's file is called in errors.
const IN_JOURNAL: &str = "the study's file in its journal";

/// A study with its trials.
#[derive(Debug)]
pub struct State {
    /// The study, as its file is now.
    pub study: Study,
    /// All trials; the index is the number.
    pub trials: Vec<Trial>,
    /// The trials that are compared at the end, once that began.
    pub held_out: Vec<u64>,
    /// Seconds in which coordinators ran.
    pub seconds: f64,
    /// With one objective: by rung the trials that have completed it, the best first. What a trial came to at a rung stays.
    placed: Vec<Vec<u64>>,
    /// Trials that have not ended: the baseline, and those that may still run.
    active: BTreeSet<u64>,
}

impl State {
    /// The state after these entries; `None` where there are none. The first entry is the study.
    ///
    /// # Errors
    /// [`SweepError::Config`] where the study's file cannot be read any more: this version judges it otherwise.
    pub fn of(entries: &[Timed]) -> Result<Option<Self>, SweepError> {
        let mut state: Option<State> = None;
        for Timed { seconds, entry } in entries {
            match &mut state {
                Some(state) => state.apply(*seconds, entry)?,
                None => {
                    let Entry::Study { text, configs } = entry else { continue };
                    state = Some(State::new(Study::parse(text, IN_JOURNAL, configs.clone())?));
                }
            }
        }
        Ok(state)
    }

    /// A study without trials.
    #[must_use]
    pub fn new(study: Study) -> Self {
        let placed = vec![Vec::new(); study.rungs.len()];
        State {
            study,
            trials: Vec::new(),
            held_out: Vec::new(),
            seconds: 0.0,
            placed,
            active: BTreeSet::new(),
        }
    }

    /// Applies one entry.
    ///
    /// # Errors
    /// As [`State::of`].
    pub fn apply(&mut self, seconds: f64, entry: &Entry) -> Result<(), SweepError> {
        self.seconds = self.seconds.max(seconds);
        match entry {
            Entry::Study { text, configs } => {
                if *text != self.study.text {
                    self.study = Study::parse(text, IN_JOURNAL, configs.clone())?;
                    self.placed = vec![Vec::new(); self.study.rungs.len()];
                    self.trials.iter_mut().for_each(|trial| trial.outcomes.clear());
                    (0..self.trials.len()).for_each(|trial| self.settle(trial));
                }
            }
            Entry::Trial { trial, origin, setting, copied_from } => {
                self.add_trial(*trial, *origin, setting.clone(), *copied_from);
            }
            Entry::Promoted { trial, rung } => self.with_trial(*trial, |trial| trial.rung = *rung),
            Entry::Pruned { trial, rung } => self.with_trial(*trial, |trial| trial.pruned = Some(*rung)),
            Entry::HeldOut { trials } => self.held_out.clone_from(trials),
            Entry::Started { run, attempt, target } => self.with_run(*run, |one| {
                one.attempts = one.attempts.max(*attempt);
                one.status = RunStatus::Running(*target);
            }),
            Entry::Reported { run, spent, values } => self.with_run(*run, |one| one.report(*spent, values)),
            Entry::Ended { run, attempt, how } => self.end(*run, *attempt, how),
        }
        Ok(())
    }

    fn add_trial(&mut self, number: u64, origin: Origin, setting: Setting, copied_from: Option<CopiedFrom>) {
        if number as usize != self.trials.len() {
            return;
        }
        let trial = Trial {
            number,
            origin,
            setting,
            copied_from,
            rung: copied_from.map_or(0, |from| from.rung + 1),
            pruned: None,
            runs: BTreeMap::new(),
            outcomes: Vec::new(),
        };
        self.trials.push(trial);
        self.active.insert(number);
        self.settle(number as usize);
    }

    fn with_trial(&mut self, number: u64, change: impl FnOnce(&mut Trial)) {
        if let Some(trial) = self.trials.get_mut(number as usize) {
            change(trial);
            self.update_active(number);
        }
    }

    /// Takes a trial off the active ones once nothing of it runs or will.
    fn update_active(&mut self, number: u64) {
        let trial = &self.trials[number as usize];
        let has_ended =
            matches!(self.status(trial), TrialStatus::Pruned | TrialStatus::Finished | TrialStatus::Failed);
        let runs = trial.runs.values().any(|run| matches!(run.status, RunStatus::Running(_)));
        if has_ended && !runs {
            self.active.remove(&number);
        } else {
            self.active.insert(number);
        }
    }

    /// The trials that have not ended.
    pub(crate) fn active(&self) -> impl Iterator<Item = &Trial> {
        self.active.iter().map(|number| &self.trials[*number as usize])
    }

    fn with_run(&mut self, id: RunId, change: impl FnOnce(&mut Run)) {
        self.with_trial(id.trial, |trial| change(trial.runs.entry(id.seed).or_default()));
        self.settle(id.trial as usize);
    }

    fn end(&mut self, id: RunId, attempt: u32, how: &End) {
        let (retries, restarts) = (self.study.resources.retries, self.study.resources.restarts);
        self.with_run(id, |run| {
            // An earlier start of the run that ends late says nothing about the one that runs now; what it reported counts.
            if attempt < run.attempts {
                return;
            }
            run.status = match how {
                End::Finished => RunStatus::Finished,
                End::Paused => RunStatus::Waiting,
                End::Failed { why, log, again } => {
                    run.failures += 1;
                    run.failure = Some((why.clone(), log.clone()));
                    if run.failures > retries || !again { RunStatus::Failed } else { RunStatus::Waiting }
                }
                End::Lost { why } => {
                    run.losses += 1;
                    run.failure = Some((why.clone(), String::new()));
                    if run.losses > restarts { RunStatus::Failed } else { RunStatus::Waiting }
                }
            };
        });
    }

    /// Finds what a trial came to at the rungs that it has completed by now.
    fn settle(&mut self, number: usize) {
        let Some(trial) = self.trials.get(number) else { return };
        let mut outcomes = self.inherited(trial);
        let rungs = &self.study.rungs;
        for (place, rung) in rungs.iter().enumerate().skip(outcomes.len()) {
            // In a population a trial is judged by what it did since the last time: before that it may have been another.
            let is_population = self.study.racing.rule == RacingRule::Population;
            let since = if is_population && place > 0 { rungs[place - 1].spent } else { 0 };
            let of_seed = |seed: u32| {
                let run = trial.runs.get(&seed).filter(|run| run.has_spent(rung.spent))?;
                of_run(&self.study, run.points_since(since), rung.spent)
            };
            let runs: Option<Vec<Outcome>> = (0..rung.seeds).map(of_seed).collect();
            match runs.and_then(|runs| mean(&runs)) {
                Some(outcome) => outcomes.push(outcome),
                None => break,
            }
        }
        let known = self.trials[number].outcomes.len();
        self.trials[number].outcomes = outcomes;
        for rung in known..self.trials[number].outcomes.len() {
            self.place(number as u64, rung);
        }
        self.update_active(number as u64);
    }

    /// What the trial that `trial` is a copy of came to, up to the rung at which it was copied.
    fn inherited(&self, trial: &Trial) -> Vec<Outcome> {
        let Some(from) = trial.copied_from else { return Vec::new() };
        let source = self.trials.get(from.trial as usize).map_or(&[][..], |source| &source.outcomes);
        source.iter().take(from.rung + 1).cloned().collect()
    }

    /// Puts a trial where it belongs among those that have completed a rung.
    fn place(&mut self, number: u64, rung: usize) {
        let key = |number: u64| {
            let outcome = &self.trials[number as usize].outcomes[rung];
            (outcome.missed, outcome.objectives[0], number)
        };
        let own = key(number);
        let is_before = |other: &u64| {
            let other = key(*other);
            other.0.total_cmp(&own.0).then(other.1.total_cmp(&own.1)).then(other.2.cmp(&own.2)).is_lt()
        };
        let place = self.placed[rung].partition_point(is_before);
        self.placed[rung].insert(place, number);
    }

    /// The trials that have completed a rung, the best first.
    #[must_use]
    pub fn at_rung(&self, rung: usize) -> Vec<u64> {
        if self.study.objectives.len() == 1 {
            return self.placed[rung].clone();
        }
        let mut there = self.placed[rung].clone();
        there.sort_unstable();
        let outcomes: Vec<&Outcome> =
            there.iter().map(|number| &self.trials[*number as usize].outcomes[rung]).collect();
        best_first(&outcomes).into_iter().map(|place| there[place]).collect()
    }

    /// What a trial does.
    #[must_use]
    pub fn status(&self, trial: &Trial) -> TrialStatus {
        let is = |status: fn(&RunStatus) -> bool| {
            trial.runs.iter().any(|(seed, run)| {
                let id = RunId { trial: trial.number, seed: *seed };
                !id.is_held_out() && status(&run.status)
            })
        };
        if is(|status| *status == RunStatus::Failed) {
            TrialStatus::Failed
        } else if trial.outcomes.len() == self.study.rungs.len() {
            TrialStatus::Finished
        } else if is(|status| matches!(status, RunStatus::Running(_))) {
            TrialStatus::Running
        } else if trial.pruned.is_some() {
            TrialStatus::Pruned
        } else if trial.outcomes.len() > trial.rung {
            TrialStatus::Paused
        } else {
            TrialStatus::Waiting
        }
    }

    /// The trials for which something is known, the best first: who got further comes first, then who did better there.
    #[must_use]
    pub fn ranking(&self) -> Vec<u64> {
        let mut ranking = Vec::with_capacity(self.trials.len());
        for rung in (0..self.study.rungs.len()).rev() {
            let there = self.at_rung(rung);
            ranking.extend(
                there.into_iter().filter(|number| self.trials[*number as usize].outcomes.len() == rung + 1),
            );
        }
        ranking
    }

    /// The best trial that the sampler or a person chose, once one has completed the first rung.
    #[must_use]
    pub fn best(&self) -> Option<&Trial> {
        let chosen = |number: &u64| self.trials[*number as usize].origin != Origin::Baseline;
        self.ranking().into_iter().find(chosen).map(|number| &self.trials[number as usize])
    }

    /// All trials but the baseline, for the sampler. Those that failed come last.
    #[must_use]
    pub fn known(&self) -> Vec<Known<'_>> {
        let mut ranks: Vec<Option<u32>> = vec![None; self.trials.len()];
        let ranking = self.ranking();
        ranking.iter().zip(0..).for_each(|(number, rank)| ranks[*number as usize] = Some(rank));
        let last = ranking.len() as u32;
        let rank = |trial: &Trial| {
            let failed = || (self.status(trial) == TrialStatus::Failed).then_some(last);
            ranks[trial.number as usize].or_else(failed)
        };
        let chosen = self.trials.iter().filter(|trial| trial.origin != Origin::Baseline);
        chosen
            .map(|trial| Known {
                setting: &trial.setting,
                rank: rank(trial),
                is_suggested: trial.origin == Origin::Sampler,
            })
            .collect()
    }

    /// Environment steps, or episodes, of all runs.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.trials.iter().flat_map(|trial| trial.runs.values()).map(Run::spent).sum()
    }

    /// All runs that run, with the number of their start and what they are to have spent.
    #[must_use]
    pub fn running(&self) -> Vec<(RunId, u32, u64)> {
        let of_trial = |trial: &Trial| {
            let number = trial.number;
            let running = trial.runs.iter().filter_map(move |(seed, run)| match run.status {
                RunStatus::Running(target) => {
                    Some((RunId { trial: number, seed: *seed }, run.attempts, target))
                }
                _ => None,
            });
            running.collect::<Vec<_>>()
        };
        self.active().flat_map(of_trial).collect()
    }

    /// The run with this trial and seed, once it was started.
    #[must_use]
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.trials.get(id.trial as usize)?.runs.get(&id.seed)
    }
}
