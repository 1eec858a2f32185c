//! The UDP socket of discovery: pings are answered, for clients that ping before they dial.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use alloy_rlp::RlpEncodable;
use discv4::{Endpoint, MAX_PACKET, Responder};
use enr::Enr;
use rlpx::NodeKey;
use tokio::{net::UdpSocket, sync::watch};
use tracing::debug;

use crate::{
    clock::{self, Clock},
    log_limit::LogLimit,
};

/// The `les` entry of our node record. 0 says that we answer no `vfx` queries, so clients dial
/// without asking; an empty list would hide us from go-ethereum 1.10 and later.
#[derive(Clone, Copy, Debug, RlpEncodable)]
struct LesEntry {
    vflux_version: u64,
}

/// The `eth` entry: a list of one fork id (EIP-2124).
#[derive(Clone, Copy, Debug, RlpEncodable)]
struct EthEntry {
    fork_id: ForkIdEntry,
}

#[derive(Clone, Copy, Debug, RlpEncodable)]
struct ForkIdEntry {
    hash: [u8; 4],
    next: u64,
}

/// What the record says of us.
#[derive(Clone, Copy, Debug)]
pub struct Announced {
    /// Where we listen for light clients.
    pub tcp: SocketAddr,
    /// Checksum of the forks passed (EIP-2124).
    pub fork_hash: [u8; 4],
    /// Number or time of the next fork, 0 if none is known.
    pub fork_next: u64,
}

/// A node record (EIP-778) that could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot make the node record: {0}")]
pub struct RecordError(String);

/// Makes the signed record and its sequence number. Wall time in milliseconds is the number, so it
/// rises over restarts, as go-ethereum's does.
///
/// # Errors
/// If the key cannot sign.
pub fn record(
    key: &NodeKey,
    announced: &Announced,
    udp_port: u16,
) -> Result<(Enr<enr::k256::ecdsa::SigningKey>, u64), RecordError> {
    let signer = enr::k256::ecdsa::SigningKey::from_slice(key.to_bytes().as_slice())
        .map_err(|error| RecordError(error.to_string()))?;
    let sequence = clock::unix_seconds().saturating_mul(1000);
    let mut builder = Enr::builder();
    builder.seq(sequence);
    match announced.tcp.ip() {
        ip if ip.is_unspecified() => {}
        IpAddr::V4(ip) => {
            builder.ip4(ip).tcp4(announced.tcp.port()).udp4(udp_port);
        }
        IpAddr::V6(ip) => {
            builder.ip6(ip).tcp6(announced.tcp.port()).udp6(udp_port);
        }
    }
    builder.add_value("les", &LesEntry { vflux_version: 0 });
    let fork_id = ForkIdEntry { hash: announced.fork_hash, next: announced.fork_next };
    builder.add_value("eth", &EthEntry { fork_id });
    let record = builder.build(&signer).map_err(|error| RecordError(format!("{error:?}")))?;
    Ok((record, sequence))
}

/// Answers datagrams until `shutdown` turns true.
pub async fn run(
    socket: UdpSocket,
    mut responder: Responder,
    clock: Clock,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut limit = LogLimit::default();
    // One byte more than the largest packet shows that a datagram was longer.
    let mut buffer = [0u8; MAX_PACKET + 1];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            _ = shutdown.wait_for(|stop| *stop) => return,
        };
        let (length, from) = match received {
            Ok(received) => received,
            // An ICMP error for an earlier answer: the next datagram may be fine.
            Err(error) => {
                debug!(%error, "Discovery socket");
                continue;
            }
        };
        let now = Duration::from_nanos(clock.now().0);
        let datagram = buffer.get(..length).unwrap_or_default();
        match responder.handle(from, datagram, now, clock::unix_seconds()) {
            Ok(answers) => {
                for answer in answers {
                    // Full buffers drop the answer; the client asks again.
                    drop(socket.try_send_to(&answer.bytes, answer.to));
                }
            }
            Err(refusal) => {
                // The sender's address is not proven: it is worth no more than this.
                if limit.allows(from.ip(), "discovery", clock.now()) {
                    debug!(%from, reason = %refusal, "Discovery packet refused");
                }
            }
        }
    }
}

/// Binds the UDP port and makes the responder.
///
/// # Errors
/// If the port is taken.
pub async fn bind(address: SocketAddr) -> std::io::Result<UdpSocket> {
    UdpSocket::bind(address).await
}

/// A responder for this key and record.
pub fn responder(
    key: NodeKey,
    announced: &Announced,
    udp: SocketAddr,
    record: &Enr<enr::k256::ecdsa::SigningKey>,
    sequence: u64,
    clock: &Clock,
) -> Responder {
    let own = Endpoint::new(SocketAddr::new(announced.tcp.ip(), udp.port()), announced.tcp.port());
    let encoded = alloy_rlp::encode(record);
    Responder::new(key, own, encoded, sequence, Duration::from_nanos(clock.now().0))
}
