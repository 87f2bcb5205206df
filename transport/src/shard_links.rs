//! A client's links to all replay shards of its run: which shards there are, which of them answer, and which refuse. It
//! knows neither socket nor clock: messages go through a [`Port`], and callers pass the time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::channel::{Channel, ChannelEvent};
use crate::message::{Hello, Message, Refusal, Refused, Role, Welcome};
use crate::options::LinkOptions;
use crate::port::Port;
use crate::{Endpoint, Frame, ShardDirectory, TransportError};

/// Names a link as long as its client lives. Links to a fixed list of shards are numbered in the order of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub usize);

impl LinkId {
    pub(crate) fn next(self) -> Self {
        LinkId(self.0 + 1)
    }
}

/// What happened on a link.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// The handshake succeeded, for the first time or after a loss.
    Ready(Welcome),
    /// The connection is gone: what the shard had not answered must be sent again.
    Lost,
    /// The learner has ended the run.
    RunFinished,
    /// A message, with the frames that follow its envelope.
    Message(Message, Vec<Frame>),
}

struct ShardLink<P> {
    channel: Channel<P>,
    /// Since when the directory no longer lists the shard.
    retired: Option<Duration>,
}

/// Makes the port to a shard.
type MakePort<P> = Box<dyn FnMut(&Endpoint) -> P + Send>;

pub(crate) struct ShardLinks<P> {
    directory: ShardDirectory,
    make_port: MakePort<P>,
    hello: Hello,
    options: LinkOptions,
    links: BTreeMap<LinkId, ShardLink<P>>,
    next_id: LinkId,
    seed: u64,
    /// Time of the first tick.
    started: Option<Duration>,
    fault: Option<TransportError>,
}

impl<P: Port> ShardLinks<P> {
    /// Links to the shards of `directory`, each of which begins to connect with the first tick. `seed` draws the pauses
    /// between attempts.
    pub(crate) fn new(
        directory: &ShardDirectory,
        make_port: impl FnMut(&Endpoint) -> P + Send + 'static,
        hello: Hello,
        options: LinkOptions,
        seed: u64,
    ) -> Self {
        let mut directory = directory.clone();
        // Forgets changes of before: the list as it is now is taken below.
        directory.changed();
        let shards = directory.shards();
        let mut links = ShardLinks {
            directory,
            make_port: Box::new(make_port),
            hello,
            options,
            links: BTreeMap::new(),
            next_id: LinkId::default(),
            seed,
            started: None,
            fault: None,
        };
        shards.iter().for_each(|endpoint| links.connect(endpoint));
        links
    }

    /// Everything that has happened since the last tick, in order for each link; reconnects where that is due. Never
    /// waits. What goes wrong for good is kept for [`ShardLinks::take_fault`].
    pub(crate) fn tick(&mut self, now: Duration) -> Vec<(LinkId, LinkEvent)> {
        self.started.get_or_insert(now);
        if let Some(shards) = self.directory.changed() {
            self.update_shards(&shards, now);
        }
        let mut events = Vec::new();
        for id in self.ids() {
            while let Some(event) = self.next_event(id, now) {
                events.push((id, event));
            }
        }
        events
    }

    /// The first error since the last call that no reconnection mends.
    pub(crate) fn take_fault(&mut self) -> Option<TransportError> {
        self.fault.take()
    }

    fn next_event(&mut self, id: LinkId, now: Duration) -> Option<LinkEvent> {
        let has_others = self.links.iter().any(|(other, link)| *other != id && link.channel.is_ready());
        let channel = self.channel_mut(id)?;
        let result = channel.step(now).and_then(|event| match event {
            None => Ok(None),
            Some(ChannelEvent::Ready(welcome)) => Ok(Some(LinkEvent::Ready(welcome))),
            Some(ChannelEvent::Lost) => Ok(Some(LinkEvent::Lost)),
            Some(ChannelEvent::RunFinished) => Ok(Some(LinkEvent::RunFinished)),
            Some(ChannelEvent::Message(message, bulk)) => Ok(Some(LinkEvent::Message(message, bulk))),
            Some(ChannelEvent::Refused(refused)) if has_others && concerns_one_shard(&refused) => {
                let (endpoint, reason) = (channel.endpoint(), refused.reason);
                tracing::warn!(%endpoint, %reason, "going on without a shard that refuses: {}", refused.message);
                channel.ask_again(now);
                Ok(Some(LinkEvent::Lost))
            }
            Some(ChannelEvent::Refused(refused)) => Err(channel.refusal(refused)),
        });
        result.unwrap_or_else(|error| {
            self.fault.get_or_insert(error);
            None
        })
    }

