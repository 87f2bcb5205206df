//! An actor with a key that sends what no honest one does: numbers that are not finite, states that grow in memory, trajectories that
//! lack what the learner needs. The run ends at its budget with a sound policy, and all of it is counted.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]
#![allow(clippy::print_stderr, reason = "the figures of a long test are told to whoever runs it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::ids::{ActorId, FencingToken, Incarnation, PolicyVersion, SequenceNumber};
use common::trajectory::{Choice, GroupReturn, Moment, Step, TrajectoryBody, TrajectoryHeader};
use common::{Shutdown, SimTime};
use configuration::Config;
use state_graph::{EdgeType, NodeType, Schema, StateGraph, StateGraphBuilder, StateGraphEncoder};
use system_tests::{Service, free_port, impatient, run};
use transport::{ActorClient, ActorIdentity, Links, WriterOptions, wire};

const PATIENCE: Duration = Duration::from_secs(240);
const HOSTILE: ActorId = ActorId(7);
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
        7 => (2, vec![7; 400], plain()),
        _ => changed(&|body| body.steps[0].choice = Choice::Act(9)),
    }
}

/// The services of a run.
struct Fleet {
    run_folder: PathBuf,
    config: Config,
    shard: Service,
    learner: Service,
    actor: Service,
}

impl Fleet {
    fn start(folder: &Path, settings: &[&str]) -> Self {
        let file = write_config(folder);
        let config: Config = configuration::load(Path::new(&file), &[]).unwrap();
        let run_folder = folder.join("run");
        let shard = Service::start(folder, "shard", "longshore-replay", &["-c", &file, "--shard", "0"]);
        let path = run_folder.display().to_string();
        let mut words = vec!["-c", &file, "--run-folder", &path];
        settings.iter().for_each(|setting| words.extend(["--set", setting]));
        let learner = Service::start(folder, "learner", "longshore-learner", &words);
        let actor = Service::start(folder, "actor", "longshore-actor", &["-c", &file]);
        Fleet { run_folder, config, shard, learner, actor }
    }

