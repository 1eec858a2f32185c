//! Exact reading of RLP: every length and integer in its shortest form, every list to its end.

use alloy_primitives::{B256, U256};
use alloy_rlp::Header;

use crate::error::{DecodeError, Deed};

/// Reads the items of one list (or of a whole payload) in order, out of borrowed bytes.
///
/// Each method takes the name of the field it reads, for the error. After an error the reader
/// must not be used on: it stands where the bad item starts.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    message: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads a whole payload of the message of that name.
    pub const fn new(message: &'static str, payload: &'a [u8]) -> Self {
        Self { message, rest: payload }
    }

    /// Enters the one list that the payload of a message is.
    pub fn message(message: &'static str, payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut outer = Self::new(message, payload);
        let fields = outer.list("message")?;
        outer.end("message")?;
        Ok(fields)
    }

    /// Whether every item has been read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes that have not been read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Name of the message that is being read.
    pub const fn message_name(&self) -> &'static str {
        self.message
    }

    /// An error about this field of this message.
    pub const fn error(&self, field: &'static str, deed: Deed) -> DecodeError {
        DecodeError { message: self.message, field, deed }
    }

    /// Enters the next item, a list.
    pub fn list(&mut self, field: &'static str) -> Result<Self, DecodeError> {
        let (is_list, _, payload) = self.next(field)?;
        if !is_list {
            return Err(self.error(field, Deed::NotAList));
        }
        Ok(Self { message: self.message, rest: payload })
    }

    /// The next item, a byte string, without its header.
    pub fn string(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let (is_list, _, payload) = self.next(field)?;
        if is_list {
            return Err(self.error(field, Deed::NotAString));
        }
        Ok(payload)
    }

    /// The next item whatever it is, header included. What is inside it is not looked at.
    pub fn raw(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        // A byte that needs no header but has one is its reader's matter, as in go-ethereum.
        if let ([0x81, 0..=0x7f, ..], Some((item, rest))) =
            (self.rest, self.rest.split_at_checked(2))
        {
            self.rest = rest;
            return Ok(item);
        }
        self.next(field).map(|(_, whole, _)| whole)
    }

    /// Whether the next item is a list; `false` also when there is none.
    pub fn is_list_next(&self) -> bool {
        self.rest.first().is_some_and(|&first| first >= 0xc0)
    }

    /// A byte string of exactly `N` bytes.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let bytes = self.string(field)?;
        bytes.try_into().map_err(|_| self.error(field, Deed::WrongLength { bytes: bytes.len() }))
    }

    /// A 32-byte hash.
    pub fn hash(&mut self, field: &'static str) -> Result<B256, DecodeError> {
        self.array::<32>(field).map(B256::new)
    }

    /// An unsigned integer of at most 8 bytes.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let digits = self.integer(field, 8)?;
        Ok(digits.iter().fold(0, |value, &digit| (value << 8) | u64::from(digit)))
    }

    /// An unsigned integer of at most 32 bytes.
    pub fn u256(&mut self, field: &'static str) -> Result<U256, DecodeError> {
        self.integer(field, 32).map(U256::from_be_slice)
    }

    /// A boolean: 0 or 1.
    pub fn boolean(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        match self.u64(field)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.error(field, Deed::OutOfRange)),
        }
    }

    /// Big-endian digits of an integer without leading zeros, at most `most` of them.
    pub fn integer(&mut self, field: &'static str, most: usize) -> Result<&'a [u8], DecodeError> {
        let digits = self.string(field)?;
        if digits.first() == Some(&0) {
            return Err(self.error(field, Deed::NotCanonical));
        }
        if digits.len() > most {
            return Err(self.error(field, Deed::OutOfRange));
        }
        Ok(digits)
    }

    /// Asserts that nothing follows; `field` names what should have ended.
    pub const fn end(&self, field: &'static str) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(field, Deed::Trailing)) }
    }

    /// Whether it is a list, the item with its header, and its payload.
    fn next(&mut self, field: &'static str) -> Result<(bool, &'a [u8], &'a [u8]), DecodeError> {
        if self.rest.is_empty() {
            return Err(self.error(field, Deed::Missing));
        }
        let whole = self.rest;
        let mut behind = whole;
        let header = Header::decode(&mut behind).map_err(|e| self.error(field, e.into()))?;
        let cut = self.error(field, Deed::Truncated);
        let (payload, rest) = behind.split_at_checked(header.payload_length).ok_or(cut)?;
        self.rest = rest;
        let item = whole.get(..whole.len() - rest.len()).ok_or(cut)?;
        Ok((header.list, item, payload))
    }
}
