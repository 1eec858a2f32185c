//! Who is connected.

use flow_control::{ClientBuffer, Millis, Time};
use les_wire::Version;
use service_model::Tier;

use crate::address::Seat;
use crate::fault::InvalidItems;

/// Identifies a connection; never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerId {
    index: u32,
    generation: u32,
}

/// What a peer says it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Asks us.
    Client,
    /// Serves, too: it is kept connected, idle.
    Server,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) seat: Seat,
    pub(crate) standing: Standing,
}

/// What a connection is in.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Connected, no Status yet.
    Greeting,
    /// Another server.
    Server,
    /// A client that is served or frozen.
    Client(Client),
    /// Told to go; nothing is done for it any more.
    Leaving,
}

/// A client past the handshake.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) version: Version,
    pub(crate) tier: Tier,
    pub(crate) buffer: ClientBuffer,
    pub(crate) invalid: InvalidItems,
    /// Admitted and not yet settled.
    pub(crate) open_jobs: u32,
    /// How often it was frozen. A job from before the last time gets no reply.
    pub(crate) freezes: u32,
    pub(crate) frozen: Option<Frozen>,
}

/// Between Stop and Resume.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frozen {
    pub(crate) since: Time,
    pub(crate) random: Millis,
    /// When it is looked at again.
    pub(crate) thaw: Time,
    /// Messages that came since Stop.
    pub(crate) ignored: u32,
}

/// All connections: a table whose places are used again, with ids that are not.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    places: Vec<(u32, Option<Peer>)>,
    vacant: Vec<u32>,
}

impl Peers {
    pub(crate) fn insert(&mut self, peer: Peer) -> PeerId {
        while let Some(index) = self.vacant.pop() {
            let Some((generation, place)) = self.places.get_mut(index as usize) else { continue };
            *place = Some(peer);
            return PeerId { index, generation: *generation };
        }
        // The number of connections is a `u32`, so this never saturates.
        let index = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push((0, Some(peer)));
        PeerId { index, generation: 0 }
    }

    pub(crate) fn remove(&mut self, id: PeerId) -> Option<Peer> {
        let (generation, place) = self.places.get_mut(id.index as usize)?;
        if *generation != id.generation {
            return None;
        }
        let peer = place.take()?;
        *generation = generation.wrapping_add(1);
        self.vacant.push(id.index);
        Some(peer)
    }

    pub(crate) fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        let (generation, place) = self.places.get_mut(id.index as usize)?;
        if *generation == id.generation { place.as_mut() } else { None }
    }

    pub(crate) fn client_mut(&mut self, id: PeerId) -> Option<&mut Client> {
        match &mut self.get_mut(id)?.standing {
            Standing::Client(client) => Some(client),
            Standing::Greeting | Standing::Server | Standing::Leaving => None,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.places.len().saturating_sub(self.vacant.len())
    }
}
