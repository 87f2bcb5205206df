//! Several ranks against one: what they say of states that are spread over them, and the gradients that flow back.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::num::NonZeroU32;
use std::time::Duration;

use common::RunSeed;
use common::trajectory::Choice;
use configuration::{PolicyConfig, Storage};
use rand::Rng;
use state_graph::{Schema, StateGraph};
use tch::{Kind, Tensor};
use torch_extension::process_group::{ProcessGroup, Store};

use super::{Placement, collate_part, messages};
use crate::random_states::{rng, schema, state, state_of};
use crate::{EPISODE_FACTS, EpisodeFacts, GraphBatch, PolicyError, PolicyNetwork, ValueNetwork};

const DEADLINE: Duration = Duration::from_secs(60);

fn config() -> PolicyConfig {
    PolicyConfig { width: 8, heads: 2, ..PolicyConfig::default() }
}

/// What networks compute with, and what they keep projections as.
type Numbers = (Kind, Storage);

const DOUBLES: Numbers = (Kind::Double, Storage::F32);
const FLOATS: Numbers = (Kind::Float, Storage::F32);
const HALVES: Numbers = (Kind::Float, Storage::Bf16);

/// What ranks, or one alone, say of each state (log-probability, entropy and value), and the gradients of both
/// networks.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    states: Vec<[f64; 3]>,
    gradients: Vec<f64>,
    /// Bytes of rows that went to other ranks.
    exchanged: u64,
}

fn doubles(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(&tensor.to_kind(Kind::Double).contiguous().view([-1])).unwrap()
}

/// Options and *wait* in turn.
fn choice(state: &StateGraph, place: usize) -> Choice {
    if state.may_wait && place.is_multiple_of(4) {
        Choice::Wait
    } else {
        Choice::Act(place as u32 % state.options)
    }
}

/// What one rank says of its states, those of the others left at zero.
fn say(
    schema: &Schema,
    states: &[StateGraph],
    (batch, places): &(GraphBatch, Vec<usize>),
    (kind, storage): Numbers,
    group: Option<&ProcessGroup>,
) -> Said {
    let (config, options) = (PolicyConfig { storage, ..config() }, (kind, tch::Device::Cpu));
    let policy = PolicyNetwork::with_options(schema, &config, RunSeed(1), options);
    let value = ValueNetwork::with_options(schema, &config, RunSeed(1), options);
    let choices: Vec<Choice> = places.iter().map(|&place| choice(&states[place], place)).collect();
    let evaluation = policy.evaluate(batch, &choices, 0.0, group).unwrap();
    let facts: Vec<EpisodeFacts> = places.iter().map(|&place| [0.1 * place as f32; EPISODE_FACTS]).collect();
    let values = value.forward(batch, &facts, group).unwrap();
    // Every state counts differently, so that none can stand in for another.
    let weights: Vec<f64> = places.iter().map(|&place| 1.0 + place as f64).collect();
    let score = &evaluation.log_probability + &evaluation.entropy * 0.3 + values.square();
    let loss = (score * Tensor::from_slice(&weights).to_kind(kind)).sum(kind);
    loss.f_backward().unwrap();
    let gradients =
        [policy.parameters(), value.parameters()].iter().flat_map(|own| doubles(own.gradients())).collect();
    let mut states = vec![[0.0; 3]; states.len()];
    let columns = [doubles(&evaluation.log_probability), doubles(&evaluation.entropy), doubles(&values)];
    for (row, &place) in places.iter().enumerate() {
        states[place] = columns.each_ref().map(|column| column[row]);
    }
    Said { states, gradients, exchanged: group.map_or(0, ProcessGroup::exchanged_bytes) }
}

fn alone(schema: &Schema, states: &[StateGraph], numbers: Numbers) -> Said {
    let batch = GraphBatch::collate(schema, &states.iter().collect::<Vec<_>>()).to_kind(numbers.0);
    say(schema, states, &(batch, (0..states.len()).collect()), numbers, None)
}

