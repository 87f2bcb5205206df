//! Several ranks learn what one learns alone: the same batch, shared out over a real group of threads of this process.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::time::Duration;

use common::RunSeed;
use common::ids::InvocationId;
use common::slots::{PROFILE, SlotsObservation, VisibleJob};
use common::trajectory::{Choice, Moment, Step};
use configuration::{Algorithm, Config, parse};
use policy::{EPISODE_FACTS, GraphBatch};
use state_graph::{StateGraph, StateGraphBuilder, slots};
use tch::Device;
use torch_extension::process_group::{ProcessGroup, Store};

use crate::batch::{Batch, TrajectorySpan};
use crate::cuts::{Cuts, edges_of};
use crate::gradient::{Loss, Minibatch, PolicyLoss, differentiate};
use crate::networks::Networks;
use crate::q_learning::q_targets;
use crate::rank_states::Collator;
use crate::scale::{Condition, Scales};
use crate::statistics::Statistics;
use crate::target_outputs::target_outputs;
use crate::targets::Targets;
use crate::update::Updater;

const DEADLINE: Duration = Duration::from_secs(20);
/// In minibatches of three and two: with four ranks some have no state in them.
const STEPS: usize = 5;

fn config() -> Config {
    let text = "schema = 1\nname = \"t\"\nseed = 4\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 32\nheads = 4\n\
                layers = 2\n[learner]\nepochs = 2\nminibatches = 2\n";
    parse(text, "test", &[]).unwrap()
}

/// A state with as many jobs to choose from as its number says, so that states differ in size.
fn state(number: usize) -> StateGraph {
    let job = |id: usize| VisibleJob {
        id: InvocationId(id as u64),
        slot: id as u32,
        length: 1 + (id * 5 + number) as u32 % 12,
        demand: [1 + id as u32 % 5, 2],
        waited: number as u32,
        earliest_fit: 0,
        held: 0,
    };
    let observation = SlotsObservation {
        visible: (0..2 + number).map(job).collect(),
        free: [[8; PROFILE], [9; PROFILE]],
        capacity: [10, 10],
        may_wait: true,
        ..SlotsObservation::default()
    };
    slots::state(&observation, 1, &mut StateGraphBuilder::default())
}

fn batch() -> Batch {
    let step = |number: usize| Step {
        moment: Moment::default(),
        choice: if number.is_multiple_of(2) { Choice::Act(number as u32 / 2) } else { Choice::Wait },
        log_probability: -1.1,
        weighted_reward: -1.0 - number as f32,
        discount: 0.9,
        group: None,
    };
    let mut batch = Batch::default();
    batch.steps = (0..STEPS).map(step).collect();
    // One more state to go on from.
    batch.states = (0..=STEPS).map(state).collect();
    batch.bootstrap_moments = vec![Moment::default()];
    batch.facts = (0..=STEPS).map(|number| [0.1 * number as f32; EPISODE_FACTS]).collect();
    batch.trajectories = vec![TrajectorySpan {
        steps: 0..STEPS,
        bootstrap: Some(STEPS),
        condition: Condition::new(0, 1.0, 50.0),
        source: None,
        weight: 1.0,
    }];
    batch
}

/// All weights after two rounds on the batch, with states of at least `partition_edges` edges spread over all ranks.
fn learnt(group: Option<ProcessGroup>, partition_edges: u64) -> Vec<f32> {
    learnt_on(Device::Cpu, group, partition_edges)
}

fn learnt_on(device: Device, group: Option<ProcessGroup>, partition_edges: u64) -> Vec<f32> {
    let mut config = config();
    config.learner.partition_edges = partition_edges;
    let mut updater = Updater::new(&slots::schema(), &config, device);
    if let Some(group) = group {
        updater.join(group);
    }
    for _ in 0..2 {
        let statistics = updater.round(&batch(), 0.0).unwrap().statistics;
        assert_eq!((statistics.updates, statistics.skipped), (4, 0));
    }
    weights(&updater)
}

