/// How far a simulation ran on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A decision is due.
    Decision,
    /// The episode is over.
    Finished,
}
