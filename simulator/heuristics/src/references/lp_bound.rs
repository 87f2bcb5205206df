use std::collections::BinaryHeap;

use engine::serverless::{Offered, OfferedJob};

/// A lower bound on the mean slowdown over the counted invocations of any schedule that finishes them all, warm starts and free
/// CPU granted.
///
/// The time-indexed linear program over the whole cluster's memory as one machine on which invocations may be preempted:
/// an invocation of memory m that takes at least t seconds on any node is work m·t. Its optimum is the preemptive schedule by
/// weight / work, and in it Σ w·M, M being mean busy times, is least (Goemans 1997; Goemans et al., SIAM J. Discrete Math. 2002).
/// In a real schedule the mean busy time of an invocation that ends at C is at most C − t/2, so Σ w·C ≥ Σ w·(M + t/2).
#[must_use]
pub fn lp_bound(offered: &Offered) -> f64 {
    let memory: f64 = offered.nodes.iter().map(|&(memory, _)| f64::from(memory)).sum();
    let fastest = offered.nodes.iter().map(|&(_, speed)| speed).fold(0.0, f64::max);
    let relaxed = |job: &OfferedJob| {
        let shortest = job.seconds_at(fastest);
        Relaxed {
            arrived: job.arrived,
            shortest,
            work: f64::from(job.memory_mb) * shortest / memory,
            weight: if job.counted { job.weight() } else { 0.0 },
        }
    };
    let jobs: Vec<Relaxed> = offered.jobs.iter().map(relaxed).collect();
    let counted = offered.jobs.iter().filter(|job| job.counted).count();
    let mean_busy = mean_busy_times(&jobs);
    let ends = jobs.iter().zip(mean_busy);
    let sum: f64 = ends.map(|(job, mean)| job.weight * (mean + job.shortest / 2.0 - job.arrived)).sum();
    // A slowdown is at least 1.
    (sum / counted as f64).max(1.0)
}

struct Relaxed {
    arrived: f64,
    /// Seconds on the fastest node.
    shortest: f64,
    /// Seconds that it would take the whole cluster.
    work: f64,
    weight: f64,
}

#[derive(Clone, Copy, PartialEq)]
struct Ready {
    /// Weight / work, whole.
    ratio: f64,
    job: usize,
    left: f64,
}

impl Eq for Ready {}

impl Ord for Ready {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.ratio.total_cmp(&other.ratio).then(other.job.cmp(&self.job))
    }
}

impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Mean busy time of each job when the one with the largest weight / work runs at any time; `jobs` are sorted by arrival.
fn mean_busy_times(jobs: &[Relaxed]) -> Vec<f64> {
    let mut means = vec![0.0; jobs.len()];
    let mut ready: BinaryHeap<Ready> = BinaryHeap::new();
    let mut now = 0.0_f64;
    let mut next = 0;
    while next < jobs.len() || !ready.is_empty() {
        let until = jobs.get(next).map_or(f64::INFINITY, |job| job.arrived);
        match ready.pop() {
            Some(first) if now < until => {
                let runs = first.left.min(until - now);
                means[first.job] += runs / jobs[first.job].work * (now + runs / 2.0);
                now += runs;
                if first.left > runs {
                    ready.push(Ready { left: first.left - runs, ..first });
                }
            }
            other => {
                ready.extend(other);
                now = now.max(until);
                let job = &jobs[next];
                ready.push(Ready { ratio: job.weight / job.work, job: next, left: job.work });
                next += 1;
            }
        }
    }
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(arrived: f64, seconds: f64) -> OfferedJob {
        OfferedJob {
            arrived,
            function: 0,
            memory_mb: 100,
            fixed_seconds: seconds,
            cpu_seconds: 0.0,
            counted: true,
        }
    }

    #[test]
    fn on_one_machine_it_is_the_shortest_first_schedule_where_nobody_is_preempted() {
        // Both at once, one at a time: 1 s, then 2 s. Slowdowns 1 and 3/2.
        let offered = Offered { jobs: vec![job(0.0, 1.0), job(0.0, 2.0)], nodes: vec![(100, 1.0)] };
        assert!((lp_bound(&offered) - 1.25).abs() < 1e-12, "{}", lp_bound(&offered));
    }

    #[test]
    fn it_is_never_below_one_and_grows_with_the_crowd() {
        let crowd = |count: usize| Offered {
            jobs: (0..count).map(|_| job(0.0, 1.0)).collect(),
            nodes: vec![(200, 1.0), (200, 1.0)],
        };
        assert_eq!(lp_bound(&crowd(4)), 1.0);
        // Forty in a cluster with room for four: ends at 1, 2, … 10 s, on average 5.5.
        assert!((4.9..=5.5).contains(&lp_bound(&crowd(40))), "{}", lp_bound(&crowd(40)));
    }
}
