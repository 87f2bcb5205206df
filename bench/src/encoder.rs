//! The production encoder, as the learner trains it: the value network on states of a cluster.

use anyhow::Result;
use common::RunSeed;
use common::config::PolicyConfig;
use learner::Adam;
use policy::{GraphBatch, ValueNetwork};
use state_graph::Frame;
use tch::{Kind, Reduction, Tensor};

use crate::graph::{generator, noise};
use crate::typed::schema;
use crate::work::Pass;

/// The network with states that are collated, ready to be timed.
pub(crate) struct ProductionEncoder {
    batch: GraphBatch,
    aims: Tensor,
    network: ValueNetwork,
    adam: Adam,
}

impl ProductionEncoder {
    pub(crate) fn new(frames: &[Frame]) -> Self {
        let schema = schema();
        let config =
            PolicyConfig { width: 64, heads: 4, layers: 2, value_layers: 2, ..PolicyConfig::default() };
        let network = ValueNetwork::new(&schema, &config, RunSeed(1));
        let adam = Adam::new(network.parameters());
        let batch = GraphBatch::collate(&schema, &frames.iter().collect::<Vec<_>>());
        let aims = Tensor::from_slice(&noise(frames.len(), &mut generator(0))).to_kind(Kind::Float);
        ProductionEncoder { batch, aims, network, adam }
    }

    /// One pass; returns the loss.
    pub(crate) fn run(&mut self, pass: Pass) -> Result<f64> {
        match pass {
            Pass::Epoch => {
                let loss = self.loss()?;
                loss.f_backward()?;
                self.adam.step(self.network.parameters(), 1e-3)?;
                Ok(loss.f_double_value(&[])?)
            }
            Pass::Inference => tch::no_grad(|| Ok(self.loss()?.f_double_value(&[])?)),
        }
    }

    fn loss(&self) -> Result<Tensor> {
        Ok(self.network.forward(&self.batch, None)?.f_mse_loss(&self.aims, Reduction::Mean)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::Work;

    #[test]
    fn epochs_learn() {
        let mut network = ProductionEncoder::new(&Work::States.frames()[..8]);
        let before = network.run(Pass::Inference).unwrap();
        for _ in 0..20 {
            network.run(Pass::Epoch).unwrap();
        }
        let after = network.run(Pass::Inference).unwrap();
        assert!(after < 0.5 * before, "{before} to {after}");
    }
}
