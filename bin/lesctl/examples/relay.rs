//! Stands between a light client and its server and writes down what they say.
//!
//! `relay PORT ENODE VERSION FILE`: listens on 127.0.0.1:PORT, prints its own enode, and passes
//! every LES message of one client on to the server ENODE and back, speaking `les/VERSION` to
//! both. FILE gets one line per message: `>` from the client or `<` from the server, the code in
//! hexadecimal, the payload in hexadecimal. It ends when either side hangs up.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use alloy_primitives::hex;
use les_wire::{CAPABILITY_NAME, MAX_MESSAGE_BYTES, MessageKind, Version};
use rlpx::{
    Capability, Enode, Established, Event, Greeting, GreetingEvent, Hello, Host, Name, NodeKey,
    Offer, Payload, Progress, Session, Workspace, accept, dial,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long one side is listened to before the other has its turn.
const TURN: Duration = Duration::from_millis(5);

/// One side of the relay.
struct Leg {
    stream: TcpStream,
    session: Session,
    input: Vec<u8>,
    workspace: Workspace,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, enode, version, file] = arguments.as_slice() else {
        return Err("usage: relay PORT ENODE VERSION FILE".into());
    };
    let version = version.parse().ok().and_then(Version::from_number);
    let version = version.ok_or("VERSION is 2, 3 or 4")?;
    let server: Enode = enode.parse()?;
    let key = NodeKey::random(&mut rand::rng());
    let listener = TcpListener::bind(("127.0.0.1", port.parse()?))?;
    let port = listener.local_addr()?.port();
    let host = Host::Ip([127, 0, 0, 1].into());
    let own = Enode { id: *key.id(), host, tcp_port: port, udp_port: port };
    writeln!(io::stdout(), "{own}")?;
    let mut client = Leg::accept(listener.accept()?.0, &key, version)?;
    let mut server = Leg::dial(&server, &key, version)?;
    let mut record = BufWriter::new(File::create(file)?);
    loop {
        client.pass_on(&mut server, '>', &mut record)?;
        server.pass_on(&mut client, '<', &mut record)?;
        record.flush()?;
    }
}

impl Leg {
    fn accept(mut stream: TcpStream, key: &NodeKey, version: Version) -> Outcome<Self> {
        let mut input = Vec::new();
        loop {
            read_some(&mut stream, &mut input)?;
            if let Progress::Complete(accepted) = accept(key, &input, &mut rand::rng())? {
                input.drain(..accepted.consumed);
                stream.write_all(&accepted.reply)?;
                return Self::greet(stream, accepted.established, input, key, version);
            }
        }
    }

    fn dial(to: &Enode, key: &NodeKey, version: Version) -> Outcome<Self> {
        let mut stream = TcpStream::connect(format!("{}:{}", to.host, to.tcp_port))?;
        let (dialing, auth) = dial(key, &to.id, &mut rand::rng())?;
        stream.write_all(&auth)?;
        let mut input = Vec::new();
        let length = loop {
            read_some(&mut stream, &mut input)?;
            match dialing.ack_length(&input)? {
                Progress::Complete(length) => break length,
                Progress::Need(_) => {}
            }
        };
        let ack: Vec<u8> = input.drain(..length).collect();
        Self::greet(stream, dialing.open_ack(&ack)?, input, key, version)
    }

    fn greet(
        mut stream: TcpStream,
        established: Established,
        mut input: Vec<u8>,
        key: &NodeKey,
        version: Version,
    ) -> Outcome<Self> {
        let name = Name::new(CAPABILITY_NAME).ok_or("the name is too long")?;
        let capability = Capability { name, version: u64::from(version.number()) };
        let offers = [Offer { capability, length: u64::from(version.message_count()) }];
        let hello = Hello::new("relay".to_owned(), vec![capability], key.id());
        let mut output = Vec::new();
        let mut greeting = Greeting::new(established, &hello, &mut output)?;
        stream.write_all(&output)?;
        loop {
            let greeted = greeting.read(&mut input)?;
            input.drain(..greeted.consumed);
            match greeted.event {
                GreetingEvent::Hello(theirs) => {
                    let session = greeting.into_session(&theirs, &offers, MAX_MESSAGE_BYTES);
                    if session.shared().is_empty() {
                        return Err(format!("{} does not speak this version", theirs.client).into());
                    }
                    stream.set_read_timeout(Some(TURN))?;
                    return Ok(Self { stream, session, input, workspace: Workspace::new() });
                }
                GreetingEvent::Disconnect(reason) => return Err(reason.to_string().into()),
                GreetingEvent::Need(_) => read_some(&mut stream, &mut input)?,
            }
        }
    }

    /// Passes on what has come from this side, and writes it down.
    fn pass_on(&mut self, to: &mut Self, mark: char, record: &mut impl io::Write) -> Outcome<()> {
        match read_some(&mut self.stream, &mut self.input) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            other => other?,
        }
        let mut output = Vec::new();
        loop {
            let read = self.session.read(&mut self.input, &mut self.workspace)?;
            let consumed = read.consumed;
            let more = match read.event {
                Event::Need(_) => false,
                Event::Message { code, payload, .. } => {
                    writeln!(record, "{mark} {code:02x} {}", hex::encode(payload))?;
                    note(mark, code);
                    let payload = Payload::Plain(payload);
                    to.session.write(0, code, payload, &mut to.workspace, &mut output)?;
                    true
                }
                Event::Disconnect(reason) => return Err(format!("{mark} {reason}").into()),
                Event::Ping | Event::Pong | Event::Ignored(_) => true,
            };
            self.input.drain(..consumed);
            if !more {
                break;
            }
        }
        to.stream.write_all(&output)?;
        let mut pongs = Vec::new();
        self.session.pong(&mut pongs)?;
        Ok(self.stream.write_all(&pongs)?)
    }
}

/// Shows that something happens.
fn note(mark: char, code: u64) {
    let kind = u8::try_from(code).ok().and_then(|code| MessageKind::from_code(Version::Les4, code));
    // Nobody is hurt if this cannot be seen.
    let _ = writeln!(io::stderr(), "{mark} {}", kind.map_or("unknown", MessageKind::name));
}

fn read_some(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<()> {
    let mut bytes = [0; 16 * 1024];
    match stream.read(&mut bytes)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        count => {
            input.extend_from_slice(bytes.get(..count).unwrap_or_default());
            Ok(())
        }
    }
}
