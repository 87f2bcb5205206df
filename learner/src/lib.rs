//! learner.
