//! Finished episodes, gathered by workload, load and scheduler, and their means with intervals.

use std::collections::{BTreeMap, HashMap};

use common::name::printable;
use common::trajectory::Scenario;
use serde::Serialize;

use crate::decision_times::DecisionTimes;
use crate::error::EvaluationError;
use crate::metrics::{Metric, metrics_of};
use crate::record::{Cell, EpisodeRecord};
use crate::reference::is_reference;
use crate::statistics::{Bootstraps, Interval, ratio_of_sums};

/// Smallest number of seeds from which a comparison is reliable.
pub const ENOUGH_SEEDS: u32 = 30;

/// Figures and sums of one episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// One figure for each metric, in the order of [`metrics_of`].
    pub figures: Vec<f64>,
    /// One sum for each key, in the order of [`sums_of`](crate::sums_of).
    pub sums: Vec<f64>,
}

/// All episodes of one scheduler on one workload at one load.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Workload, load and scheduler of these episodes.
    pub cell: Cell,
    /// Episodes by the number of their seed.
    pub episodes: BTreeMap<u32, Episode>,
    /// Slowdowns of all of them: count by the bits of the bucket's lower edge.
    slowdowns: BTreeMap<u64, u64>,
    /// Wall times of all decisions.
    pub decisions: DecisionTimes,
}

impl Point {
    /// Slowdowns of all episodes as (lower edge, count), ascending.
    pub fn slowdowns(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.slowdowns.iter().map(|(edge, count)| (f64::from_bits(*edge), *count))
    }

    /// Sum number `place` over all episodes.
    #[must_use]
    pub fn total(&self, place: usize) -> f64 {
        self.episodes.values().map(|episode| episode.sums[place]).sum()
    }
}

/// Results of one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    scenario: Scenario,
    points: Vec<Point>,
    places: HashMap<(String, u64, String), usize>,
}

impl Results {
    /// Results without any episode.
    #[must_use]
    pub fn new(scenario: Scenario) -> Self {
        Results { scenario, points: Vec::new(), places: HashMap::new() }
    }

    /// Scenario of all episodes.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        self.scenario
    }

    /// The metrics that its episodes have.
    #[must_use]
    pub fn metrics(&self) -> &'static [Metric] {
        metrics_of(self.scenario)
    }

    /// Takes in an episode; one that is known already changes nothing.
    pub fn add(&mut self, record: EpisodeRecord) {
        let place = *self.places.entry(key(&record.cell)).or_insert_with(|| {
            self.points.push(Point {
                cell: record.cell.clone(),
                episodes: BTreeMap::new(),
                slowdowns: BTreeMap::new(),
                decisions: DecisionTimes::default(),
            });
            self.points.len() - 1
        });
        let point = &mut self.points[place];
        if point.episodes.contains_key(&record.seed) {
            return;
        }
        for (edge, count) in &record.slowdowns {
            let known = point.slowdowns.entry(edge.to_bits()).or_default();
            *known = known.saturating_add(*count);
        }
        point.decisions.merge(&record.decisions);
        point.episodes.insert(record.seed, Episode { figures: record.figures, sums: record.sums });
    }

    /// Whether an episode is known.
    #[must_use]
    pub fn contains(&self, cell: &Cell, seed: u32) -> bool {
        self.point(cell).is_some_and(|point| point.episodes.contains_key(&seed))
    }

    /// All episodes of a cell.
    #[must_use]
    pub fn point(&self, cell: &Cell) -> Option<&Point> {
        self.places.get(&key(cell)).map(|&place| &self.points[place])
    }

    /// The same by its parts.
    #[must_use]
    pub fn find(&self, workload: &str, load: f64, scheduler: &str) -> Option<&Point> {
        self.point(&Cell { workload: workload.into(), load, scheduler: scheduler.into() })
    }

    /// All points; see [`Results::sort`].
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Refuses results in which a workload has a load at which nothing was counted: its figures would all be empty.
    ///
    /// # Errors
    /// [`EvaluationError::NothingCounted`].
    pub fn check_counted(&self) -> Result<(), EvaluationError> {
        for workload in self.workloads() {
            for load in self.loads(workload) {
                let here = || {
                    self.points.iter().filter(|one| one.cell.load == load && &*one.cell.workload == workload)
                };
                if here().all(|point| counted(self.scenario, point) == 0.0) {
                    return Err(EvaluationError::NothingCounted {
                        workload: printable(workload),
                        load,
                        seeds: here().map(|point| point.episodes.len()).max().unwrap_or(0) as u32,
                        remedy: remedy(self.scenario),
                    });
                }
            }
        }
        Ok(())
    }

    /// A warning where some schedulers have fewer seeds than a comparison needs.
    #[must_use]
    pub fn too_few_seeds(&self) -> Option<String> {
        let played = self.points.iter().filter(|point| !is_reference(&point.cell.scheduler));
        let least = played.map(|point| point.episodes.len() as u32).min()?;
        (least < ENOUGH_SEEDS).then(|| {
format!("{least} episodes (seeds) of a point were played; a comparison needs {ENOUGH_SEEDS}: do not believe differences yet")
        })
    }

    /// Orders the points by workload and scheduler, as these lists have them, and by load; what no list has comes last, by
    /// name.
    pub fn sort(&mut self, workloads: &[String], schedulers: &[String]) {
        let place = |list: &[String], name: &str| {
            let found = list.iter().position(|one| one == name);
            (found.unwrap_or(list.len()), name.to_owned())
        };
        self.points.sort_by(|a, b| {
            place(workloads, &a.cell.workload)
                .cmp(&place(workloads, &b.cell.workload))
                .then(a.cell.load.total_cmp(&b.cell.load))
                .then_with(|| place(schedulers, &a.cell.scheduler).cmp(&place(schedulers, &b.cell.scheduler)))
        });
        self.places =
            self.points.iter().enumerate().map(|(place, point)| (key(&point.cell), place)).collect();
    }

    /// Workloads, in their order.
    #[must_use]
    pub fn workloads(&self) -> Vec<&str> {
        in_order_of_appearance(self.points.iter().map(|point| &*point.cell.workload))
    }

    /// Schedulers, in their order.
    #[must_use]
    pub fn schedulers(&self) -> Vec<&str> {
        in_order_of_appearance(self.points.iter().map(|point| &*point.cell.scheduler))
    }

    /// Whom the others are compared with where nothing else is said: the first scheduler that is no reference.
    #[must_use]
    pub fn first_scheduler(&self) -> Option<&str> {
        self.schedulers().into_iter().find(|name| !is_reference(name))
    }

    /// Loads of a workload, percent, ascending.
    #[must_use]
    pub fn loads(&self, workload: &str) -> Vec<f64> {
        let mut loads: Vec<f64> = in_order_of_appearance(
            self.points.iter().filter(|point| &*point.cell.workload == workload).map(|point| point.cell.load),
        );
        loads.sort_by(f64::total_cmp);
        loads
    }

    /// Means with their intervals, point by point.
    #[must_use]
    pub fn summaries(&self) -> Vec<Summary> {
        let mut bootstraps = Bootstraps::default();
        self.points.iter().map(|point| summarise(self.scenario, point, &mut bootstraps)).collect()
    }
}

