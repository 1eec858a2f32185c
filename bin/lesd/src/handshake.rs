//! From a socket to an RLPx session: keys, then Hello.

use std::{io, time::Duration};

use rlpx::{
    Accepted, Capability, Established, Fault, Greeting, GreetingEvent, HandshakeError, Hello, Name,
    NodeId, NodeKey, Offer, Progress, Reason, Session, accept,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::metrics::HandshakeFailure;

/// All of it, from the first byte to both Hellos (go-ethereum: 5 s for each half).
const TIMEOUT: Duration = Duration::from_secs(5);
/// An auth packet and a Hello, each with its largest size, and some.
const MAX_BYTES: usize = 8 * 1024;
/// What this program calls itself. go-ethereum's name is not in it.
pub(crate) const CLIENT: &str = concat!("lesd/v", env!("CARGO_PKG_VERSION"), "/rust");

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("no complete handshake within 5 s")]
    Timeout,
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    #[error("closed by the peer")]
    Closed,
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
    #[error("{0}")]
    Fault(#[from] Fault),
    #[error("disconnected by the peer: {0}")]
    Disconnected(Reason),
    #[error("offers no version of {0} that we speak ({1})")]
    NothingShared(&'static str, String),
    #[error("connected to itself")]
    Ourselves,
    #[error("more bytes than a handshake has")]
    TooLong,
}

impl Failed {
    /// What is counted of it.
    pub(crate) const fn class(&self) -> HandshakeFailure {
        match self {
            Self::Timeout => HandshakeFailure::Timeout,
            Self::Io(_) | Self::Closed | Self::Disconnected(_) => HandshakeFailure::Left,
            Self::Handshake(_) | Self::Fault(_) | Self::TooLong => HandshakeFailure::Breach,
            Self::NothingShared(..) => HandshakeFailure::NothingShared,
            Self::Ourselves => HandshakeFailure::ConnectedAlready,
        }
    }
}

/// A session, with what the peer says of itself.
#[derive(Debug)]
pub(crate) struct Greeted {
    pub(crate) session: Session,
    pub(crate) client: String,
    /// Bytes that arrived behind the Hello.
    pub(crate) rest: Vec<u8>,
}

/// One capability in all its versions, as (number, message codes).
fn offers(name: &str, versions: impl Iterator<Item = (u8, u8)>) -> Vec<Offer> {
    let Some(name) = Name::new(name) else { return Vec::new() };
    versions
        .map(|(version, length)| Offer {
            capability: Capability { name, version: u64::from(version) },
            length: u64::from(length),
        })
        .collect()
}

/// `les`: what light clients come for.
fn les_offers() -> Vec<Offer> {
    let versions = les_wire::Version::ALL.iter();
    offers(les_wire::CAPABILITY_NAME, versions.map(|it| (it.number(), it.message_count())))
}

/// `eth`: what full nodes speak.
fn eth_offers() -> Vec<Offer> {
    let versions = eth_wire::Version::ALL.iter();
    offers(eth_wire::CAPABILITY_NAME, versions.map(|it| (it.number(), it.message_count())))
}

/// Makes a session as the recipient of a connection: with a light client or a full node.
pub(crate) async fn greet(stream: &mut TcpStream, key: &NodeKey) -> Result<Greeted, Failed> {
    let exchange = async {
        let mut input = Vec::new();
        let accepted = accept_keys(stream, key, &mut input).await?;
        input.drain(..accepted.consumed);
        let offers = [eth_offers(), les_offers()].concat();
        let established = accepted.established;
        exchange_hellos(stream, key, established, accepted.reply, input, "les or eth", &offers)
            .await
    };
    timeout(TIMEOUT, exchange).await.map_err(|_| Failed::Timeout)?
}

/// Makes a session with the full node that has this id.
pub(crate) async fn dial(
    stream: &mut TcpStream,
    key: &NodeKey,
    remote: &NodeId,
) -> Result<Greeted, Failed> {
    let exchange = async {
        let (dialing, auth) = rlpx::dial(key, remote, &mut rand::rng())?;
        stream.write_all(&auth).await?;
        let mut input = Vec::new();
        let length = loop {
            match dialing.ack_length(&input)? {
                Progress::Complete(length) => break length,
                Progress::Need(_) => read_more(stream, &mut input).await?,
            }
        };
        let behind = input.split_off(length.min(input.len()));
        let established = dialing.open_ack(&input)?;
        let offers = eth_offers();
        exchange_hellos(stream, key, established, Vec::new(), behind, "eth", &offers).await
    };
    timeout(TIMEOUT, exchange).await.map_err(|_| Failed::Timeout)?
}

/// Sends our Hello behind `out`, reads theirs from `input` and the socket, and compares.
async fn exchange_hellos(
    stream: &mut TcpStream,
    key: &NodeKey,
    established: Established,
    mut out: Vec<u8>,
    mut input: Vec<u8>,
    wanted: &'static str,
    offers: &[Offer],
) -> Result<Greeted, Failed> {
    if established.remote == *key.id() {
        return Err(Failed::Ourselves);
    }
    let capabilities = offers.iter().map(|offer| offer.capability).collect();
    let hello = Hello::new(CLIENT.to_owned(), capabilities, key.id());
    // Only a Hello too long for a frame fails here, and ours is not.
    let mut greeting = Greeting::new(established, &hello, &mut out).map_err(|_| Failed::TooLong)?;
    stream.write_all(&out).await?;
    let theirs = match read_hello(stream, &mut greeting, &mut input).await {
        Ok(hello) => hello,
        Err(failed) => {
            if let Failed::Fault(fault) = &failed {
                refuse(stream, &mut greeting, fault.reason()).await?;
            }
            return Err(failed);
        }
    };
    let is_shared = |offer: &Offer| theirs.capabilities.contains(&offer.capability);
    if !offers.iter().any(is_shared) {
        refuse(stream, &mut greeting, Reason::UselessPeer).await?;
        let offered: Vec<String> =
            theirs.capabilities.iter().take(8).map(ToString::to_string).collect();
        return Err(Failed::NothingShared(wanted, offered.join(", ")));
    }
    let session = greeting.into_session(&theirs, offers, les_wire::MAX_MESSAGE_BYTES);
    Ok(Greeted { session, client: printable(&theirs.client), rest: input })
}

async fn accept_keys(
    stream: &mut TcpStream,
    key: &NodeKey,
    input: &mut Vec<u8>,
) -> Result<Accepted, Failed> {
    loop {
        // Bound first: the thread's generator must not live across the wait for more bytes.
        let progress = accept(key, input, &mut rand::rng())?;
        match progress {
            Progress::Complete(accepted) => return Ok(accepted),
            Progress::Need(_) => read_more(stream, input).await?,
        }
    }
}

async fn read_hello(
    stream: &mut TcpStream,
    greeting: &mut Greeting,
    input: &mut Vec<u8>,
) -> Result<Hello, Failed> {
    loop {
        let greeted = greeting.read(input)?;
        input.drain(..greeted.consumed);
        match greeted.event {
            GreetingEvent::Hello(hello) => return Ok(hello),
            GreetingEvent::Disconnect(reason) => return Err(Failed::Disconnected(reason)),
            GreetingEvent::Need(_) => read_more(stream, input).await?,
        }
    }
}

async fn read_more(stream: &mut TcpStream, input: &mut Vec<u8>) -> Result<(), Failed> {
    if input.len() >= MAX_BYTES {
        return Err(Failed::TooLong);
    }
    let mut limited = stream.take(u64::try_from(MAX_BYTES - input.len()).unwrap_or(0));
    if limited.read_buf(input).await? == 0 { Err(Failed::Closed) } else { Ok(()) }
}

async fn refuse(
    stream: &mut TcpStream,
    greeting: &mut Greeting,
    reason: Reason,
) -> Result<(), Failed> {
    let mut out = Vec::new();
    if greeting.disconnect(reason, &mut out).is_ok() {
        stream.write_all(&out).await?;
    }
    Ok(())
}

/// Longest client name in a log line.
const NAME_CHARACTERS: usize = 96;

fn printable(name: &str) -> String {
    name.chars().take(NAME_CHARACTERS).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_log_lines() {
        assert_eq!(printable("Geth\nINFO forged\u{1b}[2J"), "Geth?INFO forged?[2J");
        assert_eq!(printable(&"x".repeat(5000)).len(), NAME_CHARACTERS);
    }

    #[test]
    fn every_version_is_offered_with_go_ethereums_lengths() {
        let offered: Vec<_> = [eth_offers(), les_offers()]
            .concat()
            .iter()
            .map(|offer| (offer.capability.to_string(), offer.length))
            .collect();
        let expected = [
            ("eth/66", 17),
            ("eth/67", 17),
            ("eth/68", 17),
            ("les/2", 22),
            ("les/3", 24),
            ("les/4", 24),
        ];
        assert_eq!(offered, expected.map(|(name, length)| (name.to_owned(), length)));
    }
}
