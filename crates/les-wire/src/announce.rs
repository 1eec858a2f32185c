//! Announcements of new heads and of new flow control parameters.

use alloy_primitives::{B256, keccak256};

use crate::cost_list::CostList;
use crate::error::{DecodeError, Deed};
use crate::items::Item;
use crate::reader::Reader;
use crate::status::{Head, MAX_KEY_VALUE_BYTES};
use crate::status_codec::{entry, number_entry, read_entry, read_value};
use crate::writer::{write_list, write_string, write_u64, write_u256};

/// Length of a signature: `R ‖ S ‖ V`, V being 0 or 1.
pub const SIGNATURE_BYTES: usize = 65;

const MESSAGE: &str = "Announce";

/// Announce: `[hash, number, total difficulty, reorg depth, updates]`.
#[derive(Clone, Copy, Debug)]
pub struct Announce<'a> {
    /// The new head. A zero hash announces no head, only updates.
    pub head: Head,
    /// Blocks between the head that this client heard of last and the common ancestor.
    pub reorg_depth: u64,
    /// Changed parameters and the signature.
    pub updates: Updates<'a>,
}

impl<'a> Announce<'a> {
    /// Decodes the payload of an Announce message.
    ///
    /// # Errors
    /// When it has other than five elements, one of them is malformed, or its updates carry more
    /// than [`MAX_KEY_VALUE_BYTES`].
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut fields = Reader::message(MESSAGE, payload)?;
        let hash = fields.hash("hash")?;
        let number = fields.u64("number")?;
        let total_difficulty = fields.u256("total difficulty")?;
        let reorg_depth = fields.u64("reorg depth")?;
        let updates = Updates::read(&mut fields)?;
        fields.end("message")?;
        Ok(Self { head: Head { total_difficulty, hash, number }, reorg_depth, updates })
    }

    /// What the server signs with its node key: Keccak-256 of `[hash, number, total difficulty]`.
    pub fn signing_digest(head: &Head) -> B256 {
        let mut signed = Vec::with_capacity(80);
        write_list(&mut signed, |out| write_head(head, out));
        keccak256(&signed)
    }

    /// Appends the payload of an Announce message.
    pub fn encode(head: &Head, reorg_depth: u64, updates: &NewUpdates, out: &mut Vec<u8>) {
        write_list(out, |out| {
            write_head(head, out);
            write_u64(reorg_depth, out);
            updates.write(out);
        });
    }
}

fn write_head(head: &Head, out: &mut Vec<u8>) {
    head.hash.write(out);
    write_u64(head.number, out);
    write_u256(&head.total_difficulty, out);
}

/// The fifth element of an announcement: a list of `[key, value]`.
#[derive(Clone, Copy, Debug)]
pub struct Updates<'a> {
    list: Reader<'a>,
    bytes: usize,
}

/// One change that an announcement brings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Update<'a> {
    /// `sign`: signature of the head by the server's node key, over [`Announce::signing_digest`].
    Signature(&'a [u8; SIGNATURE_BYTES]),
    /// `flowControl/BL`: new buffer limit, in cost units.
    BufferLimit(u64),
    /// `flowControl/MRR`: new least recharge, in cost units per millisecond.
    RechargePerMs(u64),
    /// `flowControl/MRC`: new costs.
    Costs(CostList),
    /// An unknown key or a value that cannot be read, which go-ethereum takes for absent.
    Other {
        /// The key.
        key: &'a [u8],
        /// The value, still encoded.
        value: &'a [u8],
    },
}

impl<'a> Updates<'a> {
    fn read(fields: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let list = fields.list("updates")?;
        let mut entries = list;
        let mut bytes = 0;
        while !entries.is_empty() {
            let (key, value) = read_entry(&mut entries)?;
            bytes += key.len() + value.len() + 8;
            if bytes > MAX_KEY_VALUE_BYTES {
                return Err(entries.error("updates", Deed::TooLarge { bytes }));
            }
        }
        Ok(Self { list, bytes })
    }

    /// What go-ethereum's update limit counts: bytes of keys and values, and 8 for each entry.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The changes in order. Of two with one key the last one counts.
    pub fn iter(&self) -> impl Iterator<Item = Update<'a>> + use<'a> {
        let mut list = self.list;
        std::iter::from_fn(move || {
            // Never fails before the end: the entries were read when the message was decoded.
            let (key, value) = read_entry(&mut list).ok()?;
            Some(read_update(key, value).unwrap_or(Update::Other { key, value }))
        })
    }

    /// The signature, if there is a well-formed one.
    pub fn signature(&self) -> Option<&'a [u8; SIGNATURE_BYTES]> {
        self.iter().fold(None, |found, update| match update {
            Update::Signature(signature) => Some(signature),
            Update::BufferLimit(_)
            | Update::RechargePerMs(_)
            | Update::Costs(_)
            | Update::Other { .. } => found,
        })
    }
}

fn read_update<'a>(key: &'a [u8], value: &'a [u8]) -> Option<Update<'a>> {
    match key {
        b"sign" => {
            let bytes = read_value(value, |reader| reader.string("sign")).ok()?;
            bytes.try_into().ok().map(Update::Signature)
        }
        b"flowControl/BL" => read_value(value, |r| r.u64("BL")).ok().map(Update::BufferLimit),
        b"flowControl/MRR" => read_value(value, |r| r.u64("MRR")).ok().map(Update::RechargePerMs),
        b"flowControl/MRC" => read_value(value, CostList::read).ok().map(Update::Costs),
        _ => None,
    }
}

/// What a server puts into an announcement beside the head.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NewUpdates {
    /// Signature of the head; wanted by clients that asked for signed announcements.
    pub signature: Option<[u8; SIGNATURE_BYTES]>,
    /// New `flowControl/BL`, in cost units.
    pub buffer_limit: Option<u64>,
    /// New `flowControl/MRR`, in cost units per millisecond.
    pub recharge_per_ms: Option<u64>,
    /// New `flowControl/MRC`.
    pub costs: Option<CostList>,
}

impl NewUpdates {
    fn write(&self, out: &mut Vec<u8>) {
        write_list(out, |out| {
            if let Some(signature) = &self.signature {
                entry("sign", out, |out| write_string(signature, out));
            }
            number_entry("flowControl/BL", self.buffer_limit, out);
            number_entry("flowControl/MRR", self.recharge_per_ms, out);
            if let Some(costs) = &self.costs {
                entry("flowControl/MRC", out, |out| costs.encode(out));
            }
        });
    }
}
