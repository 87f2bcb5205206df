//! Operations over several processes against plain computation.

use std::time::{Duration, Instant};

use crate::together::{DEADLINE, Member, spawn, together};
use tch::{Device, Kind, Tensor};
use torch_extension::process_group::{Heartbeat, Splits, leave};

/// What rank `rank` has: `rows` rows of three columns that name rank, row and column.
fn rows_of(rank: usize, rows: i64, kind: Kind) -> Tensor {
    let values = Tensor::arange(rows * 3, (Kind::Double, Device::Cpu)).view([rows, 3]);
    (values + 1000.0 * rank as f64).to_kind(kind)
}

#[test]
fn sums_are_those_of_all_ranks() {
    together("operations::sums_are_those_of_all_ranks", 3, |member| {
        for kind in [Kind::Float, Kind::Double, Kind::Int64] {
            let mine = rows_of(member.group.rank(), 5, kind);
            let expected: Tensor = (0..3).map(|rank| rows_of(rank, 5, kind)).sum();
            let late = rows_of(member.group.rank(), 5, kind);
            let pending = member.group.start_all_reduce(&late).unwrap();
            member.group.all_reduce(&mine).unwrap();
            pending.wait().unwrap();
            assert_eq!(mine, expected);
            assert_eq!(late, expected);
        }
    });
}

#[test]
fn a_broadcast_brings_the_roots_values() {
    together("operations::a_broadcast_brings_the_roots_values", 3, |member| {
        for root in 0..3 {
            let mine = rows_of(member.group.rank(), 4, Kind::Float);
            member.group.broadcast(&mine, root).unwrap();
            assert_eq!(mine, rows_of(root, 4, Kind::Float));
        }
    });
}

/// Rows from rank `from` to rank `to`: uneven, and none at all from rank 1 or to rank 0's own.
fn count(from: usize, to: usize) -> i64 {
    if from == 1 { 0 } else { (from + 2 * to) as i64 }
}

#[test]
fn rows_go_where_the_splits_say_also_none() {
    together("operations::rows_go_where_the_splits_say_also_none", 3, |member| {
        let me = member.group.rank();
        let splits = Splits {
            send: (0..3).map(|to| count(me, to)).collect(),
            receive: (0..3).map(|from| count(from, me)).collect(),
        };
        let mine = rows_of(me, splits.send.iter().sum(), Kind::Float);
        let received = member.group.all_to_all(&mine, &splits).unwrap();
        let part = |from: usize| {
            let before: i64 = (0..me).map(|to| count(from, to)).sum();
            let all = rows_of(from, (0..3).map(|to| count(from, to)).sum(), Kind::Float);
            all.narrow(0, before, count(from, me))
        };
        let expected = Tensor::cat(&[part(0), part(1), part(2)], 0);
        assert_eq!(received, expected);
        let others: i64 = (0..3).filter(|&to| to != me).map(|to| count(me, to)).sum();
        assert_eq!(member.group.exchanged_bytes(), others as u64 * 3 * 4);
    });
}

#[test]
fn arguments_are_checked_before_anything_moves() {
    together("operations::arguments_are_checked_before_anything_moves", 2, |member| {
        let group = &member.group;
        let matrix = rows_of(0, 4, Kind::Float);
        let message = |result: Result<(), _>| {
            let error: torch_extension::TorchExtensionError = result.unwrap_err();
            error.to_string()
        };
        assert!(message(group.all_reduce(&matrix.transpose(0, 1))).contains("with strides"));
        assert!(message(group.all_reduce(&matrix.to_kind(Kind::Bool))).contains("Bool"));
        assert!(message(group.broadcast(&matrix, 2)).contains("rank below 2"));
        let splits = Splits { send: vec![1, 1], receive: vec![1, 1] };
        assert!(message(group.all_to_all(&matrix, &splits).map(|_| ())).contains("2 rows"));
        let short = Splits { send: vec![4], receive: vec![4] };
        assert!(message(group.all_to_all(&matrix, &short).map(|_| ())).contains("2 counts"));
        let places = Tensor::from_slice(&[0_i64, 1, 2]);
        assert!(message(group.exchange_rows(&matrix, &places, &splits).map(|_| ())).contains("Int64 [2]"));
        let integers = matrix.to_kind(Kind::Int64);
        assert!(message(group.sum_over_ranks(&integers).map(|_| ())).contains("Float or Double"));
    });
}

#[test]
fn a_killed_rank_is_noticed_at_once_and_named() {
    let name = "operations::a_killed_rank_is_noticed_at_once_and_named";
    let Some(member) = Member::of_environment() else {
        let (_store, mut children) = spawn(name, 3);
        let ends: Vec<_> = children.iter_mut().map(|child| child.wait().unwrap()).collect();
        assert!(ends[0].success() && ends[2].success() && !ends[1].success(), "{ends:?}");
        return;
    };
    let (group, rank) = (&member.group, member.group.rank());
    let heartbeat = Heartbeat::start(member.address, rank, 3, DEADLINE).unwrap();
    let tensor = rows_of(rank, 1000, Kind::Float);
    group.all_reduce(&tensor).unwrap();
    if rank == 1 {
        // Long enough for its heart to have beaten.
        std::thread::sleep(Duration::from_secs(1));
        std::process::abort();
    }
    let start = Instant::now();
    let error = group.all_reduce(&tensor).unwrap_err();
    assert!(start.elapsed() < DEADLINE / 2, "noticed after {:?}: {error}", start.elapsed());
    leave(&member.store, rank, "").unwrap();
    let lost = heartbeat.lost_ranks();
    assert_eq!(lost.iter().map(|lost| lost.rank).collect::<Vec<_>>(), [1], "{lost:?}");
}

#[test]
fn a_rank_that_fails_leaves_its_words() {
    let name = "operations::a_rank_that_fails_leaves_its_words";
    together(name, 2, |member| {
        let rank = member.group.rank();
        let heartbeat = Heartbeat::start(member.address, rank, 2, DEADLINE).unwrap();
        if rank == 1 {
            leave(&member.store, 1, "the disk is full").unwrap();
        } else {
            let lost = heartbeat.lost_ranks();
            assert_eq!(lost[0].rank, 1);
            assert!(lost[0].how.contains("the disk is full"), "{lost:?}");
        }
    });
}
