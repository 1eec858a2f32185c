//! A light client at the entrance: a seat, then Status both ways.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use les_engine::{Fault, Greeting, Role, Trust};
use les_wire::{MessageKind, Status, Version};
use rlpx::{Event, Payload, Reason, Session};
use service_model::Tier;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

use crate::{
    announce::{Announcer, Manner},
    chatter::Chatter,
    driver::Seat,
    ended::Ended,
    handshake::Greeted,
    inbox::Inbox,
    metrics::HandshakeFailure,
    node::Shared,
    peer::Peer,
    peer_table::{Connected, ProtocolStatus, Registration},
    scratch, status,
};

/// From our Status to the client's (les, "Handshake"; go-ethereum's limit).
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);
/// A Status of go-ethereum has 500 bytes; its keys and values are limited to 100,000.
const STATUS_LIMIT: usize = 128 * 1024;

/// Why a client was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("no seat: {0:?}")]
    Seat(les_engine::Refusal),
    #[error("this node is connected already")]
    Twice,
    #[error("{0}")]
    Mismatch(String),
    #[error("no Status within 5 s")]
    Timeout,
    #[error("message {0} instead of Status")]
    NoStatus(u64),
    #[error("{0}")]
    Ended(#[from] Ended),
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        Self::Ended(error.into())
    }
}

impl Refused {
    pub(super) const fn class(&self) -> HandshakeFailure {
        match self {
            Self::Seat(_) => HandshakeFailure::NoSeat,
            Self::Twice => HandshakeFailure::ConnectedAlready,
            Self::Mismatch(_) => HandshakeFailure::OtherNetwork,
            Self::Timeout => HandshakeFailure::Timeout,
            Self::NoStatus(_) => HandshakeFailure::Breach,
            Self::Ended(ended) => match ended {
                Ended::Io(_) | Ended::Closed | Ended::ByPeer(_) => HandshakeFailure::Left,
                Ended::Silent | Ended::Unread => HandshakeFailure::Timeout,
                Ended::Shutdown | Ended::Store => HandshakeFailure::Ours,
                Ended::Fault(_)
                | Ended::Chatter
                | Ended::Dribble
                | Ended::Undecodable(_)
                | Ended::Decided(_) => HandshakeFailure::Breach,
            },
        }
    }

    const fn reason(&self) -> Reason {
        match self {
            Self::Seat(_) => Reason::TooManyPeers,
            Self::Twice => Reason::AlreadyConnected,
            Self::Mismatch(_) | Self::NoStatus(_) => Reason::SubprotocolError,
            Self::Timeout => Reason::PingTimeout,
            Self::Ended(Ended::Fault(fault)) => fault.reason(),
            Self::Ended(_) => Reason::SubprotocolError,
        }
    }
}

/// The connection while both sides say what they are.
struct Hall {
    stream: TcpStream,
    session: Session,
    capability: usize,
    version: Version,
    received: Vec<u8>,
}

impl Hall {
    /// Sends one message.
    async fn write(&mut self, kind: MessageKind, message: &[u8]) -> Result<(), Ended> {
        let mut out = Vec::new();
        let code = u64::from(kind.code());
        scratch::with(|scratch| {
            let payload = Payload::Plain(message);
            self.session.write(self.capability, code, payload, &mut scratch.workspace, &mut out)
        })
        .map_err(|_| Ended::Decided(Reason::Requested))?;
        Ok(self.stream.write_all(&out).await?)
    }

    /// Reads the first message, which must be Status.
    async fn read_status(&mut self) -> Result<Status, Refused> {
        let mut chatter = Chatter::new(Instant::now());
        loop {
            match self.read_received(&mut chatter)? {
                Read::Status(status) => return Ok(*status),
                Read::Other => {}
                Read::Partial => {
                    if self.stream.read_buf(&mut self.received).await? == 0 {
                        return Err(Ended::Closed.into());
                    }
                }
            }
        }
    }

    /// Reads one frame out of what was received.
    fn read_received(&mut self, chatter: &mut Chatter) -> Result<Read, Refused> {
        let (used, read) = scratch::with(|scratch| {
            let read = self
                .session
                .read(&mut self.received, &mut scratch.requests)
                .map_err(Ended::from)?;
            let found = match read.event {
                Event::Need(_) => Read::Partial,
                Event::Ping | Event::Pong | Event::Ignored(_) if chatter.allows(Instant::now()) => {
                    Read::Other
                }
                Event::Ping | Event::Pong | Event::Ignored(_) => return Err(Ended::Chatter.into()),
                Event::Disconnect(reason) => return Err(Ended::ByPeer(reason).into()),
                Event::Message { code: 0, payload, .. } => {
                    Read::Status(Box::new(Status::decode(payload).map_err(Ended::from)?))
                }
                Event::Message { code, .. } => return Err(Refused::NoStatus(code)),
            };
            Ok((read.consumed, found))
        })?;
        self.received.drain(..used);
        Ok(read)
    }

