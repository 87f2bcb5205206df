//! What a scheduler decides, and what becomes of it.

use common::ids::{ContainerId, FunctionId, InvocationId, NodeId};
use common::{Action, Patience, SimTime};

use super::commitments::Reservation;
use super::log_hash::Happened;
use super::question::Question;
use super::simulation::ServerlessSimulation;
use crate::error::ActionError;

impl ServerlessSimulation {
    /// What is asked now.
    #[must_use]
    #[inline]
    pub fn question(&self) -> Question {
        self.questions.front().copied().unwrap_or(Question::Start)
    }

    /// See [`crate::Simulation::apply`].
    ///
    /// # Errors
    /// When the invocation does not wait, the size is below its peak or no size of it, or the node lacks the memory; when
    /// a container is not idle; when the action is no answer to what was asked.
    pub fn apply(&mut self, action: Action) -> Result<(), ActionError> {
        if self.ended {
            return Err(ActionError::NoDecisionDue);
        }
        let seen = self.events.len();
        let answered = match self.question() {
            Question::Start => self.answer_start(action),
            Question::KeepAlive { container, .. } => self.answer_keep_alive(container, action),
            Question::Pools => self.answer_pools(action),
        };
        if answered.is_ok() {
            // The scheduler has seen the events before its decision.
            self.events.drain(..seen);
        }
        answered
    }

    fn answer_start(&mut self, action: Action) -> Result<(), ActionError> {
        match action {
            Action::Wait => self.wait(),
            Action::Start { invocation, memory_mb, node } => {
                let job = self.check(invocation, memory_mb, node)?;
                self.start(job, memory_mb, node.0);
            }
            Action::Release { container } if self.rules.interests.evictions => self.release(container)?,
            Action::Reserve { invocation, memory_mb, node } => self.reserve(invocation, memory_mb, node)?,
            Action::Hold { invocation, patience } => self.hold(invocation, patience)?,
            _ => return Err(ActionError::NotAsked),
        }
        Ok(())
    }

    fn reserve(&mut self, invocation: InvocationId, memory_mb: u32, node: NodeId) -> Result<(), ActionError> {
        let function = self.function_of_pending(invocation)?;
        let known_size = self.workload.sizes[function.0 as usize].contains(&Some(memory_mb));
        let known_node = (node.0 as usize) < self.workload.cluster.nodes.len();
        let until = (known_size && known_node)
            .then(|| self.view().reservable_at(function, memory_mb, node))
            .flatten()
            .filter(|&until| until > self.now);
        let until = until.ok_or(ActionError::NothingToReserve(invocation))?;
        self.log.add(Happened::Reserved, self.now.0, invocation.0, u64::from(node.0));
        self.commitments.reserve(Reservation { function, node, memory_mb, until });
        Ok(())
    }

    fn hold(&mut self, invocation: InvocationId, patience: Patience) -> Result<(), ActionError> {
        let function = self.function_of_pending(invocation)?;
        let until = match patience {
            Patience::For(time) if time > SimTime::ZERO => self.now + time,
            Patience::UntilOwnContainer if self.view().busy_containers(function) > 0 => SimTime::NEVER,
            _ => return Err(ActionError::NothingToAwait(invocation)),
        };
        self.log.add(Happened::Held, self.now.0, invocation.0, until.0);
        self.commitments.hold(function.0, until);
        Ok(())
    }

    fn function_of_pending(&self, invocation: InvocationId) -> Result<FunctionId, ActionError> {
        let job = self.jobs.find(invocation).filter(|&job| self.pending.contains(job));
        let job = job.ok_or(ActionError::NotPending(invocation))?;
        Ok(FunctionId(self.jobs.get(job).function))
    }

    fn answer_keep_alive(&mut self, asked: ContainerId, action: Action) -> Result<(), ActionError> {
        match action {
            Action::KeepAlive { container, keep_alive } if container == asked => {
                self.keep_alive(container, keep_alive)?;
            }
            Action::Release { container } if container == asked => self.release(container)?,
            _ => return Err(ActionError::NotAsked),
        }
        self.questions.pop_front();
        Ok(())
    }

    fn answer_pools(&mut self, action: Action) -> Result<(), ActionError> {
        match action {
            Action::PreWarm { function, memory_mb, node } => self.pre_warm(function, memory_mb, node),
            Action::Release { container } => self.release(container),
            Action::Wait => {
                self.questions.pop_front();
                Ok(())
            }
            _ => Err(ActionError::NotAsked),
        }
    }

    fn wait(&mut self) {
        self.round = false;
        self.ask_again_at = Some(self.now + self.rules.ask_again);
    }

    /// Decides in the scheduler's place, before and after its time. Events of the time before wait for the scheduler.
    pub(super) fn play_fallback(&mut self) {
        match (self.fallback)(self) {
            Action::Start { invocation, memory_mb, node } => match self.check(invocation, memory_mb, node) {
                Ok(job) => self.start(job, memory_mb, node.0),
                Err(_) => self.wait(),
            },
            _ => self.wait(),
        }
    }
}
