//! A full node that sends whatever a test wants, over the real transport.

use alloy_primitives::B256;
use eth_wire::{
    CAPABILITY_NAME, HeaderQuery, Message, Query, RequestKind, Status, Version, splice_reply,
};
use rlpx::{Enode, NodeId, NodeKey, Offer};

use crate::client::{Received, Wire, offer};

/// One connection to a server.
pub struct EthPeer {
    /// The connection.
    pub wire: Wire,
    /// The version that was agreed on.
    pub version: Version,
    /// Whom the server takes it for.
    pub id: NodeId,
}

/// `eth` in this version.
pub fn eth_offer(version: Version) -> Offer {
    offer(CAPABILITY_NAME, version.number(), version.message_count())
}

impl EthPeer {
    /// Connects with a fresh key and exchanges Hello, no more.
    pub fn dial(enode: &Enode, version: Version) -> Self {
        let key = NodeKey::random(&mut rand::rng());
        let id = *key.id();
        Self { wire: Wire::dial(enode, &key, &[eth_offer(version)]), version, id }
    }

    /// Connects, and answers the server's Status with what `change` makes of it.
    pub fn connect_as(
        enode: &Enode,
        version: Version,
        change: impl FnOnce(Status) -> Status,
    ) -> Self {
        let mut peer = Self::dial(enode, version);
        let theirs = peer.read_status();
        peer.send_status(&change(theirs));
        peer
    }

    /// Connects as a node with the same head.
    pub fn connect(enode: &Enode, version: Version) -> Self {
        Self::connect_as(enode, version, |status| status)
    }

    /// The server's Status, which must come next.
    pub fn read_status(&mut self) -> Status {
        match self.receive() {
            Received::Message(0, payload) => Status::decode(&payload).expect("a Status"),
            other => panic!("no Status but {other:?}"),
        }
    }

    /// Sends a Status.
    pub fn send_status(&mut self, status: &Status) {
        let mut payload = Vec::new();
        status.encode(&mut payload);
        self.send(0, &payload);
    }

    /// Sends one message.
    pub fn send(&mut self, code: u64, payload: &[u8]) {
        self.wire.send(0, code, payload);
    }

    /// The next message, or how the connection ended.
    pub fn receive(&mut self) -> Received {
        self.wire.receive().1
    }

    /// The payload of the next message with this code; others before it are passed over.
    pub fn await_message(&mut self, code: u64) -> Vec<u8> {
        loop {
            match self.receive() {
                Received::Message(found, payload) if found == code => return payload,
                Received::Message(..) => {}
                ended => panic!("no message {code} but {ended:?}"),
            }
        }
    }

    /// Sends a request and returns the reply's payload.
    pub fn ask(&mut self, code: u64, request: &[u8], reply_code: u64) -> Vec<u8> {
        self.send(code, request);
        self.await_message(reply_code)
    }

    /// Answers requests for headers and bodies, each the RLP of all items, until the connection
    /// ends; says how it ends.
    pub fn serve(
        &mut self,
        mut headers: impl FnMut(&HeaderQuery) -> Vec<u8>,
        mut bodies: impl FnMut(&[B256]) -> Vec<u8>,
    ) -> Received {
        loop {
            let (code, payload) = match self.receive() {
                Received::Message(code, payload) => (code, payload),
                ended => return ended,
            };
            let code = u8::try_from(code).expect("a code of eth");
            let message = Message::decode(self.version, code, &payload).expect("a valid message");
            let Message::Request { id, query } = message else { continue };
            let (kind, items) = match query {
                Query::Headers(query) => (RequestKind::Headers, headers(&query)),
                Query::Bodies(hashes) => {
                    let hashes: Vec<B256> = hashes.iter().collect();
                    (RequestKind::Bodies, bodies(&hashes))
                }
                other => panic!("asks for {:?}", other.kind()),
            };
            let mut reply = Vec::new();
            splice_reply(id, &items, &mut reply);
            self.send(u64::from(kind.reply_code()), &reply);
        }
    }

    /// How the connection ends; messages before that are passed over.
    pub fn await_end(&mut self) -> Received {
        loop {
            match self.receive() {
                Received::Message(..) => {}
                ended => return ended,
            }
        }
    }
}
