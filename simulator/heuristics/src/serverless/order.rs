//! Who goes first. An order ranks the pending invocations of each function; the lowest rank goes first, ties go to the
//! lowest id.

use common::SimTime;
use common::cluster::Priority;
use common::ids::{FunctionId, InvocationId};

use super::alignment;
use engine::serverless::{Line, ServerlessView};

/// Estimates are taken for at least this, seconds, where they divide.
const SHORTEST_ESTIMATE: f64 = 0.001;

/// The invocation of a function that an order prefers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Invocation that would start first.
    pub invocation: InvocationId,
    /// Function of the invocation.
    pub function: FunctionId,
    /// Arrival of the oldest waiting invocation of the function.
    pub arrived: SimTime,
    /// Rank of the candidate, in the unit of its order; the lowest goes first.
    pub rank: f64,
}

impl Candidate {
    /// The invocation of a line that an order prefers; `None` while it is withheld.
    pub(super) fn of(view: &ServerlessView<'_>, order: &dyn Order, line: &Line) -> Option<Self> {
        let (rank, invocation) = order.rank(view, line)?;
        Some(Candidate { invocation, function: line.function, arrived: line.arrived, rank })
    }
}

/// Lower ranks go first, then lower ids.
pub(super) fn before(one: &Candidate, other: &Candidate) -> std::cmp::Ordering {
    one.rank.total_cmp(&other.rank).then(one.invocation.cmp(&other.invocation))
}

