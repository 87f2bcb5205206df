//! The two layers that everything is made of.

use tch::Tensor;

use crate::parameters::Initialiser;

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

    /// Rows in, rows out.
    pub(crate) fn forward(&self, rows: &Tensor) -> Tensor {
        match &self.bias {
            Some(bias) => bias.addmm(rows, &self.weight),
            None => rows.matmul(&self.weight),
        }
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

    pub(crate) fn forward(&self, rows: &Tensor) -> Tensor {
        rows.layer_norm([self.width], Some(&self.gain), Some(&self.bias), 1e-5, false)
    }
}
