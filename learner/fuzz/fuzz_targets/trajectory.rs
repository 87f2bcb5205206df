//! What a learner decodes of a trajectory: any bytes are refused or hold possible numbers only, and none take much memory.
//!
//! The first byte of the input chooses: rubbish as steps and states, or changes (`offset (u16), byte` each) of a real trajectory's.
#![no_main]

use std::sync::LazyLock;

use common::SimTime;
use common::ids::{ActorId, FencingToken, Incarnation, PolicyVersion, SequenceNumber};
use common::trajectory::{Choice, GroupReturn, Moment, Step, TrajectoryBody, TrajectoryHeader};
use learner::Decoded;
use libfuzzer_sys::fuzz_target;
use state_graph::{EdgeType, NodeType, Schema, StateGraph, StateGraphBuilder, StateGraphEncoder};
use transport::{Block, BlockDigest, wire};

const STEPS: usize = 3;
/// Largest promise of decompressed bytes: beyond what is allowed.
const MOST_PROMISED: u64 = 600 << 20;

static REAL: LazyLock<Real> = LazyLock::new(Real::new);

/// A trajectory that can be learnt from.
struct Real {
    schema: Schema,
    body: Vec<u8>,
    states: Vec<u8>,
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, rest)) = input.split_first() else { return };
    let (body, states) = if choice & 1 == 0 {
        let cut = rest.len() / 2;
        (rest[..cut].to_vec(), rest[cut..].to_vec())
    } else {
        changed(rest)
    };
    let header = header(u32::from(choice >> 2));
    for compressed in [false, choice & 2 != 0] {
        let open = |bytes: &[u8]| {
            // As a peer may promise it: LZ4 of any length.
            let raw = compressed.then(|| u64::from_le_bytes(first_eight(bytes)) % MOST_PROMISED);
            let stored = transport::BulkDigest::of(bytes);
            Block { bytes: bytes.to_vec().into(), digest: BlockDigest { stored, raw } }.open()
        };
        let (Ok(body), Ok(states)) = (open(&body), open(&states)) else { continue };
        let Ok(body) = wire::decode_body(&body) else { continue };
        // What it is told to hold is what it holds, or it is refused.
        if let Ok(decoded) = Decoded::new(&REAL.schema, &header, body, &states) {
            assert_eq!(decoded.len(), header.steps as usize);
        }
    }
});

fn first_eight(bytes: &[u8]) -> [u8; 8] {
    std::array::from_fn(|place| bytes.get(place).copied().unwrap_or(0))
}

/// The real trajectory with some bytes of its steps and states changed.
fn changed(changes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut parts = [REAL.body.clone(), REAL.states.clone()];
    let bytes: usize = parts.iter().map(Vec::len).sum();
    for change in changes.as_chunks::<3>().0 {
        let mut offset = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes;
        for part in &mut parts {
            if let Some(byte) = part.get_mut(offset) {
                *byte = change[2];
                break;
            }
            offset -= part.len();
        }
    }
    let [body, states] = parts;
    (body, states)
}

fn header(steps: u32) -> TrajectoryHeader {
    let version = PolicyVersion { token: FencingToken(1), number: 1 };
    TrajectoryHeader {
        actor: ActorId(3),
        incarnation: Incarnation(7),
        sequence: SequenceNumber(0),
        ordinal: 0,
        first_version: version,
        last_version: version,
        priority: 1.0,
        steps,
    }
}

impl Real {
    fn new() -> Self {
        let text = "schema = 1\nname = \"fuzz\"\nseed = 1\n[simulator]\nscenario = \"slots\"\n";
        let config = configuration::parse(text, "fuzz", &[]).expect("a sound configuration");
        let schema = policy::schema_of(&config);
        let mut encoder = StateGraphEncoder::default();
        (0..STEPS).for_each(|jobs| encoder.push(&schema, state(&schema, jobs + 1)));
        let step = Step {
            moment: Moment::default(),
            choice: Choice::Wait,
            log_probability: -0.7,
            weighted_reward: -0.1,
            discount: 0.99,
            group: Some(GroupReturn { own: -1.0, others: -1.0, spread: 1.0 }),
        };
        let (steps, horizon) = (vec![step; STEPS], SimTime::default());
        let body = TrajectoryBody { steps, part: 0, load: 1.0, horizon, after: None };
        let real = Real {
            body: wire::encode_body(&body).expect("it can be encoded"),
            states: encoder.finish(),
            schema,
        };
        let sound = Decoded::new(&real.schema, &header(STEPS as u32), body, &real.states);
        assert!(sound.is_ok(), "{sound:?}");
        real
    }
}

/// A state with jobs that may start.
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
