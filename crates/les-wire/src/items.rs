//! Lists of items: decoded completely once, then read again from the borrowed bytes.

use std::marker::PhantomData;

use crate::error::DecodeError;
use crate::reader::Reader;
use crate::writer::write_string;
use alloy_primitives::B256;

/// One element of a list in a message.
pub trait Item<'a>: Sized {
    /// Reads one, exactly.
    fn read(list: &mut Reader<'a>) -> Result<Self, DecodeError>;

    /// Appends its RLP.
    fn write(&self, out: &mut Vec<u8>);
}

impl<'a> Item<'a> for B256 {
    fn read(list: &mut Reader<'a>) -> Result<Self, DecodeError> {
        list.hash("hash")
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_string(self.as_slice(), out);
    }
}

/// A list of decoded items, borrowed from the payload: no heap, however long.
///
/// All of them have been decoded; [`Items::iter`] yields at most the limit.
#[derive(Clone, Copy)]
pub struct Items<'a, T> {
    message: &'static str,
    payload: &'a [u8],
    count: usize,
    limit: usize,
    item: PhantomData<fn() -> T>,
}

impl<'a, T: Item<'a>> Items<'a, T> {
    /// Decodes the list that comes next, every item of it, and counts them.
    ///
    /// Items beyond `limit` are no error: see [`Items::is_over_limit`].
    ///
    /// # Errors
    /// Names the first item that is none.
    pub fn read(
        fields: &mut Reader<'a>,
        field: &'static str,
        limit: usize,
    ) -> Result<Self, DecodeError> {
        let mut list = fields.list(field)?;
        let payload = list.rest();
        let mut count = 0;
        while !list.is_empty() {
            T::read(&mut list)?;
            count += 1;
        }
        let message = fields.message_name();
        Ok(Self { message, payload, count, limit, item: PhantomData })
    }

    /// How many items were sent, also beyond the limit.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Whether more were sent than one message may carry.
    pub const fn is_over_limit(&self) -> bool {
        self.count > self.limit
    }

    /// The items in order, at most the limit of them.
    pub const fn iter(&self) -> ItemIter<'a, T> {
        let left = if self.count < self.limit { self.count } else { self.limit };
        ItemIter { list: Reader::new(self.message, self.payload), left, item: PhantomData }
    }

    /// The first item.
    pub fn first(&self) -> Option<T> {
        self.iter().next()
    }

    /// The items' RLP without the list's header.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

impl<T> std::fmt::Debug for Items<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} items in {} bytes", self.count, self.payload.len())
    }
}

impl<'a, T: Item<'a>> IntoIterator for Items<'a, T> {
    type Item = T;
    type IntoIter = ItemIter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over [`Items`].
#[derive(Clone, Debug)]
pub struct ItemIter<'a, T> {
    list: Reader<'a>,
    left: usize,
    item: PhantomData<fn() -> T>,
}

impl<'a, T: Item<'a>> Iterator for ItemIter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        // Never fails: the same bytes were decoded when the list was.
        T::read(&mut self.list).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'a, T: Item<'a>> ExactSizeIterator for ItemIter<'a, T> {}
