//! The pool of large blocks: used again, never handed out twice, never more than was in use at once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::test_runner::{Config, TestRunner};
use tch::{Device, Kind, Tensor};

const MB: i64 = 1 << 20;

fn block(bytes: i64, mark: i64) -> Tensor {
    Tensor::full([bytes], mark, (Kind::Uint8, Device::Cpu))
}

/// Bytes that are mapped into this process.
fn mapped() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').next().unwrap().parse::<i64>().unwrap() * 4096
}

/// Takes a block of each size, and frees one of those held whenever there are more than the number beside it. Returns
/// the most bytes that were in use at once.
fn history(steps: &[(i64, usize)]) -> i64 {
    let mut held: Vec<(i64, Tensor)> = Vec::new();
    let (mut now, mut most) = (0, 0);
    for (number, (bytes, keep)) in steps.iter().enumerate() {
        let mark = number as i64 % 251;
        held.push((mark, block(*bytes, mark)));
        now += bytes;
        most = most.max(now);
        if held.len() > *keep {
            let (mark, tensor) = held.swap_remove(number % held.len());
            now -= bytes_of(&tensor);
            let extremes = [tensor.min(), tensor.max()].map(|value| value.int64_value(&[]));
            assert_eq!(extremes, [mark, mark], "nobody else wrote here");
        }
    }
    most
}

fn bytes_of(tensor: &Tensor) -> i64 {
    i64::try_from(tensor.numel()).unwrap()
}

// One test, since what is mapped is the whole process's.
#[test]
fn large_blocks_are_used_again_without_taking_more_than_was_needed_at_once() {
    torch_extension::keep_freed_memory();
    tch::set_num_threads(1);
    let first = block(64 * MB, 1);
    let place = first.data_ptr();
    drop(first);
    assert_eq!(block(60 * MB, 2).data_ptr(), place, "what was freed waits for the next of about its size");

    let before = mapped();
    let most = std::cell::Cell::new(0);
    let steps = proptest::collection::vec((8 * MB..24 * MB, 0_usize..10), 1..60);
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    runner
        .run(&steps, |steps| {
            most.set(most.get().max(history(&steps)));
            Ok(())
        })
        .unwrap();
    let most = most.get();
    // An eighth may be lost to blocks that are used again for less; the rest is what libtorch itself needs.
    let more = mapped() - before;
    assert!(more < most * 9 / 8 + 32 * MB, "{} MB more mapped, {} MB in use at most", more / MB, most / MB);
}
