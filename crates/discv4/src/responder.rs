//! Who is answered, with what, and how much at most.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use rlpx::{NodeId, NodeKey};

use crate::{
    bucket::{Buckets, prefix},
    packet::{self, Endpoint, Packet, PacketError, Ping},
};

/// How long a node that answered our ping counts as being where it says it is (`discv4.md`,
/// "Endpoint Proof").
const BOND: Duration = Duration::from_secs(24 * 3600);
/// Our own packets are valid this long, in seconds (`discv4.md`: 20 s).
const EXPIRATION: u64 = 20;
/// How long a ping of ours waits for its pong.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Nodes remembered, asked and bonded together. Beyond that the one that we heard of longest ago
/// is forgotten.
const MAX_NODES: usize = 4096;

/// Bytes to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Where to.
    pub to: SocketAddr,
    /// What.
    pub bytes: Vec<u8>,
}

/// Why a datagram is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its sender, or everybody together, sends too many.
    #[error("too many packets")]
    RateLimit,
    /// It is no packet.
    #[error(transparent)]
    Malformed(#[from] PacketError),
    /// It is from the past.
    #[error("an expired packet")]
    Expired,
    /// The pong answers no ping of ours.
    #[error("a pong without its ping")]
    Unsolicited,
    /// The sender has not yet shown that it is where it says it is.
    #[error("a request without endpoint proof")]
    NotBonded,
    /// It carries our own key.
    #[error("a packet from ourselves")]
    Ourselves,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    heard: Duration,
    bonded: Option<Duration>,
    asked: Option<([u8; 32], Duration)>,
}

/// Answers pings and record requests.
#[derive(Debug)]
pub struct Responder {
    key: NodeKey,
    own_id: NodeId,
    own: Endpoint,
    record: Vec<u8>,
    record_sequence: u64,
    buckets: Buckets,
    nodes: BTreeMap<(u128, [u8; 64]), Node>,
}

impl Responder {
    /// A responder with its record (EIP-778, encoded, at most 300 bytes) and the record's sequence
    /// number. `now` is monotonic.
    pub fn new(
        key: NodeKey,
        own: Endpoint,
        record: Vec<u8>,
        record_sequence: u64,
        now: Duration,
    ) -> Self {
        let own_id = *key.id();
        let buckets = Buckets::new(now);
        Self { key, own_id, own, record, record_sequence, buckets, nodes: BTreeMap::new() }
    }

    /// Takes one datagram and returns the answers: at most two packets, together less than three
    /// times as long as a ping, as long as the sender is not bonded.
    ///
    /// # Errors
    /// The reason if there is nothing to answer.
    pub fn handle(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        now: Duration,
        unix_seconds: u64,
    ) -> Result<Vec<Datagram>, Refusal> {
        if !self.buckets.take(from.ip(), now) {
            return Err(Refusal::RateLimit);
        }
        let (sender, hash, packet) = Packet::decode(datagram)?;
        if sender == self.own_id {
            return Err(Refusal::Ourselves);
        }
        let node = (prefix(from.ip()), *sender.as_bytes());
        match packet {
            Packet::Ping { expiration } => {
                live(expiration, unix_seconds)?;
                Ok(self.answer_ping(from, node, hash, now, unix_seconds))
            }
            Packet::Pong { ping, expiration } => {
                live(expiration, unix_seconds)?;
                self.bond(node, ping, now)?;
                Ok(Vec::new())
            }
            Packet::RecordRequest { expiration } => {
                live(expiration, unix_seconds)?;
                if !self.is_bonded(&node, now) {
                    return Err(Refusal::NotBonded);
                }
                let bytes = packet::record_response(&self.key, hash, &self.record);
                Ok(vec![Datagram { to: from, bytes }])
            }
            Packet::FindNode | Packet::Neighbours | Packet::RecordResponse => Ok(Vec::new()),
        }
    }

    fn answer_ping(
        &mut self,
        from: SocketAddr,
        node: (u128, [u8; 64]),
        hash: [u8; 32],
        now: Duration,
        unix_seconds: u64,
    ) -> Vec<Datagram> {
        let expiration = unix_seconds.saturating_add(EXPIRATION);
        let to = Endpoint::new(from, 0);
        let pong = packet::pong(&self.key, to, hash, expiration, self.record_sequence);
        let mut answers = vec![Datagram { to: from, bytes: pong }];
        self.remember(node, now);
        let waits = self
            .nodes
            .get(&node)
            .and_then(|known| known.asked)
            .is_some_and(|(_, at)| now.saturating_sub(at) < PING_TIMEOUT);
        if !self.is_bonded(&node, now) && !waits {
            let ping = Ping {
                version: 4,
                from: self.own,
                to,
                expiration,
                record_sequence: self.record_sequence,
            };
            let (bytes, hash) = packet::ping(&self.key, &ping);
            if let Some(known) = self.nodes.get_mut(&node) {
                known.asked = Some((hash, now));
            }
            answers.push(Datagram { to: from, bytes });
        }
        answers
    }

    fn remember(&mut self, node: (u128, [u8; 64]), now: Duration) {
        if !self.nodes.contains_key(&node) && self.nodes.len() >= MAX_NODES {
            let oldest = self.nodes.iter().min_by_key(|(_, known)| known.heard);
            if let Some(oldest) = oldest.map(|(&node, _)| node) {
                self.nodes.remove(&oldest);
            }
        }
        let fresh = Node { heard: now, bonded: None, asked: None };
        self.nodes.entry(node).or_insert(fresh).heard = now;
    }