/// Invocations that count, or jobs offered.
fn counted(scenario: Scenario, point: &Point) -> f64 {
    match scenario {
        Scenario::Slots => point.total(1) + point.total(2),
        Scenario::Serverless => point.total(0),
    }
}

fn remedy(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::Slots => "raise --load, --steps or --episodes",
        Scenario::Serverless => {
            "raise --load or --seeds, or make the episodes longer: `simulator.serverless.window_seconds` and \
             `test_window_seconds`, which must be well above `warm_up_seconds`, and with a trace minutes in which something is \
             called"
        }
    }
}

fn key(cell: &Cell) -> (String, u64, String) {
    (cell.workload.to_string(), cell.load.to_bits(), cell.scheduler.to_string())
}

/// One scheduler on one workload at one load: a row of `results.csv`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the workload.
    pub workload: String,
    /// Offered load, percent.
    pub load: f64,
    /// Canonical name of the scheduler that played.
    pub scheduler: String,
    /// Number of seeds played.
    pub seeds: u32,
    /// Invocations that count over all seeds; in `slots` jobs offered.
    pub invocations: u64,
    /// Counted time over all seeds, seconds; in `slots` 0.
    pub seconds: f64,
    /// Each metric of the scenario with its 95% interval: over seeds the mean, in `slots` pooled over jobs with 1.96
    /// standard errors.
    pub metrics: Vec<Interval>,
    /// Wall time of a decision, median, microseconds.
    pub decision_us_p50: f64,
    /// The same, 99th percentile.
    pub decision_us_p99: f64,
}

impl Summary {
    /// The metric of that name.
    #[must_use]
    pub fn metric(&self, scenario: Scenario, name: &str) -> Interval {
        let place = metrics_of(scenario).iter().position(|metric| metric.key == name);
        place.map_or(Interval { mean: f64::NAN, low: f64::NAN, high: f64::NAN }, |place| self.metrics[place])
    }
}

fn summarise(scenario: Scenario, point: &Point, bootstraps: &mut Bootstraps) -> Summary {
    let (metrics, invocations, seconds) = match scenario {
        Scenario::Slots => (of_slots(point), counted(scenario, point), 0.0),
        Scenario::Serverless => {
            // An episode in which a figure was not measured, as one without any arrival, is not in its mean.
            let mut interval = |place: usize| {
                let figures = point.episodes.values().map(|one| one.figures[place]);
                let values: Vec<f64> = figures.filter(|figure| figure.is_finite()).collect();
                bootstraps.of(values.len()).of_mean(&values)
            };
            (
                (0..metrics_of(scenario).len()).map(&mut interval).collect(),
                counted(scenario, point),
                point.total(1),
            )
        }
    };
    Summary {
        workload: point.cell.workload.to_string(),
        load: point.cell.load,
        scheduler: point.cell.scheduler.to_string(),
        seeds: point.episodes.len() as u32,
        invocations: invocations as u64,
        seconds,
        metrics,
        decision_us_p50: point.decisions.quantile_us(0.5),
        decision_us_p99: point.decisions.quantile_us(0.99),
    }
}

/// Pooled over jobs, as the definition of a point of `slots` says.
fn of_slots(point: &Point) -> Vec<Interval> {
    let interval =
        |(mean, error): (f64, f64)| Interval { mean, low: mean - 1.96 * error, high: mean + 1.96 * error };
    let pooled = |sum: &dyn Fn(&Episode) -> (f64, u64)| {
        interval(ratio_of_sums(&point.episodes.values().map(sum).collect::<Vec<_>>()))
    };
    vec![
        pooled(&|one| (one.sums[0], one.sums[1] as u64)),
        pooled(&|one| (one.sums[2], (one.sums[1] + one.sums[2]) as u64)),
    ]
}

/// Each value once, in the order in which they first appear.
pub(crate) fn in_order_of_appearance<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}