fn weights(updater: &Updater) -> Vec<f32> {
    let parameters = [updater.networks.policy.parameters(), updater.networks.value.parameters()];
    parameters.into_iter().flat_map(|one| Vec::<f32>::try_from(one.values()).unwrap()).collect()
}

fn distance(one: &[f32], other: &[f32]) -> f64 {
    one.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
}

fn gradient(group: Option<&ProcessGroup>, partition_edges: u64) -> Vec<f32> {
    gradient_of(Algorithm::PolicyGradient, group, partition_edges).0
}

/// The gradient of the loss of the whole batch in one minibatch, before any optimiser, and the sum of the policy's objective; of all
/// ranks. Target networks differ from those that learn.
fn gradient_of(algorithm: Algorithm, group: Option<&ProcessGroup>, partition_edges: u64) -> (Vec<f32>, f64) {
    let (mut config, batch, schema) = (config(), batch(), slots::schema());
    config.learner.algorithm = algorithm;
    let networks = networks(&config, 99);
    let collator = Collator::new(schema, Device::Cpu, group);
    let cuts = Cuts::of(&batch.states, partition_edges, group).unwrap();
    let outputs = target_outputs(&networks, &collator, group, &batch, &cuts).unwrap();
    let scales = &mut Scales::default();
    let (targets, policy) = match algorithm {
        Algorithm::PolicyGradient => {
            let targets = Targets::new(&batch, outputs, scales, (&config.learner, &config.reward));
            (targets.unwrap(), PolicyLoss::Objective)
        }
        Algorithm::Dqn => (q_targets(&batch, outputs, scales, &config.reward), PolicyLoss::QValues),
    };
    let places: Vec<usize> = (0..STEPS).collect();
    let states = collator.collate(&batch.states, &cuts, &places).unwrap();
    let loss = Loss {
        policy,
        ratio_clip: 0.2,
        entropy_cost: 0.01,
        value_cost: 0.5,
        dropout: 0.0,
        learn_value: algorithm == Algorithm::PolicyGradient,
    };
    let minibatch = Minibatch { batch: &batch, targets: &targets, places: &places };
    let sums = differentiate(&networks, &loss, &minibatch, &states, group).unwrap();
    let parameters = [networks.policy.parameters(), networks.value.parameters()];
    let gradients = parameters.into_iter().flat_map(|one| Vec::<f32>::try_from(one.gradients()).unwrap());
    (gradients.collect(), sums.objective)
}

/// Networks whose target networks have other weights.
fn networks(config: &Config, seed_of_targets: u64) -> Networks {
    let networks = Networks::new(&slots::schema(), config, Device::Cpu);
    let other = Config { seed: RunSeed(seed_of_targets), ..config.clone() };
    let other = Networks::new(&slots::schema(), &other, Device::Cpu);
    networks.target_policy.parameters().copy_from(other.policy.parameters()).unwrap();
    networks
}

/// The option is chosen by the network that learns, and its value is the target network's.
#[test]
fn q_values_are_chosen_by_one_network_and_read_off_another() {
    let mut config = config();
    config.learner.algorithm = Algorithm::Dqn;
    let (batch, schema) = (batch(), slots::schema());
    let mut differ = 0;
    for seed in 0..8 {
        let networks = networks(&config, seed);
        let collator = Collator::new(schema.clone(), Device::Cpu, None);
        let outputs = target_outputs(&networks, &collator, None, &batch, &Cuts::default()).unwrap();
        for (place, state) in batch.states.iter().enumerate() {
            let graph = GraphBatch::collate(&schema, &[state]);
            let best = networks.policy.best_choices(&graph, None).unwrap();
            let value = |choices: &[Choice]| {
                networks.target_policy.q_values(&graph, choices, 0.0, None).unwrap().double_value(&[0])
            };
            assert!((f64::from(outputs.values[place]) - value(&best)).abs() < 1e-5);
            differ += usize::from(networks.target_policy.best_choices(&graph, None).unwrap() != best);
            if let Some(step) = batch.steps.get(place) {
                assert!((f64::from(outputs.of_decisions[place]) - value(&[step.choice])).abs() < 1e-5);
            }
        }
    }
    assert!(differ > 0, "the two networks must like different options");
}

