//! Names as `garde` judges them.

use common::name::{NAME_RULE, is_name, printable};

/// Refuses what is no name; for `garde`.
///
/// # Errors
/// The rule for names.
pub fn sound_name(name: &str, _context: &()) -> garde::Result {
    if is_name(name) {
        return Ok(());
    }
    Err(garde::Error::new(format!("is \"{}\"; {NAME_RULE}", printable(name))))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_configuration_cannot_name_what_lies_elsewhere() {
        let text =
            |name: &str| format!("schema = 1\nname = '{name}'\nseed = 1\nsimulator.scenario = \"slots\"\n");
        assert!(crate::parse(&text("fine-1"), "x.toml", &[]).is_ok());
        for name in ["../x", "/etc/x", "a/../../b", "..", "=1+1", "a b"] {
            let error = crate::parse(&text(name), "x.toml", &[]).unwrap_err().to_string();
            assert!(
                error.contains("key `name`") && error.contains(name) && error.contains("1 to 64"),
                "{error}"
            );
        }
    }
}
