//! The networks against slow oracles: probabilities by their definition, gradients by finite differences.

use common::RunSeed;
use common::trajectory::Choice;
use configuration::{PolicyConfig, Storage};
use rand::Rng;
use state_graph::StateGraph;
use tch::{Kind, Tensor};

use super::{EPISODE_FACTS, PolicyNetwork, ValueNetwork};
use crate::batch::GraphBatch;
use crate::inference::Inference;
use crate::random_states::{rng, schema, state};

fn config() -> PolicyConfig {
    PolicyConfig { width: 8, heads: 2, ..PolicyConfig::default() }
}

fn choices(state: &StateGraph) -> Vec<Choice> {
    let starts = (0..state.options).map(Choice::Act);
    starts.chain(state.may_wait.then_some(Choice::Wait)).collect()
}

/// One choice of each state.
fn drawn(states: &[StateGraph], rng: &mut impl Rng) -> Vec<Choice> {
    let draw = |choices: Vec<Choice>| choices[rng.random_range(0..choices.len())];
    states.iter().map(choices).map(draw).collect()
}

fn doubles(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(&tensor.to_kind(Kind::Double).contiguous().view([-1])).unwrap()
}

/// log(e^x_taken / Σ e^x), term by term.
fn log_softmax(scores: &[f64], taken: usize) -> f64 {
    (scores[taken].exp() / scores.iter().map(|score| score.exp()).sum::<f64>()).ln()
}

/// Log-probability of one choice in one state, from the weights, one option at a time.
fn oracle(network: &PolicyNetwork, state: &StateGraph, choice: Choice) -> f64 {
    let batch = GraphBatch::collate(&network.schema, &[state]).to_kind(Kind::Double);
    let embeddings = network.encoder.forward(&batch, None, 0.0).unwrap();
    let heads = &network.heads;
    let context = &embeddings.context;
    let [subjects, ways, objects] = state.option_indices();
    let width = network.schema.options.len();
    let features = state.option_features(&network.schema);
    let score = |option: usize| {
        // A graph that is alone in its batch has its nodes in their order.
        let node = |number: u32| embeddings.nodes.narrow(0, i64::from(number), 1);
        let row = Tensor::from_slice(&features[option * width..(option + 1) * width]);
        let row = row.to_kind(Kind::Double).unsqueeze(0);
        let hidden = heads.ends[0].forward(&node(subjects[option]))
            + heads.ends[1].forward(&node(objects[option]))
            + heads.context.forward(context)
            + heads.ways.get(i64::from(ways[option]))
            + heads.features.as_ref().unwrap().forward(&row);
        doubles(&heads.score.forward(&hidden.relu()))[0]
    };
    let columns = network.schema.preference_columns();
    let preference = &state.globals(&network.schema)[columns];
    let preference = Tensor::from_slice(preference).to_kind(Kind::Double).unsqueeze(0);
    let preferred = doubles(&heads.preference.as_ref().unwrap().forward(&preference));
    let mut scores: Vec<f64> =
        (0..ways.len()).map(|option| score(option) + preferred[ways[option] as usize]).collect();
    if state.may_wait {
        let wait = doubles(&heads.wait[1].forward(&heads.wait[0].forward_relu(context)))[0];
        scores.push(wait + preferred[network.schema.ways.len()]);
    }
    let taken = match choice {
        Choice::Act(option) => option as usize,
        Choice::Wait => ways.len(),
    };
    log_softmax(&scores, taken)
}

#[test]
fn log_probabilities_equal_their_definition_and_sum_to_one() {
    crate::set_threads(1);
    let schema = schema();
    let network =
        PolicyNetwork::with_options(&schema, &config(), RunSeed(1), (Kind::Double, tch::Device::Cpu));
    let mut rng = rng(1);
    for _ in 0..8 {
        let states: Vec<StateGraph> = (0..4).map(|_| state(&schema, &mut rng)).collect();
        let mut total = vec![0.0; states.len()];
        let longest = states.iter().map(|state| choices(state).len()).max().unwrap();
        for round in 0..longest {
            // Every choice of every state in turn, four states in one batch.
            let all: Vec<Vec<Choice>> = states.iter().map(choices).collect();
            let taken: Vec<Choice> = all.iter().map(|choices| choices[round % choices.len()]).collect();
            let batch =
                GraphBatch::collate(&schema, &states.iter().collect::<Vec<_>>()).to_kind(Kind::Double);
            let evaluation = network.evaluate(&batch, &taken, 0.0, None).unwrap();
            let found = doubles(&evaluation.log_probability);
            for (graph, choice) in taken.iter().enumerate() {
                let expected = oracle(&network, &states[graph], *choice);
                assert!((found[graph] - expected).abs() < 1e-9, "{} and {expected}", found[graph]);
                if round < all[graph].len() {
                    total[graph] += found[graph].exp();
                }
            }
            assert!(doubles(&evaluation.entropy).iter().all(|entropy| (0.0..=1.0 + 1e-9).contains(entropy)));
        }
        assert!(total.iter().all(|total| (total - 1.0).abs() < 1e-9), "{total:?}");
    }
}