/// Ranks what waits.
pub trait Order: Send {
    /// Rank and id of the first invocation of a line; `None` while it is withheld.
    fn rank(&self, view: &ServerlessView<'_>, line: &Line) -> Option<(f64, InvocationId)>;
}

/// First come, first served, skipping what does not fit.
pub struct Fcfs;

impl Order for Fcfs {
    fn rank(&self, _view: &ServerlessView<'_>, line: &Line) -> Option<(f64, InvocationId)> {
        Some((line.arrived.seconds(), line.oldest))
    }
}

/// Shortest estimated duration first.
pub struct ShortestJob;

impl Order for ShortestJob {
    fn rank(&self, view: &ServerlessView<'_>, line: &Line) -> Option<(f64, InvocationId)> {
        let (invocation, seconds) = view.shortest(line);
        Some((seconds, invocation))
    }
}

/// Shortest remaining processing time (Schrage 1968), on estimates and without preemption: the rest of the longest path
/// of the invocation's workflow, and a cold start where no container waits for it.
pub struct ShortestRemaining;

impl Order for ShortestRemaining {
    fn rank(&self, view: &ServerlessView<'_>, line: &Line) -> Option<(f64, InvocationId)> {
        let (invocation, seconds) = view.shortest(line);
        let remaining = match view.stage(invocation) {
            Some(_) => view.remaining_path_seconds(invocation, line.function),
            None => seconds,
        };
        let cold = view.warm_nodes(line.function).next().is_none();
        let start = if cold { view.estimate(line.function).cold_start } else { 0.0 };
        Some((remaining + start, invocation))
    }
}

/// Weighted shortest processing time (Smith 1956): estimate / weight, with weights 1, 2 and 4 for low, normal and high
/// priority.
pub struct WeightedShortest;

impl Order for WeightedShortest {
    fn rank(&self, view: &ServerlessView<'_>, line: &Line) -> Option<(f64, InvocationId)> {
        let (invocation, seconds) = view.shortest(line);
        let weight = match view.spec().functions[line.function.0 as usize].priority {
            Priority::Low => 1.0,
            Priority::Normal => 2.0,
            Priority::High => 4.0,
        };
        Some((seconds / weight, invocation))
    }
}

/// Smallest volume first: estimate × memory.
pub struct SmallestVolume;

impl Order for SmallestVolume {
    fn rank(&self, view: &ServerlessView<'_>, line: &Line) -> Option<(f64, InvocationId)> {
        let (invocation, seconds) = view.shortest(line);
        Some((
            seconds * f64::from(view.spec().functions[line.function.0 as usize].default_memory_mb),
            invocation,
        ))
    }
}

/// Least duration by which a response ratio divides, seconds: as for slowdowns.
const LEAST_SECONDS: f64 = 0.1;

/// Highest response ratio next (Brinch Hansen 1971): longest wait relative to the estimate first.
pub struct HighestResponseRatio;

impl Order for HighestResponseRatio {
    fn rank(&self, view: &ServerlessView<'_>, line: &Line) -> Option<(f64, InvocationId)> {
        let waited = view.now().since(line.arrived).seconds();
        let seconds = view.estimate(line.function).mean.max(SHORTEST_ESTIMATE);
        Some((-(waited + seconds) / seconds.max(LEAST_SECONDS), line.oldest))
    }
}

/// Shortest first, but what is expected to take longer than `longer_than` seconds is withheld until it has waited `patience` ×
/// its estimate, so that it does not take the place of the short ones of the next burst.
pub struct Withhold {
    /// Estimated duration above which an invocation is withheld, seconds.
    pub longer_than: f64,
    /// Longest wait of a withheld invocation, as a multiple of its estimate.
    pub patience: f64,
}

impl Order for Withhold {
    fn rank(&self, view: &ServerlessView<'_>, line: &Line) -> Option<(f64, InvocationId)> {
        let (invocation, seconds) = view.shortest(line);
        let waited = view.now().since(line.arrived).seconds();
        let withheld = seconds > self.longer_than && waited < self.patience * seconds;
        (!withheld).then_some((seconds, invocation))
    }
}

/// Dominant resource fairness (Ghodsi et al., NSDI 2011): the tenant whose larger fraction of memory or CPU is the smallest goes
/// first; its invocations in the order of arrival.
pub struct DominantShare;

impl Order for DominantShare {
    fn rank(&self, view: &ServerlessView<'_>, line: &Line) -> Option<(f64, InvocationId)> {
        let functions = &view.spec().functions;
        let tenant = functions[line.function.0 as usize].tenant;
        let own = functions.iter().enumerate().filter(|(_, function)| function.tenant == tenant);
        let held: f64 = own
            .map(|(place, function)| {
                f64::from(view.busy_containers(FunctionId(place as u32)) * function.default_memory_mb)
            })
            .sum();
        let total = |of: fn(&common::cluster::NodeSpec) -> u32| -> f64 {
            view.spec().nodes.iter().map(|node| f64::from(of(node))).sum()
        };
        let memory = held / total(|node| node.memory_mb);
        let cpu = held / view.shares().mb_per_vcpu * 1000.0 / total(|node| node.cpu_millicores);
        Some((memory.max(cpu), line.oldest))
    }
}

/// Longest remaining path of its workflow first (critical path; with placement `earliest-finish` this is HEFT, Topcuoglu et al.
/// 2002).
pub struct CriticalPath;

impl Order for CriticalPath {
    fn rank(&self, view: &ServerlessView<'_>, line: &Line) -> Option<(f64, InvocationId)> {
        Some((-view.remaining_path_seconds(line.oldest, line.function), line.oldest))
    }
}

/// Tetris (Grandl et al., SIGCOMM 2014): knob × alignment of demand and free resources on the best node + (1 − knob) /
/// estimate, the largest first. With knob 1 it is `packer`.
pub struct Tetris {
    /// Weight of alignment against shortness, a fraction from 0 to 1.
    pub knob: f64,
}

impl Order for Tetris {
    fn rank(&self, view: &ServerlessView<'_>, line: &Line) -> Option<(f64, InvocationId)> {
        let size = view.default_size(line.function);
        let (invocation, seconds) = view.shortest(line);
        let alignment = match alignment::best_aligned(view, line.function, size) {
            Some((alignment, _)) => alignment,
            // Only a reservation asks: it fits nowhere now.
            None => alignment::when_empty(view, line.function, size)?,
        };
        Some((-(self.knob * alignment + (1.0 - self.knob) / seconds.max(SHORTEST_ESTIMATE)), invocation))
    }
}
