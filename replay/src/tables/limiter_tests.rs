use configuration::SamplerConfig;

use super::*;

fn limiter(remover: RemoverConfig, samples_per_insert: Option<f64>, min_items: usize) -> RateLimiter {
    let config = TableConfig::new(SamplerConfig::Uniform, remover);
    RateLimiter::new(&TableConfig { samples_per_insert, tolerance_steps: 100, min_items, ..config })
}

#[test]
fn actors_wait_for_the_learner_but_never_both_for_each_other() {
    let mut limiter = limiter(RemoverConfig::TimesSampled(1), Some(1.0), 1);
    limiter.inserted(99);
    assert!(limiter.may_insert(1) && limiter.may_sample());
    limiter.inserted(1);
    assert!(!limiter.may_insert(2) && limiter.may_sample());
    for wanted in [101, 5000, u64::MAX] {
        limiter.set_wanted(wanted);
        assert!(limiter.may_insert(2) && limiter.is_short(2));
    }
    limiter.set_wanted(100);
    assert!(!limiter.may_insert(2) && !limiter.is_short(2));
}

#[test]
fn sampling_begins_with_enough_items_or_as_many_as_fit() {
    let mut limiter = limiter(RemoverConfig::Fifo, Some(1.0), 3);
    limiter.inserted(1000);
    assert_eq!([0, 2, 3].map(|items| limiter.has_enough(items)), [false, false, true]);
    assert_eq!([0, 2, 3].map(|items| limiter.may_insert(items)), [true, true, false]);
    limiter.full_with(2);
    assert!(limiter.has_enough(2) && !limiter.has_enough(1));
    assert!(!limiter.may_insert(2));
}

#[test]
fn sampling_runs_ahead_by_the_tolerance_and_no_further() {
    let mut limiter = limiter(RemoverConfig::Fifo, Some(0.5), 1);
    limiter.inserted(100);
    assert_eq!((limiter.owed(), limiter.available()), (50.0, 150.0));
    limiter.sampled(149);
    assert!(limiter.may_sample());
    limiter.sampled(1);
    assert!(!limiter.may_sample() && limiter.may_insert(1));
}

#[test]
fn without_a_rate_only_the_number_of_items_counts() {
    let mut limiter = limiter(RemoverConfig::Fifo, None, 1);
    (0..100).for_each(|_| limiter.inserted(1000));
    assert!(limiter.may_insert(100) && limiter.may_sample());
    (0..1000).for_each(|_| limiter.sampled(1000));
    assert!(limiter.may_insert(100) && limiter.may_sample());
    assert_eq!((limiter.owed(), limiter.available()), (0.0, f64::INFINITY));
}

#[test]
fn what_leaves_early_is_given_up_only_where_the_rest_cannot_make_up_for_it() {
    let mut limiter = limiter(RemoverConfig::TimesSampled(4), Some(2.0), 1);
    limiter.inserted(10);
    limiter.inserted(10);
    assert_eq!((limiter.owed(), limiter.left()), (40.0, 80.0));
    // The other still has 40 samples left: all of it can be made up for.
    limiter.removed(10, 0);
    assert_eq!((limiter.owed(), limiter.left()), (40.0, 40.0));
    limiter.sampled(10);
    assert_eq!((limiter.owed(), limiter.left()), (30.0, 30.0));
    limiter.removed(10, 1);
    assert_eq!((limiter.owed(), limiter.left()), (0.0, 0.0));
}

#[test]
fn restored_items_are_owed_where_each_has_its_number_of_samples() {
    let mut queue = limiter(RemoverConfig::TimesSampled(1), Some(1.0), 1);
    queue.restored(70);
    assert_eq!(queue.owed(), 70.0);
    let mut stock = limiter(RemoverConfig::Fifo, Some(1.0), 1);
    stock.restored(70);
    assert_eq!(stock.owed(), 0.0);
}