#[test]
fn a_gpu_computes_the_same() {
    // Before the first network; where there is none, there is nothing to compare with.
    let Ok(gpu) = crate::device(configuration::Device::Cuda(0)) else { return };
    let schema = schema();
    let config = PolicyConfig { width: 32, heads: 4, ..config() };
    let mut rng = rng(5);
    let states: Vec<StateGraph> = (0..20).map(|_| state(&schema, &mut rng)).collect();
    let taken = drawn(&states, &mut rng);
    let computed = |device: tch::Device| {
        let options = (Kind::Float, device);
        let policy = PolicyNetwork::with_options(&schema, &config, RunSeed(6), options);
        let value = ValueNetwork::with_options(&schema, &config, RunSeed(6), options);
        let batch = GraphBatch::collate(&schema, &states.iter().collect::<Vec<_>>()).to_device(device);
        let evaluation = policy.evaluate(&batch, &taken, 0.0, None).unwrap();
        let values = value.forward(&batch, &vec![[0.5; EPISODE_FACTS]; states.len()], None).unwrap();
        (evaluation.log_probability.sum(Kind::Float) + evaluation.entropy.sum(Kind::Float)).backward();
        values.square().sum(Kind::Float).backward();
        let gradients = [policy.parameters(), value.parameters()].map(|network| doubles(network.gradients()));
        [doubles(&evaluation.log_probability), doubles(&evaluation.entropy), doubles(&values)]
            .into_iter()
            .chain(gradients)
            .collect()
    };
    let (here, there): (Vec<Vec<f64>>, Vec<Vec<f64>>) = (computed(tch::Device::Cpu), computed(gpu));
    for (here, there) in here.iter().zip(&there) {
        let size = here.iter().fold(1.0_f64, |size, x| size.max(x.abs()));
        let off = here.iter().zip(there).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-4 * size, "{off} off of {size}");
    }
}

/// The figures of docs/decisions/bf16-storage.md: what `policy.storage` changes in the log-probability of a decision,
/// which is log(importance ratio) where actor and learner have the same weights.
#[test]
#[expect(clippy::print_stderr, reason = "the figures are quoted")]
fn halves_change_log_probabilities_by_thousandths() {
    crate::set_threads(1);
    let schema = schema();
    let mut rng = rng(11);
    let states: Vec<StateGraph> = (0..500).map(|_| state(&schema, &mut rng)).collect();
    let taken = drawn(&states, &mut rng);
    let batch = GraphBatch::collate(&schema, &states.iter().collect::<Vec<_>>());
    // Initial networks are nearly indifferent; with scores twenty times as large they decide as firmly as trained ones
    // do.
    for (scores, largest_allowed, mean_allowed) in [(1.0, 0.002, 0.0003), (20.0, 0.05, 0.005)] {
        let differences: Vec<f64> = (0..10)
            .flat_map(|seed| {
                let [whole, halves] = [Storage::F32, Storage::Bf16].map(|storage| {
                    let config = PolicyConfig { storage, ..PolicyConfig::default() };
                    let network = PolicyNetwork::new(&schema, &config, RunSeed(seed));
                    scale_scores(&network, scores);
                    doubles(&network.evaluate(&batch, &taken, 0.0, None).unwrap().log_probability)
                });
                whole.into_iter().zip(halves).map(|(whole, halves)| (whole - halves).abs())
            })
            .collect();
        let largest = differences.iter().copied().fold(0.0, f64::max);
        let mean = differences.iter().sum::<f64>() / differences.len() as f64;
        eprintln!("scores × {scores}: |Δ log-probability| mean {mean:.6}, largest {largest:.6}");
        assert!(largest > 0.0 && largest < largest_allowed && mean < mean_allowed, "{mean}, {largest}");
    }
}

/// Makes the last layers so many times as steep.
fn scale_scores(network: &PolicyNetwork, factor: f64) {
    let is_score = |name: &str| name.ends_with("score.weight") || name.ends_with("wait.1.weight");
    let scores: Vec<_> = network.parameters().named().iter().filter(|(name, _)| is_score(name)).collect();
    assert_eq!(scores.len(), 2, "one for options, and one for waiting");
    for (_, weight) in scores {
        let _ = weight.detach().g_mul_scalar_(factor);
    }
}

/// What the gradient is checked of: every output takes part.
fn loss(network: &PolicyNetwork, states: &[StateGraph], taken: &[Choice]) -> Tensor {
    let batch =
        GraphBatch::collate(&network.schema, &states.iter().collect::<Vec<_>>()).to_kind(Kind::Double);
    let evaluation = network.evaluate(&batch, taken, 0.0, None).unwrap();
    let weights = Tensor::arange(taken.len() as i64, (Kind::Double, tch::Device::Cpu)) + 1.0;
    (evaluation.log_probability * &weights).sum(Kind::Double)
        + (evaluation.entropy * weights).sum(Kind::Double)
}

