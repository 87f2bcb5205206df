//! GATv2 as the peers have it: two layers of four heads of 16, ReLU between, a linear readout to one number a node, mean
//! squared error, Adam. Only the attention is this project's own.

use anyhow::Result;
use common::seed::FastRng;
use configuration::Storage;
use tch::nn::{self, Module, OptimizerConfig};
use tch::{Device, Kind, Reduction, Tensor};
use torch_extension::attention::{Inputs, attend};
use torch_extension::{EdgeLayout, Edges};

use crate::graph::{Graph, generator, noise};
use crate::work::Pass;

const WIDTH: usize = 64;
const HEADS: i64 = 4;

/// The network on its graph, ready to be timed.
pub(crate) struct Gatv2 {
    layout: EdgeLayout,
    features: Tensor,
    aims: Tensor,
    layers: [Layer; 2],
    /// What projections are kept as.
    stored: Kind,
    readout: nn::Linear,
    optimiser: nn::Optimizer,
}

struct Layer {
    source: nn::Linear,
    target: nn::Linear,
    attention: Tensor,
    bias: Tensor,
}

impl Gatv2 {
    pub(crate) fn new(graph: &Graph, storage: Storage, device: Device) -> Result<Self> {
        let layout = EdgeLayout::new(&Edges {
            source_nodes: graph.nodes,
            target_nodes: graph.nodes,
            sources: &graph.sources,
            targets: &graph.targets,
            relations: &[],
            features: &[],
            feature_width: 0,
        })?
        .to_device(device);
        let store = nn::VarStore::new(device);
        let mut rng = generator(0);
        let layers = [
            Layer::new(&(store.root() / "first"), graph.width, &mut rng),
            Layer::new(&(store.root() / "second"), WIDTH, &mut rng),
        ];
        let readout = linear(&(store.root() / "readout"), WIDTH, 1, &mut rng);
        let optimiser = nn::Adam::default().build(&store, 1e-3)?;
        let features =
            Tensor::f_from_slice(&graph.features)?.f_view([graph.nodes as i64, graph.width as i64])?;
        let features = features.to_device(device);
        let aims = Tensor::f_from_slice(&graph.aims)?.to_device(device);
        let stored = match storage {
            Storage::F32 => Kind::Float,
            Storage::Bf16 => Kind::BFloat16,
        };
        Ok(Gatv2 { layout, features, aims, layers, stored, readout, optimiser })
    }

    /// One pass; returns the loss.
    pub(crate) fn run(&mut self, pass: Pass) -> Result<f64> {
        match pass {
            Pass::Epoch => {
                let loss = self.loss()?;
                self.optimiser.backward_step(&loss);
                Ok(loss.f_double_value(&[])?)
            }
            Pass::Inference => tch::no_grad(|| Ok(self.loss()?.f_double_value(&[])?)),
        }
    }

    fn loss(&self) -> Result<Tensor> {
        let [first, second] = &self.layers;
        let hidden = first.forward(&self.features, self.stored, &self.layout)?.f_relu()?;
        let embedded = second.forward(&hidden, self.stored, &self.layout)?;
        let answers = self.readout.forward(&embedded).f_squeeze_dim(1)?;
        Ok(answers.f_mse_loss(&self.aims, Reduction::Mean)?)
    }
}

impl Layer {
    fn new(path: &nn::Path<'_>, inputs: usize, rng: &mut FastRng) -> Self {
        Layer {
            source: linear(&(path / "source"), inputs, WIDTH, rng),
            target: linear(&(path / "target"), inputs, WIDTH, rng),
            attention: parameter(path, "attention", &[WIDTH], 0.25, rng),
            bias: path.zeros("bias", &[WIDTH as i64]),
        }
    }

    fn forward(&self, rows: &Tensor, stored: Kind, layout: &EdgeLayout) -> Result<Tensor> {
        let project = |linear: &nn::Linear| linear.forward(rows).f_to_kind(stored);
        let (source, target) = (project(&self.source)?, project(&self.target)?);
        let inputs =
            Inputs { source: &source, target: &target, attention: &self.attention, edge: None, heads: HEADS };
        Ok(attend(&inputs, layout)?.f_add(&self.bias)?)
    }
}

fn linear(path: &nn::Path<'_>, inputs: usize, outputs: usize, rng: &mut FastRng) -> nn::Linear {
    let ws = parameter(path, "weight", &[outputs, inputs], (3.0 / inputs as f64).sqrt(), rng);
    nn::Linear { ws, bs: Some(path.zeros("bias", &[outputs as i64])) }
}

/// A parameter drawn evenly from ±`bound`.
fn parameter(path: &nn::Path<'_>, name: &str, shape: &[usize], bound: f64, rng: &mut FastRng) -> Tensor {
    let values = noise(shape.iter().product(), rng);
    let shape: Vec<i64> = shape.iter().map(|side| *side as i64).collect();
    let drawn = Tensor::from_slice(&values).to_kind(Kind::Float).view(shape.as_slice()) * bound;
    path.var_copy(name, &drawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::power_law;

    #[test]
    fn epochs_learn() {
        for storage in [Storage::F32, Storage::Bf16] {
            let mut network = Gatv2::new(&power_law(2000), storage, Device::Cpu).unwrap();
            let before = network.run(Pass::Inference).unwrap();
            for _ in 0..100 {
                network.run(Pass::Epoch).unwrap();
            }
            let after = network.run(Pass::Inference).unwrap();
            assert!(after < 0.8 * before, "{storage}: {before} to {after}");
        }
    }
}
