/// How far a simulation ran on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A start is possible: somebody must decide.
    Decision,
    /// The episode is over.
    Finished,
}
