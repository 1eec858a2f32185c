//! Blocks with real headers, the tree of all of them, and the chain that the core extends.

use std::collections::BTreeMap;

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_primitives::{B256, Bytes, Sealable as _, U256};
use alloy_trie::root::ordered_trie_root_encoded;
use eth_sync::{Body, ChainHead, FetchedBlock, LocalChain, SealedHeader};

/// Seconds since 1970 at which virtual time begins; every block is older.
pub(crate) const UNIX_START: u64 = 2_000_000;

/// A block that exists somewhere.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) header: SealedHeader,
    pub(crate) body: Vec<u8>,
    pub(crate) total_difficulty: U256,
    /// Whether an importer would take it.
    pub(crate) is_valid: bool,
}

impl Block {
    pub(crate) fn fetched(&self) -> FetchedBlock {
        FetchedBlock { header: self.header.clone(), body: Body::decode(&self.body).unwrap() }
    }
}

/// How a block is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Make {
    pub(crate) difficulty: u64,
    /// Bytes of each transaction.
    pub(crate) transactions: [usize; 2],
    pub(crate) is_valid: bool,
    /// Makes siblings differ.
    pub(crate) salt: u64,
    /// Seconds since 1970, if not soon after the parent.
    pub(crate) timestamp: Option<u64>,
}

impl Default for Make {
    fn default() -> Self {
        Self { difficulty: 2, transactions: [40, 0], is_valid: true, salt: 0, timestamp: None }
    }
}

/// Every block there is, by hash.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    blocks: BTreeMap<B256, Block>,
}

impl Tree {
    /// A first block. Another `salt`, another network.
    pub(crate) fn genesis(&mut self, salt: u64) -> B256 {
        let header = Header {
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            difficulty: U256::from(1),
            timestamp: 1_000_000,
            extra_data: Bytes::copy_from_slice(&salt.to_be_bytes()),
            ..Header::default()
        };
        self.add(header, vec![0xc2, 0xc0, 0xc0], U256::from(1), true)
    }

    /// A block on another.
    pub(crate) fn extend(&mut self, parent: B256, make: Make) -> B256 {
        let above = &self.blocks[&parent];
        // A type byte and something that no other block has.
        let transaction = |(index, length): (usize, &usize)| {
            let mut bytes = vec![2, index as u8];
            bytes.extend_from_slice(&make.salt.to_be_bytes());
            bytes.extend_from_slice(&above.header.number.to_be_bytes());
            bytes.resize((*length).max(18), 0x5a);
            bytes
        };
        let lengths = make.transactions.iter().filter(|length| **length > 0).enumerate();
        let transactions: Vec<Vec<u8>> = lengths.map(transaction).collect();
        let header = Header {
            parent_hash: parent,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            number: above.header.number + 1,
            difficulty: U256::from(make.difficulty),
            timestamp: make.timestamp.unwrap_or(above.header.timestamp + 1),
            extra_data: Bytes::copy_from_slice(&make.salt.to_be_bytes()),
            transactions_root: ordered_trie_root_encoded(&transactions),
            ..Header::default()
        };
        let total = above.total_difficulty + header.difficulty;
        let is_valid = above.is_valid && make.is_valid;
        self.add(header, encode_body(&transactions), total, is_valid)
    }

    /// Several blocks in a row; the last one.
    pub(crate) fn extend_by(
        &mut self,
        parent: B256,
        blocks: u64,
        make: impl Fn(u64) -> Make,
    ) -> B256 {
        (0..blocks).fold(parent, |parent, index| self.extend(parent, make(index)))
    }

    fn add(&mut self, header: Header, body: Vec<u8>, total: U256, is_valid: bool) -> B256 {
        let header = header.seal_slow();
        let hash = header.hash();
        self.blocks.insert(hash, Block { header, body, total_difficulty: total, is_valid });
        hash
    }

    pub(crate) fn block(&self, hash: &B256) -> &Block {
        &self.blocks[hash]
    }

    pub(crate) fn find(&self, hash: &B256) -> Option<&Block> {
        self.blocks.get(hash)
    }

    /// Whether one block's chain is heavier than another's.
    pub(crate) fn is_heavier(&self, one: &B256, other: &B256) -> bool {
        self.block(one).total_difficulty > self.block(other).total_difficulty
    }

    /// The chain up to a block, by number.
    pub(crate) fn chain(&self, tip: B256) -> Vec<B256> {
        let mut chain = vec![tip];
        let mut block = self.block(&tip);
        while block.header.number > 0 {
            chain.push(block.header.parent_hash);
            block = self.block(&block.header.parent_hash);
        }
        chain.reverse();
        chain
    }
}

/// `[[transaction…], []]`, each transaction a byte string (EIP-2718).
pub(crate) fn encode_body(transactions: &[Vec<u8>]) -> Vec<u8> {
    let strings: Vec<Bytes> = transactions.iter().cloned().map(Bytes::from).collect();
    let mut fields = alloy_rlp::encode(&strings);
    fields.push(0xc0);
    let mut body = Vec::new();
    alloy_rlp::Header { list: true, payload_length: fields.len() }.encode(&mut body);
    body.extend_from_slice(&fields);
    body
}

/// A store that keeps valid blocks and takes the heaviest for its head.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) stored: BTreeMap<B256, U256>,
    /// Whether its head counts as a proof-of-stake block.
    pub(crate) is_merged: bool,
    canonical: Vec<B256>,
}

impl Chain {
    /// The chain up to a block.
    pub(crate) fn at(tree: &Tree, tip: B256) -> Self {
        let canonical = tree.chain(tip);
        let difficulty = |hash: &B256| (*hash, tree.block(hash).total_difficulty);
        let stored = canonical.iter().map(difficulty).collect();
        Self { stored, is_merged: false, canonical }
    }

    /// Stores a block; says whether it may be stored.
    pub(crate) fn import(&mut self, tree: &Tree, block: &FetchedBlock) -> bool {
        let hash = block.header.hash();
        let Some(known) = tree.find(&hash) else { return false };
        assert_eq!(block.body.rlp().as_ref(), known.body, "a body that is not the block's");
        if !known.is_valid || !self.stored.contains_key(&block.header.parent_hash) {
            return false;
        }
        self.stored.insert(hash, known.total_difficulty);
        if known.total_difficulty > self.head().total_difficulty {
            self.canonical = tree.chain(hash);
        }
        true
    }
}

impl LocalChain for Chain {
    fn head(&self) -> ChainHead {
        let hash = self.canonical[self.canonical.len() - 1];
        let number = self.canonical.len() as u64 - 1;
        let (total_difficulty, is_merged) = (self.stored[&hash], self.is_merged);
        ChainHead { number, hash, total_difficulty, is_merged }
    }

    fn canonical_hash(&self, number: u64) -> Option<B256> {
        self.canonical.get(usize::try_from(number).ok()?).copied()
    }

    fn total_difficulty(&self, hash: &B256) -> Option<U256> {
        self.stored.get(hash).copied()
    }
}
