//! The coordinator of a study: watches runs, asks [`next`] what to do, writes it down, does it. One a study: it holds the folder's lock.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use common::Shutdown;
use durable::FolderLock;

use crate::SweepError;
use crate::amend::check_amendment;
use crate::copies::{check_copy, keep_checkpoint};
use crate::ending::ended;
use crate::entry::{End, Entry, RunId};
use crate::executor::{Executor, JobStatus};
use crate::job::{Job, Place};
use crate::journal::Journal;
use crate::measure::{Measures, of_evaluation};
use crate::optuna::Optuna;
use crate::program::Program;
use crate::requests::{Requests, forget_stop, requests};
use crate::sampler::Sampler;
use crate::schedule::{Step, is_spent, next};
use crate::state::State;
use crate::study::Study;
use crate::trial::{Run, TrialStatus};

/// Time between two looks at the runs.
const LOOK: Duration = Duration::from_millis(200);
/// How long runs that were told to end may take before they are left to themselves.
const TO_END: Duration = Duration::from_secs(300);
/// Longest wait before a run that was lost is run again.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// The coordinator of a study.
pub struct Coordinator {
    place: Place,
    state: State,
    journal: Journal,
    sampler: Sampler,
    executor: Box<dyn Executor>,
    measures: Measures,
    /// Seconds of earlier coordinators, and since when this one runs. The clock is monotonic: a system clock that jumps does nothing.
    clock: (f64, Instant),
    /// Starts of runs that were told to end.
    stopping: HashSet<(RunId, u32)>,
    /// When a run that was lost may be run again.
    not_before: HashMap<RunId, Instant>,
    _lock: FolderLock,
}

impl Coordinator {
    /// Takes over the study in `place`, or begins `study` there. A study that differs from the one in the folder amends it.
    ///
    /// # Errors
    /// [`SweepError::Durable`] where another coordinator has it, or the disk fails; [`SweepError::NoStudy`];
    /// [`SweepError::Changed`] where the study may not change in that way.
    pub fn open(place: Place, study: Option<Study>, executor: Box<dyn Executor>) -> Result<Self, SweepError> {
        let folder = place.layout.folder.clone();
        if study.is_none() && !folder.join("journal").is_dir() {
            let source = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(SweepError::NoStudy { folder, source });
        }
        std::fs::create_dir_all(&folder).map_err(|source| SweepError::io("create", &folder, source))?;
        place.layout.check_own()?;
        let lock = FolderLock::take(&folder)?;
        let (mut journal, entries) = Journal::open(&folder)?;
        let state = State::of(&entries)?;
        let seconds = state.as_ref().map_or(0.0, |state| state.seconds);
        let state = match (state, study) {
            (Some(mut state), Some(study))
                if study.text != state.study.text || study.configs != state.study.configs =>
            {
                check_amendment(&state.study, &study)?;
                let entry = Entry::Study { text: study.text, configs: study.configs };
                journal.append(seconds, std::slice::from_ref(&entry))?;
                state.apply(seconds, &entry)?;
                state
            }
            (Some(state), _) => state,
            (None, Some(study)) => {
                let entry = Entry::Study { text: study.text.clone(), configs: study.configs.clone() };
                journal.append(seconds, &[entry])?;
                State::new(study)
            }
            (None, None) => return Err(no_study(&folder)),
        };
        state.study.check_place(executor.cores())?;
        durable::atomic_write(&place.layout.study(), state.study.text.as_bytes())?;
        forget_stop(&place.layout);
        let mut sampler = Sampler::new(&state.study.sampler, state.study.seed);
        if let Some(storage) = state.study.storage() {
            sampler.ask_optuna(Optuna::join(&state.study, &storage, &place.python, &place.layout)?);
        }
        Ok(Coordinator {
            place,
            state,
            journal,
            sampler,
            executor,
            measures: Measures::default(),
            clock: (seconds, Instant::now()),
            stopping: HashSet::new(),
            not_before: HashMap::new(),
            _lock: lock,
        })
    }

