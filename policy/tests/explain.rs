//! Explanations hold together: probabilities and attention add up to 1, and the chosen option is the one that is played.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use common::{Action, RunSeed};
use configuration::parse;
use engine::{DecisionRequest, Interests, Progress, Scheduler, Simulation};
use policy::{Behaviour, Explanation, PolicyNetwork, PolicyScheduler, schema_of};
use workloads::Episodes;

fn check(explanation: &Explanation, action: Action) {
    let Explanation { options, wait, heard, listener, .. } = explanation;
    let total: f64 = options.iter().map(|option| option.probability).sum::<f64>() + wait.unwrap_or(0.0);
    assert!((total - 1.0).abs() < 1e-4, "{explanation:?}");
    assert!(options.is_sorted_by(|one, other| one.probability >= other.probability));
    let chosen: Vec<_> = options.iter().filter(|option| option.chosen).collect();
    match action {
        Action::Wait => assert!(chosen.is_empty() && (options.is_empty() || wait.unwrap() > 0.499)),
        Action::Start { invocation, node, .. } => {
            assert_eq!(chosen.len(), 1);
            assert!(chosen[0].subject.contains(&invocation.0.to_string()), "{explanation:?}");
            assert!(chosen[0].object == "machine" || chosen[0].object == format!("node {}", node.0));
            assert_eq!(listener.as_ref(), Some(&chosen[0].subject));
        }
        other => panic!("{other:?} is no start"),
    }
    assert!(options.iter().filter(|option| option.prior).count() <= 1);
    for layer in 1..=2 {
        let here = || heard.iter().filter(|heard| heard.layer == layer);
        let total: f64 = here().map(|heard| heard.attention).sum();
        assert!(here().count() == 0 || (total - 1.0).abs() < 1e-4, "{heard:?}");
        assert_eq!(here().count() > 0, listener.is_some());
    }
}

fn play(scenario: &str, prior: &str, start: impl FnOnce(&Episodes) -> Simulation) -> u32 {
    let text = format!(
        "schema = 1\nname = \"t\"\nseed = 1\n[simulator]\nscenario = \"{scenario}\"\n[simulator.serverless]\n\
         load_percent = 120.0\nwindow_seconds = 20.0\nwarm_up_seconds = 5.0\nsize_multiples = [1.0]\n\
         [policy]\nwidth = 8\nheads = 2\nlayers = 2\nprior = \"{prior}\"\nprior_weight = 2.0\n"
    );
    let config = parse(&text, "test", &[]).unwrap();
    let network = PolicyNetwork::new(&schema_of(&config), &config.policy, RunSeed(2));
    let mut policy = PolicyScheduler::new("policy", network, Behaviour::Greedy).unwrap();
    let episodes = Episodes::new(&config.simulator).unwrap();
    let mut simulation = start(&episodes);
    policy.episode_started(0);
    let (mut decisions, mut marked, mut uncontested) = (0, 0, 0);
    while decisions < 150 && simulation.advance() == Progress::Decision {
        let request = DecisionRequest { environment: 0, view: simulation.view() };
        let (action, explanation) = policy.explain(&request).unwrap();
        // An uncontested start has nothing to explain.
        if explanation == Explanation::default() {
            assert!(matches!(action, Action::Start { .. }));
            uncontested += 1;
        } else {
            check(&explanation, action);
        }
        marked +=
            usize::from(explanation.prior_waits || explanation.options.iter().any(|option| option.prior));
        simulation.apply(action).unwrap();
        decisions += 1;
    }
    assert!(decisions > 50 && (marked > 0) != prior.is_empty(), "{decisions} {marked}");
    uncontested
}

#[test]
fn on_a_cluster() {
    let uncontested = ["", "sjf+reserve"]
        .map(|prior| play("serverless", prior, |episodes| episodes.training(RunSeed(3), Interests::EVENTS)));
    assert!(uncontested.iter().sum::<u32>() > 0);
}

#[test]
fn on_a_machine() {
    for prior in ["", "tetris"] {
        let uncontested = play("slots", prior, |episodes| episodes.slots(RunSeed(3), 110.0, 100));
        assert_eq!(uncontested, 0);
    }
}
