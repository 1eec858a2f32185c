//! One blocking connection.
//!
//! `light-client` has no socket; this is the thin part around it for a program that asks one
//! server at a time. Nothing here would be simpler with tasks.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use les_wire::{Head, Status, Version};
use light_client::{Connection, Event, NewRequest, ReceivedReply, Wait};
use rlpx::{Enode, Hello, NodeKey, Reason};

use crate::clock::Clock;
use crate::error::Error;

/// How often a request is sent again after the server stopped.
const RESEND_LIMIT: usize = 5;

/// Bytes taken from the socket at once.
const READ_BYTES: usize = 64 * 1024;

/// Longest wait for a socket at once; a socket has no shorter wait than this either.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// A connection to one server.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    connection: Connection,
    clock: Clock,
    timeout: Duration,
    events: VecDeque<Event>,
    buffer: Box<[u8]>,
    hello: Hello,
    version: Version,
    status: Status,
    announced: Option<Head>,
}

/// What comes back for requests.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A reply.
    Reply(ReceivedReply),
    /// The server stopped; the requests with these ids get no reply.
    Lost(Vec<u64>),
}

impl Client {
    /// Connects and exchanges Hello and Status. A server that is silent for `timeout` is given up.
    ///
    /// This side's Status repeats the network, genesis and fork id of the server's: it has no
    /// chain of its own to speak of, and whoever needs a certain genesis compares
    /// [`Client::status`].
    ///
    /// # Errors
    /// Whatever keeps the two from talking.
    pub fn connect(enode: &Enode, timeout: Duration) -> Result<Self, Error> {
        let stream = open(enode, timeout)?;
        let key = NodeKey::random(&mut rand::rng());
        let name = concat!("lesctl/v", env!("CARGO_PKG_VERSION"));
        let connection = Connection::dial(&key, &enode.id, name, &Version::ALL, &mut rand::rng())?;
        let placeholder = Hello::new(String::new(), Vec::new(), key.id());
        let mut client = Self {
            stream,
            connection,
            clock: Clock::start(),
            timeout,
            events: VecDeque::new(),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            hello: placeholder,
            version: Version::Les2,
            status: Status::default(),
            announced: None,
        };
        client.greet()?;
        Ok(client)
    }

    fn greet(&mut self) -> Result<(), Error> {
        loop {
            match self.event("Hello", self.timeout)? {
                Some(Event::Connected { hello, version }) => {
                    self.hello = hello;
                    self.version = version;
                    break;
                }
                Some(_) => {}
                None => return Err(self.timed_out("Hello")),
            }
        }
        loop {
            match self.event("Status", self.timeout)? {
                Some(Event::Status(status)) => {
                    self.status = *status;
                    break;
                }
                Some(_) => {}
                None => return Err(self.timed_out("Status")),
            }
        }
        let ours = Status {
            protocol_version: self.status.protocol_version,
            network_id: self.status.network_id,
            genesis_hash: self.status.genesis_hash,
            head: Some(Head::default()),
            fork_id: self.status.fork_id,
            announce_type: Some(les_wire::AnnounceType::Simple),
            ..Status::default()
        };
        self.connection.send_status(&ours)?;
        self.flush()
    }

    /// The server's Hello.
    pub const fn hello(&self) -> &Hello {
        &self.hello
    }

    /// The version of `les` that is spoken.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The server's Status.
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// The newest head that the server has named.
    pub fn head(&self) -> Option<Head> {
        self.announced.or(self.status.head)
    }

    /// Asks, waiting for flow control, and gives the reply.
    ///
    /// # Errors
    /// Whatever ends the connection; silence; a server that stops again and again.
    pub fn request(&mut self, request: &NewRequest<'_>) -> Result<ReceivedReply, Error> {
        for _ in 0..RESEND_LIMIT {
            let id = self.send(request)?;
            loop {
                match self.answer()? {
                    Answer::Reply(reply) if reply.id == id => return Ok(reply),
                    Answer::Reply(_) => {}
                    Answer::Lost(_) => break,
                }
            }
        }
        Err(Error::Overloaded { times: RESEND_LIMIT })
    }