    /// Tells the client why it is not taken.
    async fn refuse(&mut self, refused: Refused) -> Refused {
        let mut out = Vec::new();
        let told = self.session.disconnect(refused.reason(), &mut out).is_ok();
        if told {
            let write = self.stream.write_all(&out);
            drop(tokio::time::timeout(STATUS_TIMEOUT, write).await);
        }
        refused
    }
}

/// What one frame was.
enum Read {
    Status(Box<Status>),
    Other,
    /// Nothing yet: more bytes are needed.
    Partial,
}

type Welcomed = (Peer, Seat, Registration, Version);

/// Gives a client its seat and exchanges Status with it.
pub(super) async fn welcome(
    stream: TcpStream,
    address: SocketAddr,
    greeted: Greeted,
    shared: &Arc<Shared>,
) -> Result<Welcomed, Refused> {
    let Greeted { mut session, rest, client } = greeted;
    let les = session.shared().iter().enumerate().find_map(|(index, offered)| {
        let name = offered.capability.name.as_str() == les_wire::CAPABILITY_NAME;
        let version = Version::from_number(offered.capability.version)?;
        name.then_some((index, version))
    });
    // The handshake saw to it that there is one, or eth.
    let Some((capability, version)) = les else { return Err(Refused::NoStatus(0)) };
    session.set_message_limit(STATUS_LIMIT);
    let manner = Manner::of(&client);
    let peer = Connected {
        id: *session.remote(),
        client: client.into_boxed_str(),
        capabilities: session.shared().iter().map(|offered| offered.capability).collect(),
        remote: address,
        local: stream.local_addr()?,
        inbound: true,
        is_static: false,
    };
    let mut hall = Hall { stream, session, capability, version, received: rest };
    let inbox = Arc::new(Inbox::default());
    let is_trusted = shared.peers.is_trusted(&peer.id);
    let trust = if is_trusted { Trust::Trusted } else { Trust::Stranger };
    let seat = match shared.driver.connect(address.ip(), trust, Arc::clone(&inbox)) {
        Ok(seat) => seat,
        Err(refusal) => return Err(hall.refuse(Refused::Seat(refusal)).await),
    };
    let Some(registration) = shared.peers.register(peer, Arc::<Inbox>::clone(&inbox)) else {
        return Err(hall.refuse(Refused::Twice).await);
    };
    let announcer = match exchange_status(&mut hall, manner, &seat, &registration, shared).await {
        Ok(announcer) => announcer,
        Err(refused) => return Err(hall.refuse(refused).await),
    };
    let Hall { stream, mut session, capability, received, .. } = hall;
    session.set_message_limit(les_wire::MAX_MESSAGE_BYTES);
    let peer =
        Peer::new(stream, session, capability, version, received, seat.peer(), inbox, announcer);
    Ok((peer, seat, registration, version))
}

/// Sends ours at once, waits for theirs, compares.
async fn exchange_status(
    hall: &mut Hall,
    manner: Manner,
    seat: &Seat,
    registration: &Registration,
    shared: &Shared,
) -> Result<Announcer, Refused> {
    let announcement = Arc::clone(&shared.head.borrow());
    let flow_control = shared.driver.flow_control();
    let ours = status::status(&shared.offer, hall.version, &announcement, flow_control);
    let mut message = Vec::new();
    ours.encode(&mut message);
    let exchange = async {
        hall.write(MessageKind::Status, &message).await?;
        hall.read_status().await
    };
    let theirs = match tokio::time::timeout(STATUS_TIMEOUT, exchange).await {
        Ok(theirs) => theirs?,
        Err(_) => {
            shared.driver.faulted(seat.peer(), Fault::HandshakeTimedOut, 0);
            return Err(Refused::Timeout);
        }
    };
    if let Some(mismatch) = status::mismatch(&shared.offer, hall.version, &announcement, &theirs) {
        shared.driver.faulted(seat.peer(), Fault::WrongNetwork, 0);
        return Err(Refused::Mismatch(mismatch));
    }
    let role = if theirs.is_server { Role::Server } else { Role::Client };
    let greeting = Greeting { version: hall.version, role, tier: Tier::Free };
    shared.driver.greeted(seat.peer(), greeting).map_err(Refused::Seat)?;
    if let Some(head) = theirs.head {
        registration.set_status(ProtocolStatus {
            protocol: les_wire::CAPABILITY_NAME,
            version: u64::from(hall.version.number()),
            difficulty: head.total_difficulty,
            head: head.hash,
        });
    }
    let (wanted, told) = (theirs.announcements_wanted(), *announcement.head());
    Ok(Announcer::new(wanted, manner, told, Instant::now()))
}
