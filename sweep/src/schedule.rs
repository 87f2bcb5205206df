//! What to do next: a function of the state alone. It decides; the coordinator writes the decision down and then acts.

use crate::SweepError;
use crate::entry::{Entry, Origin, RunId};
use crate::program::Program;
use crate::sampler::Sampler;
use crate::space::Setting;
use crate::state::State;
use crate::study_file::RacingRule;
use crate::suggestion::Suggestion;
use crate::trial::{Run, RunStatus, Trial, TrialStatus};

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Write this down: a trial, a promotion, an end, the comparison.
    Decide(Entry),
    /// Start this run, or let it go on, until it has spent `target`.
    Start {
        /// The run.
        run: RunId,
        /// What it is to have spent.
        target: u64,
    },
    /// Nothing before a run ends.
    Wait,
    /// The study has ended.
    Done,
}

/// The next step; `free`: how many runs may start; `asked`: settings that people asked for and that are no trials yet.
///
/// # Errors
/// That of a sampler that is another program.
pub fn next(
    state: &State,
    sampler: &mut Sampler,
    free: usize,
    asked: &[Setting],
) -> Result<Step, SweepError> {
    if let Some(entry) = settled_race(state) {
        return Ok(Step::Decide(entry));
    }
    let is_spent = is_spent(state);
    if free > 0 && !is_spent {
        if let Some(start) = waiting_run(state) {
            return Ok(start);
        }
        if let Some(entry) = promotion(state, false) {
            return Ok(Step::Decide(entry));
        }
        match new_trial(state, sampler, asked)? {
            NewTrial::Trial(entry) => return Ok(Step::Decide(entry)),
            NewTrial::None => {
                // No trial will come any more: who is best of a rung that nobody else will reach goes on.
                if let Some(entry) = promotion(state, true).or_else(|| generation(state)) {
                    return Ok(Step::Decide(entry));
                }
            }
            NewTrial::Wait => {}
        }
    }
    let runs_a_trial = state.running().iter().any(|(run, ..)| !run.is_held_out());
    if runs_a_trial || (free == 0 && !is_spent) {
        return Ok(Step::Wait);
    }
    Ok(end(state, free, is_spent))
}

/// Whether the budget allows no more runs.
#[must_use]
pub fn is_spent(state: &State) -> bool {
    let budget = &state.study.budget;
    budget.minutes.is_some_and(|minutes| state.seconds >= 60.0 * minutes)
        || budget.steps.is_some_and(|steps| state.spent() >= steps)
}

/// Promotions that need no free core: the baseline and trials of a study without races go on at once, and a median decides as soon as
/// a trial has completed a rung.
fn settled_race(state: &State) -> Option<Entry> {
    let racing = &state.study.racing;
    let last = state.study.rungs.len() - 1;
    let candidates = state
        .trials
        .iter()
        .filter(|trial| trial.pruned.is_none() && trial.rung < last && trial.outcomes.len() > trial.rung);
    candidates.into_iter().find_map(|trial| {
        let (number, rung) = (trial.number, trial.rung);
        let goes_on = || Some(Entry::Promoted { trial: number, rung: rung + 1 });
        match racing.rule {
            _ if trial.origin == Origin::Baseline => goes_on(),
            RacingRule::None => goes_on(),
            RacingRule::SuccessiveHalving | RacingRule::Population => None,
            RacingRule::Median => {
                let others = at_rung(state, rung);
                let place = others.iter().position(|other| other.number == number)?;
                let is_kept = others.len() <= racing.free_trials as usize || place <= (others.len() - 1) / 2;
                if is_kept { goes_on() } else { Some(Entry::Pruned { trial: number, rung }) }
            }
        }
    })
}

/// The trials that have completed a rung, the best first, without the baseline.
fn at_rung(state: &State, rung: usize) -> Vec<&Trial> {
    let there = state.at_rung(rung).into_iter().map(|number| &state.trials[number as usize]);
    there.filter(|trial| trial.origin != Origin::Baseline).collect()
}

