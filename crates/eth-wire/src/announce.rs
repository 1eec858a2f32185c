//! What is told without being asked: blocks and transactions.

use alloy_primitives::{B256, U256};
use les_wire::{
    BlockBody, DecodeError, Deed, Item, Items, Reader, UndecodedList, write_list, write_string,
    write_u64,
};

use crate::kind::{MessageKind, Version};

/// One element of NewBlockHashes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BlockAnnouncement {
    /// Hash of the block.
    pub hash: B256,
    /// Number of the block.
    pub number: u64,
}

impl<'a> Item<'a> for BlockAnnouncement {
    fn read(list: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut fields = list.list("block")?;
        let read = Self { hash: fields.hash("blockhash")?, number: fields.u64("number")? };
        fields.end("block")?;
        Ok(read)
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_list(out, |out| {
            self.hash.write(out);
            write_u64(self.number, out);
        });
    }
}

/// `[[header, transactions, ommers, (withdrawals)], td]`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NewBlock<'a> {
    /// The header: the RLP list that the block's hash is of.
    pub header: UndecodedList<'a>,
    /// The body.
    pub body: BlockBody<'a>,
    /// Sum of all difficulties up to and including this block, as the sender claims.
    pub total_difficulty: U256,
}

impl<'a> NewBlock<'a> {
    pub(crate) fn read(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut fields = Reader::message(MessageKind::NewBlock.name(), payload)?;
        let mut block = fields.list("block")?;
        let header = UndecodedList::read(&mut block)?;
        let transactions = UndecodedList::read(&mut block)?;
        let uncles = UndecodedList::read(&mut block)?;
        let withdrawals =
            if block.is_empty() { None } else { Some(UndecodedList::read(&mut block)?) };
        block.end("block")?;
        let total_difficulty = fields.u256("td")?;
        fields.end("message")?;
        let body = BlockBody { transactions, uncles, withdrawals };
        Ok(Self { header, body, total_difficulty })
    }
}

/// A transaction as it travels; what is inside nobody has looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RawTransaction<'a> {
    canonical: &'a [u8],
}

impl<'a> RawTransaction<'a> {
    /// Takes a transaction in its canonical form: a list, or `type ‖ payload` (EIP-2718).
    pub const fn new(canonical: &'a [u8]) -> Self {
        Self { canonical }
    }

    /// The canonical form, whose Keccak-256 is the hash (but for a blob transaction with its
    /// sidecar).
    pub const fn canonical(&self) -> &'a [u8] {
        self.canonical
    }

    /// The type (EIP-2718): 0 for a legacy transaction.
    pub const fn type_number(&self) -> u8 {
        match self.canonical.first() {
            Some(&first) if first < 0x80 => first,
            _ => 0,
        }
    }
}

impl<'a> Item<'a> for RawTransaction<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if list.is_list_next() {
            return list.raw("transaction").map(Self::new);
        }
        let canonical = list.string("transaction")?;
        match canonical.first() {
            Some(0..0x80) => Ok(Self::new(canonical)),
            Some(&first) => Err(list.error("transaction", Deed::UnknownTransactionType(first))),
            None => Err(list.error("transaction", Deed::WrongLength { bytes: 0 })),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self.canonical.first() {
            Some(0xc0..) => out.extend_from_slice(self.canonical),
            _ => write_string(self.canonical, out),
        }
    }
}

/// What is said of a transaction that can be asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PooledHash {
    /// Hash of the transaction.
    pub hash: B256,
    /// Type and length of the canonical form in bytes; from eth/68 on.
    pub kind_and_size: Option<(u8, u64)>,
}

/// NewPooledTransactionHashes: a list of hashes, from eth/68 on `[types, sizes, hashes]`.
#[derive(Clone, Copy, Debug)]
pub struct PooledHashes<'a> {
    kinds_and_sizes: Option<(&'a [u8], Items<'a, Size>)>,
    hashes: Items<'a, B256>,
}

impl<'a> PooledHashes<'a> {
    pub(crate) fn read(version: Version, payload: &'a [u8]) -> Result<Self, DecodeError> {
        const KIND: MessageKind = MessageKind::NewPooledTransactionHashes;
        let limit = KIND.item_limit();
        if version < Version::Eth68 {
            let mut message = Reader::new(KIND.name(), payload);
            let hashes = read_within(&mut message, "hashes", limit)?;
            message.end("message")?;
            return Ok(Self { kinds_and_sizes: None, hashes });
        }
        let mut fields = Reader::message(KIND.name(), payload)?;
        let kinds = fields.string("types")?;
        if kinds.len() > limit {
            return Err(fields.error("types", Deed::TooManyItems { most: limit }));
        }
        let sizes: Items<'a, Size> = read_within(&mut fields, "sizes", limit)?;
        let hashes: Items<'a, B256> = read_within(&mut fields, "hashes", limit)?;
        fields.end("message")?;
        if sizes.count() != kinds.len() {
            return Err(fields.error("sizes", Deed::OutOfRange));
        }
        if hashes.count() != kinds.len() {
            return Err(fields.error("hashes", Deed::OutOfRange));
        }
        Ok(Self { kinds_and_sizes: Some((kinds, sizes)), hashes })
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.hashes.count()
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = PooledHash> + 'a {
        let mut described = self
            .kinds_and_sizes
            .map(|(kinds, sizes)| kinds.iter().copied().zip(sizes.iter().map(|Size(n)| n)));
        self.hashes.iter().map(move |hash| {
            let kind_and_size = described.as_mut().and_then(Iterator::next);
            PooledHash { hash, kind_and_size }
        })
    }
}

/// Length of a transaction's canonical form, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size(pub(crate) u64);

impl<'a> Item<'a> for Size {
    fn read(list: &mut Reader<'a>) -> Result<Self, DecodeError> {
        list.u64("size").map(Self)
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_u64(self.0, out);
    }
}

/// Decodes the list that comes next if it has at most `limit` items; they are counted first.
pub(crate) fn read_within<'a, T: Item<'a>>(
    fields: &mut Reader<'a>,
    field: &'static str,
    limit: usize,
) -> Result<Items<'a, T>, DecodeError> {
    let mut ahead = *fields;
    let mut list = ahead.list(field)?;
    for _ in 0..limit {
        if list.is_empty() {
            break;
        }
        list.raw(field)?;
    }
    if !list.is_empty() {
        return Err(fields.error(field, Deed::TooManyItems { most: limit }));
    }
    Items::read(fields, field, limit)
}
