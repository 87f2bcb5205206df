//! Recorded traces in files: what the Azure Functions traces of 2019 and 2021 hold, read so that every fault is named with
//! its file, row and column, or counted where reading is lenient.
//!
//! Faults of a row can be skipped, up to a fraction of the trace; faults of a file's structure (a missing column, a cut gzip file)
//! never can. Files are plain or gzip, of any number of members; a byte order mark and CRLF line ends are accepted. Rows may come
//! in any order: whole files are held in memory and sorted there. Not here: arrivals, which `workloads` makes of a trace.

mod azure2019;
mod azure2021;
mod error;
mod format;
mod function_key;
mod joined;
mod keyed;
mod sample;
mod skipped;
mod source;
mod summary;
mod table;

pub use azure2019::{InvocationRow, Invocations, Memory};
pub use azure2021::{Azure2021, EventFunction, TraceEvent};
pub use error::{Damage, Fault, TraceError};
pub use format::{TraceFileKind, TraceFileSet};
pub use function_key::FunctionKey;
pub use joined::{Azure2019, Azure2019Paths, TraceFunction};
pub use sample::{Choice, Cut, SampledFile, sample};
pub use skipped::{Skipped, SkippedRows};
pub use summary::{Largest, Quantiles, SHARES, TraceSummary};
