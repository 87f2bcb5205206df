//! Gradients through exchanges between ranks: the sum of all ranks' losses against the same sum on one process, in
//! `f64`.

use crate::together::together;
use tch::{Device, Kind, Tensor};
use torch_extension::process_group::Splits;

const WIDTH: i64 = 3;

fn rows_of(rank: usize) -> Tensor {
    let rows = rank as i64 + 2;
    let ramp = Tensor::arange(rows * WIDTH, (Kind::Double, Device::Cpu)).view([rows, WIDTH]);
    (ramp * 0.37 + rank as f64).sin().set_requires_grad(true)
}

/// Places that `from` sends to `to`; some rows go twice, and nothing goes from 1 to 0.
fn places(from: usize, to: usize) -> Vec<i64> {
    if (from, to) == (1, 0) {
        return Vec::new();
    }
    (0..=(to as i64)).map(|place| (place + from as i64) % (from as i64 + 2)).chain([0, 0]).collect()
}

fn weights(rank: usize, rows: i64) -> Tensor {
    (Tensor::arange(rows * WIDTH, (Kind::Double, Device::Cpu)).view([rows, WIDTH]) * 0.11 + rank as f64).cos()
}

/// What `rank` makes of the rows that it received: not linear, so that gradients differ.
fn loss_of(rank: usize, received: &Tensor) -> Tensor {
    (received.square() * weights(rank, received.size()[0])).sum(Kind::Double)
}

fn check_exchange(name: &str, size: usize) {
    together(name, size, |member| {
        let me = member.group.rank();
        let all: Vec<Tensor> = (0..size).map(rows_of).collect();
        let received_by = |to: usize| {
            let parts: Vec<Tensor> = (0..size)
                .map(|from| all[from].index_select(0, &Tensor::from_slice(&places(from, to))))
                .collect();
            Tensor::cat(&parts, 0)
        };
        let total: Tensor = (0..size).map(|rank| loss_of(rank, &received_by(rank))).sum();
        total.backward();

        let mine = rows_of(me);
        let splits = Splits {
            send: (0..size).map(|to| places(me, to).len() as i64).collect(),
            receive: (0..size).map(|from| places(from, me).len() as i64).collect(),
        };
        let sent: Vec<i64> = (0..size).flat_map(|to| places(me, to)).collect();
        let received = member.group.exchange_rows(&mine, &Tensor::from_slice(&sent), &splits).unwrap();
        assert_eq!(received, received_by(me));
        loss_of(me, &received).backward();
        let difference = (mine.grad() - all[me].grad()).abs().max().double_value(&[]);
        assert!(difference < 1e-12, "gradients of rank {me} differ by {difference}");
        let others: i64 =
            (0..size).filter(|&rank| rank != me).map(|rank| splits.send[rank] + splits.receive[rank]).sum();
        assert_eq!(member.group.exchanged_bytes(), (others * WIDTH * 8) as u64);
    });
}

#[test]
fn gradients_of_exchanged_rows_over_two_ranks() {
    check_exchange("gradients::gradients_of_exchanged_rows_over_two_ranks", 2);
}

#[test]
fn gradients_of_exchanged_rows_over_four_ranks() {
    check_exchange("gradients::gradients_of_exchanged_rows_over_four_ranks", 4);
}

/// Halves travel as halves, both ways; the gradients that come back are added up before they are rounded.
#[test]
fn rows_of_halves_are_exchanged_in_half_the_bytes() {
    together("gradients::rows_of_halves_are_exchanged_in_half_the_bytes", 3, |member| {
        let me = member.group.rank();
        let mine =
            Tensor::from_slice(&[1.0_f32, 2.0]).view([1, 2]).to_kind(Kind::BFloat16).set_requires_grad(true);
        let splits = Splits { send: vec![1; 3], receive: vec![1; 3] };
        let places = Tensor::from_slice(&[0_i64; 3]);
        let received = member.group.exchange_rows(&mine, &places, &splits).unwrap();
        assert_eq!(received.kind(), Kind::BFloat16);
        assert_eq!(received, mine.detach().expand([3, 2], false));
        // 256 + 1 + 1 is 258 in floats; added up in halves it would stay at 256.
        let factor = if me == 0 { 256.0 } else { 1.0 };
        (received * factor).sum(Kind::Float).backward();
        assert_eq!(mine.grad(), (mine.ones_like() * 258.0).to_kind(Kind::BFloat16));
        assert_eq!(member.group.exchanged_bytes(), 2 * 2 * 2 * 2);
    });
}

#[test]
fn gradients_of_a_sum_over_ranks() {
    let size = 3;
    together("gradients::gradients_of_a_sum_over_ranks", size, |member| {
        let me = member.group.rank();
        let part = |rank: usize| (rows_of(0).detach() * (1.0 + rank as f64)).set_requires_grad(true);
        let all: Vec<Tensor> = (0..size).map(part).collect();
        let sum: Tensor = all.iter().map(Tensor::tanh).sum();
        let total: Tensor = (0..size).map(|rank| loss_of(rank, &sum)).sum();
        total.backward();

        let mine = part(me);
        let summed = member.group.sum_over_ranks(&mine.tanh()).unwrap();
        assert!((&summed - &sum).abs().max().double_value(&[]) < 1e-12);
        loss_of(me, &summed).backward();
        let difference = (mine.grad() - all[me].grad()).abs().max().double_value(&[]);
        assert!(difference < 1e-12, "gradients of rank {me} differ by {difference}");
    });
}
