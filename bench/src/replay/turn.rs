//! One contender's turn: its processes from start to end.

use std::time::Duration;

use anyhow::Result;

use super::contender::Contender;
use super::load::Load;
use super::plan::{Case, Plan};
use super::process::{Measurement, Process};

/// How long a process has to start and to fill a service.
const START: Duration = Duration::from_secs(120);
/// How long it has to report its measurement, beyond the measured time.
const END: Duration = Duration::from_secs(60);

/// What one turn measured.
#[derive(Clone, Debug)]
pub struct Turn {
    inserted: Option<Measurement>,
    sampled: Option<Measurement>,
    /// CPU seconds of each process.
    pub cpu: Vec<(&'static str, f64)>,
    /// Bytes that were copied to free the disk of what is dead.
    pub cleaned_bytes: u64,
}

impl Turn {
    /// What was inserted.
    #[must_use]
    pub fn inserted(&self) -> Option<Measurement> {
        self.inserted
    }

    /// What was sampled.
    #[must_use]
    pub fn sampled(&self) -> Option<Measurement> {
        self.sampled
    }

    /// CPU time of all processes for each item that was inserted or sampled, µs.
    #[must_use]
    pub fn cpu_us(&self) -> f64 {
        self.cpu_us_of(|_| true)
    }

    /// The same of the processes of some names.
    #[must_use]
    pub fn cpu_us_of(&self, counts: impl Fn(&str) -> bool) -> f64 {
        let seconds: f64 = self.cpu.iter().filter(|(name, _)| counts(name)).map(|(_, seconds)| seconds).sum();
        let items: u64 = [self.inserted, self.sampled].iter().flatten().map(|done| done.items).sum();
        seconds * 1e6 / items.max(1) as f64
    }
}

/// Starts a service, fills it and measures one case on it.
pub(super) fn turn(plan: &Plan, case: Case, load: Load, contender: &Contender) -> Result<Turn> {
    let service = contender.start(plan, load)?;
    let writer =
        Process::start("writer", service.writer(case.window().unwrap_or(0), plan.seconds), service.folder())?;
    writer.ready(START)?;
    let mut clients = Vec::new();
    if case.inserts() {
        clients.push(writer);
    } else {
        drop(writer);
    }
    if case.samples() {
        let sampler = Process::start("sampler", service.sampler(plan.seconds), service.folder())?;
        sampler.ready(START)?;
        clients.push(sampler);
    }
    let cpu = |clients: &[Process]| -> Result<Vec<(&'static str, f64)>> {
        let all = service.servers().iter().chain(clients);
        all.map(|process| Ok((process.name, process.cpu_seconds()?))).collect()
    };
    let (before, cleaned_before) = (cpu(&clients)?, service.cleaned_bytes()?);
    clients.iter_mut().try_for_each(Process::go)?;
    let deadline = Duration::from_secs_f64(plan.seconds) + END;
    let mut turn = Turn { inserted: None, sampled: None, cpu: Vec::new(), cleaned_bytes: 0 };
    for client in &clients {
        let done = Some(client.measurement(deadline)?);
        match client.name {
            "writer" => turn.inserted = done,
            _ => turn.sampled = done,
        }
    }
    let after = cpu(&clients)?;
    turn.cpu = before.iter().zip(after).map(|((name, before), (_, after))| (*name, after - before)).collect();
    turn.cleaned_bytes = service.cleaned_bytes()? - cleaned_before;
    Ok(turn)
}