#[test]
fn ranks_learn_the_q_values_that_one_learns_alone() {
    let (alone, objective) = gradient_of(Algorithm::Dqn, None, u64::MAX);
    assert!(objective < 0.0, "a loss is above 0");
    let none = vec![0.0; alone.len()];
    for partition_edges in [u64::MAX, 1] {
        let gradients =
            by_ranks(2, move |group| gradient_of(Algorithm::Dqn, Some(&group), partition_edges).0);
        let off = distance(&gradients[0], &alone) / distance(&alone, &none);
        assert!(
            gradients[0] == gradients[1] && off < 1e-5,
            "{partition_edges}: {off} of the gradient is off"
        );
    }
}

/// What each of `size` ranks gets from `of`.
fn by_ranks(size: usize, of: impl Fn(ProcessGroup) -> Vec<f32> + Copy + Send + 'static) -> Vec<Vec<f32>> {
    let host = Ipv4Addr::LOCALHOST;
    let listener = TcpListener::bind((host, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let _server = Store::serve(listener, DEADLINE).unwrap();
    let rank = |rank: usize| {
        move || {
            let store = Store::connect(address, DEADLINE).unwrap();
            let group = ProcessGroup::gloo(&store, rank, size, IpAddr::V4(host), DEADLINE).unwrap();
            of(group)
        }
    };
    let ranks: Vec<_> = (0..size).map(|place| std::thread::spawn(rank(place))).collect();
    ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
}

/// Importance weights make a trajectory's losses smaller, and leave what there is to learn from it as it is.
#[test]
fn losses_are_weighted_and_priorities_are_not() {
    let mut config = config();
    (config.learner.epochs, config.learner.minibatches) = (1, 1);
    let learn = |weight: f32| {
        let mut batch = batch();
        batch.trajectories[0].weight = weight;
        Updater::new(&slots::schema(), &config, Device::Cpu).round(&batch, 0.0).unwrap()
    };
    let (whole, quarter) = (learn(1.0), learn(0.25));
    let ratio = |of: fn(&Statistics) -> f64| of(&quarter.statistics) / of(&whole.statistics);
    assert!((ratio(|s| s.value_loss) - 0.25).abs() < 1e-4 && (ratio(|s| s.policy_loss) - 0.25).abs() < 1e-4);
    assert_eq!(whole.priorities, quarter.priorities);
    assert!(whole.priorities.len() == 1 && whole.priorities[0] > 0.0);
}

#[test]
fn a_gpu_learns_what_a_processor_learns() {
    // Before the first network; where there is none, there is nothing to compare with.
    let Ok(gpu) = policy::device(configuration::Device::Cuda(0)) else { return };
    let (here, there) = (learnt(None, u64::MAX), learnt_on(gpu, None, u64::MAX));
    let largest = here.iter().zip(&there).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest < 1e-4, "{largest} off");
}

#[test]
fn ranks_learn_what_one_learns_alone_and_stay_equal() {
    let alone = gradient(None, u64::MAX);
    let none = vec![0.0; alone.len()];
    let sizes: Vec<u64> = batch().states.iter().map(edges_of).collect();
    // Whole states only, some of a batch cut, all of them cut.
    for partition_edges in [u64::MAX, sizes[2], 1] {
        for size in [2, 4] {
            let case = format!("{size} ranks, states from {partition_edges} edges on cut");
            let weights = by_ranks(size, move |group| learnt(Some(group), partition_edges));
            assert!(weights.iter().all(|one| *one == weights[0]), "{case}: all hold the same bits");
            // Before the optimiser: Adam divides by the size of the gradient, so a weight whose gradient is as small as rounding errors
            // moves anywhere within a learning rate.
            let gradients = by_ranks(size, move |group| gradient(Some(&group), partition_edges));
            let off = distance(&gradients[0], &alone) / distance(&alone, &none);
            assert!(off < 1e-5, "{case}: {off} of the gradient is off");
        }
    }
}
