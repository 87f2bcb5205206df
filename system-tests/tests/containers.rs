//! What docker-compose.yml and the Dockerfiles say: no service has more than it needs, and base images are named by digest.
//! `./run test-docker` looks at running containers.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;

use serde_json::{Map, Value, json};
use system_tests::root;

/// The services of the compose file, and the role of each; `keys` makes the keys of all.
const SERVICES: [(&str, Option<&str>); 5] = [
    ("keys", None),
    ("replay-0", Some("replay")),
    ("replay-1", Some("replay")),
    ("learner", Some("learner")),
    ("actor", Some("actor")),
];

fn services() -> Map<String, Value> {
    let text = fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    file["services"].as_object().unwrap().clone()
}

/// Sources and targets of a service's mounts, without their modes, and whether each can only be read.
fn mounts(service: &Value) -> Vec<(String, String, bool)> {
    let split = |mount: &Value| {
        let mut parts = mount.as_str().unwrap().split(':').map(str::to_owned);
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().as_deref() == Some("ro"))
    };
    service["volumes"].as_array().unwrap().iter().map(split).collect()
}

#[test]
fn every_service_is_known_here() {
    let mut names: Vec<&str> = SERVICES.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let services = services();
    let mut found: Vec<&str> = services.keys().map(String::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, names);
}

#[test]
fn every_service_lacks_what_it_does_not_need() {
    for (name, service) in services() {
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        assert_eq!(service["read_only"], json!(true), "{name}");
        assert!(
            service["pids_limit"].as_u64().is_some_and(|limit| limit > 0),
            "{name}: no limit of processes"
        );
        assert!(service["mem_limit"].as_str().is_some(), "{name}: no limit of memory");
        let restart = service["restart"].as_str().unwrap();
        let bounded = restart
            .strip_prefix("on-failure:")
            .is_some_and(|times| times.parse::<u32>().is_ok_and(|times| times > 0));
        assert!(restart == "no" || bounded, "{name} may be restarted for ever: `{restart}`");
    }
}

#[test]
fn every_service_sees_the_secret_of_its_role_alone() {
    let services = services();
    for (name, role) in SERVICES {
        let keys: Vec<_> =
            mounts(&services[name]).into_iter().filter(|(source, ..)| source.starts_with("keys")).collect();
        match role {
            Some(role) => assert_eq!(keys, [(format!("keys-{role}"), "/keys".to_owned(), true)], "{name}"),
            // It holds every secret, so it reaches nobody.
            None => assert_eq!(services[name]["network_mode"], json!("none"), "{name}"),
        }
    }
}

#[test]
fn base_images_are_named_by_digest() {
    let names = |file: &str| -> Vec<String> {
        let text = fs::read_to_string(root().join("deploy/docker").join(file)).unwrap();
        let bases: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix("ARG ")).map(str::to_owned).collect();
        for base in &bases {
            let digest = base.split_once("@sha256:").map_or("", |(_, digest)| digest);
            assert!(
                digest.len() == 64 && digest.chars().all(|letter| letter.is_ascii_hexdigit()),
                "{file}: {base}"
            );
        }
        bases
    };
    let bases = names("Dockerfile");
    assert_eq!((bases.len(), &bases), (2, &names("replay.Dockerfile")), "both start from the same images");
    // docker-compose 1.29 passes no argument on without a value, so it names the same ones again.
    for (name, service) in services() {
        for base in &bases {
            let (argument, image) = base.split_once('=').unwrap();
            assert_eq!(
                service["build"]["args"][argument],
                json!(format!("${{{argument}:-{image}}}")),
                "{name}"
            );
        }
    }
    // Images that are made without a registry do not pass for official ones.
    let local = fs::read_to_string(root().join("deploy/docker/base-images.sh")).unwrap();
    let made: Vec<_> = local
        .lines()
        .filter(|line| line.starts_with("DEBIAN_IMAGE=") || line.starts_with("RUST_IMAGE="))
        .collect();
    assert!(made.len() == 2 && made.iter().all(|line| line.contains("=longshore-base:")), "{made:?}");
}
