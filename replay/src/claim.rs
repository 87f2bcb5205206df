//! Whose shard this is: the first run that claims it, and of that run's learners the one with the largest fencing token.

use common::ids::{Digest, FencingToken, Incarnation, RunId};
use transport::{Hello, Refusal, Refused, Role};

/// The run and the learner that a shard serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The run that claimed the shard.
    pub run: RunId,
    /// Fencing token of its newest learner.
    pub token: FencingToken,
    /// Its incarnation; none where the claim was read from the disk.
    pub incarnation: Option<Incarnation>,
    /// Digest of its observation and action schema.
    pub schema: Digest,
}

/// Checks that a peer has the role that its hello says; without CURVE no key proves a role.
pub(crate) fn check_role(hello: &Hello, proven: Option<Role>) -> Result<(), Refused> {
    if proven.is_some_and(|role| role != hello.role) {
        return Err(refused(Refusal::WrongRole, format!("the key does not belong to a {}", hello.role)));
    }
    Ok(())
}

/// The claim after a learner's hello.
pub(crate) fn claim(current: Option<Claim>, hello: &Hello) -> Result<Claim, Refused> {
    let (Some(run), Some(token)) = (hello.run, hello.token) else {
        return Err(refused(
            Refusal::Incomplete,
            "a learner must say its run and its fencing token".to_owned(),
        ));
    };
    if let Some(current) = current {
        check_run(current, hello)?;
        if token < current.token {
            return Err(old_token(current.token, token));
        }
        let others = |known: Incarnation| hello.incarnation.is_some_and(|incarnation| incarnation != known);
        if token == current.token && current.incarnation.is_some_and(others) {
            return Err(refused(Refusal::OldToken, same_token(token)));
        }
    }
    Ok(Claim { run, token, incarnation: hello.incarnation, schema: hello.schema })
}

/// Checks that a peer belongs to the run that claimed the shard.
pub(crate) fn check_run(current: Claim, hello: &Hello) -> Result<(), Refused> {
    if hello.run.is_some_and(|run| run != current.run) {
        return Err(refused(
            Refusal::OtherRun,
            format!(
                "this shard serves run {}, of which it has trajectories on its disk; for another run remove its folder (replay.folder), or configure another one",
                current.run
            ),
        ));
    }
    if hello.schema != current.schema {
        let message = "observation or action schemas differ; all services must be of one version".to_owned();
        return Err(refused(Refusal::OtherSchema, message));
    }
    Ok(())
}

pub(crate) fn old_token(current: FencingToken, found: FencingToken) -> Refused {
    let message =
        format!("the learner with fencing token {current} has taken over from the one with {found}");
    refused(Refusal::OldToken, message)
}

fn same_token(token: FencingToken) -> String {
    format!(
        "another learner with fencing token {token} has claimed this shard: two learners work on copies of one run folder; end one of \
         them, and begin its run anew with `--copy-from`"
    )
}

fn refused(reason: Refusal, message: String) -> Refused {
    Refused { reason, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learner(run: u8, token: u32) -> Hello {
        let hello = Hello::new(Role::Learner, Digest([1; 32]));
        Hello { run: Some(RunId([run; 16])), token: Some(FencingToken(token)), ..hello }
    }

    #[test]
    fn the_first_run_keeps_the_shard_and_its_newest_learner_leads() {
        let first = claim(None, &learner(1, 3)).unwrap();
        assert_eq!(claim(Some(first), &learner(1, 3)), Ok(first));
        assert_eq!(claim(Some(first), &learner(1, 4)).unwrap().token, FencingToken(4));
        assert_eq!(claim(Some(first), &learner(1, 2)).unwrap_err().reason, Refusal::OldToken);
        assert_eq!(claim(Some(first), &learner(2, 9)).unwrap_err().reason, Refusal::OtherRun);
    }

    #[test]
    fn learners_on_copies_of_a_run_folder_do_not_share_a_shard() {
        let life = |life| Hello { incarnation: Some(Incarnation(life)), ..learner(1, 3) };
        let first = claim(None, &life(7)).unwrap();
        assert_eq!(claim(Some(first), &life(7)), Ok(first));
        let error = claim(Some(first), &life(8)).unwrap_err();
        assert!(error.reason == Refusal::OldToken && error.message.contains("copies"), "{error:?}");
        // A shard that was started again does not know which of them it was; the first one to come has it.
        let read = Claim { incarnation: None, ..first };
        let second = claim(Some(read), &life(8)).unwrap();
        assert!(claim(Some(second), &life(7)).is_err());
        // A learner that was started again has the next token.
        let next = Hello { token: Some(FencingToken(4)), ..life(9) };
        assert!(claim(Some(second), &next).is_ok());
    }

    #[test]
    fn other_schemas_and_keys_are_refused() {
        let first = claim(None, &learner(1, 3)).unwrap();
        let stranger = Hello { schema: Digest([2; 32]), ..learner(1, 3) };
        assert_eq!(check_run(first, &stranger).unwrap_err().reason, Refusal::OtherSchema);
        assert_eq!(check_role(&learner(1, 3), Some(Role::Actor)).unwrap_err().reason, Refusal::WrongRole);
        let nameless = Hello { run: None, ..learner(1, 3) };
        assert_eq!(claim(None, &nameless).unwrap_err().reason, Refusal::Incomplete);
    }
}
