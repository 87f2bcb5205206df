//! The ways to act that the options of a state name by their number.

use common::ActionKind;
use common::trajectory::Scenario;

/// How long an invocation can be held back, as multiples of its expected duration.
const HOLDS: [f64; 5] = [0.5, 1.0, 2.0, 4.0, 8.0];
/// How long a container can be kept that falls idle, seconds.
const KEEP_ALIVES: [f64; 8] = [0.0, 10.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0];

/// A way to act.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// Start an invocation in a container of a size (a place in `size_multiples`).
    Start {
        /// Place of the size.
        size: u32,
    },
    /// Keep a node for an invocation that fits nowhere.
    Reserve,
    /// Hold an invocation back until a container of its function falls idle.
    HoldUntilOwn,
    /// Hold an invocation back for a multiple of its expected duration.
    Hold {
        /// The multiple.
        multiple: f64,
    },
    /// Let an idle container go before a start.
    Evict,
    /// Keep a container that falls idle.
    KeepAlive {
        /// For so long.
        seconds: f64,
    },
    /// Let an idle container go at a tick.
    Release,
    /// Start a container before it is needed.
    PreWarm,
}

impl Way {
    /// The ways of a policy that decides `actions` and chooses between `sizes` sizes; starts come first, in the order of sizes.
    #[must_use]
    pub fn all(scenario: Scenario, sizes: usize, actions: &[ActionKind]) -> Vec<Way> {
        let on = |kind| actions.contains(&kind);
        let mut ways: Vec<Way> = (0..sizes as u32).map(|size| Way::Start { size }).collect();
        if on(ActionKind::Hold) {
            ways.extend((scenario == Scenario::Serverless).then_some(Way::HoldUntilOwn));
            ways.extend(HOLDS.map(|multiple| Way::Hold { multiple }));
        }
        if on(ActionKind::KeepAlive) {
            ways.extend(KEEP_ALIVES.map(|seconds| Way::KeepAlive { seconds }));
        }
        for (kind, way) in [
            (ActionKind::Reserve, Way::Reserve),
            (ActionKind::Evict, Way::Evict),
            (ActionKind::Release, Way::Release),
            (ActionKind::PreWarm, Way::PreWarm),
        ] {
            ways.extend(on(kind).then_some(way));
        }
        ways
    }

    /// Its name in a schema and in explanations.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Way::Start { size } => format!("start_size_{size}"),
            Way::Reserve => "reserve".to_owned(),
            Way::HoldUntilOwn => "hold_until_own".to_owned(),
            Way::Hold { multiple } => format!("hold_{multiple}x"),
            Way::Evict => "evict".to_owned(),
            Way::KeepAlive { seconds } => format!("keep_{seconds}s"),
            Way::Release => "release".to_owned(),
            Way::PreWarm => "pre_warm".to_owned(),
        }
    }
}
