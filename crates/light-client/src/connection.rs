//! One connection to a server: bytes in, bytes out.

use flow_control::Time;
use les_wire::{CAPABILITY_NAME, MAX_MESSAGE_BYTES, MessageKind, Status, Version};
use rand::CryptoRng;
use rlpx::{
    Capability, Dialing, Event as SessionEvent, Greeting, GreetingEvent, Hello, Name, NodeId,
    NodeKey, Offer, Payload, Progress, Reason, Session, Workspace, dial,
};

use crate::dialogue::{Dialogue, Event, SendError, Wait};
use crate::new_request::NewRequest;

/// Why a connection ended or could not begin.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The encrypted connection could not be made.
    #[error("the handshake failed: {0}")]
    Handshake(#[from] rlpx::HandshakeError),
    /// The server broke the rules of the transport.
    #[error("the server broke the transport protocol: {0}")]
    Transport(#[from] rlpx::Fault),
    /// A message of ours did not fit.
    #[error("a message cannot be sent: {0}")]
    Write(#[from] rlpx::WriteError),
    /// The server speaks no version of `les` that is spoken here.
    #[error("{client} offers no les/2, les/3 or les/4 but {offered}")]
    NoCommonVersion {
        /// What the server calls itself.
        client: String,
        /// What it offers.
        offered: String,
    },
    /// A message that cannot be read.
    #[error("the server sent a malformed message: {0}")]
    Malformed(#[from] les_wire::DecodeError),
    /// A message that may not come now.
    #[error("the server sent {what} where it may not")]
    Unexpected {
        /// The message.
        what: &'static str,
    },
    /// A code without a meaning in the negotiated version.
    #[error("the server sent unknown message {code:#04x}")]
    UnknownCode {
        /// The code, from the protocol's offset.
        code: u64,
    },
    /// Status names another version than was negotiated.
    #[error("les/{negotiated} was negotiated but the server's Status says {announced}")]
    WrongVersion {
        /// From the Hellos.
        negotiated: u8,
        /// From Status.
        announced: u64,
    },
    /// The server closed the connection.
    #[error("the server disconnected: {0}")]
    Disconnected(Reason),
    /// The connection has ended before.
    #[error("the connection is closed")]
    Closed,
}

/// A connection from the first byte to the last.
///
/// Feed it with [`Connection::receive`], ask [`Connection::poll`] until it has nothing more, send
/// what [`Connection::output`] holds. After an error it is closed; send what is left all the same.
#[derive(Debug)]
pub struct Connection {
    stage: Stage,
    ours: Hello,
    offers: Vec<Offer>,
    input: Vec<u8>,
    consumed: usize,
    output: Vec<u8>,
    workspace: Workspace,
}

#[derive(Debug)]
enum Stage {
    Dialing(Box<Dialing>),
    Greeting(Box<Greeting>),
    Open(Box<Open>),
    Closed,
}

#[derive(Debug)]
struct Open {
    session: Session,
    /// Index of `les` among the shared capabilities.
    capability: usize,
    dialogue: Dialogue,
}

impl Connection {
    /// Begins a connection to `server`; `client` is what this side calls itself.
    ///
    /// # Errors
    /// Only if the key agreement fails.
    pub fn dial(
        key: &NodeKey,
        server: &NodeId,
        client: &str,
        versions: &[Version],
        rng: &mut impl CryptoRng,
    ) -> Result<Self, ConnectionError> {
        let (dialing, output) = dial(key, server, rng)?;
        let offers: Vec<Offer> = versions.iter().filter_map(|version| offer(*version)).collect();
        let capabilities = offers.iter().map(|offer| offer.capability).collect();
        Ok(Self {
            stage: Stage::Dialing(Box::new(dialing)),
            ours: Hello::new(client.to_owned(), capabilities, key.id()),
            offers,
            input: Vec::new(),
            consumed: 0,
            output,
            workspace: Workspace::new(),
        })
    }

    /// Takes bytes from the socket.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.input.drain(..self.consumed);
        self.consumed = 0;
        self.input.extend_from_slice(bytes);
    }

    /// Bytes for the socket; whoever sends them clears them.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// The next thing that happened; `None` when more bytes are needed.
    ///
    /// # Errors
    /// Whatever ends the connection.
    pub fn poll(&mut self, now: Time) -> Result<Option<Event>, ConnectionError> {
        loop {
            let step = match std::mem::replace(&mut self.stage, Stage::Closed) {
                Stage::Dialing(dialing) => self.poll_dialing(dialing)?,
                Stage::Greeting(greeting) => self.poll_greeting(greeting)?,
                Stage::Open(open) => self.poll_open(open, now)?,
                Stage::Closed => return Err(ConnectionError::Closed),
            };
            match step {
                Step::Again => {}
                Step::Wait => return Ok(None),
                Step::Event(event) => return Ok(Some(event)),
            }
        }
    }

    /// Sends our Status: the other half of the handshake.
    ///
    /// # Errors
    /// Before Hello, or twice.
    pub fn send_status(&mut self, status: &Status) -> Result<(), ConnectionError> {
        let mut payload = Vec::new();
        status.encode(&mut payload);
        let Stage::Open(open) = &mut self.stage else { return Err(ConnectionError::Closed) };
        if !open.dialogue.status_sent() {
            return Err(ConnectionError::Unexpected { what: "our second Status" });
        }
        let code = u64::from(MessageKind::Status.code());
        let payload = Payload::Plain(&payload);
        let (workspace, output) = (&mut self.workspace, &mut self.output);
        Ok(open.session.write(open.capability, code, payload, workspace, output)?)
    }

    /// How long to wait before this request may be sent.
    pub fn wait(&mut self, request: &NewRequest<'_>, now: Time) -> Wait {
        match &mut self.stage {
            Stage::Open(open) => open.dialogue.wait(request, now),
            Stage::Dialing(_) | Stage::Greeting(_) | Stage::Closed => Wait::NotReady,
        }
    }

    /// Sends a request, if flow control lets it go now, and returns its id.
    ///
    /// # Errors
    /// When it may not go now, or is one that the server would not answer.
    pub fn send(&mut self, request: &NewRequest<'_>, now: Time) -> Result<u64, SendError> {
        let Stage::Open(open) = &mut self.stage else {
            return Err(SendError::Wait(Wait::NotReady));
        };
        let id = open.dialogue.sent(request, now)?;
        let mut payload = Vec::new();
        request.encode(id, &mut payload);
        let code = u64::from(request.kind().code());
        let payload = Payload::Plain(&payload);
        let (workspace, output) = (&mut self.workspace, &mut self.output);
        open.session.write(open.capability, code, payload, workspace, output)?;
        Ok(id)
    }

    /// Asks the server for a sign of life.
    ///
    /// # Errors
    /// When the connection is not open.
    pub fn ping(&mut self) -> Result<(), ConnectionError> {
        let Stage::Open(open) = &mut self.stage else { return Err(ConnectionError::Closed) };
        Ok(open.session.ping(&mut self.output)?)
    }

    /// Says goodbye and closes.
    pub fn close(&mut self, reason: Reason) {
        // A goodbye that cannot be written is no loss: the connection ends all the same.
        let _ = match &mut self.stage {
            Stage::Greeting(greeting) => greeting.disconnect(reason, &mut self.output),
            Stage::Open(open) => open.session.disconnect(reason, &mut self.output),
            Stage::Dialing(_) | Stage::Closed => Ok(()),
        };
        self.stage = Stage::Closed;
    }

    fn poll_dialing(&mut self, dialing: Box<Dialing>) -> Result<Step, ConnectionError> {
        let input = self.input.get(self.consumed..).unwrap_or_default();
        let length = match dialing.ack_length(input)? {
            Progress::Need(_) => {
                self.stage = Stage::Dialing(dialing);
                return Ok(Step::Wait);
            }
            Progress::Complete(length) => length,
        };
        let established = dialing.open_ack(input.get(..length).unwrap_or_default())?;
        self.consumed += length;
        let greeting = Greeting::new(established, &self.ours, &mut self.output)?;
        self.stage = Stage::Greeting(Box::new(greeting));
        Ok(Step::Again)
    }

    fn poll_greeting(&mut self, mut greeting: Box<Greeting>) -> Result<Step, ConnectionError> {
        let input = self.input.get_mut(self.consumed..).unwrap_or_default();
        let greeted = greeting.read(input)?;
        self.consumed += greeted.consumed;
        let hello = match greeted.event {
            GreetingEvent::Need(_) => {
                self.stage = Stage::Greeting(greeting);
                return Ok(Step::Wait);
            }
            GreetingEvent::Disconnect(reason) => {
                return Err(ConnectionError::Disconnected(reason));
            }
            GreetingEvent::Hello(hello) => hello,
        };
        let mut session = greeting.into_session(&hello, &self.offers, MAX_MESSAGE_BYTES);
        let les = session.shared().iter().enumerate().find_map(|(index, shared)| {
            let is_les = shared.capability.name.as_str() == CAPABILITY_NAME;
            Some((index, Version::from_number(shared.capability.version).filter(|_| is_les)?))
        });
        let Some((capability, version)) = les else {
            session.disconnect(Reason::UselessPeer, &mut self.output)?;
            let offered: Vec<_> = hello.capabilities.iter().map(ToString::to_string).collect();
            let offered = if offered.is_empty() { "nothing".into() } else { offered.join(", ") };
            return Err(ConnectionError::NoCommonVersion { client: hello.client, offered });
        };
        let dialogue = Dialogue::new(version);
        self.stage = Stage::Open(Box::new(Open { session, capability, dialogue }));
        Ok(Step::Event(Event::Connected { hello, version }))
    }

    fn poll_open(&mut self, mut open: Box<Open>, now: Time) -> Result<Step, ConnectionError> {
        let input = self.input.get_mut(self.consumed..).unwrap_or_default();
        let read = open.session.read(input, &mut self.workspace)?;
        self.consumed += read.consumed;
        let step = match read.event {
            SessionEvent::Need(_) => Step::Wait,
            SessionEvent::Pong | SessionEvent::Ignored(_) => Step::Again,
            SessionEvent::Ping => {
                open.session.pong(&mut self.output)?;
                Step::Again
            }
            SessionEvent::Disconnect(reason) => {
                return Err(ConnectionError::Disconnected(reason));
            }
            SessionEvent::Message { capability, .. } if capability != open.capability => {
                return Err(ConnectionError::Unexpected { what: "another protocol's message" });
            }
            SessionEvent::Message { code, payload, .. } => {
                match open.dialogue.receive(code, payload, now)? {
                    Some(event) => Step::Event(event),
                    None => Step::Again,
                }
            }
        };
        self.stage = Stage::Open(open);
        Ok(step)
    }
}

enum Step {
    Again,
    Wait,
    Event(Event),
}

fn offer(version: Version) -> Option<Offer> {
    let capability =
        Capability { name: Name::new(CAPABILITY_NAME)?, version: u64::from(version.number()) };
    Some(Offer { capability, length: u64::from(version.message_count()) })
}
