//! A client that sends whatever a test wants, over the real transport.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use les_wire::{Head, Status, Version};
use lesd::bundled;
use rlpx::{
    Capability, Enode, Event, Greeting, GreetingEvent, Hello, Host, Name, NodeKey, Offer, Payload,
    Progress, Reason, Session, Workspace, dial,
};

/// No answer of a local server takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A message of LES.
    Message(u64, Vec<u8>),
    /// A Disconnect.
    Disconnect(Reason),
    /// The end of the connection without a word.
    Closed,
}

/// A connection after Hello, whatever it is for.
pub struct Wire {
    stream: TcpStream,
    session: Session,
    workspace: Workspace,
    received: Vec<u8>,
}

/// What the versions of a protocol are offered as: name, version, number of messages.
pub fn offer(name: &str, version: u8, messages: u8) -> Offer {
    let name = Name::new(name).expect("a name");
    let capability = Capability { name, version: u64::from(version) };
    Offer { capability, length: u64::from(messages) }
}

impl Wire {
    /// Connects and exchanges Hello; panics if nothing is shared.
    pub fn dial(enode: &Enode, key: &NodeKey, offers: &[Offer]) -> Self {
        Self::dial_as(enode, key, offers, "les-tests")
    }

    /// The same as a program that calls itself so.
    pub fn dial_as(enode: &Enode, key: &NodeKey, offers: &[Offer], name: &str) -> Self {
        let Host::Ip(ip) = enode.host else { panic!("an address") };
        let mut stream = TcpStream::connect((ip, enode.tcp_port)).expect("a server");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("a socket");
        let (dialing, auth) = dial(key, &enode.id, &mut rand::rng()).expect("a key");
        stream.write_all(&auth).expect("a socket");
        let mut received = Vec::new();
        let length = loop {
            match dialing.ack_length(&received).expect("an ack") {
                Progress::Complete(length) => break length,
                Progress::Need(_) => read_more(&mut stream, &mut received).expect("an ack"),
            }
        };
        let ack: Vec<u8> = received.drain(..length).collect();
        let established = dialing.open_ack(&ack).expect("a valid ack");
        let capabilities = offers.iter().map(|offer| offer.capability).collect();
        let hello = Hello::new(name.to_owned(), capabilities, key.id());
        let mut out = Vec::new();
        let mut greeting = Greeting::new(established, &hello, &mut out).expect("a short Hello");
        stream.write_all(&out).expect("a socket");
        let theirs = loop {
            let greeted = greeting.read(&mut received).expect("a Hello");
            received.drain(..greeted.consumed);
            match greeted.event {
                GreetingEvent::Hello(hello) => break hello,
                GreetingEvent::Need(_) => read_more(&mut stream, &mut received).expect("a Hello"),
                GreetingEvent::Disconnect(reason) => panic!("disconnected: {reason}"),
            }
        };
        let session = greeting.into_session(&theirs, offers, les_wire::MAX_MESSAGE_BYTES);
        Self { stream, session, workspace: Workspace::new(), received }
    }

    /// Sends one message of the capability with this index.
    pub fn send(&mut self, capability: usize, code: u64, payload: &[u8]) {
        let mut out = Vec::new();
        self.session
            .write(capability, code, Payload::Plain(payload), &mut self.workspace, &mut out)
            .expect("a message that fits");
        // A server that has closed already is found out when reading.
        drop(self.stream.write_all(&out));
    }

    /// The next message that is not a ping, with the index of its capability, or how the
    /// connection ended.
    pub fn receive(&mut self) -> (usize, Received) {
        loop {
            match self.next(PATIENCE) {
                Next::Received(capability, received) => return (capability, received),
                Next::Base => {}
                Next::Nothing => panic!("no answer within {PATIENCE:?}"),
            }
        }
    }

    /// The same; `None` if nothing but a ping comes within this time, which is not zero.
    pub fn receive_within(&mut self, patience: Duration) -> Option<(usize, Received)> {
        match self.next(patience) {
            Next::Received(capability, received) => Some((capability, received)),
            Next::Base | Next::Nothing => None,
        }
    }

    /// What comes next. A ping is answered.
    fn next(&mut self, patience: Duration) -> Next {
        self.stream.set_read_timeout(Some(patience)).expect("a time-out");
        loop {
            let read = match self.session.read(&mut self.received, &mut self.workspace) {
                Ok(read) => read,
                Err(fault) => panic!("the server broke the protocol: {fault}"),
            };
            let used = read.consumed;
            let next = match read.event {
                Event::Message { capability, code, payload } => {
                    Some(Next::Received(capability, Received::Message(code, payload.to_vec())))
                }
                Event::Disconnect(reason) => Some(Next::Received(0, Received::Disconnect(reason))),
                Event::Ping => {
                    let mut pong = Vec::new();
                    self.session.pong(&mut pong).expect("a short message");
                    // A peer that is gone is noticed by the next read.
                    let _sent = self.stream.write_all(&pong);
                    Some(Next::Base)
                }
                Event::Pong | Event::Ignored(_) => Some(Next::Base),
                Event::Need(_) => None,
            };
            self.received.drain(..used);
            if let Some(next) = next {
                return next;
            }
            match read_more(&mut self.stream, &mut self.received) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    return Next::Nothing;
                }
                Err(_) => return Next::Received(0, Received::Closed),
            }
        }
    }
}

