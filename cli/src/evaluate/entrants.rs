//! Names of the command line, resolved to schedulers.

use std::path::Path;

use anyhow::Context as _;
use common::ids::Digest;
use common::trajectory::Scenario;
use configuration::ConfigError;
use engine::SchedulerError;
use evaluation::{Contender, MakeScheduler, Reference, SchedulerEntry, policy_name};
use heuristics::UnknownScheduler;

use crate::policies::LoadPolicy;

/// A scheduler that the command line names.
pub enum Entrant {
    /// A rule (heuristic), by its name.
    Rule(String),
    /// A reference, which knows every episode in advance.
    Reference(Reference),
    /// A learnt policy.
    Policy {
        /// Name of the policy as given on the command line.
        name: String,
        /// Whether `--preference` says how it weighs the parts of its reward.
        has_preference: bool,
        /// Digest of its checkpoint.
        digest: Digest,
        /// Makes a new scheduler from the policy, one per thread.
        make: Box<MakeScheduler<'static>>,
    },
}

impl Entrant {
    /// Resolves all names; a scheduler that is named twice, in whatever spelling, takes part once. Policies have the `preference`.
    ///
    /// # Errors
    /// Unknown names; policies that cannot be loaded or are of another scenario.
    pub fn all(
        names: &[String],
        scenario: Scenario,
        preference: Option<&str>,
        load_policy: LoadPolicy<'_>,
    ) -> anyhow::Result<Vec<Entrant>> {
        let mut entrants: Vec<Entrant> = Vec::new();
        for name in names {
            let entrant = Entrant::resolve(name, scenario, preference, load_policy)?;
            let known = entrants.iter().any(|one| one.contender().name() == entrant.contender().name());
            if !known {
                entrants.push(entrant);
            }
        }
        let takes_one = |entrant: &Entrant| matches!(entrant, Entrant::Policy { has_preference: true, .. });
        if preference.is_some() && !entrants.iter().any(takes_one) {
            let message = "no scheduler here weighs parts of its reward: name a policy that was trained with reward.mode = \"preference\"";
            let (origin, message) = ("--preference".to_owned(), message.to_owned());
            return Err(ConfigError::Invalid { origin, message }.into());
        }
        Ok(entrants)
    }

    /// A name with a `/` is a folder. Otherwise a rule's name takes precedence over a folder of that name.
    fn resolve(
        name: &str,
        scenario: Scenario,
        preference: Option<&str>,
        load_policy: LoadPolicy<'_>,
    ) -> anyhow::Result<Entrant> {
        let path = Path::new(name);
        if !name.contains('/') {
            let unknown: UnknownScheduler = match Contender::by_name(name, scenario) {
                Ok(Contender::Heuristic(name)) => return Ok(Entrant::Rule(name)),
                Ok(Contender::Reference(reference)) => return Ok(Entrant::Reference(reference)),
                Ok(_) => anyhow::bail!("`{name}` is neither a rule nor a reference"),
                Err(unknown) => unknown,
            };
            if !path.exists() {
                let context = "neither a rule nor a run folder or checkpoint has that name";
                return Err(anyhow::Error::new(unknown).context(context));
            }
        }
        let policy =
            load_policy(path, preference).with_context(|| format!("cannot load the policy {name}"))?;
        let name = policy_name(name, scenario);
        if policy.scenario != scenario {
            let context = format!("the policy of {name} plays scenario `{}`", policy.scenario);
            return Err(SchedulerError::WrongScenario { scheduler: name, scenario }).context(context);
        }
        let name = match &policy.preference {
            Some(preference) => format!("{name} ({preference})"),
            None => name,
        };
        let has_preference = policy.preference.is_some();
        Ok(Entrant::Policy { name, has_preference, digest: policy.digest, make: policy.make })
    }

    /// The contender that is evaluated.
    #[must_use]
    pub fn contender(&self) -> Contender<'_> {
        match self {
            Entrant::Rule(name) => Contender::Heuristic(name.clone()),
            Entrant::Reference(reference) => Contender::Reference(*reference),
            Entrant::Policy { name, make, .. } => Contender::Made { name: name.clone(), make: &**make },
        }
    }

    /// As an entry of a results folder.
    #[must_use]
    pub fn entry(&self) -> SchedulerEntry {
        let checkpoint = match self {
            Entrant::Policy { digest, .. } => Some(*digest),
            _ => None,
        };
        SchedulerEntry { name: self.contender().name(), checkpoint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies::LoadedPolicy;

    #[test]
    fn names_are_rules_then_paths_then_errors() {
        let no_policy = |path: &Path, _: Option<&str>| anyhow::bail!("asked for {}", path.display());
        let resolve = |name: &str| Entrant::resolve(name, Scenario::Slots, None, &no_policy);
        assert!(matches!(resolve("tetris_k0.01"), Ok(Entrant::Rule(_))));
        assert!(matches!(resolve("clairvoyant_insertion"), Ok(Entrant::Reference(_))));
        let error = format!("{:#}", resolve("runs/slots").err().expect("there is no such run"));
        assert!(error.contains("asked for runs/slots"), "{error}");
        let error = format!("{:#}", resolve("sfj").err().expect("there is no such rule"));
        assert!(
            error.contains("unknown scheduler `sfj`") && error.contains("the nearest are `sjf`"),
            "{error}"
        );
        let error = format!("{:#}", resolve("./sjf").err().expect("there is no such run"));
        assert!(error.contains("asked for ./sjf"), "{error}");
    }

    #[allow(clippy::unnecessary_wraps, reason = "it stands in for a loader that can fail")]
    fn policy(_: &Path, _: Option<&str>) -> anyhow::Result<LoadedPolicy> {
        let make = || -> Result<_, _> {
            Err(SchedulerError::WrongScenario { scheduler: String::new(), scenario: Scenario::Slots })
        };
        let make: Box<MakeScheduler<'static>> = Box::new(make);
        Ok(LoadedPolicy { scenario: Scenario::Serverless, digest: Digest([0; 32]), preference: None, make })
    }

    #[test]
    fn spellings_of_one_scheduler_take_part_once() {
        let names = [
            "sjf",
            "drf+warm-first",
            "warm-first+drf",
            "sjf+warm-first",
            "./sjf",
            "runs/a",
            "./runs/a/",
            "runs//a",
            "runs/a b,c+d",
            "wait_warm",
            "wait-warm_8",
        ];
        let entrants = Entrant::all(&names.map(str::to_owned), Scenario::Serverless, None, &policy)
            .expect("all are known");
        let names: Vec<String> = entrants.iter().map(|one| one.contender().name()).collect();
        let one_each =
            ["sjf", "drf+default+warm-first+configured", "./sjf", "runs/a", "runs/a b,c+d", "wait_warm"];
        assert_eq!(names, one_each);
    }

    #[test]
    fn a_policy_of_another_scenario_is_refused_as_a_configuration() {
        let error =
            Entrant::resolve("runs/azure", Scenario::Slots, None, &policy).err().expect("it is refused");
        assert!(format!("{error:#}").contains("plays scenario `serverless`"), "{error:#}");
        assert_eq!(crate::exit::code_of(&error), common::ExitCode::Config);
    }
}
