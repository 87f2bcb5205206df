//! The same operations between GPUs, as many ranks as this machine has; one rank is refused where there is none.

use tch::{Device, Kind, Tensor};
use torch_extension::cuda;
use torch_extension::process_group::Splits;

use crate::together::{DEADLINE, together};

fn rows_of(rank: usize, rows: i64) -> Tensor {
    (Tensor::arange(rows * 3, (Kind::Float, Device::Cpu)).view([rows, 3]) + 1000.0 * rank as f64).sin()
}

#[test]
fn gpus_add_and_exchange_as_processors_do() {
    let size = cuda::load().unwrap_or(1);
    together("gpus::gpus_add_and_exchange_as_processors_do", size, |member| {
        let rank = member.group.rank();
        let device = Device::Cuda(rank);
        let joined = member.group.join_gpu(&member.store, device, DEADLINE);
        if cuda::load().is_err() {
            assert!(joined.unwrap_err().to_string().contains("NCCL is not loaded"));
            return;
        }
        joined.unwrap();
        let group = &member.group;
        let both = |rows: i64| (rows_of(rank, rows), rows_of(rank, rows).to_device(device));
        let (here, there) = both(5);
        group.all_reduce(&here).unwrap();
        group.all_reduce(&there).unwrap();
        assert!((there.to_device(Device::Cpu) - &here).abs().max().double_value(&[]) < 1e-5);
        group.broadcast(&there, 0).unwrap();
        // To rank r go r + 1 rows, out of order, and gradients come back.
        let places: Vec<i64> = (0..size as i64).flat_map(|to| (0..=to).rev()).collect();
        let splits = Splits { send: (1..=size as i64).collect(), receive: vec![rank as i64 + 1; size] };
        let weights = rows_of(7, size as i64 * (rank as i64 + 1));
        let exchanged = |rows: &Tensor| {
            let rows = rows.detach().set_requires_grad(true);
            let device = rows.device();
            let places = Tensor::from_slice(&places).to_device(device);
            let received = group.exchange_rows(&rows, &places, &splits).unwrap();
            let sum =
                group.sum_over_ranks(&(&received * weights.to_device(device)).sum(Kind::Float)).unwrap();
            sum.backward();
            [received.detach(), rows.grad(), sum.detach()].map(|tensor| tensor.to_device(Device::Cpu))
        };
        let (here, there) = both(size as i64);
        for (found, expected) in exchanged(&there).iter().zip(exchanged(&here)) {
            assert!((found - expected).abs().max().double_value(&[]) < 1e-4);
        }
        let error = group.all_reduce(&both(5).1.transpose(0, 1)).unwrap_err();
        assert!(error.to_string().contains("cuda:"), "{error}");
    });
}