/// The sum of what `ranks` threads of a group say.
fn together(
    schema: &Schema,
    states: &[StateGraph],
    placements: &[Placement],
    ranks: u32,
    numbers: Numbers,
) -> Said {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let _server = Store::serve(listener, DEADLINE).unwrap();
    let rank = |rank: u32| {
        crate::set_threads(1);
        let store = Store::connect(address, DEADLINE).unwrap();
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let group = ProcessGroup::gloo(&store, rank as usize, ranks as usize, host, DEADLINE).unwrap();
        let state_references: Vec<&StateGraph> = states.iter().collect();
        let size = NonZeroU32::new(ranks).unwrap();
        let (batch, places) = collate_part(schema, &state_references, placements, rank, size).unwrap();
        let said = say(schema, states, &(batch.to_kind(numbers.0), places), numbers, Some(&group));
        group.barrier().unwrap();
        said
    };
    let said: Vec<Said> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..ranks).map(|number| scope.spawn(move || rank(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut sum = said[0].clone();
    for other in &said[1..] {
        sum.states
            .iter_mut()
            .flatten()
            .zip(other.states.iter().flatten())
            .for_each(|(sum, more)| *sum += more);
        sum.exchanged += other.exchanged;
        sum.gradients.iter_mut().zip(&other.gradients).for_each(|(sum, more)| *sum += more);
    }
    sum
}

/// Largest difference, relative to the largest number of its kind.
fn distance(a: &Said, b: &Said) -> f64 {
    let relative = |a: &[f64], b: &[f64]| {
        let largest = a.iter().fold(1e-12_f64, |largest, number| largest.max(number.abs()));
        a.iter().zip(b).map(|(a, b)| (a - b).abs() / largest).fold(0.0, f64::max)
    };
    relative(a.states.as_flattened(), b.states.as_flattened()).max(relative(&a.gradients, &b.gradients))
}

#[test]
fn any_cut_of_any_states_over_ranks_changes_nothing() {
    crate::set_threads(1);
    let schema = schema();
    for case in 0..12 {
        let mut rng = rng(case);
        let ranks = [2, 4][case as usize % 2];
        let states: Vec<StateGraph> = (0..rng.random_range(1..6)).map(|_| state(&schema, &mut rng)).collect();
        // Few nodes over many ranks: some rank holds none of them, or decides nothing.
        let placements: Vec<Placement> = states
            .iter()
            .map(|state| {
                if rng.random_bool(0.6) {
                    let owners = (0..state.nodes.iter().sum()).map(|_| rng.random_range(0..ranks)).collect();
                    Placement::Spread { owners, decider: rng.random_range(0..ranks) }
                } else {
                    Placement::Whole { rank: rng.random_range(0..ranks) }
                }
            })
            .collect();
        let distance = distance(
            &alone(&schema, &states, DOUBLES),
            &together(&schema, &states, &placements, ranks, DOUBLES),
        );
        assert!(distance < 1e-10, "case {case}, {ranks} ranks: {distance}");
    }
}

#[test]
fn one_state_of_a_hundred_thousand_edges_is_the_same_over_ranks() {
    crate::set_threads(1);
    let schema = schema();
    let state = state_of(&schema, [200, 300, 400, 100], &mut rng(9));
    let (sources, targets) = messages(&state);
    assert!(sources.len() > 100_000, "{} edges", sources.len());
    let nodes = state.nodes.iter().sum::<u32>() as usize;
    let list = partition::EdgeList::new(nodes, &sources, &targets).unwrap();
    let states = [state];
    for (numbers, near) in [(DOUBLES, 1e-5), (FLOATS, 1e-4)] {
        let expected = alone(&schema, &states, numbers);
        for ranks in [1_u32, 2, 4] {
            let owners = partition::stream(&list, NonZeroU32::new(ranks).unwrap());
            let placements = [Placement::Spread { owners, decider: ranks - 1 }];
            let distance = distance(&expected, &together(&schema, &states, &placements, ranks, numbers));
            assert!(distance < near, "{ranks} ranks, {numbers:?}: {distance}");
        }
    }
}

#[test]
fn halves_are_the_same_over_ranks_and_cost_half_the_bytes() {
    crate::set_threads(1);
    let schema = schema();
    // One decision: it is sent few rows beside those that messages need.
    let states = [state_of(&schema, [300, 300, 1500, 1], &mut rng(5))];
    let nodes: u32 = states[0].nodes.iter().sum();
    let owners = (0..nodes).map(|node| node % 2).collect();
    let placements = [Placement::Spread { owners, decider: 1 }];
    let halves = together(&schema, &states, &placements, 2, HALVES);
    // Gradients that come back from another rank are rounded once more than at home.
    let distance = distance(&alone(&schema, &states, HALVES), &halves);
    assert!(distance < 0.01, "{distance}");
    let whole = together(&schema, &states, &placements, 2, FLOATS);
    let ratio = whole.exchanged as f64 / halves.exchanged as f64;
    assert!((1.8..=2.0).contains(&ratio), "{} bytes and {}", whole.exchanged, halves.exchanged);
}

#[test]
fn a_spread_batch_is_not_computed_alone() {
    let schema = schema();
    let state = state(&schema, &mut rng(1));
    let owners = (0..state.nodes.iter().sum()).map(|node: u32| node % 2).collect();
    let placements = [Placement::Spread { owners, decider: 0 }];
    let (batch, _) =
        collate_part(&schema, &[&state], &placements, 0, NonZeroU32::MIN.saturating_add(1)).unwrap();
    let value = ValueNetwork::new(&schema, &config(), RunSeed(1));
    assert!(matches!(value.forward(&batch, &[[0.0; EPISODE_FACTS]], None), Err(PolicyError::Alone)));
    let wrong = [Placement::Spread { owners: vec![0], decider: 0 }];
    let refused = collate_part(&schema, &[&state], &wrong, 0, NonZeroU32::MIN);
    assert!(matches!(refused, Err(PolicyError::Partition(_))), "an owner for each node");
}