#[test]
fn gradients_of_encoder_and_heads_equal_finite_differences() {
    crate::set_threads(1);
    let schema = schema();
    let network =
        PolicyNetwork::with_options(&schema, &config(), RunSeed(2), (Kind::Double, tch::Device::Cpu));
    let mut rng = rng(2);
    // Biases start at zero, where a unit without input sits exactly on the kink of its ReLU.
    for (_, parameter) in network.parameters().named() {
        let noise: Vec<f64> = (0..parameter.numel()).map(|_| rng.random_range(-0.1..0.1)).collect();
        let noise = Tensor::from_slice(&noise).view_as(parameter);
        let mut values = parameter.detach();
        values += noise;
    }
    let states: Vec<StateGraph> = (0..6).map(|_| state(&schema, &mut rng)).collect();
    let taken = drawn(&states, &mut rng);
    loss(&network, &states, &taken).backward();
    let (step, mut checked) = (1e-6, 0);
    for (name, parameter) in network.parameters().named() {
        let gradient = parameter.grad();
        if !gradient.defined() {
            // Embeds an edge type that this scenario does not have.
            assert!(name.starts_with("edge_input"), "{name} takes no part");
            continue;
        }
        let flat = parameter.detach().view([-1]);
        for _ in 0..3 {
            let place = rng.random_range(0..flat.size()[0]);
            let at = |shift: f64| {
                let before = flat.double_value(&[place]);
                let _ = flat.get(place).fill_(before + shift);
                let value = tch::no_grad(|| loss(&network, &states, &taken)).double_value(&[]);
                let _ = flat.get(place).fill_(before);
                value
            };
            let numeric = (at(step) - at(-step)) / (2.0 * step);
            let exact = gradient.view([-1]).double_value(&[place]);
            assert!((numeric - exact).abs() < 1e-5 * (1.0 + exact.abs()), "{name}: {exact} but {numeric}");
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
}

/// All scores of the forward pass on plain arrays, beside those of the network; 0 for *wait* where it is not allowed.
fn scores_of_both(network: &PolicyNetwork, states: &[&StateGraph]) -> (Vec<f32>, Vec<f64>) {
    let mut inference = Inference::new(network).unwrap();
    inference.embed(states);
    let batch = GraphBatch::collate(&network.schema, states);
    let embeddings = network.encoder.forward(&batch, None, 0.0).unwrap();
    let mut scores = doubles(&network.heads.scores(&batch, &embeddings));
    let mut plain = inference.scores().0.to_vec();
    for graph in (0..states.len()).filter(|&graph| !states[graph].may_wait) {
        let wait = batch.choices.options() + graph;
        (scores[wait], plain[wait]) = (0.0, 0.0);
    }
    (plain, scores)
}

#[test]
fn inference_scores_what_the_network_scores() {
    crate::set_threads(1);
    let schema = schema();
    for (width, heads, layers) in [(8, 2, 2), (24, 3, 2), (32, 4, 2), (64, 4, 2), (64, 2, 1), (32, 4, 0)] {
        let config = PolicyConfig { width, heads, layers, ..PolicyConfig::default() };
        let network = PolicyNetwork::new(&schema, &config, RunSeed(7));
        let mut rng = rng(9);
        // More nodes than one group of the forward pass takes.
        let states: Vec<StateGraph> = (0..70).map(|_| state(&schema, &mut rng)).collect();
        for states in [&states[..], &states[..1]] {
            let (plain, network) = scores_of_both(&network, &states.iter().collect::<Vec<_>>());
            assert_eq!(plain.len(), network.len());
            for (plain, network) in plain.iter().zip(network) {
                assert!((f64::from(*plain) - network).abs() < 1e-5, "{width}: {plain} and {network}");
            }
        }
    }
}

#[test]
fn q_values_are_the_scores_of_decisions_and_the_best_is_the_highest() {
    let schema = schema();
    let network = PolicyNetwork::new(&schema, &config(), RunSeed(4));
    let states: Vec<StateGraph> = (0..6).map(|seed| state(&schema, &mut rng(seed))).collect();
    let batch = GraphBatch::collate(&schema, &states.iter().collect::<Vec<_>>());
    let best = network.best_choices(&batch, None).unwrap();
    let value = |choices: &[Choice]| {
        Vec::<f32>::try_from(&network.q_values(&batch, choices, 0.0, None).unwrap()).unwrap()
    };
    let highest = value(&best);
    for (graph, state) in states.iter().enumerate() {
        let all = choices(state);
        let of = |choice: Choice| {
            let mut choices = best.clone();
            choices[graph] = choice;
            value(&choices)[graph]
        };
        let values: Vec<f32> = all.iter().map(|choice| of(*choice)).collect();
        let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert_eq!(highest[graph], largest);
        assert_eq!(all[values.iter().position(|value| *value == largest).unwrap()], best[graph]);
    }
}
