//! Studies of other tools, read as study files and written from studies.

mod draft;
mod from_optuna;
mod from_wandb;
mod to_wandb;

pub use draft::Draft;
pub use from_optuna::{Imported, from_optuna};
pub use from_wandb::from_wandb;
pub use to_wandb::to_wandb;
