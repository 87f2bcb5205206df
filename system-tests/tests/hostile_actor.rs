//! An actor with a key that sends what no honest one does: numbers that are not finite, states that grow in memory, trajectories that
//! lack what the learner needs. The run ends at its budget with a sound policy, and all of it is counted.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use common::ids::{ActorId, FencingToken, Incarnation, PolicyVersion, SequenceNumber};
use common::trajectory::{Choice, GroupReturn, Moment, Step, TrajectoryBody, TrajectoryHeader};
use common::{Shutdown, SimTime};
use configuration::Config;
use state_graph::{EdgeType, NodeType, Schema, StateGraph, StateGraphBuilder, StateGraphEncoder};
use system_tests::{Service, free_port, impatient, run};
use transport::{ActorClient, ActorIdentity, Links, WriterOptions, wire};

const PATIENCE: Duration = Duration::from_secs(240);
/// What the learner may have at most, in bytes: a bomb that goes off would take gigabytes.
const MOST_MEMORY: u64 = 1200 << 20;

fn write_config(folder: &Path) -> String {
    let keys = folder.join("keys").display().to_string();
    assert!(run("longshore", &["keygen", &keys]).status.success());
    let [announce, pull, shard] = [(); 3].map(|()| free_port());
    let text = format!(
        "schema = 1\nname = \"hostile\"\nseed = 2\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 16\nheads = 2\n\
         layers = 1\n[actor]\nenvironments = 16\n[learner]\nbudget_steps = 90000\nbatch_steps = 512\nthreads = 1\n\
         epochs = 1\nadvantage = \"group\"\ngroup = {{ rollouts = 4 }}\ncheckpoint_every = 20\nevaluate_every = 40\n\
         [evaluation]\nvalidation_episodes = 5\nloads = [90.0]\nsteps = [50]\n[transport]\n\
         shards = [\"tcp://127.0.0.1:{shard}\"]\nweights_announce = \"tcp://127.0.0.1:{announce}\"\n\
         weights_pull = \"tcp://127.0.0.1:{pull}\"\nkeys = \"{keys}\"\n[replay]\nfolder = \"{}\"\n",
        folder.join("replay").display()
    );
    let path = folder.join("config.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// A state with a job that may start.
fn state(schema: &Schema, jobs: usize) -> StateGraph {
    let mut builder = StateGraphBuilder::default();
    builder.globals(&vec![0.5; schema.globals.len()]);
    builder.node(NodeType::Resource, &vec![0.25; schema.nodes[1].len()]);
    for job in 0..jobs {
        builder.node(NodeType::Invocation, &vec![0.5; schema.nodes[2].len()]);
        builder.edge(EdgeType::Request, job as u32, 0, &vec![0.5; schema.edges[3].len()]);
        builder.option((NodeType::Invocation, job as u32), 0, (NodeType::Resource, 0), &[]);
    }
    builder.may_wait(true);
    builder.build()
}

fn encoded(schema: &Schema, states: impl IntoIterator<Item = StateGraph>) -> Vec<u8> {
    let mut encoder = StateGraphEncoder::default();
    states.into_iter().for_each(|state| encoder.push(schema, state));
    encoder.finish()
}

fn body(steps: usize) -> TrajectoryBody {
    let step = Step {
        moment: Moment::default(),
        choice: Choice::Wait,
        log_probability: -0.7,
        weighted_reward: -0.1,
        discount: 0.99,
        group: Some(GroupReturn { own: -1.0, others: -1.0, spread: 1.0 }),
    };
    TrajectoryBody { steps: vec![step; steps], part: 0, load: 1.0, horizon: SimTime::default(), after: None }
}

/// Steps, body and states of a trajectory, each kind wrong in its own way.
fn hostile(schema: &Schema, number: usize) -> (u32, Vec<u8>, Vec<u8>) {
    let plain = || encoded(schema, [state(schema, 2), state(schema, 2)]);
    let sealed = |body: &TrajectoryBody| wire::encode_body(body).unwrap();
    let changed = |change: &dyn Fn(&mut TrajectoryBody)| {
        let mut body = body(2);
        change(&mut body);
        (2, sealed(&body), plain())
    };
    match number % 9 {
        0 => {
            let mut bad = state(schema, 2);
            bad.features[0] = f32::NAN;
            (2, sealed(&body(2)), encoded(schema, [bad, state(schema, 2)]))
        }
        1 => changed(&|body| body.steps[0].group.as_mut().unwrap().own = f32::INFINITY),
        2 => changed(&|body| body.steps[1].group = None),
        3 => changed(&|body| body.steps[0].log_probability = f32::NAN),
        4 => changed(&|body| body.load = f32::INFINITY),
        // Twenty million nodes in a hundred bytes.
        5 => {
            let mut bytes = plain();
            bytes[4..8].copy_from_slice(&20_000_000_u32.to_le_bytes());
            bytes.truncate(94);
            (1, sealed(&body(1)), bytes)
        }
        // A large state, and thousands that say that they are equal to it.
        6 => {
            let large = state(schema, 5000);
            (4000, sealed(&body(4000)), encoded(schema, std::iter::repeat_n(large, 4000)))
        }
        7 => (2, vec![7; 40], plain()),
        _ => changed(&|body| body.steps[0].choice = Choice::Act(9)),
    }
}

#[test]
fn a_run_ends_as_it_should_beside_an_actor_that_sends_what_no_honest_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = write_config(folder);
    let config: Config = configuration::load(Path::new(&file), &[]).unwrap();
    let run_folder = folder.join("run");
    let mut shard = Service::start(folder, "shard", "longshore-replay", &["-c", &file, "--shard", "0"]);
    let words = ["-c", &file, "--run-folder", &run_folder.display().to_string()];
    let mut learner = Service::start(folder, "learner", "longshore-learner", &words);
    let mut actor = Service::start(folder, "actor", "longshore-actor", &["-c", &file]);
    let since = Instant::now();
    while !run_folder.join("checkpoints/v00000020").exists() {
        assert!(since.elapsed() < PATIENCE, "{}", learner.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(run_folder.join("run.json")).unwrap()).unwrap();
    let schema = policy::schema_of(&config);
    let links = Links::of_actor(&config.transport).unwrap();
    let id = ActorId(7);
    let identity = ActorIdentity {
        run: record["run"].as_str().unwrap().parse().unwrap(),
        actor: id,
        incarnation: Incarnation(1),
        schema: schema.digest(),
    };
    let options = WriterOptions { spool: 100, spool_bytes: 1 << 30, link: impatient() };
    let mut client =
        ActorClient::connect(&links.transport, &links.shards, identity, options, None, &Shutdown::new())
            .unwrap();
    let (mut sent, mut most) = (0, 0);
    while !learner.has_ended() {
        assert!(since.elapsed() < PATIENCE, "{}", learner.log());
        let (steps, body, states) = hostile(&schema, sent);
        let version = PolicyVersion { token: FencingToken(1), number: 1_000_000 };
        let header = TrajectoryHeader {
            actor: id,
            incarnation: Incarnation(1),
            sequence: SequenceNumber(0),
            ordinal: sent as u64,
            first_version: version,
            last_version: version,
            priority: f32::INFINITY,
            steps,
        };
        if client.insert(header, body, states).is_err() {
            break;
        }
        sent += 1;
        most = most.max(learner.memory());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(learner.wait(PATIENCE), Some(0), "{}", learner.log());
    assert_eq!(actor.wait(PATIENCE), Some(0), "{}", actor.log());
    assert_eq!(shard.wait(PATIENCE), Some(0), "{}", shard.log());
    assert!(sent > 50, "{sent}");
    assert!(most < MOST_MEMORY, "{most} bytes");
    // What was dropped is counted, its actor was put off, and what was learnt is sound.
    let metrics = fs::read_to_string(run_folder.join("metrics.jsonl")).unwrap();
    let last = metrics.lines().rev().find(|line| line.contains("data/dropped_damaged")).unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    let count = |name: &str| last[name].as_f64().unwrap();
    assert!(count("data/dropped_damaged") >= 20.0 && count("data/dropped_put_off") > 0.0, "{last}");
    assert!(learner.log().contains("are dropped unread for a while"), "{}", learner.log());
    let best = policy::Checkpoint::open(&run_folder.join("checkpoints/best")).unwrap();
    assert!(best.scheduler("best").is_ok() && best.manifest.validation.is_some_and(f64::is_finite));
}
