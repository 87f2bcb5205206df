//! Standard output, whose errors can be told from those of other files.

use std::io::{self, Write};

/// Standard output could not be written to.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
pub struct OutputError(io::Error);

/// [`io::Stdout`] whose errors keep their kind and carry an [`OutputError`].
#[derive(Clone, Copy, Debug)]
pub struct Output;

/// What every program prints its results to.
#[must_use]
pub fn stdout() -> Output {
    Output
}

/// Whether an error is of standard output.
#[must_use]
pub fn is_of_output(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<OutputError>)
}

/// Whether the reader of the output (`| head`) has closed the pipe.
#[must_use]
pub fn is_cut_short(error: &io::Error) -> bool {
    is_of_output(error) && error.kind() == io::ErrorKind::BrokenPipe
}

pub(crate) fn of_output(error: io::Error) -> io::Error {
    if is_of_output(&error) { error } else { io::Error::new(error.kind(), OutputError(error)) }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().write(bytes).map_err(of_output)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush().map_err(of_output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_standard_output_says_so_and_keeps_its_kind() {
        let full = of_output(io::ErrorKind::StorageFull.into());
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        assert!(full.to_string().starts_with("cannot write to standard output: "), "{full}");
        assert!(is_of_output(&full) && !is_cut_short(&full));
        assert!(is_cut_short(&of_output(io::ErrorKind::BrokenPipe.into())));
        // A pipe to a helper that broke is a fault.
        assert!(!is_cut_short(&io::ErrorKind::BrokenPipe.into()));
    }
}
