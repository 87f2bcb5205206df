//! The linear kernel against libtorch's product: forward, gradients, and the arrays' way, for sizes that fill registers
//! and sizes that do not.

#![expect(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use proptest::prelude::*;
use tch::{Kind, Tensor};
use torch_extension::inference;
use torch_extension::linear::{Then, linear};

fn numbers(seed: i64, shape: &[i64]) -> Tensor {
    let count = shape.iter().product::<i64>();
    let place = Tensor::arange(count, (Kind::Double, tch::Device::Cpu));
    ((place * 12.9898 + seed as f64).sin() * 43_758.545_3).frac().to_kind(Kind::Float).view(shape)
}

fn difference(a: &Tensor, b: &Tensor) -> f64 {
    if a.numel() == 0 {
        return 0.0;
    }
    (a.to_kind(Kind::Double) - b).abs().max().double_value(&[]) / b.abs().max().double_value(&[]).max(1.0)
}

fn compute(leaves: &[Tensor; 4], has_bias: bool, then: u8) -> (Tensor, Vec<Tensor>) {
    let bias = has_bias.then_some(&leaves[2]);
    let after = [Then::Nothing, Then::Relu, Then::Add(&leaves[3])][then as usize];
    let out = linear(&leaves[0], &leaves[1], bias, after).unwrap();
    let weighted = &out * numbers(5, &out.size()).to_kind(out.kind());
    let mut inputs = vec![&leaves[0], &leaves[1]];
    inputs.extend(bias);
    inputs.extend((then == 2).then_some(&leaves[3]));
    let gradients = Tensor::run_backward(&[weighted.sum(out.kind())], &inputs, false, false);
    (out, gradients)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn equals_the_product(rows in 0_i64..300, inputs in 1_i64..80, outputs in 1_i64..140, has_bias: bool, then in 0..3_u8) {
        let shapes = [vec![rows, inputs], vec![inputs, outputs], vec![outputs], vec![rows, outputs]];
        let leaves = |kind: Kind| std::array::from_fn(|place| {
            numbers(place as i64, &shapes[place]).to_kind(kind).set_requires_grad(true)
        });
        let (out, gradients) = compute(&leaves(Kind::Float), has_bias, then);
        let (expected, expected_gradients) = compute(&leaves(Kind::Double), has_bias, then);
        prop_assert!(difference(&out, &expected) < 1e-5);
        for (gradient, expected) in gradients.iter().zip(&expected_gradients) {
            prop_assert!(difference(gradient, expected) < 1e-4, "{}", difference(gradient, expected));
        }
        if then < 2 {
            let plain = |tensor: &Tensor| Vec::<f32>::try_from(&tensor.view([-1])).unwrap();
            let [x, weight, bias, _] = leaves(Kind::Float);
            let bias = if has_bias { plain(&bias) } else { Vec::new() };
            let layer = inference::Linear::new(inputs as usize, plain(&weight), bias, then == 1);
            let mut array = vec![0.0; (rows * outputs) as usize];
            layer.apply(&plain(&x), &mut array);
            prop_assert_eq!(array, plain(&out));
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let (x, weight) = (numbers(1, &[3, 5]), numbers(2, &[4, 6]));
    let error = linear(&x, &weight, None, Then::Nothing).unwrap_err();
    assert_eq!(error.to_string(), "x is [3, 5], expected [rows, 4]");
}

/// The kernels of older processors, on this one. They are chosen once a process, so each set has a process of its own.
#[test]
fn every_instruction_set_equals_the_product() {
    if std::env::var_os("LONGSHORE_KERNELS").is_some() {
        return;
    }
    for set in ["baseline", "avx2"] {
        let run = std::process::Command::new(std::env::current_exe().unwrap())
            .env("LONGSHORE_KERNELS", set)
            .output()
            .unwrap();
        assert!(run.status.success(), "{set}: {}", String::from_utf8_lossy(&run.stdout));
    }
}
