//! A whole trie at once, from sorted entries.

use alloy_primitives::B256;

use crate::{
    EMPTY_ROOT,
    node::{Link, encode_branch, encode_extension, encode_leaf},
    path::{common_prefix, nibbles},
};

/// The entries are not fit for a trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// An entry's key is not greater than the one before it.
    #[error("entry {index} is not greater than the one before it")]
    NotSorted {
        /// Position of the entry, from 0.
        index: usize,
    },
    /// An entry has an empty value, which a trie cannot hold.
    #[error("entry {index} has an empty value")]
    EmptyValue {
        /// Position of the entry, from 0.
        index: usize,
    },
}

/// Builds the trie of entries with strictly rising keys and returns its root. `emit` is given
/// every stored node, children first: path (one nibble a byte), hash, encoding.
pub fn build_sorted<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    entries: &[(K, V)],
    mut emit: impl FnMut(&[u8], B256, &[u8]),
) -> Result<B256, BuildError> {
    check(entries)?;
    if entries.is_empty() {
        return Ok(EMPTY_ROOT);
    }
    let mut builder = Builder { path: Vec::new(), emit: &mut emit };
    let encoding = builder.node(entries);
    let root = crate::hash(&encoding);
    emit(&[], root, &encoding);
    Ok(root)
}

/// Root of the trie of a list: RLP of the index to the item, as for transactions and receipts
/// (Yellow Paper, section 4.3.2). No item may be empty.
pub fn build_ordered_list<V: AsRef<[u8]>>(items: &[V]) -> Result<B256, BuildError> {
    let mut entries: Vec<(Vec<u8>, &[u8])> = items
        .iter()
        .enumerate()
        .map(|(index, item)| (alloy_rlp::encode(index), item.as_ref()))
        .collect();
    entries.sort_unstable();
    build_sorted(&entries, |_, _, _| ())
}

fn check<K: AsRef<[u8]>, V: AsRef<[u8]>>(entries: &[(K, V)]) -> Result<(), BuildError> {
    let mut last: Option<&[u8]> = None;
    for (index, (key, value)) in entries.iter().enumerate() {
        let key = key.as_ref();
        if last.is_some_and(|last| last >= key) {
            return Err(BuildError::NotSorted { index });
        }
        if value.as_ref().is_empty() {
            return Err(BuildError::EmptyValue { index });
        }
        last = Some(key);
    }
    Ok(())
}

struct Builder<'a, E> {
    /// Where the node that is built stands.
    path: Vec<u8>,
    emit: &'a mut E,
}

impl<E: FnMut(&[u8], B256, &[u8])> Builder<'_, E> {
    /// The encoding of the node over these entries, which share `self.path`; at least one.
    fn node<K: AsRef<[u8]>, V: AsRef<[u8]>>(&mut self, entries: &[(K, V)]) -> Vec<u8> {
        let depth = self.path.len();
        let (Some((first, value)), Some((last, _))) = (entries.first(), entries.last()) else {
            return Vec::new();
        };
        let first = nibbles(first.as_ref());
        let rest = first.get(depth..).unwrap_or_default();
        if entries.len() == 1 {
            return encode_leaf(rest, value.as_ref());
        }
        // Sorted: what the first and the last share, all share.
        let last = nibbles(last.as_ref());
        let shared = common_prefix(rest, last.get(depth..).unwrap_or_default());
        if shared == 0 {
            return self.branch(entries);
        }
        let shared = rest.get(..shared).unwrap_or_default();
        self.path.extend_from_slice(shared);
        let branch = self.branch(entries);
        let link = Link::to(&branch);
        self.emit(&link, &branch);
        self.path.truncate(depth);
        encode_extension(shared, &link)
    }

    fn branch<K: AsRef<[u8]>, V: AsRef<[u8]>>(&mut self, mut entries: &[(K, V)]) -> Vec<u8> {
        let depth = self.path.len();
        let mut value = None;
        if let Some(((key, content), rest)) = entries.split_first()
            && nibble(key.as_ref(), depth).is_none()
        {
            value = Some(content.as_ref());
            entries = rest;
        }
        let mut encodings: [Option<Vec<u8>>; 16] = Default::default();
        for (digit, encoding) in (0u8..).zip(&mut encodings) {
            let count =
                entries.partition_point(|(key, _)| nibble(key.as_ref(), depth) <= Some(digit));
            let Some((own, rest)) = entries.split_at_checked(count) else { break };
            entries = rest;
            if !own.is_empty() {
                self.path.push(digit);
                *encoding = Some(self.node(own));
                self.path.pop();
            }
        }
        let children = Link::to_children(&encodings);
        for (digit, (child, encoding)) in (0u8..).zip(children.iter().zip(&encodings)) {
            if let (Some(link), Some(encoding)) = (child, encoding) {
                self.path.push(digit);
                self.emit(link, encoding);
                self.path.pop();
            }
        }
        encode_branch(children.iter().map(Option::as_ref), value)
    }

    /// Emits the node at `self.path`, unless it stands inside its parent.
    fn emit(&mut self, link: &Link, encoding: &[u8]) {
        if let Link::Hash(hash) = link {
            (self.emit)(&self.path, *hash, encoding);
        }
    }
}

/// The nibble of a key at a depth; `None` if the key ends before.
fn nibble(key: &[u8], depth: usize) -> Option<u8> {
    let byte = key.get(depth / 2)?;
    Some(if depth.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f })
}
