//! What a sampler is told, and what it answers.

use crate::space::Setting;

/// An earlier trial, for a sampler.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// What it sets.
    pub setting: &'a Setting,
    /// Where it stands among all trials, 0 being the best; `None` while it is not known.
    pub rank: Option<u32>,
    /// Whether the sampler suggested it, rather than a person.
    pub is_suggested: bool,
}

/// What a sampler answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Suggestion {
    /// The next setting.
    Setting(Setting),
    /// There is none before a running trial ends.
    Wait,
    /// Every setting was tried.
    Exhausted,
}
