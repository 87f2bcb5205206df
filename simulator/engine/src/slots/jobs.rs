//! The jobs of an episode.

use std::sync::Arc;

use common::ids::InvocationId;
use common::slots::RESOURCES;

use crate::error::SetUpError;

/// A job with its arrival, length and demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Number of the job, in order of arrival.
    pub id: InvocationId,
    /// Step of its arrival.
    pub arrival: u32,
    /// Duration, steps.
    pub length: u32,
    /// Units of each resource that the job holds while it runs.
    pub demand: [u32; RESOURCES],
}

/// The jobs of an episode by arrival, and the number of steps in which jobs may arrive.
#[derive(Clone, Debug)]
pub struct JobSequence {
    jobs: Arc<[Job]>,
    steps: u32,
}

impl JobSequence {
    /// Jobs by arrival, at steps 1 to `steps` − 1. Nothing is checked: jobs of others go through [`JobSequence::given`].
    #[must_use]
    pub fn new(jobs: Vec<Job>, steps: u32) -> Self {
        JobSequence { jobs: jobs.into(), steps }
    }

    /// Jobs that are given, for a machine of `capacity` units; arrivals end with step `steps` − 1.
    ///
    /// # Errors
    /// When jobs are not in the order of their arrival, arrive too late, or can never run.
    pub fn given(jobs: Vec<Job>, steps: u32, capacity: u32) -> Result<Self, SetUpError> {
        let mut latest = 1;
        for job in &jobs {
            let fail = |message: String| SetUpError::Job { job: job.id, message };
            if job.arrival < latest || job.arrival >= steps {
                return Err(fail(format!(
                    "arrives at step {}; jobs are listed by arrival, from step 1 to {}",
                    job.arrival,
                    steps.saturating_sub(1)
                )));
            }
            if job.length == 0 || job.demand.iter().any(|&units| units > capacity) {
                return Err(fail(format!(
                    "length {} and demand {:?}: a length is at least 1, a demand at most {capacity}",
                    job.length, job.demand
                )));
            }
            latest = job.arrival;
        }
        Ok(JobSequence::new(jobs, steps))
    }

    /// The jobs by arrival.
    #[must_use]
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// Steps of the episode's arrivals: the last job may come at step `steps` − 1.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_jobs_are_refused() {
        let job = Job { id: InvocationId(4), arrival: 3, length: 2, demand: [11, 1] };
        let error = JobSequence::given(vec![job], 10, 10).unwrap_err();
        assert!(error.to_string().starts_with("job 4: "), "{error}");
        let late = Job { arrival: 10, demand: [1, 1], ..job };
        assert!(JobSequence::given(vec![late], 10, 10).is_err());
    }
}