    /// Links to shards that are new; those that are listed no longer are retired.
    fn update_shards(&mut self, shards: &[Endpoint], now: Duration) {
        for link in self.links.values_mut() {
            let is_listed = shards.contains(link.channel.endpoint());
            link.retired = if is_listed { None } else { link.retired.or(Some(now)) };
        }
        for endpoint in shards {
            if !self.links.values().any(|link| link.channel.endpoint() == endpoint) {
                self.connect(endpoint);
            }
        }
    }

    fn connect(&mut self, endpoint: &Endpoint) {
        let id = self.next_id;
        self.next_id = id.next();
        let seed = self.seed.wrapping_add(id.0 as u64);
        let port = (self.make_port)(endpoint);
        let channel = Channel::new(port, endpoint, Role::Replay, self.hello.clone(), self.options, seed);
        self.links.insert(id, ShardLink { channel, retired: None });
    }

    /// Shards that are listed no longer, and since when.
    pub(crate) fn retired(&self) -> Vec<(LinkId, Duration)> {
        self.links.iter().filter_map(|(id, link)| Some((*id, link.retired?))).collect()
    }

    /// Forgets a link.
    pub(crate) fn remove(&mut self, id: LinkId) {
        self.links.remove(&id);
    }

    pub(crate) fn ids(&self) -> Vec<LinkId> {
        self.links.keys().copied().collect()
    }

    /// All links, beginning at `first`, in a circle.
    pub(crate) fn ids_from(&self, first: LinkId) -> impl Iterator<Item = LinkId> {
        self.links.range(first..).chain(self.links.range(..first)).map(|(id, _)| *id)
    }

    pub(crate) fn channel(&self, id: LinkId) -> Option<&Channel<P>> {
        self.links.get(&id).map(|link| &link.channel)
    }

    pub(crate) fn channel_mut(&mut self, id: LinkId) -> Option<&mut Channel<P>> {
        self.links.get_mut(&id).map(|link| &mut link.channel)
    }

    pub(crate) fn is_ready(&self, id: LinkId) -> bool {
        self.channel(id).is_some_and(Channel::is_ready)
    }

    /// Whether the shard is connected and still listed.
    pub(crate) fn takes_new(&self, id: LinkId) -> bool {
        self.links.get(&id).is_some_and(|link| link.retired.is_none() && link.channel.is_ready())
    }

    pub(crate) fn ready_count(&self) -> usize {
        self.links.values().filter(|link| link.channel.is_ready()).count()
    }

    /// Whether every shard is connected and has answered lately.
    pub(crate) fn all_answer(&self, now: Duration) -> bool {
        self.links
            .values()
            .all(|ShardLink { channel, .. }| channel.is_ready() && channel.silent_for(now).is_none())
    }

    /// Queues a message without waiting; false when it was not taken.
    pub(crate) fn send(
        &mut self,
        id: LinkId,
        message: &Message,
        now: Duration,
    ) -> Result<bool, TransportError> {
        self.channel_mut(id).map_or(Ok(false), |channel| channel.send(message, Vec::new(), now))
    }

    /// Fails where no shard was ever reached within the deadline.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`].
    pub(crate) fn check_reached(&self, now: Duration) -> Result<(), TransportError> {
        let after = self.options.reach_deadline;
        let waited = self.started.map_or(Duration::ZERO, |started| now.saturating_sub(started));
        if waited < after || self.links.values().any(|link| link.channel.was_reached()) {
            return Ok(());
        }
        let endpoints: Vec<_> = self.links.values().map(|link| link.channel.endpoint().as_str()).collect();
        let (what, endpoints) = ("every replay shard", endpoints.join(", "));
        Err(TransportError::Unreachable { what, endpoints, after })
    }

    /// The port of each link.
    pub(crate) fn ports(&self) -> impl Iterator<Item = &P> {
        self.links.values().map(|link| link.channel.port())
    }

    pub(crate) fn ports_mut(&mut self) -> impl Iterator<Item = &mut P> {
        self.links.values_mut().map(|link| link.channel.port_mut())
    }
}

/// Whether a refusal says something of that shard alone, for example that it started with another run's folder: then a
/// client with other shards goes on, and asks it again later.
fn concerns_one_shard(refused: &Refused) -> bool {
    matches!(refused.reason, Refusal::OtherRun | Refusal::OtherSchema | Refusal::Protocol)
}
