//! What must hold whatever happens, on thousands of small random scenarios under random decisions.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

mod auditor;
mod random_scheduler;
mod scenario;
mod state_graph;

use common::{RunSeed, Stream};
use engine::serverless::{Part, ServerlessView};
use engine::{ClusterView, Progress, Simulation};
use proptest::prelude::*;
use rand::Rng;
use workloads::Episodes;

use auditor::Auditor;
use random_scheduler::{impossible_actions, random_action};
use scenario::{Scenario, scenarios};

fn view(simulation: &Simulation) -> ServerlessView<'_> {
    let ClusterView::Serverless(view) = simulation.view() else { unreachable!("the scenario is serverless") };
    view
}

fn start(episodes: &Episodes, scenario: &Scenario) -> Simulation {
    episodes.serverless(RunSeed(scenario.seed), Part::Test, scenario.load(), scenario.interests())
}

/// Plays at random; `look` sees the cluster before every decision and at the end.
fn play(simulation: &mut Simulation, scenario: &Scenario, mut look: impl FnMut(&mut Simulation)) -> u64 {
    let mut rng = RunSeed(scenario.seed).rng(Stream::Actions, 0);
    while simulation.advance() == Progress::Decision {
        look(simulation);
        let action = random_action(&view(simulation), scenario.pools, &mut rng);
        simulation.apply(action).unwrap();
    }
    look(simulation);
    simulation.as_serverless().unwrap().log_hash()
}

fn audit(scenario: &Scenario) {
    let (source, episodes) = (scenario.source(), scenario.episodes());
    let mut simulation = start(&episodes, scenario);
    let parallelism = source.descriptions.iter().map(|one| one.parallelism);
    let works = source.works.iter().copied().zip(parallelism).collect();
    let mut auditor = Auditor::new(&scenario.config(), view(&simulation).spec(), works);
    let mut cost = 0.0;
    play(&mut simulation, scenario, |simulation| {
        cost += f64::from(simulation.take_reward().cost);
        auditor.see(view(simulation).events());
        auditor.advance(simulation.now());
        auditor.compare(&view(simulation));
    });
    auditor.compare_outcome(&simulation.as_serverless().unwrap().outcome(), cost);
}

/// All of a simulation that can be seen.
fn face(simulation: &Simulation) -> String {
    let view = view(simulation);
    let pending: Vec<_> = view.pending().collect();
    let nodes: Vec<_> = view.nodes().map(|node| (node, view.idle_on(node.id).collect::<Vec<_>>())).collect();
    let hash = simulation.as_serverless().unwrap().log_hash();
    format!("{} {:?} {pending:?} {nodes:?} {hash} {}", view.now(), view.question(), view.events().len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    #[test]
    fn the_books_hold_whatever_is_decided(scenario in scenarios()) {
        audit(&scenario);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn a_refused_action_changes_nothing(scenario in scenarios()) {
        let mut rng = RunSeed(scenario.seed).rng(Stream::Actions, 1);
        let episodes = scenario.episodes();
        let disturbed = play(&mut start(&episodes, &scenario), &scenario, |simulation| {
            if simulation.as_serverless().unwrap().arrived() == 0 || rng.random_bool(0.8) {
                return;
            }
            let before = face(simulation);
            for action in impossible_actions(&view(simulation), scenario.pools) {
                assert!(simulation.apply(action).is_err(), "{action:?} was done");
                assert_eq!(face(simulation), before, "{action:?} left a trace");
            }
        });
        let undisturbed = play(&mut start(&episodes, &scenario), &scenario, |_| {});
        prop_assert_eq!(disturbed, undisturbed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn a_copy_goes_on_as_the_original_would(scenario in scenarios()) {
        let mut rng = RunSeed(scenario.seed).rng(Stream::Actions, 2);
        let episodes = scenario.episodes();
        let copied = play(&mut start(&episodes, &scenario), &scenario, |simulation| {
            if rng.random_bool(0.2) {
                let copy = simulation.clone();
                assert_eq!(face(&copy), face(simulation));
                // Whatever becomes of the original, the copy does not change.
                simulation.stop_asking();
                assert_eq!(simulation.advance(), Progress::Finished);
                *simulation = copy;
            }
        });
        let undisturbed = play(&mut start(&episodes, &scenario), &scenario, |_| {});
        prop_assert_eq!(copied, undisturbed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn one_seed_means_one_log_on_any_number_of_threads(scenario in scenarios()) {
        let episodes = scenario.episodes();
        let seeds: Vec<Scenario> =
            (0..8).map(|place| Scenario { seed: scenario.seed ^ place, ..scenario.clone() }).collect();
        let hashes = |threads: usize| -> Vec<u64> {
            let one = |own: &Scenario| play(&mut start(&episodes, own), own, |_| {});
            std::thread::scope(|scope| {
                let parts = seeds.chunks(seeds.len() / threads);
                let running: Vec<_> = parts
                    .map(|part| scope.spawn(move || part.iter().map(one).collect::<Vec<u64>>()))
                    .collect();
                running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
            })
        };
        let alone = hashes(1);
        prop_assert_eq!(&hashes(2), &alone);
        prop_assert_eq!(&hashes(4), &alone);
    }
}