    /// Sends a request as soon as flow control allows.
    pub(crate) fn send(&mut self, request: &NewRequest<'_>) -> Result<u64, Error> {
        let mut kept = VecDeque::new();
        loop {
            let pause = match self.connection.wait(request, self.clock.now()) {
                // Send also names what is wrong with a request that can never go.
                Wait::Not => break,
                Wait::Nanos(nanos) => Duration::from_nanos(nanos).max(SHORTEST_WAIT),
                Wait::UntilReply | Wait::UntilResumed | Wait::NotReady => self.timeout,
            };
            match self.event("leave to ask", pause.min(self.timeout))? {
                Some(event) => kept.push_back(event),
                None if pause >= self.timeout => return Err(self.timed_out("leave to ask")),
                None => {}
            }
        }
        kept.append(&mut self.events);
        self.events = kept;
        let id = self.connection.send(request, self.clock.now())?;
        self.flush()?;
        Ok(id)
    }

    /// The next reply to any request, or what was lost.
    pub(crate) fn answer(&mut self) -> Result<Answer, Error> {
        loop {
            match self.event("reply", self.timeout)? {
                Some(Event::Reply(reply)) => return Ok(Answer::Reply(reply)),
                Some(Event::Stopped { lost }) if !lost.is_empty() => {
                    return Ok(Answer::Lost(lost));
                }
                Some(Event::Announced(news)) => self.announced = Some(news.head),
                Some(
                    Event::Stopped { .. }
                    | Event::Resumed
                    | Event::Status(_)
                    | Event::Connected { .. },
                ) => {}
                None => return Err(self.timed_out("reply")),
            }
        }
    }

    /// Says goodbye.
    pub fn close(mut self) {
        self.connection.close(Reason::Requested);
        // The server will see the end of the stream if it does not read the goodbye.
        let _ = self.flush();
    }

    /// The next event; `None` if nothing happens for so long.
    fn event(&mut self, during: &'static str, patience: Duration) -> Result<Option<Event>, Error> {
        if let Some(event) = self.events.pop_front() {
            return Ok(Some(event));
        }
        let deadline = self.clock.elapsed() + patience;
        loop {
            let event = self.connection.poll(self.clock.now());
            self.flush()?;
            if let Some(event) = event? {
                return Ok(Some(event));
            }
            let left = deadline.saturating_sub(self.clock.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            let left = Some(left.max(SHORTEST_WAIT));
            self.stream.set_read_timeout(left).map_err(Error::Socket)?;
            match self.stream.read(&mut self.buffer) {
                Ok(0) => return Err(Error::HungUp { during }),
                Ok(count) => {
                    let bytes = self.buffer.get(..count).unwrap_or_default();
                    self.connection.receive(bytes);
                }
                Err(error) if is_passing(&error) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return Err(Error::HungUp { during });
                }
                Err(error) => return Err(Error::Socket(error)),
            }
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let output = self.connection.output();
        let written = self.stream.write_all(output).map_err(Error::Socket);
        output.clear();
        written
    }

    const fn timed_out(&self, awaited: &'static str) -> Error {
        Error::Timeout { awaited, after: self.timeout }
    }
}

/// Nothing came within the time-out of the socket, or a signal did.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Connects to the first address of the host that answers.
fn open(enode: &Enode, timeout: Duration) -> Result<TcpStream, Error> {
    let host = enode.host.to_string();
    let address = format!("{host}:{}", enode.tcp_port);
    let resolve = |error| Error::Resolve { host: host.clone(), error };
    let mut failure = ErrorKind::NotFound.into();
    for candidate in address.to_socket_addrs().map_err(resolve)? {
        match TcpStream::connect_timeout(&candidate, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(Error::Socket)?;
                stream.set_write_timeout(Some(timeout)).map_err(Error::Socket)?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(Error::Connect { address, error: failure })
}
