//! Addresses that two services could not both bind.

use crate::addresses::HostPort;
use crate::{ActorConfig, LearnerConfig, ReplayConfig, TransportConfig};

/// A key with its address.
type Keyed = (String, HostPort);

/// Addresses that two services could not both have.
pub(crate) fn do_not_collide(
    actor: &ActorConfig,
    replay: &ReplayConfig,
    learner: &LearnerConfig,
) -> impl Fn(&TransportConfig, &()) -> garde::Result {
    let metrics = [
        ("learner.metrics_address", &learner.metrics_address),
        ("replay.metrics_address", &replay.metrics_address),
        ("actor.metrics_address", &actor.metrics_address),
    ]
    .map(|(key, address)| keyed(key, address.as_deref().map(HostPort::parse)));
    let bound = keyed("replay.bind", replay.bind.as_deref().map(HostPort::parse_link));
    move |transport, ()| {
        let [of_learner, of_replay, of_actor] = metrics.clone();
        let (links, learner) = (links(transport), learner_binds(transport));
        distinct(&links)?;
        distinct(&learner)?;
        let [shards, _] = split(&links);
        against(&of_learner, &learner)?;
        against(&of_replay, if bound.is_empty() { shards } else { &bound })?;
        // Services of one machine share its ports; those of several do not.
        if links.iter().all(|(_, link)| link.host.is_loopback()) {
            let all = [of_learner, of_replay, of_actor].concat();
            distinct(&all)?;
            against(&all, &links)?;
        }
        Ok(())
    }
}

/// What others connect to: the shards, then the learner's two.
fn links(transport: &TransportConfig) -> Vec<Keyed> {
    let shards = transport.shards.iter().enumerate();
    let mut links: Vec<Keyed> = shards
        .flat_map(|(place, text)| {
            keyed(&format!("transport.shards[{place}]"), Some(HostPort::parse_link(text)))
        })
        .collect();
    links
        .extend(keyed("transport.weights_announce", Some(HostPort::parse_link(&transport.weights_announce))));
    links.extend(keyed("transport.weights_pull", Some(HostPort::parse_link(&transport.weights_pull))));
    links
}

fn split(links: &[Keyed]) -> [&[Keyed]; 2] {
    let shards = links.iter().take_while(|(key, _)| key.starts_with("transport.shards")).count();
    [&links[..shards], &links[shards..]]
}

/// What the learner binds.
fn learner_binds(transport: &TransportConfig) -> Vec<Keyed> {
    let bind = |key: &str, bind: &Option<String>, otherwise: &str| match bind {
        Some(bind) => keyed(&format!("transport.{key}_bind"), Some(HostPort::parse_link(bind))),
        None => keyed(&format!("transport.{key}"), Some(HostPort::parse_link(otherwise))),
    };
    let mut binds = bind("weights_announce", &transport.weights_announce_bind, &transport.weights_announce);
    binds.extend(bind("weights_pull", &transport.weights_pull_bind, &transport.weights_pull));
    binds
}

/// Nothing where the address cannot be read: other checks refuse it.
fn keyed(key: &str, address: Option<Result<HostPort, &'static str>>) -> Vec<Keyed> {
    address.and_then(Result::ok).map(|address| (key.to_owned(), address)).into_iter().collect()
}

fn distinct(addresses: &[Keyed]) -> garde::Result {
    addresses
        .iter()
        .enumerate()
        .try_for_each(|(place, one)| against(std::slice::from_ref(one), &addresses[..place]))
}

fn against(some: &[Keyed], others: &[Keyed]) -> garde::Result {
    for (key, address) in some {
        if let Some((other, _)) = others.iter().find(|(_, other)| address.collides(other)) {
            let port = address.port.unwrap_or_default();
            return Err(garde::Error::new(format!(
                "`{other}` and `{key}` are one address (port {port}); each service needs its own, so change one"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "collisions_tests.rs"]
mod tests;