    fn wait_for_checkpoint(&self) {
        let since = Instant::now();
        while !self.run_folder.join("checkpoints/v00000020").exists() {
            assert!(since.elapsed() < PATIENCE, "{}", self.learner.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// An actor of the run that has its key.
    fn hostile_client(&self) -> ActorClient {
        let record: serde_json::Value =
            serde_json::from_slice(&fs::read(self.run_folder.join("run.json")).unwrap()).unwrap();
        let links = Links::of_actor(&self.config.transport).unwrap();
        let identity = ActorIdentity {
            run: record["run"].as_str().unwrap().parse().unwrap(),
            actor: HOSTILE,
            incarnation: Incarnation(1),
            schema: policy::schema_of(&self.config).digest(),
        };
        let options = WriterOptions { spool: 100, spool_bytes: 1 << 30, link: impatient() };
        ActorClient::connect(&links.transport, &links.shards, identity, options, None, &Shutdown::new())
            .unwrap()
    }

    /// Sends what no honest actor does until the learner ends; returns how much was sent, and the learner's memory in bytes
    /// from time to time.
    fn attack(&mut self, patience: Duration) -> (usize, Vec<u64>) {
        let (mut client, schema) = (self.hostile_client(), policy::schema_of(&self.config));
        let (since, mut sent, mut memory) = (Instant::now(), 0, Vec::new());
        while !self.learner.has_ended() {
            assert!(since.elapsed() < patience, "{}", self.learner.log());
            let (steps, body, states) = hostile(&schema, sent);
            if client.insert(hostile_header(sent, steps), body, states).is_err() {
                break;
            }
            sent += 1;
            memory.push(self.learner.memory());
            std::thread::sleep(Duration::from_millis(5));
        }
        (sent, memory)
    }

    /// Waits until every service has ended as it should.
    fn end(&mut self) {
        for service in [&mut self.learner, &mut self.actor, &mut self.shard] {
            assert_eq!(service.wait(PATIENCE), Some(0), "{}", service.log());
        }
    }

    /// The newest row of metrics that has `name`.
    fn newest(&self, name: &str) -> serde_json::Value {
        let metrics = fs::read_to_string(self.run_folder.join("metrics.jsonl")).unwrap();
        let last = metrics.lines().rev().find(|line| line.contains(name)).unwrap();
        serde_json::from_str(last).unwrap()
    }

    fn best(&self) -> policy::Checkpoint {
        policy::Checkpoint::open(&self.run_folder.join("checkpoints/best")).unwrap()
    }
}

fn hostile_header(number: usize, steps: u32) -> TrajectoryHeader {
    let version = PolicyVersion { token: FencingToken(1), number: 1_000_000 };
    TrajectoryHeader {
        actor: HOSTILE,
        incarnation: Incarnation(1),
        sequence: SequenceNumber(0),
        ordinal: number as u64,
        first_version: version,
        last_version: version,
        priority: f32::INFINITY,
        steps,
    }
}

#[test]
fn a_run_ends_as_it_should_beside_an_actor_that_sends_what_no_honest_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut fleet = Fleet::start(folder.path(), &[]);
    fleet.wait_for_checkpoint();
    let (sent, memory) = fleet.attack(PATIENCE);
    fleet.end();
    assert!(sent > 50, "{sent}");
    assert!(memory.iter().all(|bytes| *bytes < MOST_MEMORY), "{:?} bytes", memory.iter().max());
    // What was dropped is counted, its actor was put off, and what was learnt is sound.
    let last = fleet.newest("data/dropped_damaged");
    let count = |name: &str| last[name].as_f64().unwrap();
    assert!(count("data/dropped_damaged") >= 20.0 && count("data/dropped_put_off") > 0.0, "{last}");
    assert!(fleet.learner.log().contains("are dropped unread for a while"), "{}", fleet.learner.log());
    let best = fleet.best();
    assert!(best.scheduler("best").is_ok() && best.manifest.validation.is_some_and(f64::is_finite));
}

/// As long as `LONGSHORE_SOAK_MINUTES` says, a minute at least; then as many steps without the hostile actor.
#[test]
#[ignore = "long: part of `./run soak`"]
fn a_hostile_actor_changes_neither_what_is_learnt_nor_the_memory() {
    let minutes: f64 =
        std::env::var("LONGSHORE_SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    let minutes = (minutes / 2.0).max(1.0);
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let wall = format!("learner.wall_limit_minutes={minutes}");
    let unlimited = "learner.budget_steps=1000000000";
    let mut attacked = Fleet::start(folders[0].path(), &[&wall, unlimited]);
    attacked.wait_for_checkpoint();
    let patience = Duration::from_secs_f64(60.0 * minutes) + PATIENCE;
    let (sent, memory) = attacked.attack(patience);
    attacked.end();
    let quarter = memory.len() / 4;
    let largest = |part: &[u64]| part.iter().copied().max().unwrap();
    let (before, after) = (largest(&memory[quarter..2 * quarter]), largest(&memory[3 * quarter..]));
    eprintln!("{sent} hostile trajectories; the learner had at most {before} bytes early and {after} late");
    assert!(after < before + before / 5, "the learner grew from {before} to {after} bytes");
    let row = attacked.newest("data/dropped_damaged");
    eprintln!("{row}");
    let steps = format!("learner.budget_steps={}", attacked.best().manifest.environment_steps.max(1));
    let mut peaceful = Fleet::start(folders[1].path(), &[&steps]);
    assert_eq!(peaceful.learner.wait(2 * patience), Some(0), "{}", peaceful.learner.log());
    peaceful.end();
    let score = |fleet: &Fleet| fleet.best().manifest.validation.unwrap();
    let (beside, alone) = (score(&attacked), score(&peaceful));
    eprintln!("best score {beside} beside the hostile actor, {alone} without, after {steps}");
    assert!((beside - alone).abs() < 0.15 * alone.abs(), "{beside} and {alone}");
}
