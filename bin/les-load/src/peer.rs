//! One connection with its socket.

use std::time::Duration;

use flow_control::Time;
use les_wire::{AnnounceType, Head, Status, Version};
use light_client::{Connection, Event, NewRequest, ReceivedReply, SendError, Wait};
use rlpx::{Enode, NodeKey, Reason};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::error::Error;

/// Longest silence during the handshake, and for a reply. go-ethereum's own client gives a server
/// up after about this time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes taken from the socket at once.
const READ_BYTES: usize = 16 * 1024;

/// A connection past Status.
#[derive(Debug)]
pub(crate) struct Peer {
    stream: TcpStream,
    connection: Connection,
    clock: Clock,
    status: Status,
    buffer: Box<[u8]>,
    /// Bytes that went over the socket, with handshake and encryption.
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

impl Peer {
    /// Connects and exchanges Hello and Status. This side's Status repeats the network, genesis
    /// and fork id of the server's.
    pub(crate) async fn connect(enode: &Enode, clock: Clock) -> Result<Self, Error> {
        let address = format!("{}:{}", enode.host, enode.tcp_port);
        let connected = timeout(PATIENCE, TcpStream::connect(&address)).await;
        let stream = connected
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
            .map_err(|error| Error::Connect { address, error })?;
        stream.set_nodelay(true)?;
        let key = NodeKey::random(&mut rand::rng());
        let name = concat!("les-load/v", env!("CARGO_PKG_VERSION"));
        let connection = Connection::dial(&key, &enode.id, name, &Version::ALL, &mut rand::rng())?;
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        let status = Status::default();
        let mut peer = Self { stream, connection, clock, status, buffer, sent: 0, received: 0 };
        peer.greet().await?;
        Ok(peer)
    }

    async fn greet(&mut self) -> Result<(), Error> {
        loop {
            match self.event(PATIENCE).await? {
                Some(Event::Status(status)) => {
                    self.status = *status;
                    break;
                }
                Some(_) => {}
                None => return Err(silence("Status")),
            }
        }
        self.connection.send_status(&Status {
            protocol_version: self.status.protocol_version,
            network_id: self.status.network_id,
            genesis_hash: self.status.genesis_hash,
            head: Some(Head::default()),
            fork_id: self.status.fork_id,
            announce_type: Some(AnnounceType::Simple),
            ..Status::default()
        })?;
        self.flush().await
    }

    /// The server's Status.
    pub(crate) const fn status(&self) -> &Status {
        &self.status
    }

    /// How long a request has to wait.
    pub(crate) fn wait(&mut self, request: &NewRequest<'_>) -> Wait {
        self.connection.wait(request, self.clock.now())
    }

    /// Puts a request into the output; [`Peer::event`] sends it.
    pub(crate) fn send(&mut self, request: &NewRequest<'_>) -> Result<(u64, Time), SendError> {
        let now = self.clock.now();
        Ok((self.connection.send(request, now)?, now))
    }

    /// The next event; `None` if nothing happens for so long. Sends first what is to be sent.
    pub(crate) async fn event(&mut self, patience: Duration) -> Result<Option<Event>, Error> {
        loop {
            let event = self.connection.poll(self.clock.now());
            self.flush().await?;
            if let Some(event) = event? {
                return Ok(Some(event));
            }
            let Ok(read) = timeout(patience, self.stream.read(&mut self.buffer)).await else {
                return Ok(None);
            };
            let bytes = self.buffer.get(..read?).unwrap_or_default();
            if bytes.is_empty() {
                return Err(Error::HungUp);
            }
            self.received = self.received.saturating_add(bytes.len() as u64);
            self.connection.receive(bytes);
        }
    }

    /// Asks one question, as soon as flow control allows, and gives the reply.
    pub(crate) async fn ask(&mut self, request: &NewRequest<'_>) -> Result<ReceivedReply, Error> {
        loop {
            let wait = self.wait(request);
            if self.may_send(wait).await? {
                break;
            }
        }
        let (id, _) = self.send(request)?;
        self.reply(id).await
    }

    /// True if there is nothing to wait for; otherwise waits for a while.
    pub(crate) async fn may_send(&mut self, wait: Wait) -> Result<bool, Error> {
        let pause = match wait {
            Wait::Not => return Ok(true),
            Wait::Nanos(nanos) => Duration::from_nanos(nanos).min(PATIENCE),
            Wait::UntilReply | Wait::UntilResumed | Wait::NotReady => PATIENCE,
        };
        let event = self.event(pause).await?;
        if event.is_none() && pause >= PATIENCE { Err(silence("leave to ask")) } else { Ok(false) }
    }

    /// Waits for the reply to a request; other events are passed over.
    pub(crate) async fn reply(&mut self, id: u64) -> Result<ReceivedReply, Error> {
        loop {
            match self.event(PATIENCE).await? {
                Some(Event::Reply(reply)) if reply.id == id => return Ok(reply),
                Some(_) => {}
                None => return Err(silence("reply")),
            }
        }
    }

    /// Says goodbye.
    pub(crate) async fn close(mut self) {
        self.connection.close(Reason::Requested);
        // The server will see the end of the stream if it does not read the goodbye.
        let _ = self.flush().await;
    }

    async fn flush(&mut self) -> Result<(), Error> {
        let output = self.connection.output();
        if !output.is_empty() {
            self.stream.write_all(output).await?;
            self.sent = self.sent.saturating_add(output.len() as u64);
            output.clear();
        }
        Ok(())
    }
}

const fn silence(awaited: &'static str) -> Error {
    Error::Silence { awaited, seconds: PATIENCE.as_secs() }
}