    /// The state of the study.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Runs the study to its end; `look` is called a few times a second.
    ///
    /// # Errors
    /// [`SweepError::Interrupted`] once all runs have ended in order after a signal or `longshore sweep stop`;
    /// [`SweepError::Durable`] where the journal cannot be written: runs go on, and the next coordinator goes on with them.
    pub fn run(&mut self, shutdown: &Shutdown, look: &mut dyn FnMut(&State)) -> Result<(), SweepError> {
        loop {
            let requests = requests(&self.place.layout);
            if shutdown.is_triggered() || requests.stop {
                self.drain()?;
                return Err(SweepError::Interrupted { folder: self.place.layout.folder.clone() });
            }
            self.observe()?;
            if let Some(error) = self.hopeless() {
                return self.drain().and(Err(error));
            }
            let has_ended = self.decide(&requests)?;
            self.sampler.follow(&self.state)?;
            if has_ended {
                look(&self.state);
                return Ok(());
            }
            self.stop_what_should_not_run();
            look(&self.state);
            shutdown.wait_timeout(LOOK);
        }
    }

    fn seconds(&self) -> f64 {
        self.clock.0 + self.clock.1.elapsed().as_secs_f64()
    }

    /// Writes entries down and then lets them count.
    fn write(&mut self, entries: &[Entry]) -> Result<(), SweepError> {
        if entries.is_empty() {
            return Ok(());
        }
        let seconds = self.seconds();
        self.journal.append(seconds, entries)?;
        entries.iter().try_for_each(|entry| self.state.apply(seconds, entry))
    }

    /// Looks at all runs: what they report, and which have ended.
    fn observe(&mut self) -> Result<(), SweepError> {
        for (run, attempt, target) in self.state.running() {
            let job = self.job(run, attempt);
            // Before the last reports are read: a run that ends in between has reported everything.
            let status = self.executor.poll(&job)?;
            let reports = self.reports(run);
            if !reports.is_empty() && self.is_first_of_copy(run) && self.fail_wrong_copy(&job)? {
                continue;
            }
            self.write(&reports)?;
            if status == JobStatus::Running {
                self.fail_without_metric(&job)?;
                continue;
            }
            let entries = self.end_of(&job, target, &status);
            self.stopping.remove(&(run, attempt));
            self.write(&entries)?;
        }
        Ok(())
    }

    /// A run that was validated and has not reported a metric of the study never will.
    fn fail_without_metric(&mut self, job: &Job) -> Result<(), SweepError> {
        let Some(metric) = self.measures.missing(job.run).map(str::to_owned) else { return Ok(()) };
        self.fail(job, self.unknown_metric(job.run, &metric))
    }

    fn is_first_of_copy(&self, run: RunId) -> bool {
        self.state.trials[run.trial as usize].copied_from.is_some()
            && self.state.run(run).is_none_or(|one| one.points.is_empty())
    }

    /// Ends a copy that went on from another checkpoint, or with other settings, than it was to; false where all is right.
    fn fail_wrong_copy(&mut self, job: &Job) -> Result<bool, SweepError> {
        let Err(why) = check_copy(&self.place.layout, &self.state, job.run) else { return Ok(false) };
        self.fail(job, why)?;
        Ok(true)
    }

    /// Ends a run that can come to nothing.
    fn fail(&mut self, job: &Job, why: String) -> Result<(), SweepError> {
        tracing::warn!(trial = job.run.trial, seed = job.run.seed + 1, why, "a run failed");
        self.executor.stop(job);
        let how = End::Failed { why, log: String::new(), again: false };
        self.write(&[Entry::Ended { run: job.run, attempt: job.attempt, how }])
    }

    fn job(&self, run: RunId, attempt: u32) -> Job {
        let file = |extension: &str| self.place.layout.job(run, attempt, extension);
        Job { run, attempt, script: file("sh"), log: file("log") }
    }

    /// What a training has reported since the last look.
    fn reports(&mut self, run: RunId) -> Vec<Entry> {
        if !matches!(self.state.study.program, Program::Train { .. }) {
            return Vec::new();
        }
        let known = self.state.run(run).map_or(0, Run::spent);
        let points = self.measures.of_training(&self.place.layout, &self.state, run);
        let new = points.into_iter().filter(|(spent, _)| *spent > known);
        new.map(|(spent, values)| Entry::Reported { run, spent, values }).collect()
    }

