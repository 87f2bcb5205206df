//! Schedulers that follow a fixed rule, by name.

mod names;
pub mod references;
pub mod serverless;
mod slots;

use common::name::printable;
use common::trajectory::Scenario;
use engine::Scheduler;

/// A name that no rule of the scenario has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scheduler `{}` for scenario `{scenario}`: {}; {}", printable(name), printable(fault), self.choice())]
pub struct UnknownScheduler {
    /// Name that was asked for.
    pub name: String,
    /// Scenario in which the name is unknown.
    pub scenario: Scenario,
    /// What is wrong with it, and what may have been meant.
    pub fault: String,
    /// Known names of the scenario; X stands for a number.
    pub known: Vec<String>,
}

impl common::ExitStatus for UnknownScheduler {
    fn exit_code(&self) -> common::ExitCode {
        common::ExitCode::Config
    }
}

impl UnknownScheduler {
    /// Which names there are, in a few words where one is near.
    fn choice(&self) -> String {
        if self.fault.contains(names::NEAREST) || self.fault.contains("both give") {
            return "all names are in docs/schedulers.md".to_owned();
        }
        format!("known are {}", self.known.join(", "))
    }
}

/// The rule called `name` in `scenario`.
///
/// # Errors
/// For an unknown name; the error lists the known ones.
pub fn heuristic(name: &str, scenario: Scenario) -> Result<Box<dyn Scheduler>, UnknownScheduler> {
    let found = match scenario {
        Scenario::Slots => slots::by_name(name),
        Scenario::Serverless => serverless::by_name(name),
    };
    found.map_err(|fault| unknown(name, scenario, fault))
}

/// The one name of the rule that `name` is a spelling of: `warm-first+drf` is `drf+default+warm-first+configured`.
///
/// # Errors
/// For an unknown name; the error lists the known ones.
pub fn canonical_name(name: &str, scenario: Scenario) -> Result<String, UnknownScheduler> {
    let found = match scenario {
        Scenario::Slots => slots::canonical(name),
        Scenario::Serverless => serverless::canonical(name),
    };
    found.map_err(|fault| unknown(name, scenario, fault))
}

fn unknown(name: &str, scenario: Scenario, fault: String) -> UnknownScheduler {
    UnknownScheduler { name: name.to_owned(), scenario, fault, known: known_heuristics(scenario) }
}

/// Names of the rules of `scenario`; X stands for a number. Behind the short names of `serverless` come the parts of which long
/// ones are made.
#[must_use]
pub fn known_heuristics(scenario: Scenario) -> Vec<String> {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    match scenario {
        Scenario::Slots => owned(slots::NAMES),
        Scenario::Serverless => {
            let mut names: Vec<String> = owned(serverless::NAMES);
            let parts = [
                ("ORDER", serverless::ORDERS),
                ("SIZE", serverless::SIZES),
                ("PLACEMENT", serverless::PLACEMENTS),
                ("KEEP-ALIVE", serverless::KEEP_ALIVES),
                ("RESERVATIONS", serverless::RESERVATIONS),
            ];
            names.extend(parts.map(|(part, names)| format!("{part} = {}", names.join("|"))));
            names
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_are_listed_only_where_none_is_near() {
        let error = |name: &str| canonical_name(name, Scenario::Serverless).unwrap_err().to_string();
        let near = error("drf+warmfirst");
        assert!(near.contains("are `warm-first`") && near.ends_with("docs/schedulers.md"), "{near}");
        assert!(error("zzzzzz").contains("known are"));
        let hostile = error("zzzzzz\n\u{1b}[2J");
        assert!(hostile.contains(r"zzzzzz\n\u{1b}[2J") && !hostile.contains('\n'), "{hostile}");
    }
}
