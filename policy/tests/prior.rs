//! A policy that has learnt nothing decides as its prior does, in simulations of both scenarios.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use common::{Action, RunSeed};
use configuration::{Config, parse};
use engine::serverless::Question;
use engine::{ClusterView, DecisionRequest, Interests, Progress, Scheduler, Simulation};
use policy::{Behaviour, PolicyNetwork, PolicyScheduler, schema_of};
use workloads::Episodes;

fn config(scenario: &str, prior: &str) -> Config {
    config_with(scenario, prior, "\"start\", \"wait\"")
}

fn config_with(scenario: &str, prior: &str, actions: &str) -> Config {
    let text = format!(
        "schema = 1\nname = \"t\"\nseed = 1\n[simulator]\nscenario = \"{scenario}\"\n[simulator.serverless]\n\
         load_percent = 120.0\nwindow_seconds = 40.0\nwarm_up_seconds = 10.0\nsize_multiples = [0.5, 1.0, 2.0]\n\
         [policy]\nwidth = 8\nheads = 2\nlayers = 1\nprior = \"{prior}\"\nprior_weight = 12.0\n\
         actions = [{actions}]\n"
    );
    parse(&text, "test", &[]).unwrap()
}

fn scheduler(config: &Config) -> Result<PolicyScheduler, policy::PolicyError> {
    let schema = schema_of(config);
    PolicyScheduler::new("policy", PolicyNetwork::new(&schema, &config.policy, RunSeed(5)), Behaviour::Greedy)
}

/// Decisions that the policy made, all as the rule, and how many of them were starts.
fn play_as_the_rule(mut simulation: Simulation, config: &Config) -> (usize, usize) {
    let mut policy = scheduler(config).unwrap();
    let mut rule = heuristics::heuristic(&config.policy.prior, config.simulator.scenario).unwrap();
    policy.episode_started(0);
    rule.episode_started(0);
    let (mut decisions, mut starts) = (0, 0);
    while simulation.advance() == Progress::Decision {
        let request = [DecisionRequest { environment: 0, view: simulation.view() }];
        let (mut decided, mut expected) = (Vec::new(), Vec::new());
        policy.decide(&request, &mut decided).unwrap();
        if request[0].view.is_decided_by(rule.interests()) {
            rule.decide(&request, &mut expected).unwrap();
        } else {
            expected.push(by_default(&request[0].view));
        }
        assert_eq!(decided, expected, "decision {decisions}");
        decisions += 1;
        starts += usize::from(matches!(decided[0], Action::Start { .. }));
        simulation.apply(decided[0]).unwrap();
    }
    (decisions, starts)
}

/// What happens where no scheduler decides it.
fn by_default(view: &ClusterView<'_>) -> Action {
    let ClusterView::Serverless(view) = view else { panic!("rules decide every start") };
    match view.question() {
        Question::KeepAlive { container, .. } => {
            Action::KeepAlive { container, keep_alive: view.default_keep_alive() }
        }
        _ => Action::Wait,
    }
}

#[test]
fn what_the_rule_does_not_decide_stays_as_configured() {
    let actions =
        "\"start\", \"wait\", \"hold\", \"reserve\", \"keep_alive\", \"release\", \"pre_warm\", \"evict\"";
    let config = config_with("serverless", "sjf+reserve", actions);
    let episodes = Episodes::new(&config.simulator).unwrap();
    let interests = scheduler(&config).unwrap().interests();
    assert!(interests.keep_alive && interests.pools);
    let (decisions, starts) = play_as_the_rule(episodes.training(RunSeed(3), interests), &config);
    assert!(starts > 100 && decisions > 2 * starts, "{decisions} {starts}");
}

#[test]
fn on_a_cluster() {
    for prior in ["sjf+reserve", "wait_warm+reserve_3", "sjf+largest+hiku"] {
        let config = config("serverless", prior);
        let episodes = Episodes::new(&config.simulator).unwrap();
        let (decisions, starts) = play_as_the_rule(episodes.training(RunSeed(3), Interests::EVENTS), &config);
        assert!(starts > 100 && decisions > starts, "{prior}: {decisions} {starts}");
    }
}

#[test]
fn on_a_machine() {
    let config = config("slots", "sjf+reserve");
    let episodes = Episodes::new(&config.simulator).unwrap();
    let (decisions, starts) = play_as_the_rule(episodes.slots(RunSeed(3), 110.0, 200), &config);
    assert!(starts > 50 && decisions > starts, "{decisions} {starts}");
}

#[test]
fn a_prior_that_decides_more_than_the_policy_is_refused() {
    let start_only = scheduler(&config_with("slots", "sjf", "\"start\"")).unwrap_err().to_string();
    assert!(start_only.contains("add \"wait\" to `policy.actions`"), "{start_only}");
    let more = "`sjf+greedy-dual` decides more than the policy; add \"keep_alive\", \"evict\"";
    for (prior, words) in
        [("sjf+greedy-dual", more), ("sjf+belady", "knows the future"), ("sfj", "the nearest are `sjf`")]
    {
        let error = scheduler(&config("serverless", prior)).unwrap_err().to_string();
        assert!(error.contains("policy.prior") && error.contains(words), "{error}");
    }
}
