//! With how much memory (and the CPU and bandwidth that come with it) an invocation starts.

use common::ids::FunctionId;

use engine::serverless::ServerlessView;

/// Which of the offered sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// The function's default; where that is not offered, the smallest that is.
    Default,
    /// The smallest that holds its peak: the cheapest memory, the longest CPU phase.
    Smallest,
    /// The largest size that is offered.
    Largest,
}

impl Size {
    /// A place in `size_multiples`.
    #[must_use]
    pub fn pick(self, view: &ServerlessView<'_>, function: FunctionId) -> usize {
        let sizes = 0..view.spec().size_multiples.len();
        let offered = |size: &usize| view.size_mb(function, *size).is_some();
        match self {
            Size::Default => view.default_size(function),
            Size::Smallest => sizes.into_iter().find(offered).unwrap_or(0),
            Size::Largest => sizes.into_iter().rfind(offered).unwrap_or(0),
        }
    }
}
