//! A connection's life: handshake, Status, service, and one log line about its end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use les_engine::{Fault, Greeting, Role, Trust};
use les_wire::{MessageKind, Status, Version};
use rlpx::{Event, NodeId, Payload, Reason, Session, Workspace};
use service_model::Tier;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
    time::Instant,
};
use tracing::{debug, info, warn};

use crate::{
    announce::{Announcer, Manner},
    chatter::Chatter,
    driver::Seat,
    ended::Ended,
    eth,
    handshake::{self, Greeted},
    inbox::Inbox,
    listener::Permit,
    metrics::HandshakeFailure,
    node::Shared,
    peer::Peer,
    peer_table::{Connected, ProtocolStatus, Registration},
    status,
};

/// From our Status to the client's (les, "Handshake"; go-ethereum's limit).
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);
/// A Status of go-ethereum has 500 bytes; its keys and values are limited to 100,000.
const STATUS_LIMIT: usize = 128 * 1024;

/// Serves one accepted socket to its end.
pub(crate) async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    permit: Permit,
    shared: Arc<Shared>,
    shutdown: watch::Receiver<bool>,
) {
    // Boxed: what only the handshake needs does not stay part of an idle connection.
    let client = match Box::pin(enter(stream, address, permit, &shared)).await {
        Some(Entered::Client(client)) => client,
        Some(Entered::FullNode(guest)) => {
            // Boxed: few connections are such, and they need much more.
            Box::pin(eth::connection::serve(*guest, &shared, shutdown)).await;
            return;
        }
        None => return,
    };
    let Client { peer, seat, name, id, may_log, _registration } = client;
    shared.driver.counters().connected();
    let ended = peer.run(&shared, shutdown).await;
    shared.driver.counters().disconnected();
    drop(seat);
    if ended.is_fault() {
        if shared.may_log(address, "ended") {
            let id = short(&id);
            warn!(%address, %id, client = %name, reason = %ended, "Light client dropped");
        }
    } else if may_log {
        info!(%address, id = %short(&id), client = %name, reason = %ended, "Light client gone");
    }
}

/// Who came.
enum Entered {
    Client(Client),
    FullNode(Box<eth::connection::Guest>),
}

/// A client that is served.
struct Client {
    peer: Box<Peer>,
    seat: Seat,
    name: String,
    id: NodeId,
    /// Whether its coming was logged.
    may_log: bool,
    _registration: Registration,
}

/// From a socket to a client that is served, or to a full node that was greeted.
async fn enter(
    mut stream: TcpStream,
    address: SocketAddr,
    permit: Permit,
    shared: &Arc<Shared>,
) -> Option<Entered> {
    let greeted = match handshake::greet(&mut stream, &shared.key).await {
        Ok(greeted) => greeted,
        Err(failed) => {
            drop(permit);
            shared.driver.counters().handshake_failed(failed.class());
            if shared.may_log(address, "handshake") {
                debug!(%address, reason = %failed, "Handshake failed");
            }
            return None;
        }
    };
    if eth::is_full_node(&greeted.session) {
        let permit = Some(permit);
        let guest = eth::connection::Guest { stream, address, greeted, permit };
        return Some(Entered::FullNode(Box::new(guest)));
    }
    let id = *greeted.session.remote();
    let name = greeted.client.clone();
    let welcomed = welcome(stream, address, greeted, shared).await;
    drop(permit);
    let (peer, seat, _registration, version) = match welcomed {
        Ok(welcomed) => welcomed,
        Err(refused) => {
            shared.driver.counters().handshake_failed(refused.class());
            if shared.may_log(address, "refused") {
                let id = short(&id);
                info!(%address, %id, client = %name, reason = %refused, "Light client refused");
            }
            return None;
        }
    };
    let may_log = shared.may_log(address, "connected");
    if may_log {
        let id = short(&id);
        info!(%address, %id, client = %name, les = version.number(), "Light client connected");
    }
    Some(Entered::Client(Client { peer, seat, name, id, may_log, _registration }))
}

/// The first half of a node id's hash, as go-ethereum logs it.
fn short(id: &NodeId) -> String {
    id.to_string().chars().take(16).collect()
}

/// Why a client was not taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
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
    const fn class(&self) -> HandshakeFailure {
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
                Ended::Fault(_) | Ended::Chatter | Ended::Undecodable(_) | Ended::Decided(_) => {
                    HandshakeFailure::Breach
                }
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
    workspace: Workspace,
}

impl Hall {
    /// Sends one message.
    async fn write(&mut self, kind: MessageKind, message: &[u8]) -> Result<(), Ended> {
        let mut out = Vec::new();
        let code = u64::from(kind.code());
        self.session
            .write(self.capability, code, Payload::Plain(message), &mut self.workspace, &mut out)
            .map_err(|_| Ended::Decided(Reason::Requested))?;
        Ok(self.stream.write_all(&out).await?)
    }

    /// Reads the first message, which must be Status.
    async fn read_status(&mut self) -> Result<Status, Refused> {
        let mut chatter = Chatter::new(Instant::now());
        loop {
            let read =
                self.session.read(&mut self.received, &mut self.workspace).map_err(Ended::from)?;
            let used = read.consumed;
            let found = match read.event {
                Event::Need(_) => None,
                Event::Ping | Event::Pong | Event::Ignored(_) if chatter.allows(Instant::now()) => {
                    Some(None)
                }
                Event::Ping | Event::Pong | Event::Ignored(_) => return Err(Ended::Chatter.into()),
                Event::Disconnect(reason) => return Err(Ended::ByPeer(reason).into()),
                Event::Message { code: 0, payload, .. } => {
                    Some(Some(Status::decode(payload).map_err(Ended::from)?))
                }
                Event::Message { code, .. } => return Err(Refused::NoStatus(code)),
            };
            self.received.drain(..used);
            match found {
                Some(Some(status)) => return Ok(status),
                Some(None) => {}
                None => {
                    if self.stream.read_buf(&mut self.received).await? == 0 {
                        return Err(Ended::Closed.into());
                    }
                }
            }
        }
    }

    async fn refuse(mut self, refused: Refused) -> Refused {
        let mut out = Vec::new();
        let told = self.session.disconnect(refused.reason(), &mut out).is_ok();
        if told {
            let write = self.stream.write_all(&out);
            drop(tokio::time::timeout(STATUS_TIMEOUT, write).await);
        }
        refused
    }
}

type Welcomed = (Box<Peer>, Seat, Registration, Version);

async fn welcome(
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
    let workspace = Workspace::new();
    let mut hall = Hall { stream, session, capability, version, received: rest, workspace };
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
