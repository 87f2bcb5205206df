use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;
use common::ExitStatus as _;

fn public_path(folder: &Path, role: Role) -> PathBuf {
    folder.join(public_name(role))
}

fn secret_path(folder: &Path, role: Role) -> PathBuf {
    folder.join(secret_name(role))
}

/// Names of a folder's entries, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

#[test]
fn the_linked_library_can_do_curve() {
    curve_support().unwrap();
}

#[test]
fn keys_are_made_once_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let made = make_keys(folder.path(), false).unwrap();
    assert_eq!((made.made.len(), made.kept.len()), (6, 0));
    let keys = Keys::load(folder.path(), Role::Actor).unwrap();
    assert_eq!(keys.role_of(keys.own().public()), Some(Role::Actor));
    assert_eq!(make_keys(folder.path(), false).unwrap(), MadeKeys { made: Vec::new(), kept: made.made });
    let same = Keys::load(folder.path(), Role::Actor).unwrap();
    assert_eq!(same.own().public(), keys.own().public());
    make_keys(folder.path(), true).unwrap();
    let fresh = Keys::load(folder.path(), Role::Actor).unwrap();
    assert_ne!(fresh.own().public(), keys.own().public());
}

#[test]
fn missing_pairs_are_made_and_a_lone_half_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    make_keys(folder.path(), false).unwrap();
    let learner = fs::read(secret_path(folder.path(), Role::Learner)).unwrap();
    for path in [public_path(folder.path(), Role::Actor), secret_path(folder.path(), Role::Actor)] {
        fs::remove_file(path).unwrap();
    }
    let keys = make_keys(folder.path(), false).unwrap();
    assert_eq!((keys.made.len(), keys.kept.len()), (2, 4));
    assert!(keys.made.iter().all(|path| path.to_string_lossy().contains("actor.")));
    assert_eq!(fs::read(secret_path(folder.path(), Role::Learner)).unwrap(), learner);
    fs::remove_file(secret_path(folder.path(), Role::Actor)).unwrap();
    for path in [public_path(folder.path(), Role::Replay), secret_path(folder.path(), Role::Replay)] {
        fs::remove_file(path).unwrap();
    }
    let error = make_keys(folder.path(), false).unwrap_err();
    assert!(
        error.to_string().contains("actor.public") && error.to_string().contains("half a pair"),
        "{error}"
    );
    assert!(!public_path(folder.path(), Role::Replay).exists(), "nothing is made beside a lone half");
}

#[test]
fn a_secret_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    make_keys(folder.path(), false).unwrap();
    let path = secret_path(folder.path(), Role::Replay);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = Keys::load(folder.path(), Role::Replay).unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
    assert_eq!(error.exit_code(), common::ExitCode::Security);
}

#[test]
fn a_file_without_a_key_is_named() {
    let folder = tempfile::tempdir().unwrap();
    make_keys(folder.path(), false).unwrap();
    fs::write(folder.path().join("learner.public"), "not a key").unwrap();
    let error = Keys::load(folder.path(), Role::Actor).unwrap_err();
    assert!(error.to_string().contains("learner.public"), "{error}");
}

#[test]
fn a_pair_whose_halves_do_not_belong_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    make_keys(folder.path(), false).unwrap();
    fs::write(
        public_path(folder.path(), Role::Actor),
        fs::read(public_path(folder.path(), Role::Replay)).unwrap(),
    )
    .unwrap();
    for error in
        [make_keys(folder.path(), false).unwrap_err(), Keys::load(folder.path(), Role::Actor).unwrap_err()]
    {
        let text = error.to_string();
        assert!(text.contains("actor.public: does not belong to") && text.contains("actor.secret"), "{text}");
        assert!(text.contains("longshore keygen"), "{text}");
        assert_eq!(error.exit_code(), common::ExitCode::Security);
    }
    // Another role's own pair is sound; what it knows of actors is for the handshake to judge.
    Keys::load(folder.path(), Role::Learner).unwrap();
    make_keys(folder.path(), true).unwrap();
    Keys::load(folder.path(), Role::Actor).unwrap();
}

#[test]
fn what_a_kill_while_files_are_written_leaves_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let unfinished = folder.path().join(".unfinished-keys");
    fs::create_dir(&unfinished).unwrap();
    fs::write(unfinished.join("learner.public"), "half a").unwrap();
    let keys = make_keys(folder.path(), false).unwrap();
    assert_eq!((keys.made.len(), keys.kept.len()), (6, 0));
    assert_eq!(names(folder.path()).len(), 6, "{:?}", names(folder.path()));
}

#[test]
fn what_a_kill_while_files_are_moved_leaves_is_completed() {
    // Each number of files that had been moved when the kill came, of new keys that replace others.
    for moved in 0..=6 {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        make_keys(folder.path(), false).unwrap();
        make_keys(other.path(), false).unwrap();
        let ready = folder.path().join(".new-keys");
        fs::create_dir(&ready).unwrap();
        for (place, name) in names(other.path()).into_iter().enumerate() {
            let target = if place < moved { folder.path() } else { &ready };
            fs::copy(other.path().join(&name), target.join(&name)).unwrap();
        }
        let error = Keys::load(folder.path(), Role::Learner).unwrap_err().to_string();
        assert!(error.contains("was interrupted"), "{error}");
        let keys = make_keys(folder.path(), false).unwrap();
        assert_eq!((keys.made.len(), keys.kept.len()), (6 - moved, moved));
        for role in Role::ALL {
            let pair = Keys::load(folder.path(), role).unwrap();
            assert_eq!(pair.own().public(), Keys::load(other.path(), role).unwrap().own().public());
        }
        assert_eq!(names(folder.path()).len(), 6);
    }
}

#[test]
fn a_folder_of_a_role_holds_its_secret_and_every_public_key() {
    let folder = tempfile::tempdir().unwrap();
    make_keys(folder.path(), false).unwrap();
    assert_eq!(write_role_folders(folder.path(), false).unwrap(), MadeKeys::default());
    let made = write_role_folders(folder.path(), true).unwrap();
    assert_eq!((made.made.len(), made.kept.len()), (12, 0));
    for role in Role::ALL {
        let own = folder.path().join(role.to_string());
        let mut wanted: Vec<String> =
            Role::ALL.into_iter().map(public_name).chain([secret_name(role)]).collect();
        wanted.sort();
        assert_eq!(names(&own), wanted);
        let keys = Keys::load(&own, role).unwrap();
        assert_eq!(keys.own().secret(), Keys::load(folder.path(), role).unwrap().own().secret());
        assert_eq!(Keys::roles_in(&own), [role]);
        assert_eq!(fs::metadata(own.join(secret_name(role))).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // A second time changes nothing; new keys reach the folders that are there.
    assert_eq!(write_role_folders(folder.path(), true).unwrap().made.len(), 0);
    make_keys(folder.path(), true).unwrap();
    fs::remove_dir_all(folder.path().join("replay")).unwrap();
    assert_eq!(write_role_folders(folder.path(), false).unwrap().made.len(), 8);
    Keys::load(&folder.path().join("actor"), Role::Actor).unwrap();
    assert!(!folder.path().join("replay").exists());
}