/// What came.
enum Next {
    Received(usize, Received),
    /// A message of the base protocol.
    Base,
    /// Nothing within the time.
    Nothing,
}

/// One connection to a server.
pub struct Client {
    wire: Wire,
    /// The version that was agreed on.
    pub version: Version,
}

impl Client {
    /// Connects with a fresh key and exchanges Hello, no more.
    pub fn dial(enode: &Enode, version: Version) -> Self {
        Self::dial_with(enode, version, &NodeKey::random(&mut rand::rng()))
    }

    /// Connects with this key and exchanges Hello, no more.
    pub fn dial_with(enode: &Enode, version: Version, key: &NodeKey) -> Self {
        Self::dial_as(enode, version, key, "les-tests")
    }

    /// The same as a client that calls itself so.
    pub fn dial_as(enode: &Enode, version: Version, key: &NodeKey, name: &str) -> Self {
        let offers = [offer(les_wire::CAPABILITY_NAME, version.number(), version.message_count())];
        Self { wire: Wire::dial_as(enode, key, &offers, name), version }
    }

    /// Connects, and exchanges Status.
    pub fn connect(enode: &Enode, version: Version) -> Self {
        let mut client = Self::dial(enode, version);
        let theirs = client.read_status();
        let mut ours = Vec::new();
        client_status(&theirs, version).encode(&mut ours);
        client.send(0, &ours);
        client
    }

    /// The server's Status, which must come next.
    pub fn read_status(&mut self) -> Status {
        match self.receive() {
            Received::Message(0, payload) => Status::decode(&payload).expect("a Status"),
            other => panic!("no Status but {other:?}"),
        }
    }

    /// Sends one message.
    pub fn send(&mut self, code: u64, payload: &[u8]) {
        self.wire.send(0, code, payload);
    }

    /// Sends a Ping of the base protocol.
    pub fn ping(&mut self) {
        let mut out = Vec::new();
        self.wire.session.ping(&mut out).expect("a short message");
        drop(self.wire.stream.write_all(&out));
    }

    /// Sends bytes as they are, in place of a frame.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        drop(self.wire.stream.write_all(bytes));
    }

    /// The next message that is not a ping, or how the connection ended.
    pub fn receive(&mut self) -> Received {
        self.wire.receive().1
    }

    /// The same; `None` if nothing comes for so long, which is not zero.
    pub fn receive_within(&mut self, patience: Duration) -> Option<Received> {
        Some(self.wire.receive_within(patience)?.1)
    }

    /// Sends a request and returns the reply's payload; anything else is a failure.
    pub fn ask(&mut self, code: u64, request: &[u8], reply_code: u64) -> Vec<u8> {
        self.send(code, request);
        match self.receive() {
            Received::Message(code, payload) if code == reply_code => payload,
            other => panic!("no reply {reply_code} but {other:?}"),
        }
    }
}

fn read_more(stream: &mut TcpStream, received: &mut Vec<u8>) -> std::io::Result<()> {
    let mut chunk = vec![0; 64 * 1024];
    let count = stream.read(&mut chunk)?;
    if count == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    received.extend_from_slice(chunk.get(..count).unwrap_or_default());
    Ok(())
}

/// What a light client says to a server with this Status.
pub fn client_status(theirs: &Status, version: Version) -> Status {
    Status {
        protocol_version: u64::from(version.number()),
        network_id: theirs.network_id,
        genesis_hash: theirs.genesis_hash,
        head: Some(Head::default()),
        fork_id: theirs.fork_id,
        announce_type: Some(les_wire::AnnounceType::Simple),
        ..Status::default()
    }
}

/// The blocks of the bundled chain, as their own decoder reads them: (header, body) RLP.
pub fn bundled_blocks() -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bundled::BLOCKS).read_to_end(&mut plain).expect("gzip");
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < plain.len() {
        let item = rlp::Rlp::new(plain.get(at..).unwrap_or_default());
        let length = item.payload_info().map(|info| info.total()).expect("a block");
        let header = item.at(0).expect("a header").as_raw().to_vec();
        let mut body = rlp::RlpStream::new_list(2);
        body.append_raw(item.at(1).expect("transactions").as_raw(), 1);
        body.append_raw(item.at(2).expect("uncles").as_raw(), 1);
        blocks.push((header, body.out().to_vec()));
        at += length;
    }
    blocks
}
