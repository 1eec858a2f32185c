//! A full node that has a chain and announces its blocks when it is told to.

use std::time::{Duration, Instant};

use eth_wire::{
    HeaderOrigin, HeaderQuery, Message, Query, Status, Version, encode_header_request,
    encode_new_block, splice_reply,
};
use les_tests::{
    client::{Client, Received},
    eth_peer::EthPeer,
};
use rlpx::Enode;

use crate::chain::Chain;

/// Codes of messages (devp2p `caps/eth.md`). A reply has the code behind its request's.
const GET_HEADERS: u64 = 3;
const NEW_BLOCK: u64 = 7;

/// No sync takes longer.
pub(crate) const LONGEST_SYNC: Duration = Duration::from_secs(300);

pub(crate) struct Source<'a> {
    peer: EthPeer,
    chain: &'a Chain,
    head: usize,
}

impl<'a> Source<'a> {
    /// Connects as a node with so many blocks of the chain.
    pub(crate) fn connect(enode: &Enode, chain: &'a Chain, head: usize) -> Self {
        let block = &chain.blocks[head];
        let peer = EthPeer::connect_as(enode, Version::Eth68, |status| Status {
            head: block.hash,
            total_difficulty: block.total_difficulty,
            ..status
        });
        Self { peer, chain, head }
    }

    /// Takes the next block into the chain and sends it.
    pub(crate) fn announce(&mut self) {
        self.head += 1;
        let block = &self.chain.blocks[self.head];
        let mut message = Vec::new();
        encode_new_block(&block.header, &block.body, &block.total_difficulty, &mut message);
        self.peer.send(NEW_BLOCK, &message);
    }

    /// Answers what is asked until then.
    pub(crate) fn answer_until(&mut self, end: Instant) {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left < Duration::from_millis(1) {
                return;
            }
            match self.peer.wire.receive_within(left) {
                Some((_, Received::Message(code, payload))) => self.answer(code, &payload),
                Some((_, ended)) => panic!("the server ended the connection: {ended:?}"),
                None => {}
            }
        }
    }

    fn answer(&mut self, code: u64, payload: &[u8]) {
        let number = u8::try_from(code).unwrap();
        let message = Message::decode(self.peer.version, number, payload).unwrap();
        let Message::Request { id, query } = message else { return };
        let items = match query {
            Query::Headers(query) => self.chain.headers(&query, self.head),
            Query::Bodies(hashes) => self.chain.bodies(hashes.iter()),
            Query::PooledTransactions(_) | Query::NodeData(_) | Query::Receipts(_) => Vec::new(),
        };
        let mut reply = Vec::new();
        splice_reply(id, &items, &mut reply);
        self.peer.send(code + 1, &reply);
    }
}

/// Lets a server fetch so many blocks, unless it has them.
pub(crate) fn give(enode: &Enode, chain: &Chain, head: usize) {
    let number = || {
        let status = Client::dial(enode, les_wire::Version::Les4).read_status();
        usize::try_from(status.head.unwrap().number).unwrap()
    };
    if number() >= head {
        return;
    }
    let mut source = Source::connect(enode, chain, head);
    let end = Instant::now() + LONGEST_SYNC;
    while number() < head {
        assert!(Instant::now() < end, "the server does not come to the last block");
        source.answer_until(Instant::now() + Duration::from_millis(100));
    }
}

/// The genesis header, as the server has it.
pub(crate) fn genesis(enode: &Enode) -> Vec<u8> {
    let mut peer = EthPeer::connect(enode, Version::Eth68);
    let origin = HeaderOrigin::Number(0);
    let mut request = Vec::new();
    let query = HeaderQuery { origin, amount: 1, skip: 0, reverse: false };
    encode_header_request(1, &query, &mut request);
    let reply = peer.ask(GET_HEADERS, &request, GET_HEADERS + 1);
    rlp::Rlp::new(&reply).at(1).unwrap().at(0).unwrap().as_raw().to_vec()
}
