//! Files of recorded traces.

mod files;

pub use files::TraceError;
pub(super) use files::TraceFiles;
