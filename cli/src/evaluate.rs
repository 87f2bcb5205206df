//! `longshore evaluate`: schedulers compared on episodes that no policy has learnt from.

mod arguments;
mod entrants;
mod progress;
mod record;
mod run;

pub use arguments::EvaluateArguments;
pub use progress::ProgressLine;
pub use run::run;
