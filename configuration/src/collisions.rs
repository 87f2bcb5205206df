//! Addresses that two services could not both bind.

use crate::addresses::{HostPort, LinkAddress};
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
    .map(|(key, address)| {
        Vec::from_iter(address.as_ref().map(|address| (key.to_owned(), address.host_port().clone())))
    });
    let bound = Vec::from_iter(replay.bind.as_ref().map(|bind| keyed("replay.bind", bind)));
    move |transport, ()| {
        let [of_learner, of_replay, of_actor] = metrics.clone();
        let shards = shards(transport);
        let links = [shards.clone(), weights(transport)].concat();
        let learner = learner_binds(transport);
        distinct(&links)?;
        distinct(&learner)?;
        against(&of_learner, &learner)?;
        against(&of_replay, if bound.is_empty() { &shards } else { &bound })?;
        // Services of one machine share its ports; those of several do not.
        if links.iter().all(|(_, link)| link.host.is_loopback()) {
            let all = [of_learner, of_replay, of_actor].concat();
            distinct(&all)?;
            against(&all, &links)?;
        }
        Ok(())
    }
}

fn keyed(key: &str, address: &LinkAddress) -> Keyed {
    (key.to_owned(), address.host_port().clone())
}

fn shards(transport: &TransportConfig) -> Vec<Keyed> {
    let shards = transport.shards.iter().enumerate();
    shards.map(|(place, address)| keyed(&format!("transport.shards[{place}]"), address)).collect()
}

/// The learner's two addresses, as others connect to them.
fn weights(transport: &TransportConfig) -> Vec<Keyed> {
    vec![
        keyed("transport.weights_announce", &transport.weights_announce),
        keyed("transport.weights_pull", &transport.weights_pull),
    ]
}

/// The addresses that the learner binds.
fn learner_binds(transport: &TransportConfig) -> Vec<Keyed> {
    let bind = |key: &str, bind: &Option<LinkAddress>, otherwise: &LinkAddress| match bind {
        Some(bind) => keyed(&format!("transport.{key}_bind"), bind),
        None => keyed(&format!("transport.{key}"), otherwise),
    };
    vec![
        bind("weights_announce", &transport.weights_announce_bind, &transport.weights_announce),
        bind("weights_pull", &transport.weights_pull_bind, &transport.weights_pull),
    ]
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
