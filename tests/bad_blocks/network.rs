//! A server, an honest node that it follows, and a liar that comes between.

use std::sync::OnceLock;

use alloy_primitives::B256;
use chain_backend::{Backend as _, Snapshot, Store};
use eth_wire::{HeaderOrigin, HeaderQuery};
use les_tests::{
    clique::{BLOCKS, BREACH, World, await_head, heights, short},
    eth_peer::EthPeer,
    log::Log,
    server::{Limits, Server},
};
use rlpx::{Enode, NodeId};

/// The honest chain, made once a process.
pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::new)
}

/// What a full node with this many blocks of the honest chain has.
pub(crate) fn served(blocks: usize) -> Served {
    let chain = world().chain(0);
    let mut genesis = Vec::new();
    chain.store.snapshot().append_header(&chain.store.genesis_hash(), &mut genesis).unwrap();
    let mut served = Served { blocks: vec![(genesis, vec![0xc2, 0xc0, 0xc0])] };
    for block in &world().blocks[..blocks] {
        served.blocks.push((block.header_rlp.clone(), block.body_rlp.clone()));
    }
    served
}

pub(crate) fn hash_of(header: &[u8]) -> B256 {
    keccak::keccak256(header).into()
}

/// (header, body) RLP of the blocks of a scripted full node, block 0 first.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) blocks: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Served {
    pub(crate) fn tip(&self) -> B256 {
        hash_of(&self.blocks.last().unwrap().0)
    }

    /// The headers that a request asks for.
    pub(crate) fn headers(&self, query: &HeaderQuery) -> Vec<u8> {
        let first = match query.origin {
            HeaderOrigin::Number(number) => usize::try_from(number).unwrap(),
            HeaderOrigin::Hash(hash) => {
                let found = self.blocks.iter().position(|(header, _)| hash_of(header) == hash);
                found.unwrap_or(usize::MAX)
            }
        };
        let headers = (0..usize::try_from(query.amount).unwrap()).map_while(|back| {
            let at = if query.reverse { first.checked_sub(back) } else { first.checked_add(back) };
            self.blocks.get(at?).map(|(header, _)| header.as_slice())
        });
        headers.collect::<Vec<_>>().concat()
    }

    /// The bodies of these blocks that it has.
    pub(crate) fn bodies(&self, hashes: &[B256]) -> Vec<u8> {
        let of = |hash: &B256| self.blocks.iter().find(|(header, _)| hash_of(header) == *hash);
        hashes.iter().filter_map(of).flat_map(|(_, body)| body.clone()).collect()
    }

    /// Answers from these until the server ends the connection for a breach.
    pub(crate) fn serve(&self, peer: &mut EthPeer) {
        let ended = peer.serve(|query| self.headers(query), |hashes| self.bodies(hashes));
        assert_eq!(ended, BREACH);
    }
}

/// Who lied, and what must not be stored.
pub(crate) struct Lie {
    pub(crate) id: NodeId,
    pub(crate) blocks: Vec<B256>,
}

/// A liar comes to a server that has `here` blocks and follows an honest node. The liar is dropped
/// and named with `expected`, nothing of it is stored, and the honest node is followed to the end.
pub(crate) fn check(here: usize, expected: &str, lie: impl FnOnce(&Enode) -> Lie) {
    check_line("Full node dropped", here, expected, lie);
}

/// The same with another first part of the log line.
pub(crate) fn check_line(
    event: &str,
    here: usize,
    expected: &str,
    lie: impl FnOnce(&Enode) -> Lie,
) {
    let (log, world) = (Log::capture(), world());
    let (chain, honest_chain) = (world.chain(here), world.chain(here));
    let mut server = Server::following(&chain, Limits::default());
    let mut honest = Server::following(&honest_chain, Limits::default());
    let heights = heights(&server, &chain);
    assert!(server.handle.add_peer(honest.enode.clone()));
    log.await_line(&["Full node connected", &short(&server.enode.id)]);

    let lie = lie(&server.enode);
    let line = log.await_line(&[event, &short(&lie.id)]);
    assert!(line.contains(expected), "{line}\ninstead of {expected:?}");

    let rest = world.blocks[here..].to_vec();
    honest.writer.as_ref().unwrap().import_blocking(rest).unwrap();
    await_head(&heights, &chain, &honest_chain, expected);
    assert_eq!(chain.store.head().hash, world.blocks[BLOCKS - 1].hash);
    for event in ["Full node dropped", "Full node gone", "Full node refused"] {
        assert_eq!(log.find(&[event, &short(&honest.enode.id)]), None, "{expected}");
    }
    assert_eq!(honest.handle.full_nodes(), 1, "{expected}");
    server.stop();
    honest.stop();
    assert_absent(&chain.store, &lie.blocks, expected);
}

/// Nothing of these blocks is stored, and what is stored is sound.
fn assert_absent(store: &Store, blocks: &[B256], expected: &str) {
    let snapshot = store.snapshot();
    for hash in blocks {
        assert_eq!(snapshot.block_number(hash).unwrap(), None, "{expected}");
        assert_eq!(snapshot.total_difficulty(hash).unwrap(), None, "{expected}");
        assert_eq!(snapshot.parent_hash(hash).unwrap(), None, "{expected}");
        assert!(snapshot.state(hash).unwrap().is_none(), "{expected}");
        type Read = fn(&dyn Snapshot, &B256, &mut Vec<u8>) -> bool;
        let reads: [Read; 3] = [
            |snapshot, hash, out| snapshot.append_header(hash, out).unwrap(),
            |snapshot, hash, out| snapshot.append_body(hash, out).unwrap(),
            |snapshot, hash, out| snapshot.append_receipts(hash, out).unwrap(),
        ];
        for read in reads {
            assert!(!read(snapshot.as_ref(), hash, &mut Vec::new()), "{expected}");
        }
    }
    let genesis = snapshot.genesis_hash();
    let honest = std::iter::once(genesis).chain(world().blocks.iter().map(|block| block.hash));
    for (number, hash) in (0..).zip(honest) {
        assert_eq!(snapshot.canonical_hash(number).unwrap(), Some(hash), "{expected}");
    }
    assert_eq!(store.verify(&mut |_| ()).unwrap().faults, [""; 0], "{expected}");
}