    fn bond(
        &mut self,
        node: (u128, [u8; 64]),
        ping: [u8; 32],
        now: Duration,
    ) -> Result<(), Refusal> {
        let known = self.nodes.get_mut(&node).ok_or(Refusal::Unsolicited)?;
        match known.asked {
            Some((hash, at)) if hash == ping && now.saturating_sub(at) < PING_TIMEOUT => {
                known.asked = None;
                known.bonded = Some(now);
                Ok(())
            }
            Some(_) | None => Err(Refusal::Unsolicited),
        }
    }

    fn is_bonded(&self, node: &(u128, [u8; 64]), now: Duration) -> bool {
        let bonded = self.nodes.get(node).and_then(|known| known.bonded);
        bonded.is_some_and(|since| now.saturating_sub(since) < BOND)
    }
}

const fn live(expiration: u64, unix_seconds: u64) -> Result<(), Refusal> {
    if expiration < unix_seconds { Err(Refusal::Expired) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    struct Client {
        key: NodeKey,
        address: SocketAddr,
    }

    fn client(seed: u8) -> Client {
        let address = SocketAddr::from(([10, 0, 0, seed], 30303));
        Client { key: NodeKey::from_bytes(&[seed; 32]).unwrap(), address }
    }

    fn responder() -> Responder {
        let own = Endpoint::new("127.0.0.1:30303".parse().unwrap(), 30303);
        let key = NodeKey::from_bytes(&[99; 32]).unwrap();
        Responder::new(key, own, vec![0xc1, 1], 7, Duration::ZERO)
    }

    fn ping_of(client: &Client, expiration: u64) -> (Vec<u8>, [u8; 32]) {
        let from = Endpoint::new(client.address, 30303);
        packet::ping(
            &client.key,
            &Ping { version: 4, from, to: from, expiration, record_sequence: 1 },
        )
    }

    fn record_request(client: &Client) -> Vec<u8> {
        // [expiration] with an expiration far ahead
        packet::tests::sealed(&client.key, 5, &[0xc5, 0x84, 0xff, 0xff, 0xff, 0xff])
    }

    #[test]
    fn a_ping_is_answered_with_its_hash_and_a_ping_of_ours() {
        let (mut responder, client) = (responder(), client(1));
        let (ping, hash) = ping_of(&client, NOW);
        let answers = responder.handle(client.address, &ping, Duration::ZERO, NOW).unwrap();
        let decoded: Vec<_> =
            answers.iter().map(|answer| Packet::decode(&answer.bytes).unwrap().2).collect();
        assert!(matches!(decoded[0], Packet::Pong { ping, .. } if ping == hash), "{decoded:?}");
        assert!(matches!(decoded[1], Packet::Ping { .. }), "{decoded:?}");
        let sent: usize = answers.iter().map(|answer| answer.bytes.len()).sum();
        assert!(sent <= 3 * ping.len(), "no amplifier: {sent} bytes for {}", ping.len());
    }

    #[test]
    fn the_record_is_handed_out_after_the_endpoint_proof_only() {
        let (mut responder, client) = (responder(), client(1));
        let ask = record_request(&client);
        let before = responder.handle(client.address, &ask, Duration::ZERO, NOW);
        assert_eq!(before, Err(Refusal::NotBonded));
        let answers = responder
            .handle(client.address, &ping_of(&client, NOW).0, Duration::ZERO, NOW)
            .unwrap();
        let (_, our_ping, _) = Packet::decode(&answers[1].bytes).unwrap();
        let to = Endpoint::new(client.address, 0);
        let pong = packet::pong(&client.key, to, our_ping, NOW, 1);
        responder.handle(client.address, &pong, Duration::ZERO, NOW).unwrap();
        let answer = responder.handle(client.address, &ask, Duration::ZERO, NOW).unwrap();
        assert_eq!(Packet::decode(&answer[0].bytes).unwrap().2, Packet::RecordResponse);
        let elsewhere = SocketAddr::from(([10, 0, 0, 2], 30303));
        let stolen = responder.handle(elsewhere, &ask, Duration::ZERO, NOW);
        assert_eq!(stolen, Err(Refusal::NotBonded), "a proof holds for one address");
    }

    #[test]
    fn what_is_late_or_unasked_is_refused() {
        let (mut responder, client) = (responder(), client(1));
        let (late, _) = ping_of(&client, NOW - 1);
        let refusal = responder.handle(client.address, &late, Duration::ZERO, NOW);
        assert_eq!(refusal, Err(Refusal::Expired));
        let to = Endpoint::new(client.address, 0);
        let pong = packet::pong(&client.key, to, [1; 32], NOW, 1);
        let refusal = responder.handle(client.address, &pong, Duration::ZERO, NOW);
        assert_eq!(refusal, Err(Refusal::Unsolicited));
    }

    #[test]
    fn a_flood_of_identities_is_forgotten_not_stored() {
        let mut responder = responder();
        for n in 0..MAX_NODES + 10 {
            let mut id = [0; 64];
            id[..8].copy_from_slice(&n.to_be_bytes());
            responder.remember((0, id), Duration::from_nanos(u64::try_from(n).unwrap()));
        }
        assert_eq!(responder.nodes.len(), MAX_NODES);
    }
}
