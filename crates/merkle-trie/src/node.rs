//! The encoding of nodes (Yellow Paper, appendix D).

use alloy_primitives::B256;
use alloy_rlp::{Encodable, Header};

use crate::path::{decode_compact, encode_compact};

/// A node that encodes to less than this stands inside its parent instead of behind a hash.
const INLINE_LIMIT: usize = 32;

/// How a parent names a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference<'a> {
    Empty,
    Hash(B256),
    /// The child's own encoding.
    Inline(&'a [u8]),
}

/// A decoded node, borrowed from its encoding.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "lives on the stack for one step of a descent")]
pub(crate) enum Parsed<'a> {
    Leaf {
        path: Vec<u8>,
        value: &'a [u8],
    },
    Extension {
        path: Vec<u8>,
        child: Reference<'a>,
    },
    /// An empty value is no value.
    Branch {
        children: [Reference<'a>; 16],
        value: &'a [u8],
    },
}

/// Decodes one node; `None` unless all bytes are that node.
pub(crate) fn parse(bytes: &[u8]) -> Option<Parsed<'_>> {
    let (mut payload, rest) = list(bytes)?;
    if !rest.is_empty() {
        return None;
    }
    let first = Item::next(&mut payload)?;
    let second = Item::next(&mut payload)?;
    if payload.is_empty() {
        return short(&first, &second);
    }
    let mut children = [Reference::Empty; 16];
    let mut items = [first, second].into_iter();
    for child in &mut children {
        let item = match items.next() {
            Some(item) => item,
            None => Item::next(&mut payload)?,
        };
        *child = item.reference()?;
    }
    let value = Item::next(&mut payload)?.string()?;
    payload.is_empty().then_some(Parsed::Branch { children, value })
}

fn short<'a>(first: &Item<'a>, second: &Item<'a>) -> Option<Parsed<'a>> {
    let (path, leaf) = decode_compact(first.string()?)?;
    if leaf {
        let value = second.string()?;
        return (!value.is_empty()).then_some(Parsed::Leaf { path, value });
    }
    let child = second.reference()?;
    let useful = !path.is_empty() && child != Reference::Empty;
    useful.then_some(Parsed::Extension { path, child })
}

/// One RLP item of a node.
struct Item<'a> {
    is_list: bool,
    payload: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Item<'a> {
    fn next(bytes: &mut &'a [u8]) -> Option<Self> {
        let start = *bytes;
        let header = Header::decode(bytes).ok()?;
        let (payload, rest) = bytes.split_at_checked(header.payload_length)?;
        *bytes = rest;
        let whole = start.get(..start.len() - rest.len())?;
        Some(Self { is_list: header.list, payload, whole })
    }

    fn string(&self) -> Option<&'a [u8]> {
        (!self.is_list).then_some(self.payload)
    }

    fn reference(&self) -> Option<Reference<'a>> {
        if self.is_list {
            return (self.whole.len() < INLINE_LIMIT).then_some(Reference::Inline(self.whole));
        }
        match self.payload.len() {
            0 => Some(Reference::Empty),
            32 => Some(Reference::Hash(B256::from_slice(self.payload))),
            _ => None,
        }
    }
}

fn list(mut bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let header = Header::decode(&mut bytes).ok()?;
    if header.list { bytes.split_at_checked(header.payload_length) } else { None }
}

/// What a parent puts in for a child: its hash, or its encoding if that is short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Hash(B256),
    Inline(Vec<u8>),
}

impl Link {
    /// The link to a node with this encoding.
    pub(crate) fn to(encoding: &[u8]) -> Self {
        if encoding.len() < INLINE_LIMIT {
            Self::Inline(encoding.to_vec())
        } else {
            Self::Hash(crate::hash(encoding))
        }
    }

    /// The links to children of a branch with these encodings.
    pub(crate) fn to_children(encodings: &[Option<Vec<u8>>; 16]) -> [Option<Self>; 16] {
        let is_long = |encoding: &&[u8]| encoding.len() >= INLINE_LIMIT;
        let long: Vec<&[u8]> =
            encodings.iter().flatten().map(Vec::as_slice).filter(is_long).collect();
        let mut hashes = keccak::keccak256_all(&long).into_iter();
        encodings.each_ref().map(|encoding| {
            let encoding = encoding.as_deref()?;
            if is_long(&encoding) {
                hashes.next().map(|hash| Self::Hash(hash.into()))
            } else {
                Some(Self::Inline(encoding.to_vec()))
            }
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hash(hash) => hash.encode(out),
            Self::Inline(encoding) => out.extend_from_slice(encoding),
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Hash(_) => 33,
            Self::Inline(encoding) => encoding.len(),
        }
    }
}

pub(crate) fn encode_leaf(path: &[u8], value: &[u8]) -> Vec<u8> {
    let compact = encode_compact(path, true);
    let mut out = start_list(compact.as_slice().length() + value.length());
    compact.as_slice().encode(&mut out);
    value.encode(&mut out);
    out
}

pub(crate) fn encode_extension(path: &[u8], child: &Link) -> Vec<u8> {
    let compact = encode_compact(path, false);
    let mut out = start_list(compact.as_slice().length() + child.length());
    compact.as_slice().encode(&mut out);
    child.encode(&mut out);
    out
}

/// `children` has 16 elements.
pub(crate) fn encode_branch<'a>(
    children: impl Iterator<Item = Option<&'a Link>> + Clone,
    value: Option<&[u8]>,
) -> Vec<u8> {
    let value = value.unwrap_or_default();
    let length: usize = children.clone().map(|child| child.map_or(1, Link::length)).sum();
    let mut out = start_list(length + value.length());
    for child in children {
        match child {
            Some(link) => link.encode(&mut out),
            None => out.push(alloy_rlp::EMPTY_STRING_CODE),
        }
    }
    value.encode(&mut out);
    out
}

fn start_list(payload_length: usize) -> Vec<u8> {
    let header = Header { list: true, payload_length };
    let mut out = Vec::with_capacity(header.length() + payload_length);
    header.encode(&mut out);
    out
}
