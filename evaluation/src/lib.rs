//! Compares schedulers: episodes × schedulers, statistics, tables, pictures.

mod play;
mod slots;

pub use play::{PlayError, play};
pub use slots::{SlotsEpisodes, SlotsPoint, slots_point};
