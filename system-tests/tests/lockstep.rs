//! `lockstep`: one seed gives the same bits, also across a stop and a resume.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::Shutdown;
use configuration::{Config, parse};
use learner::LearnerOptions;

fn config(extra: &str) -> Arc<Config> {
    let text = format!(
        "schema = 1\nname = \"lockstep\"\nseed = 5\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 16\nheads = 2\n\
         layers = 1\n[actor]\ncount = 2\nenvironments = 8\n[learner]\nmode = \"lockstep\"\nbudget_steps = 3000\n\
         minibatches = 4\nevaluate_every = 3\ncheckpoint_every = 1\nkeep_checkpoints = 1000\nthreads = 2\n{extra}\n\
         [evaluation]\nvalidation_episodes = 5\nloads = [90.0]\nsteps = [50]\n"
    );
    Arc::new(parse(&text, "test", &[]).unwrap())
}

fn train(config: &Arc<Config>, folder: &Path) {
    let options = LearnerOptions {
        run_folder: folder.to_owned(),
        init_from: None,
        copy_from: None,
        device: learner::device(&config.learner, 0, None).unwrap(),
        meeting: None,
    };
    let summary = cli::services::train(config, &options, &Shutdown::new()).unwrap();
    assert!(summary.finished);
    assert!(summary.environment_steps >= 3000);
}

/// Checkpoint folders by name, in order.
fn versions(run: &Path) -> Vec<String> {
    let names = fs::read_dir(run.join("checkpoints")).unwrap().flatten();
    let mut names: Vec<String> = names.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.retain(|name| name.starts_with('v'));
    names.sort();
    names
}

fn tensors(run: &Path, version: &str) -> Vec<Vec<u8>> {
    let files = ["policy", "value", "target_policy", "target_value", "policy_optimizer", "value_optimizer"];
    let read = |file: &&str| fs::read(run.join(format!("checkpoints/{version}/{file}.safetensors"))).unwrap();
    files.iter().map(read).collect()
}

fn same_bits_twice_and_across_a_resume(config: &Arc<Config>) {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    train(config, &first);
    train(config, &second);
    let all = versions(&first);
    assert!(all.len() >= 4, "{all:?}");
    assert_eq!(all, versions(&second));
    let last = all.last().unwrap();
    assert_ne!(tensors(&first, &all[0]), tensors(&first, last));
    assert_eq!(tensors(&first, last), tensors(&second, last));
    // As if the learner had been killed in the middle: what came later is gone.
    for version in &all[all.len() / 2..] {
        fs::remove_dir_all(second.join("checkpoints").join(version)).unwrap();
    }
    train(config, &second);
    assert_eq!(tensors(&first, last), tensors(&second, last));
}

#[test]
fn vtrace_repeats_bit_for_bit() {
    same_bits_twice_and_across_a_resume(&config("advantage = \"vtrace\""));
}

#[test]
fn the_group_baseline_repeats_bit_for_bit() {
    same_bits_twice_and_across_a_resume(&config("advantage = \"group\"\ngroup = { rollouts = 4 }"));
}

#[test]
fn q_learning_repeats_bit_for_bit() {
    same_bits_twice_and_across_a_resume(&config("algorithm = \"dqn\"\ntarget_period = 3"));
}

/// All that `configs/train/azure2019.toml` has on and lockstep allows.
#[test]
fn a_cluster_with_a_prior_repeats_bit_for_bit() {
    same_bits_twice_and_across_a_resume(&cluster("idle_memory = 0.01"));
}

/// Multipliers go to the actors with the weights, and into the checkpoints.
#[test]
fn limits_repeat_bit_for_bit() {
    let limit =
        "mode = \"constrained\", idle_memory = 0.01, limits.idle_memory = { at_most = 0.5, of = \"sjf\" }";
    same_bits_twice_and_across_a_resume(&cluster(limit));
}

fn cluster(reward: &str) -> Arc<Config> {
    let text = format!(
        "schema = 1\nname = \"lockstep\"\nseed = 5\nreward = {{ discount_seconds = 2.0, {reward} }}\n\
                [simulator]\nscenario = \"serverless\"\n[simulator.serverless]\nload_percent = 120.0\n\
                window_seconds = 16.0\nwarm_up_seconds = 6.0\nvalidation_window_seconds = 30.0\n[policy]\n\
                prior = \"sjf+wait-warm_1+greedy-dual+reserve\"\nactions = [\"start\", \"wait\", \"evict\", \"keep_alive\"]\n\
                width = 16\nheads = 2\nlayers = 1\n[actor]\ncount = 2\nenvironments = 4\n\
                record_one_in = 8\n[learner]\nmode = \"lockstep\"\nbudget_steps = 9000\nminibatches = 4\n\
                evaluate_every = 3\ncheckpoint_every = 1\nkeep_checkpoints = 1000\nthreads = 2\ntarget_period = 2\n\
                average_decay = 0.9\nadvantage = \"group\"\ngroup = {{ rollouts = 2, scale = \"group\" }}\n\
                [evaluation]\nvalidation_episodes = 2\n"
    );
    Arc::new(parse(&text, "test", &[]).unwrap())
}