/// By successive halving the best trial of the highest rung that may go on. `no_more`: no new trials will come.
fn promotion(state: &State, no_more: bool) -> Option<Entry> {
    if state.study.racing.rule != RacingRule::SuccessiveHalving {
        return None;
    }
    let one_in = state.study.racing.one_in as usize;
    let last = state.study.rungs.len() - 1;
    for rung in (0..last).rev() {
        let there = at_rung(state, rung);
        let is_complete = no_more && !is_coming(state, rung);
        let quota = if is_complete { there.len().div_ceil(one_in) } else { there.len() / one_in };
        let may_go_on = |trial: &&&Trial| trial.rung == rung && trial.pruned.is_none();
        // Who was promoted before counts, even where others have overtaken it since; in the end the best go on all the same.
        let promoted = there.iter().filter(|trial| trial.rung > rung).count();
        if (promoted < quota || is_complete)
            && let Some(trial) = there.iter().take(quota).find(may_go_on)
        {
            return Some(Entry::Promoted { trial: trial.number, rung: rung + 1 });
        }
    }
    None
}

/// In a population, what happens at a rung that all trials have completed.
fn generation(state: &State) -> Option<Entry> {
    let is_population = state.study.racing.rule == RacingRule::Population;
    is_population.then(|| crate::population::decision(state)).flatten()
}

/// Whether a trial may still complete this rung.
fn is_coming(state: &State, rung: usize) -> bool {
    state.active().filter(|trial| trial.origin != Origin::Baseline).any(|trial| {
        let status = state.status(trial);
        let is_on_its_way = matches!(status, TrialStatus::Running | TrialStatus::Waiting);
        is_on_its_way && trial.outcomes.len() <= rung && trial.rung <= rung
    }) || (rung > 0 && is_coming(state, rung - 1))
}

/// A run that waits for its start, of the trial that has come furthest.
fn waiting_run(state: &State) -> Option<Step> {
    let mut trials: Vec<&Trial> = state
        .active()
        .filter(|trial| trial.pruned.is_none() && trial.outcomes.len() <= trial.rung)
        .filter(|trial| state.status(trial) != TrialStatus::Failed)
        .collect();
    // The baseline first: it is what the others are compared with.
    trials.sort_by_key(|trial| (trial.number != 0, std::cmp::Reverse(trial.rung), trial.number));
    trials.into_iter().find_map(|trial| {
        let rung = state.study.rungs[trial.rung];
        (0..rung.seeds).find_map(|seed| {
            let waits = trial.runs.get(&seed).is_none_or(|run| match run.status {
                RunStatus::Waiting => !run.has_spent(rung.spent),
                // It has spent what it was to spend, and goes on before it was stopped.
                RunStatus::Running(target) => run.spent() >= target && target < rung.spent,
                RunStatus::Finished | RunStatus::Failed => false,
            });
            waits.then_some(Step::Start { run: RunId { trial: trial.number, seed }, target: rung.spent })
        })
    })
}

enum NewTrial {
    Trial(Entry),
    Wait,
    None,
}

fn new_trial(state: &State, sampler: &mut Sampler, asked: &[Setting]) -> Result<NewTrial, SweepError> {
    let number = state.trials.len() as u64;
    if number == 0 {
        return Ok(NewTrial::Trial(new(0, Origin::Baseline, Setting::new())));
    }
    let space = &state.study.space;
    let by_person = |given: &Setting| {
        NewTrial::Trial(new(number, Origin::Person, space.completed(given, &sampler.filler(space, number))))
    };
    // What people ask for is tried whatever the budget of trials says.
    if let Some(given) = asked.first() {
        return Ok(by_person(given));
    }
    let own = number - 1;
    if state.study.budget.trials.is_some_and(|trials| own >= trials) || has_settled(state) {
        return Ok(NewTrial::None);
    }
    let first: Vec<&Setting> = state.study.start.iter().filter(|given| !was_tried(state, given)).collect();
    if let Some(given) = first.first() {
        return Ok(by_person(given));
    }
    Ok(match sampler.suggest(space, &state.known(), state.study.budget.trials)? {
        Suggestion::Setting(setting) => NewTrial::Trial(new(number, Origin::Sampler, setting)),
        Suggestion::Wait => NewTrial::Wait,
        Suggestion::Exhausted => NewTrial::None,
    })
}

