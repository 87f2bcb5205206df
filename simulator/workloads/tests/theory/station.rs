//! A cluster that is a queue, and what its customers meet.

use std::collections::HashMap;

use common::cluster::{ClusterEvent, NodeSpec, TimedEvent};
use common::ids::InvocationId;
use common::trajectory::Scenario;
use common::{RunSeed, SimTime};
use configuration::{RuntimeConfig, ServerlessConfig, SimulatorConfig, SlotsConfig};
use engine::serverless::Part;
use engine::{ClusterView, DecisionRequest, Interests, Progress, Simulation};
use heuristics::heuristic;
use workloads::Episodes;

use crate::service::{OneFunction, Service, Shape};

/// Longer than any episode, seconds.
const FOREVER: f64 = 1e9;

/// One node and the function that is called there. Cold starts take no time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Station {
    pub service: Service,
    /// Containers that the node has room for.
    pub servers: u32,
    /// Memory of a container, MB.
    pub memory_mb: u32,
    pub cpu_millicores: u32,
    /// Seconds.
    pub keep_alive: f64,
}

impl Station {
    /// `servers` containers that do not hinder each other: invocations wait for memory, and for nothing else.
    pub fn queue(shape: Shape, servers: u32) -> Station {
        Station {
            service: Service { shape, mean: 1.0, io_share: 0.5 },
            servers,
            memory_mb: 128,
            cpu_millicores: 1000 * servers,
            keep_alive: FOREVER,
        }
    }

    /// Room for all that come, each of whom could use the one vCPU alone.
    pub fn shared_cpu(shape: Shape) -> Station {
        Station {
            service: Service { shape, mean: 1.0, io_share: 0.0 },
            servers: 2000,
            memory_mb: 1769,
            cpu_millicores: 1000,
            keep_alive: FOREVER,
        }
    }

    fn config(&self, seconds: f64) -> SimulatorConfig {
        let node = NodeSpec {
            cpu_millicores: self.cpu_millicores,
            memory_mb: self.servers * self.memory_mb,
            network_mbps: 1000,
            speed: 1.0,
            price_class: 1.0,
            zone: 0,
        };
        let runtime = RuntimeConfig { name: "instant".to_owned(), share: 1.0, median_ms: 0.0, sigma: 0.0 };
        let serverless = ServerlessConfig {
            nodes: vec![node],
            runtimes: vec![runtime],
            test_window_seconds: seconds,
            warm_up_seconds: 0.0,
            drain_limit_seconds: FOREVER,
            keep_alive_seconds: self.keep_alive,
            ..ServerlessConfig::default()
        };
        SimulatorConfig { scenario: Scenario::Serverless, slots: SlotsConfig::default(), serverless }
    }

    /// Plays about `count` invocations that arrive at `rate` a second, first come, first served.
    pub fn play(&self, seed: RunSeed, rate: f64, count: u32) -> Customers {
        let source = OneFunction::new(self.service, self.memory_mb);
        let config = self.config(f64::from(count) / rate);
        let episodes = Episodes::of_workload(&config, Box::new(source)).unwrap();
        let by_memory = rate * self.service.mean / f64::from(self.servers);
        let work = rate * self.service.mean * (1.0 - self.service.io_share);
        let vcpus = f64::from(self.memory_mb) / config.serverless.mb_per_vcpu;
        let by_cpu = work * vcpus.min(1.0) * 1000.0 / f64::from(self.cpu_millicores);
        let mut simulation = episodes.serverless(seed, Part::Test, by_memory.max(by_cpu), Interests::EVENTS);
        let mut customers = Customers::default();
        let mut fcfs = heuristic("fcfs", Scenario::Serverless).unwrap();
        let mut decisions = Vec::new();
        while simulation.advance() == Progress::Decision {
            customers.see(events(&simulation));
            decisions.clear();
            let request = DecisionRequest { environment: 0, view: simulation.view() };
            fcfs.decide(&[request], &mut decisions).unwrap();
            simulation.apply(decisions[0]).unwrap();
        }
        customers.see(events(&simulation));
        assert!(customers.present.is_empty(), "all are served in the end");
        customers
    }
}

fn events(simulation: &Simulation) -> &[TimedEvent] {
    let ClusterView::Serverless(view) = simulation.view() else { unreachable!("the scenario is serverless") };
    view.events()
}

/// What invocations met, in the order of their arrival.
#[derive(Default)]
pub struct Customers {
    /// From arrival to start, seconds.
    pub waits: Vec<f64>,
    /// From arrival to finish, seconds.
    pub sojourns: Vec<f64>,
    /// 1 where the container was new.
    pub cold: Vec<f64>,
    present: HashMap<InvocationId, (usize, SimTime)>,
}

impl Customers {
    fn see(&mut self, events: &[TimedEvent]) {
        for TimedEvent { at, event } in events {
            match event {
                ClusterEvent::Arrived { invocation, .. } => {
                    self.present.insert(*invocation, (self.waits.len(), *at));
                    self.waits.push(0.0);
                    self.sojourns.push(0.0);
                    self.cold.push(0.0);
                }
                ClusterEvent::Started { invocation, cold, .. } => {
                    let (place, arrived) = self.present[invocation];
                    self.waits[place] = at.since(arrived).seconds();
                    self.cold[place] = f64::from(u8::from(*cold));
                }
                ClusterEvent::Finished { invocation, .. } => {
                    let (place, arrived) = self.present.remove(invocation).unwrap();
                    self.sojourns[place] = at.since(arrived).seconds();
                }
                _ => {}
            }
        }
    }
}
