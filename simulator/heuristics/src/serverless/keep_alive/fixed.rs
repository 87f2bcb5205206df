use common::SimTime;

use super::{FellIdle, KeepAlive};
use engine::Interests;
use engine::serverless::ServerlessView;

/// Every container is kept for the same time, as public clouds do.
#[derive(Clone)]
pub struct Fixed(pub SimTime);

impl KeepAlive for Fixed {
    fn interests(&self) -> Interests {
        Interests { keep_alive: true, ..Interests::default() }
    }

    fn keep(&mut self, _view: &ServerlessView<'_>, _container: &FellIdle) -> SimTime {
        self.0
    }
}
