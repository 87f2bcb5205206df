//! Names as they are typed, and the one name that results have.

use std::path::{Component, Path};

use common::name::printable;
use common::trajectory::Scenario;
use heuristics::canonical_name;

use crate::error::EvaluationError;
use crate::reference::Reference;
use crate::results::Results;

/// The one name of the policy at a path: without what changes nothing, and with `./` where it would be taken for a rule.
#[must_use]
pub fn policy_name(path: &str, scenario: Scenario) -> String {
    let mut name = String::new();
    for component in Path::new(path).components() {
        match component {
            Component::CurDir => {}
            Component::RootDir => name.push('/'),
            other => {
                if !name.is_empty() && !name.ends_with('/') {
                    name.push('/');
                }
                name.push_str(&other.as_os_str().to_string_lossy());
            }
        }
    }
    match () {
        () if name.is_empty() => ".".to_owned(),
        () if !name.contains('/') && may_be_a_rule(&name, scenario) => format!("./{name}"),
        () => name,
    }
}

fn may_be_a_rule(name: &str, scenario: Scenario) -> bool {
    name.contains('+')
        || Reference::by_name(name, scenario).is_some()
        || canonical_name(name, scenario).is_ok()
}

impl Results {
    /// The scheduler of these results that is called so, in any spelling.
    ///
    /// # Errors
    /// [`EvaluationError::Missing`] where there is none; it names those that there are.
    pub fn scheduler_called(&self, name: &str) -> Result<String, EvaluationError> {
        let known = self.schedulers();
        // What holds a `/` is a folder, and else a rule goes before a folder.
        let rule = if name.contains('/') { None } else { canonical_name(name, self.scenario()).ok() };
        let other = rule.unwrap_or_else(|| policy_name(name, self.scenario()));
        let spellings = [Some(name), Some(other.as_str())];
        if let Some(found) = spellings.into_iter().flatten().find(|name| known.contains(name)) {
            return Ok(found.to_owned());
        }
        if known.is_empty() {
            let message =
                "no episode has finished yet, so there are no results; let `longshore evaluate` end";
            return Err(EvaluationError::Missing(message.to_owned()));
        }
        let near = common::nearest(name, known.iter().copied());
        let meant = near.first().map(|near| format!("; did you mean `{}`?", printable(near)));
        let known: Vec<String> = known.into_iter().map(printable).collect();
        let message = format!(
            "no results of `{}`{}; there are those of {}",
            printable(name),
            meant.unwrap_or_default(),
            known.join(", ")
        );
        Err(EvaluationError::Missing(message))
    }

    /// Whom the others are compared with: the named one, or the first that is no reference.
    ///
    /// # Errors
    /// [`EvaluationError::Missing`] where there is none.
    pub fn baseline(&self, named: Option<&str>) -> Result<String, EvaluationError> {
        match named.or_else(|| self.first_scheduler()) {
            Some(name) => self.scheduler_called(name),
            None if self.points().is_empty() => self.scheduler_called(""),
            None => {
                let message =
                    "there are results of references only; evaluate a scheduler into the same folder";
                Err(EvaluationError::Missing(message.to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_name_and_is_never_taken_for_a_rule() {
        for (path, name) in [
            ("runs/slots", "runs/slots"),
            ("./runs//slots/", "runs/slots"),
            ("/a/./b", "/a/b"),
            ("../x", "../x"),
            ("./sjf", "./sjf"),
            ("sjf/", "./sjf"),
            ("mine", "mine"),
            ("./mine/", "mine"),
            ("a+b, c", "./a+b, c"),
            (".", "."),
        ] {
            assert_eq!(policy_name(path, Scenario::Serverless), name, "{path}");
        }
    }

    #[test]
    fn any_spelling_finds_the_results() {
        let names = ["drf+default+warm-first+configured", "wait_warm", "./sjf", "runs/slots"];
        let results = crate::report::tests::results("steady", &[90.0], &names, |_, _| 1.0);
        for (typed, found) in [
            ("drf+warm-first", names[0]),
            ("drf", names[0]),
            ("sjf+wait-warm_8", names[1]),
            ("./sjf", names[2]),
            ("runs/slots/", names[3]),
        ] {
            assert_eq!(results.scheduler_called(typed).ok().as_deref(), Some(found), "{typed}");
        }
        let error = results.scheduler_called("sjf").expect_err("only a folder is called so").to_string();
        assert!(error.contains("`sjf`") && error.contains("wait_warm"), "{error}");
        let error = results.scheduler_called("wait_wram").expect_err("a typing error").to_string();
        assert!(error.contains("did you mean `wait_warm`?"), "{error}");
        let error = Results::new(Scenario::Slots).baseline(None).expect_err("there is nothing").to_string();
        assert!(error.contains("no episode has finished yet"), "{error}");
        let references = crate::report::tests::results("steady", &[90.0], &["lp_bound"], |_, _| 1.0);
        let error = references.baseline(None).expect_err("a reference is no baseline").to_string();
        assert!(error.contains("references only"), "{error}");
    }
}
