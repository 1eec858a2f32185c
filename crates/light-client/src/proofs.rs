//! Proofs: accounts, storage slots and the two helper tries.

use alloy_primitives::{Address, B256, U256};
use les_wire::{HelperTrieQuery, Reader, UndecodedList};
use merkle_trie::ProofNodes;

use crate::bloom_bits::{BloomBits, decompress};
use crate::error::Mistrust;
use crate::hash;
use crate::header::SealedHeader;

/// An account as the state trie holds it (Yellow Paper, section 4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Account {
    /// Transactions sent, or contracts created.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// Root of its storage trie.
    pub storage_root: B256,
    /// Keccak-256 of its code.
    pub code_hash: B256,
}

/// An entry of the canonical hash trie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CanonicalBlock {
    /// Its hash.
    pub hash: B256,
    /// Sum of all difficulties up to it.
    pub total_difficulty: U256,
}

/// The nodes of one reply, from which everything that was asked for must follow, and which must
/// all be needed for that.
#[derive(Debug)]
pub struct Proofs<'a> {
    nodes: ProofNodes<'a>,
}

impl<'a> Proofs<'a> {
    /// Takes the nodes of a reply and hashes each once.
    pub fn new(nodes: impl IntoIterator<Item = UndecodedList<'a>>) -> Self {
        Self { nodes: ProofNodes::new(nodes.into_iter().map(|node| node.0)) }
    }

    /// The account at an address under a state root; `None` if it is proven not to exist.
    ///
    /// # Errors
    /// A proof that fails, or an account that is malformed.
    pub fn account(&mut self, root: B256, address: Address) -> Result<Option<Account>, Mistrust> {
        const WHAT: &str = "account";
        let key = hash(address.as_slice());
        let Some(value) = self.value(WHAT, root, key.as_slice())? else { return Ok(None) };
        let malformed = |error| Mistrust::Malformed { what: WHAT, error };
        let mut fields = Reader::message(WHAT, &value).map_err(malformed)?;
        let mut read = || {
            let account = Account {
                nonce: fields.u64("nonce")?,
                balance: fields.u256("balance")?,
                storage_root: fields.hash("storage root")?,
                code_hash: fields.hash("code hash")?,
            };
            fields.end(WHAT)?;
            Ok(account)
        };
        read().map(Some).map_err(malformed)
    }

    /// The value of a slot under the storage root of its account; 0 if it is proven to be unset.
    ///
    /// # Errors
    /// A proof that fails, or a value that is malformed.
    pub fn slot(&mut self, storage_root: B256, slot: B256) -> Result<U256, Mistrust> {
        const WHAT: &str = "storage slot";
        let key = hash(slot.as_slice());
        let Some(value) = self.value(WHAT, storage_root, key.as_slice())? else {
            return Ok(U256::ZERO);
        };
        let mut reader = Reader::new(WHAT, &value);
        let mut read = || {
            let value = reader.u256("value")?;
            reader.end(WHAT)?;
            Ok(value)
        };
        read().map_err(|error| Mistrust::Malformed { what: WHAT, error })
    }

    /// The canonical block of a number under a root of the canonical hash trie; `None` if it is
    /// proven to be beyond the trie.
    ///
    /// # Errors
    /// A proof that fails, or an entry that is malformed.
    pub fn canonical_block(
        &mut self,
        root: B256,
        number: u64,
    ) -> Result<Option<CanonicalBlock>, Mistrust> {
        const WHAT: &str = "canonical hash";
        let Some(value) = self.value(WHAT, root, &number.to_be_bytes())? else { return Ok(None) };
        let malformed = |error| Mistrust::Malformed { what: WHAT, error };
        let mut fields = Reader::message(WHAT, &value).map_err(malformed)?;
        let mut read = || {
            let hash = fields.hash("block hash")?;
            let total_difficulty = fields.u256("total difficulty")?;
            fields.end(WHAT)?;
            Ok(CanonicalBlock { hash, total_difficulty })
        };
        read().map(Some).map_err(malformed)
    }

    /// A header that came beside a proof in the canonical hash trie, and its total difficulty;
    /// `None` if the number is proven to be beyond the trie.
    ///
    /// # Errors
    /// Also if the header is not the one that the trie names.
    pub fn canonical_header(
        &mut self,
        root: B256,
        number: u64,
        header: &[u8],
    ) -> Result<Option<(SealedHeader, U256)>, Mistrust> {
        let Some(block) = self.canonical_block(root, number)? else { return Ok(None) };
        let header = SealedHeader::with_hash(header, block.hash)?.at(number)?;
        Ok(Some((header, block.total_difficulty)))
    }

    /// The bits of one section under a root of the bloom trie: bit `j` tells whether bit
    /// `bit` is set in the bloom of the section's block `j`.
    ///
    /// # Errors
    /// A proof that fails, or bits that are malformed.
    pub fn bloom_bits(
        &mut self,
        root: B256,
        bit: u16,
        section: u64,
    ) -> Result<BloomBits, Mistrust> {
        let key = bloom_key(bit, section);
        match self.value("bloom bits", root, &key)? {
            // A section without the bit in any block has no entry.
            None => Ok(BloomBits::EMPTY),
            Some(value) => decompress(&value).ok_or(Mistrust::MalformedBits),
        }
    }

    /// Asserts that every node was needed.
    ///
    /// # Errors
    /// [`Mistrust::UselessNodes`].
    pub fn finish(self) -> Result<(), Mistrust> {
        match self.nodes.unused() {
            0 => Ok(()),
            count => Err(Mistrust::UselessNodes { count }),
        }
    }

    fn value(
        &mut self,
        what: &'static str,
        root: B256,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, Mistrust> {
        self.nodes.verify(root, key).map_err(|error| Mistrust::Proof { what, root, error })
    }
}

/// Key of the bloom trie: the bit in 2 bytes and the section in 8, big-endian.
pub fn bloom_key(bit: u16, section: u64) -> [u8; 10] {
    let mut key = [0; 10];
    let (head, tail) = key.split_at_mut(2);
    head.copy_from_slice(&bit.to_be_bytes());
    tail.copy_from_slice(&section.to_be_bytes());
    key
}

/// A query for the header of an old block by its number; `key` is the number in 8 bytes,
/// big-endian, and `section` the newest one whose root is known.
pub const fn canonical_header_query(section: u64, key: &[u8; 8]) -> HelperTrieQuery<'_> {
    HelperTrieQuery { trie_type: 0, section, key, from_level: 0, aux: HelperTrieQuery::AUX_HEADER }
}

/// A query for the bits of a section; `key` is a [`bloom_key`], `section` the newest one whose
/// root is known.
pub const fn bloom_bits_query(section: u64, key: &[u8; 10]) -> HelperTrieQuery<'_> {
    HelperTrieQuery { trie_type: 1, section, key, from_level: 0, aux: 0 }
}
