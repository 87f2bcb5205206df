//! The production encoder, as the learner trains it: the value network on states of a cluster.

use anyhow::Result;
use common::RunSeed;
use configuration::{PolicyConfig, Storage};
use learner::Adam;
use policy::{EPISODE_FACTS, GraphBatch, ValueNetwork};
use state_graph::StateGraph;
use tch::{Device, Kind, Tensor};
use torch_extension::process_group::ProcessGroup;

use crate::graph::{generator, noise};
use crate::typed::schema;
use crate::work::Pass;

/// The network with states that are collated, ready to be timed.
pub(crate) struct ProductionEncoder {
    batch: GraphBatch,
    aims: Tensor,
    /// States of all ranks.
    states: f64,
    network: ValueNetwork,
    adam: Adam,
    group: Option<ProcessGroup>,
}

/// Configuration of the production encoder.
pub(crate) fn production(storage: Storage) -> PolicyConfig {
    PolicyConfig { width: 64, heads: 4, layers: 2, value_layers: 2, storage, ..PolicyConfig::default() }
}

impl ProductionEncoder {
    pub(crate) fn new(states: &[StateGraph], storage: Storage, device: Device) -> Self {
        let batch = GraphBatch::collate(&schema(), &states.iter().collect::<Vec<_>>());
        let config = production(storage);
        Self::of_share(&config, batch.to_device(device), states.len(), states.len(), None, device)
    }

    /// This rank's share of `states` states; it says something of `mine` of them.
    pub(crate) fn of_share(
        config: &PolicyConfig,
        batch: GraphBatch,
        mine: usize,
        states: usize,
        group: Option<ProcessGroup>,
        device: Device,
    ) -> Self {
        let network = ValueNetwork::with_options(&schema(), config, RunSeed(1), (Kind::Float, device));
        let adam = Adam::new(network.parameters());
        let aims = Tensor::from_slice(&noise(mine, &mut generator(0))).to_kind(Kind::Float).to_device(device);
        ProductionEncoder { batch, aims, states: states as f64, network, adam, group }
    }

    /// One pass; returns this rank's part of the loss.
    pub(crate) fn run(&mut self, pass: Pass) -> Result<f64> {
        match pass {
            Pass::Epoch => {
                let loss = self.loss()?;
                loss.f_backward()?;
                if let Some(group) = &self.group {
                    group.all_reduce(self.network.parameters().gradients())?;
                }
                self.adam.step(self.network.parameters(), 1e-3)?;
                Ok(loss.f_double_value(&[])?)
            }
            Pass::Inference => tch::no_grad(|| Ok(self.loss()?.f_double_value(&[])?)),
        }
    }

    /// Waits for the other ranks.
    pub(crate) fn barrier(&self) -> Result<()> {
        Ok(self.group.as_ref().map_or(Ok(()), ProcessGroup::barrier)?)
    }

    /// Bytes of rows that this rank has sent so far.
    pub(crate) fn exchanged_bytes(&self) -> u64 {
        self.group.as_ref().map_or(0, ProcessGroup::exchanged_bytes)
    }

    fn loss(&self) -> Result<Tensor> {
        let facts = vec![[0.0; EPISODE_FACTS]; self.aims.size()[0] as usize];
        let values = self.network.forward(&self.batch, &facts, self.group.as_ref())?;
        Ok((values - &self.aims).f_square()?.f_sum(Kind::Float)? / self.states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::Work;

    #[test]
    fn epochs_learn() {
        for storage in [Storage::F32, Storage::Bf16] {
            let mut network = ProductionEncoder::new(&Work::States.states()[..8], storage, Device::Cpu);
            let before = network.run(Pass::Inference).unwrap();
            for _ in 0..20 {
                network.run(Pass::Epoch).unwrap();
            }
            let after = network.run(Pass::Inference).unwrap();
            assert!(after < 0.5 * before, "{storage}: {before} to {after}");
        }
    }
}
