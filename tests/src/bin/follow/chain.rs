//! The blocks of a file, and what a full node that has them answers.

use std::{collections::BTreeMap, fs, path::Path};

use alloy_primitives::{B256, U256};
use eth_wire::{HeaderOrigin, HeaderQuery, SOFT_REPLY_BYTES};
use rlp::{Rlp, RlpStream};

/// Most headers of one reply (devp2p `caps/eth.md`, GetBlockHeaders).
const MOST_HEADERS: u64 = 1024;

pub(crate) struct Block {
    pub(crate) header: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) hash: B256,
    pub(crate) state_root: B256,
    /// Of this block and all before it.
    pub(crate) total_difficulty: U256,
    pub(crate) transactions: usize,
}

/// Blocks by number, the genesis block first.
pub(crate) struct Chain {
    pub(crate) blocks: Vec<Block>,
    numbers: BTreeMap<B256, usize>,
}

impl Chain {
    /// The genesis header, and the blocks of a file as `geth export` writes it.
    pub(crate) fn read(file: &Path, genesis: Vec<u8>) -> Self {
        let mut chain = Self { blocks: Vec::new(), numbers: BTreeMap::new() };
        chain.push(genesis, vec![0xc2, 0xc0, 0xc0], 0);
        let bytes = fs::read(file).unwrap();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let block = Rlp::new(rest);
            let transactions = block.at(1).unwrap();
            let mut body = RlpStream::new_list(2);
            body.append_raw(transactions.as_raw(), 1);
            body.append_raw(block.at(2).unwrap().as_raw(), 1);
            let header = block.at(0).unwrap().as_raw().to_vec();
            chain.push(header, body.out().to_vec(), transactions.item_count().unwrap());
            rest = &rest[block.payload_info().unwrap().total()..];
        }
        chain
    }

    fn push(&mut self, header: Vec<u8>, body: Vec<u8>, transactions: usize) {
        let fields = Rlp::new(&header);
        let state_root: Vec<u8> = fields.val_at(3).unwrap();
        let difficulty: u64 = fields.val_at(7).unwrap();
        let before = self.blocks.last().map_or(U256::ZERO, |block| block.total_difficulty);
        let hash = B256::from(keccak::keccak256(&header));
        self.numbers.insert(hash, self.blocks.len());
        self.blocks.push(Block {
            hash,
            state_root: B256::from_slice(&state_root),
            total_difficulty: before + U256::from(difficulty),
            transactions,
            header,
            body,
        });
    }

    pub(crate) fn by_hash(&self, hash: &B256) -> Option<&Block> {
        Some(&self.blocks[*self.numbers.get(hash)?])
    }

    /// The headers that are asked for, one behind the other, of a node with so many blocks.
    pub(crate) fn headers(&self, query: &HeaderQuery, head: usize) -> Vec<u8> {
        let first = match query.origin {
            HeaderOrigin::Hash(hash) => self.numbers.get(&hash).copied(),
            HeaderOrigin::Number(number) => usize::try_from(number).ok(),
        };
        let step = usize::try_from(query.skip).ok().and_then(|skip| skip.checked_add(1));
        let (Some(first), Some(step)) = (first, step) else { return Vec::new() };
        let mut out = Vec::new();
        let mut next = Some(first);
        for _ in 0..query.amount.min(MOST_HEADERS) {
            let Some(at) = next.filter(|at| *at <= head) else { break };
            out.extend_from_slice(&self.blocks[at].header);
            next = if query.reverse { at.checked_sub(step) } else { at.checked_add(step) };
        }
        out
    }

    /// The bodies of these blocks, one behind the other.
    pub(crate) fn bodies(&self, hashes: impl Iterator<Item = B256>) -> Vec<u8> {
        let mut out = Vec::new();
        for block in hashes.filter_map(|hash| self.by_hash(&hash)) {
            if out.len() >= SOFT_REPLY_BYTES {
                break;
            }
            out.extend_from_slice(&block.body);
        }
        out
    }
}
