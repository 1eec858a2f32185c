//! What the segments and the block index hold, as bytes. Integers are big-endian.

use alloy_primitives::{B256, Bytes, U256};

use super::{
    key::{Fields, NodeKey, put_location, put_string},
    segment::Location,
};

/// A stored block: what is asked about it often, and where its parts stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockEntry {
    pub(super) number: u64,
    pub(super) parent: B256,
    pub(super) total_difficulty: U256,
    pub(super) state_root: B256,
    /// In the journal.
    pub(super) header: Location,
    pub(super) body: Location,
    pub(super) receipts: Location,
    /// Of its state changes. Their file may be gone once they are part of the base.
    pub(super) changes: Location,
}

impl BlockEntry {
    fn put_fixed(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(self.parent.as_slice());
        out.extend_from_slice(&self.total_difficulty.to_be_bytes::<32>());
        out.extend_from_slice(self.state_root.as_slice());
        put_location(out, self.body);
        put_location(out, self.receipts);
        put_location(out, self.changes);
    }

    fn take_fixed(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            number: fields.u64()?,
            parent: fields.hash()?,
            total_difficulty: fields.u256()?,
            state_root: fields.hash()?,
            body: fields.location()?,
            receipts: fields.location()?,
            changes: fields.location()?,
            header: Location::default(),
        })
    }

    /// The value in the block index.
    pub(super) fn to_index(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        self.put_fixed(&mut out);
        put_location(&mut out, self.header);
        out
    }

    pub(super) fn from_index(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let entry = Self::take_fixed(&mut fields)?;
        Some(Self { header: fields.location()?, ..entry })
    }
}

/// One record of the journal: a block that exists, or a block that became the head.
#[derive(Debug)]
pub(super) enum JournalRecord {
    Block { hash: B256, entry: BlockEntry },
    Head { hash: B256 },
}

const BLOCK: u8 = 1;
const HEAD: u8 = 2;

impl JournalRecord {
    /// What stands before the header in a block's record.
    pub(super) fn block_prefix(hash: &B256, entry: &BlockEntry) -> Vec<u8> {
        let mut out = vec![BLOCK];
        out.extend_from_slice(hash.as_slice());
        entry.put_fixed(&mut out);
        out
    }

    pub(super) fn head(hash: &B256) -> Vec<u8> {
        [&[HEAD], hash.as_slice()].concat()
    }

    pub(super) fn decode(bytes: &[u8], location: Location) -> Option<Self> {
        let mut fields = Fields(bytes);
        match fields.u8()? {
            BLOCK => {
                let hash = fields.hash()?;
                let mut entry = BlockEntry::take_fixed(&mut fields)?;
                let length = u32::try_from(fields.0.len()).ok()?;
                entry.header = Location { offset: location.end() - u64::from(length), length };
                Some(Self::Block { hash, entry })
            }
            HEAD => Some(Self::Head { hash: fields.hash()? }),
            _ => None,
        }
    }
}

/// Where the header stands in a block's record.
pub(super) fn header_location(record: Location, header: usize) -> Option<Location> {
    let length = u32::try_from(header).ok()?;
    Some(Location { offset: record.end().checked_sub(length.into())?, length })
}

/// The record of a block whose header stands here.
pub(super) fn record_location(hash: &B256, entry: &BlockEntry) -> Option<Location> {
    let prefix = u32::try_from(JournalRecord::block_prefix(hash, entry).len()).ok()?;
    let offset = entry.header.offset.checked_sub(prefix.into())?;
    Some(Location { offset, length: entry.header.length.checked_add(prefix)? })
}

/// What a block changes in the stored state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateCommit {
    /// Root of the account trie afterwards.
    pub root: B256,
    /// Trie nodes that changed, by rising key: hash and encoding, `None` if it is gone.
    pub(super) nodes: Vec<(NodeKey, Option<(B256, Bytes)>)>,
    /// Code that did not exist before, with its Keccak-256.
    pub(super) codes: Vec<(B256, Bytes)>,
}

impl StateCommit {
    /// The payload of the changes' record: block hash, root, nodes, codes.
    pub(super) fn encode(&self, block: &B256) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(block.as_slice());
        out.extend_from_slice(self.root.as_slice());
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
        out.extend_from_slice(&count(self.nodes.len()));
        for (key, node) in &self.nodes {
            put_string(&mut out, key.as_bytes());
            // No node is empty, so that an empty one can stand for none.
            put_string(&mut out, node.as_ref().map_or(&[], |(_, bytes)| bytes));
        }
        out.extend_from_slice(&count(self.codes.len()));
        self.codes.iter().for_each(|(_, code)| put_string(&mut out, code));
        out
    }

    /// Decodes and hashes; `None` unless the record is whole and belongs to `block`.
    pub(super) fn decode(bytes: &[u8], block: &B256) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.hash()? != *block {
            return None;
        }
        let root = fields.hash()?;
        let hashed = |bytes: &[u8]| (keccak(bytes), Bytes::copy_from_slice(bytes));
        let mut nodes = Vec::new();
        for _ in 0..fields.u32()? {
            let key = NodeKey::from_bytes(fields.string()?);
            let node = fields.string()?;
            nodes.push((key, (!node.is_empty()).then(|| hashed(node))));
        }
        let mut codes = Vec::new();
        for _ in 0..fields.u32()? {
            codes.push(hashed(fields.string()?));
        }
        fields.0.is_empty().then_some(Self { root, nodes, codes })
    }
}

/// Keccak-256.
pub(super) fn keccak(bytes: &[u8]) -> B256 {
    B256::from(keccak::keccak256(bytes))
}
