//! `longshore sweep reference`.

use std::io::Write as _;

use common::ExitCode;
use sweep::StudyFile;

const HEAD: &str = "# Every key of a study file

`longshore sweep reference` prints this page from the code that reads the file; `longshore sweep run FILE --check` checks a file.
`NAME` stands for a parameter of yours, `[]` for each entry of a list. How studies work: [sweeps.md](sweeps.md).
";

/// Prints every key of a study file.
///
/// # Errors
/// Where standard output cannot be written.
pub fn run() -> anyhow::Result<ExitCode> {
    write!(telemetry::stdout(), "{}", configuration::reference_of::<StudyFile>(HEAD))?;
    Ok(ExitCode::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_the_one_that_is_printed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/study-file.md");
        let page = std::fs::read_to_string(path).unwrap_or_default();
        // `longshore sweep reference > docs/study-file.md` brings it up to date.
        assert_eq!(page, configuration::reference_of::<StudyFile>(HEAD));
    }
}
