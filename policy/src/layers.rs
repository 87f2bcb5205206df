//! The two layers that everything is made of.

use tch::Tensor;
use torch_extension::inference;
use torch_extension::linear::{Then, linear};

use crate::PolicyError;
use crate::parameters::{Initialiser, numbers};

/// `x W + b`.
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

    /// The same without `b`.
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

    /// Columns of what it is applied to.
    pub(crate) fn inputs(&self) -> usize {
        self.weight.size()[0] as usize
    }

    /// Its weights as plain numbers, with ReLU behind it or none.
    pub(crate) fn plain(&self, relu: bool) -> Result<inference::Linear, PolicyError> {
        let bias = self.bias.as_ref().map_or(Ok(Vec::new()), numbers)?;
        Ok(inference::Linear::new(self.weight.size()[0] as usize, numbers(&self.weight)?, bias, relu))
    }

    /// Rows in, rows out.
    pub(crate) fn forward(&self, rows: &Tensor) -> Tensor {
        self.and_then(rows, Then::Nothing)
    }

    /// The same with ReLU behind it.
    pub(crate) fn forward_relu(&self, rows: &Tensor) -> Tensor {
        self.and_then(rows, Then::Relu)
    }

    /// The same added to `residual`.
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

    /// Its weights as plain numbers.
    pub(crate) fn plain(&self) -> Result<inference::LayerNorm, PolicyError> {
        Ok(inference::LayerNorm::new(numbers(&self.gain)?, numbers(&self.bias)?))
    }

    pub(crate) fn forward(&self, rows: &Tensor) -> Tensor {
        rows.layer_norm([self.width], Some(&self.gain), Some(&self.bias), 1e-5, false)
    }
}