/// A trial that begins from nothing.
fn new(trial: u64, origin: Origin, setting: Setting) -> Entry {
    Entry::Trial { trial, origin, setting, copied_from: None }
}

/// Whether a person's trial has all that a setting gives.
pub(crate) fn was_tried(state: &State, given: &Setting) -> bool {
    let has_all = |trial: &Trial| {
        given
            .iter()
            .all(|(key, value)| trial.setting.get(key).is_none_or(|own| crate::space::same(own, value)))
    };
    state.trials.iter().any(|trial| trial.origin == Origin::Person && has_all(trial))
}

/// Whether so many trials were no better than the best that it is not worth going on.
fn has_settled(state: &State) -> bool {
    let (Some(most), Some(best)) = (state.study.budget.trials_without_gain, state.best()) else {
        return false;
    };
    let later = state.trials.iter().filter(|trial| trial.number > best.number);
    let ended =
        later.filter(|trial| !matches!(state.status(trial), TrialStatus::Running | TrialStatus::Waiting));
    ended.count() as u64 >= most
}

/// The comparison at the end, once it began.
fn comparison(state: &State, free: usize) -> Option<Step> {
    let held_out = state.study.held_out.filter(|_| !state.held_out.is_empty())?;
    let target = match &state.study.program {
        Program::Train { .. } => state.study.rungs.last()?.spent,
        Program::Evaluate { .. } => u64::from(held_out.seeds),
    };
    let seeds = match &state.study.program {
        Program::Train { .. } => held_out.seeds,
        // One run plays them all, and the baseline beside the trial.
        Program::Evaluate { .. } => 1,
    };
    let runs =
        state.held_out.iter().flat_map(|trial| (0..seeds).map(|number| RunId::held_out(*trial, number)));
    let mut is_running = false;
    for run in runs {
        match state.run(run).map(|one| (one.status, Run::has_spent(one, target))) {
            None | Some((RunStatus::Waiting, false)) if free > 0 => return Some(Step::Start { run, target }),
            None | Some((RunStatus::Waiting, false) | (RunStatus::Running(_), _)) => is_running = true,
            Some(_) => {}
        }
    }
    Some(if is_running { Step::Wait } else { Step::Done })
}

/// What is left when no trial runs and none will: trials that nobody promoted have ended, unless it was the budget that ended them, and the
/// best one is compared with the baseline.
fn end(state: &State, free: usize, is_spent: bool) -> Step {
    let is_left = |trial: &&Trial| {
        trial.pruned.is_none()
            && trial.origin != Origin::Baseline
            && !matches!(state.status(trial), TrialStatus::Finished | TrialStatus::Failed)
    };
    if !is_spent && let Some(trial) = state.active().find(is_left) {
        return Step::Decide(Entry::Pruned { trial: trial.number, rung: trial.rung });
    }
    let best = state.best().filter(|best| best.outcomes.len() == state.study.rungs.len());
    let (Some(best), Some(_)) = (best, state.study.held_out) else { return Step::Done };
    let trials = match &state.study.program {
        Program::Train { .. } => vec![0, best.number],
        Program::Evaluate { .. } => vec![best.number],
    };
    if state.held_out != trials {
        return Step::Decide(Entry::HeldOut { trials });
    }
    comparison(state, free).unwrap_or(Step::Done)
}
