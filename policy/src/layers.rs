//! The two layers that all networks are made of: linear and layer normalisation.

use tch::Tensor;
use torch_extension::inference;
use torch_extension::linear::{Then, linear};

use crate::PolicyError;
use crate::parameters::{Initialiser, numbers};

/// A linear layer, `x W + b`, with `W` `[inputs, outputs]` and `b` `[outputs]`.
#[derive(Debug)]
pub(crate) struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Weights uniform in ±`gain`·√(3 / inputs): variance `gain`² / inputs. The bias starts at zero.
    pub(crate) fn new(init: &mut Initialiser, name: &str, inputs: usize, outputs: usize, gain: f64) -> Self {
        let mut layer = Self::without_bias(init, name, inputs, outputs, gain);
        layer.bias = Some(init.constant(format!("{name}.bias"), &[outputs as i64], 0.0));
        layer
    }

    /// Like [`Linear::new`], without `b`.
    pub(crate) fn without_bias(
        init: &mut Initialiser,
        name: &str,
        inputs: usize,
        outputs: usize,
        gain: f64,
    ) -> Self {
        let bound = gain * (3.0 / inputs.max(1) as f64).sqrt();
        let weight = init.uniform(format!("{name}.weight"), &[inputs as i64, outputs as i64], bound);
        Linear { weight, bias: None }
    }

    /// Number of columns of the input.
    pub(crate) fn inputs(&self) -> usize {
        self.weight.size()[0] as usize
    }

    /// A copy of the layer for inference on plain arrays; `relu` adds a ReLU after it.
    pub(crate) fn plain(&self, relu: bool) -> Result<inference::Linear, PolicyError> {
        let bias = self.bias.as_ref().map_or(Ok(Vec::new()), numbers)?;
        Ok(inference::Linear::new(self.weight.size()[0] as usize, numbers(&self.weight)?, bias, relu))
    }

    /// `[rows, outputs]` from `[rows, inputs]`.
    pub(crate) fn forward(&self, rows: &Tensor) -> Tensor {
        self.and_then(rows, Then::Nothing)
    }

    /// Like [`Linear::forward`], followed by a ReLU.
    pub(crate) fn forward_relu(&self, rows: &Tensor) -> Tensor {
        self.and_then(rows, Then::Relu)
    }

    /// Like [`Linear::forward`], added to `residual` (`[rows, outputs]`).
    pub(crate) fn forward_onto(&self, rows: &Tensor, residual: &Tensor) -> Tensor {
        self.and_then(rows, Then::Add(residual))
    }

    fn and_then(&self, rows: &Tensor, then: Then<'_>) -> Tensor {
        linear(rows, &self.weight, self.bias.as_ref(), then).expect("rows have the layer's width")
    }
}

/// Layer normalisation with gain and bias (Ba et al., 2016).
#[derive(Debug)]
pub(crate) struct LayerNorm {
    gain: Tensor,
    bias: Tensor,
    width: i64,
}

impl LayerNorm {
    pub(crate) fn new(init: &mut Initialiser, name: &str, width: usize) -> Self {
        let width = width as i64;
        LayerNorm {
            gain: init.constant(format!("{name}.gain"), &[width], 1.0),
            bias: init.constant(format!("{name}.bias"), &[width], 0.0),
            width,
        }
    }

    /// A copy of the layer for inference on plain arrays.
    pub(crate) fn plain(&self) -> Result<inference::LayerNorm, PolicyError> {
        Ok(inference::LayerNorm::new(numbers(&self.gain)?, numbers(&self.bias)?))
    }

    pub(crate) fn forward(&self, rows: &Tensor) -> Tensor {
        rows.layer_norm([self.width], Some(&self.gain), Some(&self.bias), 1e-5, false)
    }
}
