use std::collections::BTreeMap;

use engine::serverless::{
    Distribution, FunctionOutcome, Offered, OfferedJob, SLOWDOWN_FLOOR, ServerlessOutcome,
};

/// Who knows all invocations takes them by (reference duration, arrival) and books each on the node where it ends first, at the
/// earliest time not before its arrival at which its memory is free there for its whole duration; warm, and with CPU and
/// bandwidth to itself. A reference and not a bound. Slowdowns and latencies are those of the counted invocations.
#[must_use]
pub fn serverless_insertion(offered: &Offered, functions: usize) -> ServerlessOutcome {
    let mut order: Vec<&OfferedJob> = offered.jobs.iter().collect();
    order.sort_by(|one, other| {
        let key = |job: &OfferedJob| (job.seconds_at(1.0), job.arrived);
        key(one).partial_cmp(&key(other)).unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut nodes: Vec<Node> =
        offered.nodes.iter().map(|&(memory, speed)| Node::new(memory, speed)).collect();
    let mut outcome = ServerlessOutcome {
        functions: vec![FunctionOutcome::default(); functions],
        slowdowns: Distribution::default(),
        latencies: Distribution::default(),
        ..ServerlessOutcome::default()
    };
    for job in order {
        let ends = |node: &Node| node.earliest(job) + job.seconds_at(node.speed);
        let best = nodes.iter().enumerate().filter(|(_, node)| node.memory_mb >= job.memory_mb);
        let best =
            best.map(|(place, node)| (ends(node), place)).min_by(|one, other| one.0.total_cmp(&other.0));
        let Some((end, place)) = best else { continue };
        let seconds = job.seconds_at(nodes[place].speed);
        nodes[place].book(job.memory_mb, end - seconds, end);
        if job.counted {
            count(&mut outcome, job, end - job.arrived);
        }
    }
    outcome
}

fn count(outcome: &mut ServerlessOutcome, job: &OfferedJob, latency: f64) {
    let slowdown = (latency / job.seconds_at(1.0).max(SLOWDOWN_FLOOR)).max(1.0);
    let function = &mut outcome.functions[job.function as usize];
    function.arrivals += 1;
    function.slowdown_sum += slowdown;
    outcome.slowdowns.record(slowdown);
    outcome.latencies.record(latency);
}

/// Memory in use over time, as steps.
struct Node {
    memory_mb: u32,
    speed: f64,
    /// From when (the bits of seconds, which order as the seconds do) how much is in use, MB.
    steps: BTreeMap<u64, u32>,
}

impl Node {
    fn new(memory_mb: u32, speed: f64) -> Self {
        Node { memory_mb, speed, steps: BTreeMap::from([(0, 0)]) }
    }

    /// When the job can start, seconds.
    fn earliest(&self, job: &OfferedJob) -> f64 {
        let seconds = job.seconds_at(self.speed);
        let room = self.memory_mb - job.memory_mb;
        let mut start = job.arrived;
        let first = self.steps.range(..=start.to_bits()).next_back().map_or(0, |(&at, _)| at);
        for (&at, &used) in self.steps.range(first..) {
            let at = f64::from_bits(at);
            if at >= start + seconds {
                break;
            }
            if used > room {
                // Not before the next step.
                start = f64::INFINITY;
            } else if start.is_infinite() {
                start = at;
            }
        }
        start
    }

    fn book(&mut self, memory_mb: u32, from: f64, to: f64) {
        for at in [from, to] {
            let before = self.steps.range(..=at.to_bits()).next_back().map_or(0, |(_, &used)| used);
            self.steps.entry(at.to_bits()).or_insert(before);
        }
        self.steps.range_mut(from.to_bits()..to.to_bits()).for_each(|(_, used)| *used += memory_mb);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_one_goes_first_and_the_long_one_around_it() {
        let job = |arrived, seconds, memory_mb| OfferedJob {
            arrived,
            function: 0,
            memory_mb,
            fixed_seconds: seconds,
            cpu_seconds: 0.0,
            counted: true,
        };
        let offered = Offered {
            jobs: vec![job(0.0, 10.0, 80), job(1.0, 1.0, 80), job(1.0, 4.0, 20)],
            nodes: vec![(100, 1.0)],
        };
        let outcome = serverless_insertion(&offered, 1);
        // The short one runs from 1 to 2, the small one beside it, the long one from 2 to 12.
        assert!((outcome.latencies.sum() - (1.0 + 4.0 + 12.0)).abs() < 1e-9, "{:?}", outcome.latencies.sum());
    }
}
