//! Keys of trie nodes, and a byte reader for the store's own records.

use alloy_primitives::{B256, U256};

use super::segment::Location;

/// Where a state trie node stands: the trie (accounts, or one account's storage) and the path.
///
/// The bytes are `0 ‖ path` or `1 ‖ account key ‖ path`, one nibble a byte, so that a node lies
/// beside its children, and an account's storage in one range.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeKey(Vec<u8>);

impl NodeKey {
    /// The node at `path` in the account trie, or in the storage trie of an account.
    pub(super) fn new(account_key: Option<&B256>, path: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(33 + path.len());
        match account_key {
            None => bytes.push(0),
            Some(key) => {
                bytes.push(1);
                bytes.extend_from_slice(key.as_slice());
            }
        }
        bytes.extend_from_slice(path);
        Self(bytes)
    }

    /// The bytes of the key.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// The key of this node's history entry for a block. Later blocks sort first; 0xff, which is
    /// no nibble, keeps a node's entries apart from those of the nodes below it.
    pub(super) fn at_block(&self, number: u64) -> Vec<u8> {
        [self.0.as_slice(), &[0xff], &(!number).to_be_bytes()].concat()
    }
}

/// Reads fixed-size fields off the front of a stored record; `None` once it is too short.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        Some(u8::from_be_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.array()?))
    }

    pub(super) fn hash(&mut self) -> Option<B256> {
        Some(B256::new(self.array()?))
    }

    pub(super) fn u256(&mut self) -> Option<U256> {
        Some(U256::from_be_bytes::<32>(self.array()?))
    }

    pub(super) fn location(&mut self) -> Option<Location> {
        Some(Location { offset: self.u64()?, length: self.u32()? })
    }

    /// A byte string with its length in front.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }
}

/// Appends a byte string with its length in front.
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    // Longer strings do not occur: a segment's record is bounded far below 4 GiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

pub(super) fn put_location(out: &mut Vec<u8>, location: Location) {
    out.extend_from_slice(&location.offset.to_be_bytes());
    out.extend_from_slice(&location.length.to_be_bytes());
}