    /// The entries of a run that is not there any more.
    fn end_of(&mut self, job: &Job, target: u64, status: &JobStatus) -> Vec<Entry> {
        let (run, attempt) = (job.run, job.attempt);
        let was_stopped = self.stopping.contains(&(run, attempt)) || self.has_reached(run, target);
        let mut how = ended(status, was_stopped, &job.log);
        let mut entries = Vec::new();
        if how == End::Finished {
            match self.last_report(run, target) {
                Ok(report) => entries.extend(report),
                Err(why) => how = End::Failed { why, log: String::new(), again: false },
            }
        }
        let ends_early = how == End::Finished
            && matches!(self.state.study.program, Program::Evaluate { .. })
            && !run.is_held_out()
            && self.state.study.rungs.last().is_some_and(|last| target < last.spent);
        if ends_early {
            how = End::Paused;
        }
        if let End::Lost { why } = &how {
            let losses = self.state.run(run).map_or(0, |one| one.losses);
            let delay = Duration::from_secs(1 << losses.min(6)).min(LONGEST_DELAY);
            self.not_before.insert(run, Instant::now() + delay);
            tracing::warn!(trial = run.trial, seed = run.seed + 1, why, "a run was lost; it is run again");
        }
        if let End::Failed { why, .. } = &how {
            tracing::warn!(trial = run.trial, seed = run.seed + 1, why, log = %job.log.display(), "a run failed");
        }
        entries.push(Entry::Ended { run, attempt, how });
        entries
    }

    fn has_reached(&self, run: RunId, target: u64) -> bool {
        self.state.run(run).is_some_and(|one| one.spent() >= target)
    }

    /// What is known only when a run has finished: the results of an evaluation. A training must have reported every objective.
    fn last_report(&self, run: RunId, target: u64) -> Result<Option<Entry>, String> {
        match &self.state.study.program {
            Program::Evaluate { .. } => {
                let values = of_evaluation(&self.place.layout, &self.state, run)?;
                Ok(Some(Entry::Reported { run, spent: target, values }))
            }
            Program::Train { .. } => {
                let points = self.state.run(run).map(|one| one.points.as_slice()).unwrap_or_default();
                let is_there = |metric: &&str| points.iter().any(|(_, values)| values.contains_key(*metric));
                match self.state.study.metrics().into_iter().find(|metric| !is_there(metric)) {
                    Some(metric) => Err(self.unknown_metric(run, metric)),
                    None => Ok(None),
                }
            }
        }
    }

    fn unknown_metric(&self, run: RunId, metric: &str) -> String {
        let names = crate::measure::reported_names(&self.place.layout, run);
        let close = common::nearest(metric, names.iter().map(String::as_str));
        let hint = if close.is_empty() { names.join(", ") } else { close.join("` or `") };
        format!("it never reported metric `{metric}`; it reported `{hint}`")
    }

    /// Makes decisions until none is left; true at the end of the study.
    fn decide(&mut self, requests: &Requests) -> Result<bool, SweepError> {
        loop {
            let asked = self.asked(requests);
            let running = self.state.running();
            let at_once = self.state.study.runs_at_once();
            let busy = running.iter().filter(|(run, attempt, target)| !self.is_idle(*run, *attempt, *target));
            let free = at_once.saturating_sub(busy.count());
            match next(&self.state, &mut self.sampler, free, &asked)? {
                Step::Decide(entry) => {
                    if let Entry::Trial { copied_from: Some(from), .. } = &entry {
                        // The trial that is copied waits until this is written down.
                        keep_checkpoint(&self.place.layout, *from)?;
                    }
                    self.write(&[entry])?;
                }
                Step::Wait => return Ok(false),
                Step::Done => return Ok(true),
                Step::Start { run, target } => {
                    let own = running.iter().find(|(one, ..)| *one == run);
                    if let Some((_, attempt, _)) = own {
                        self.write(&[Entry::Started { run, attempt: *attempt, target }])?;
                    } else if running.len() >= at_once || self.is_delayed(run) {
                        // Who has spent what it was to spend makes room.
                        return Ok(false);
                    } else {
                        self.start(run, target)?;
                    }
                }
            }
        }
    }

    /// Settings that people asked for; those that became trials are taken off the list.
    fn asked(&self, requests: &Requests) -> Vec<crate::Setting> {
        let mut asked = Vec::new();
        for (file, setting) in &requests.trials {
            if crate::schedule::was_tried(&self.state, setting) {
                // It is looked at again where it cannot be removed.
                let _ = std::fs::remove_file(file);
            } else if let Err(message) = self.state.study.space.check(setting) {
                tracing::warn!(file = %file.display(), message, "a trial that was asked for is left out");
                let _ = std::fs::remove_file(file);
            } else {
                asked.push(setting.clone());
            }
        }
        asked
    }

