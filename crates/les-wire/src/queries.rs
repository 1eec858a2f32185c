//! What the items of a request ask for.

use alloy_primitives::{Address, B256};

use crate::error::{DecodeError, Deed};
use crate::items::Item;
use crate::reader::Reader;
use crate::writer::{write_list, write_string, write_u64};

/// Where a walk along the chain starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HeaderOrigin {
    /// A block of any branch.
    Hash(B256),
    /// A block of the canonical chain.
    Number(u64),
}

/// A walk along the chain, in steps of `skip + 1` blocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeaderQuery {
    /// First header. Thirty-two zero bytes as a hash mean number 0, as in go-ethereum.
    pub origin: HeaderOrigin,
    /// Headers wanted.
    pub amount: u64,
    /// Blocks left out between two headers; any value can be sent.
    pub skip: u64,
    /// Towards the genesis instead of towards the head.
    pub reverse: bool,
}

impl HeaderQuery {
    /// Reads the walk that comes next.
    ///
    /// # Errors
    /// Names the field and the deed.
    pub fn read(fields: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut query = fields.list("query")?;
        let mut origin_field = query;
        let bytes = origin_field.string("origin")?;
        let origin = match B256::try_from(bytes) {
            Ok(hash) => {
                query = origin_field;
                if hash.is_zero() { HeaderOrigin::Number(0) } else { HeaderOrigin::Hash(hash) }
            }
            Err(_) if bytes.len() <= 8 => HeaderOrigin::Number(query.u64("origin")?),
            Err(_) => {
                return Err(query.error("origin", Deed::WrongLength { bytes: bytes.len() }));
            }
        };
        let read = Self {
            origin,
            amount: query.u64("amount")?,
            skip: query.u64("skip")?,
            reverse: query.boolean("reverse")?,
        };
        query.end("query")?;
        Ok(read)
    }

    /// Appends its RLP.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_list(out, |out| {
            match self.origin {
                HeaderOrigin::Hash(hash) => write_string(hash.as_slice(), out),
                HeaderOrigin::Number(number) => write_u64(number, out),
            }
            write_u64(self.amount, out);
            write_u64(self.skip, out);
            write_u64(u64::from(self.reverse), out);
        });
    }
}

/// How an account is named. Clients up to go-ethereum 1.12.0 send the hash of its address, newer
/// ones the address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AccountKey {
    /// No account: the key is looked up in the state trie itself.
    None,
    /// The address.
    Address(Address),
    /// Keccak-256 of the address.
    Hash(B256),
    /// Bytes of another length, which name nothing.
    Other,
}

impl AccountKey {
    fn of(bytes: &[u8]) -> Self {
        match bytes.len() {
            0 => Self::None,
            20 => Self::Address(Address::from_slice(bytes)),
            32 => Self::Hash(B256::from_slice(bytes)),
            _ => Self::Other,
        }
    }
}

/// The code of a contract, as of the state of a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CodeQuery<'a> {
    /// Block whose state holds the account.
    pub block_hash: B256,
    /// Names the account; any length can be sent.
    pub account_key: &'a [u8],
}

impl CodeQuery<'_> {
    /// The account that is meant.
    pub fn account(&self) -> AccountKey {
        AccountKey::of(self.account_key)
    }
}

impl<'a> Item<'a> for CodeQuery<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut fields = list.list("code")?;
        let block_hash = fields.hash("block hash")?;
        let account_key = fields.string("account key")?;
        fields.end("code")?;
        Ok(Self { block_hash, account_key })
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_list(out, |out| {
            self.block_hash.write(out);
            write_string(self.account_key, out);
        });
    }
}

/// A proof in the state of a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProofQuery<'a> {
    /// Block whose state is meant.
    pub block_hash: B256,
    /// Empty for the state trie, else names the account whose storage trie is meant.
    pub account_key: &'a [u8],
    /// Key in that trie, already hashed: normally 32 bytes, but any length can be sent.
    pub key: &'a [u8],
    /// Nodes to leave out at the start of the proof.
    pub from_level: u64,
}

impl ProofQuery<'_> {
    /// The account whose storage is meant; [`AccountKey::None`] for the state trie itself.
    pub fn account(&self) -> AccountKey {
        AccountKey::of(self.account_key)
    }
}

impl<'a> Item<'a> for ProofQuery<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut fields = list.list("proof")?;
        let read = Self {
            block_hash: fields.hash("block hash")?,
            account_key: fields.string("account key")?,
            key: fields.string("key")?,
            from_level: fields.u64("from level")?,
        };
        fields.end("proof")?;
        Ok(read)
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_list(out, |out| {
            self.block_hash.write(out);
            write_string(self.account_key, out);
            write_string(self.key, out);
            write_u64(self.from_level, out);
        });
    }
}

/// Which helper trie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HelperTrie {
    /// Canonical hash trie: block number to block hash and total difficulty.
    CanonicalHash,
    /// Bloom trie: bit and section to the bits of all blooms of the section.
    Bloom,
}

/// A proof in a helper trie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HelperTrieQuery<'a> {
    /// 0 for the canonical hash trie, 1 for the bloom trie; any number can be sent.
    pub trie_type: u64,
    /// Section whose trie root is meant.
    pub section: u64,
    /// Key in that trie.
    pub key: &'a [u8],
    /// Nodes to leave out at the start of the proof.
    pub from_level: u64,
    /// What to send beside the proof; [`HelperTrieQuery::AUX_HEADER`] is the only kind left.
    pub aux: u64,
}

impl HelperTrieQuery<'_> {
    /// Asks for the header of the block whose number is the key.
    pub const AUX_HEADER: u64 = 2;

    /// The trie that is meant, if there is such a trie.
    pub const fn trie(&self) -> Option<HelperTrie> {
        match self.trie_type {
            0 => Some(HelperTrie::CanonicalHash),
            1 => Some(HelperTrie::Bloom),
            _ => None,
        }
    }

    /// The block number that is the key of a canonical hash trie: 8 bytes, big-endian.
    pub fn block_number(&self) -> Option<u64> {
        self.key.try_into().ok().map(u64::from_be_bytes)
    }
}

impl<'a> Item<'a> for HelperTrieQuery<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut fields = list.list("proof")?;
        let read = Self {
            trie_type: fields.u64("trie type")?,
            section: fields.u64("section")?,
            key: fields.string("key")?,
            from_level: fields.u64("from level")?,
            aux: fields.u64("auxiliary data")?,
        };
        fields.end("proof")?;
        Ok(read)
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_list(out, |out| {
            write_u64(self.trie_type, out);
            write_u64(self.section, out);
            write_string(self.key, out);
            write_u64(self.from_level, out);
            write_u64(self.aux, out);
        });
    }
}
