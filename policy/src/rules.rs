//! Rules that a policy starts from or imitates: which may be taken, and what they decide.

use common::trajectory::Scenario;
use common::{Action, ActionKind};
use configuration::PolicyConfig;
use engine::serverless::Question;
use engine::{ClusterView, DecisionRequest, Interests, Scheduler, SchedulerError};

use crate::PolicyError;

/// Refuses a prior that is no rule, or decides what the policy does not.
///
/// # Errors
/// [`PolicyError::Prior`].
pub fn check_prior(config: &PolicyConfig, scenario: Scenario) -> Result<(), PolicyError> {
    if config.prior.is_empty() {
        return Ok(());
    }
    rule(&config.prior, scenario, &config.actions).map(|_| ()).map_err(PolicyError::Prior)
}

/// Refuses a scheduler to imitate that is no rule, or decides what the policy does not.
///
/// # Errors
/// [`PolicyError::Teacher`].
pub fn check_teacher(name: &str, config: &PolicyConfig, scenario: Scenario) -> Result<(), PolicyError> {
    if name.is_empty() {
        return Ok(());
    }
    if name == config.prior {
        let message =
            format!("`{name}` is the prior, too: nothing is left to learn from it; set policy.prior = \"\"");
        return Err(PolicyError::Teacher(message));
    }
    rule(name, scenario, &config.actions).map(|_| ()).map_err(PolicyError::Teacher)
}

/// The rule called `name`, which must not decide about anything that the policy, with its `actions`, is not asked about.
pub(crate) fn rule(
    name: &str,
    scenario: Scenario,
    actions: &[ActionKind],
) -> Result<Box<dyn Scheduler>, String> {
    let rule = heuristics::heuristic(name, scenario).map_err(|error| error.to_string())?;
    let Interests { keep_alive, evictions, pools, foresight, .. } = rule.interests();
    if foresight {
        return Err(format!("`{name}` knows the future; take a rule that does not"));
    }
    let needed = [
        // Nearly every rule waits while nothing fits that it would start.
        (true, ActionKind::Wait),
        (keep_alive, ActionKind::KeepAlive),
        (evictions, ActionKind::Evict),
        (pools, ActionKind::PreWarm),
    ];
    let missing = needed.into_iter().filter(|(decides, kind)| *decides && !actions.contains(kind));
    let missing: Vec<String> = missing.map(|(_, kind)| format!("\"{}\"", kind.name())).collect();
    if missing.is_empty() {
        return Ok(rule);
    }
    Err(format!("`{name}` decides more than the policy; add {} to `policy.actions`", missing.join(", ")))
}

/// What `rule` decides for each request; `None` for a question that it does not decide.
pub(crate) fn ask(
    rule: &mut dyn Scheduler,
    requests: &[DecisionRequest<'_>],
) -> Result<Vec<Option<Action>>, SchedulerError> {
    let interests = rule.interests();
    let decides: Vec<bool> = requests.iter().map(|request| request.view.is_decided_by(interests)).collect();
    let asked = requests.iter().zip(&decides).filter(|(_, decides)| **decides);
    let asked: Vec<DecisionRequest<'_>> = asked.map(|(request, _)| *request).collect();
    let mut actions = Vec::new();
    rule.decide(&asked, &mut actions)?;
    let mut actions = actions.into_iter();
    Ok(decides.into_iter().map(|decides| if decides { actions.next() } else { None }).collect())
}

/// What happens where a scheduler does not decide what is asked: containers are kept as configured, and ticks pass. `None` where a
/// start is asked for, which every scheduler decides.
pub(crate) fn default_action(view: &ClusterView<'_>) -> Option<Action> {
    let ClusterView::Serverless(view) = view else { return None };
    match view.question() {
        Question::Start => None,
        Question::KeepAlive { container, .. } => {
            Some(Action::KeepAlive { container, keep_alive: view.default_keep_alive() })
        }
        Question::Pools => Some(Action::Wait),
    }
}