    /// Whether a run has spent what it was to spend, and only waits for the word to go on.
    fn is_idle(&self, run: RunId, attempt: u32, target: u64) -> bool {
        let Program::Train { steps, .. } = &self.state.study.program else { return false };
        target < *steps && self.has_reached(run, target) && !self.stopping.contains(&(run, attempt))
    }

    fn is_delayed(&self, run: RunId) -> bool {
        self.not_before.get(&run).is_some_and(|time| Instant::now() < *time)
    }

    fn start(&mut self, run: RunId, target: u64) -> Result<(), SweepError> {
        let attempt = self.state.run(run).map_or(0, |one| one.attempts) + 1;
        let gpus = self.free_gpus();
        let written = Job::write(&self.place, &self.state, run, attempt, target, gpus.as_deref());
        let started = Entry::Started { run, attempt, target };
        match written {
            Ok(job) => {
                self.write(&[started])?;
                self.executor.start(&job)
            }
            // The setting contradicts the configuration: no process is needed to find that out.
            Err(SweepError::Config(error)) => {
                let how = End::Failed { why: error.to_string(), log: String::new(), again: false };
                tracing::warn!(trial = run.trial, %error, "a run failed before it began");
                self.write(&[started, Entry::Ended { run, attempt, how }])
            }
            Err(error) => Err(error),
        }
    }

    /// The lowest GPUs that no running job has; `None` where runs don't ask for any.
    fn free_gpus(&self) -> Option<Vec<u32>> {
        let resources = &self.state.study.resources;
        let wanted = if self.executor.chooses_gpus() { 0 } else { resources.gpus_per_run as usize };
        let taken: Vec<u32> = self
            .state
            .running()
            .into_iter()
            .flat_map(|(run, attempt, _)| crate::job::gpus_of(&self.job(run, attempt).script))
            .collect();
        let free = (0..resources.gpus).filter(|gpu| !taken.contains(gpu)).take(wanted).collect();
        (wanted > 0).then_some(free)
    }

    /// Stops runs that have spent what they were to spend, runs of trials that have ended, and, where the budget is spent, all.
    fn stop_what_should_not_run(&mut self) {
        let is_spent = is_spent(&self.state);
        for (run, attempt, target) in self.state.running() {
            let is_over = is_spent && !run.is_held_out();
            let trial = &self.state.trials[run.trial as usize];
            let has_ended = trial.pruned.is_some() || self.state.status(trial) == TrialStatus::Failed;
            if is_over || has_ended || self.is_idle(run, attempt, target) {
                self.stop(run, attempt);
            }
        }
    }

    fn stop(&mut self, run: RunId, attempt: u32) {
        if self.stopping.insert((run, attempt)) {
            let job = self.job(run, attempt);
            self.executor.stop(&job);
        }
    }

    /// The baseline failed and no trial has come to anything: what is wrong is wrong in all of them.
    fn hopeless(&self) -> Option<SweepError> {
        let baseline = self.state.trials.first()?;
        let any = self.state.trials.iter().any(|trial| !trial.outcomes.is_empty());
        if any || self.state.status(baseline) != TrialStatus::Failed {
            return None;
        }
        let (why, log) = baseline.runs.values().find_map(|run| run.failure.clone())?;
        let last = log.lines().last().map_or_else(String::new, |line| format!(": {line}"));
        Some(SweepError::Baseline { why: why + &last })
    }

    /// Ends all runs in order.
    fn drain(&mut self) -> Result<(), SweepError> {
        let running = self.state.running();
        tracing::info!(runs = running.len(), "ending the runs in order");
        running.iter().for_each(|(run, attempt, _)| self.stop(*run, *attempt));
        let since = Instant::now();
        while !self.state.running().is_empty() && since.elapsed() < TO_END {
            std::thread::sleep(LOOK);
            self.observe()?;
        }
        Ok(())
    }
}

fn no_study(folder: &Path) -> SweepError {
    SweepError::NoStudy {
        folder: folder.to_owned(),
        source: std::io::Error::from(std::io::ErrorKind::NotFound),
    }
}
