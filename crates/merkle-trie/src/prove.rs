//! Reading a trie along one key, and the proof that this makes.

use alloy_primitives::{B256, Bytes};

use crate::{
    EMPTY_ROOT, NodeSet, NodeSource, TrieError,
    node::{Parsed, Reference, parse},
    path::nibbles,
    source::fetch,
};

/// The value of a key.
pub fn lookup<S: NodeSource>(
    source: &S,
    root: B256,
    key: &[u8],
) -> Result<Option<Vec<u8>>, TrieError<S::Error>> {
    walk(source, root, key, |_, _| ())
}

/// Adds the nodes that prove the value of a key, or its absence, without the first `from_level`
/// of them; returns the value.
///
/// Root first; a node inside its parent is not an element of its own; an empty trie adds
/// nothing; nothing is added if a node cannot be read (devp2p `caps/les.md`, "GetProofsV2").
pub fn prove<S: NodeSource>(
    source: &S,
    root: B256,
    key: &[u8],
    from_level: usize,
    nodes: &mut NodeSet,
) -> Result<Option<Vec<u8>>, TrieError<S::Error>> {
    let mut path = Vec::new();
    let value = walk(source, root, key, |hash, node| path.push((hash, node)))?;
    for (hash, node) in path.into_iter().skip(from_level) {
        nodes.insert(hash, &node);
    }
    Ok(value)
}

/// Follows a key from the root, showing every node that has a hash of its own.
pub(crate) fn walk<S: NodeSource>(
    source: &S,
    root: B256,
    key: &[u8],
    mut visit: impl FnMut(B256, Bytes),
) -> Result<Option<Vec<u8>>, TrieError<S::Error>> {
    if root == EMPTY_ROOT {
        return Ok(None);
    }
    let key = nibbles(key);
    let mut rest = key.as_slice();
    let mut hash = root;
    loop {
        let path = key.get(..key.len() - rest.len()).unwrap_or_default();
        let node = fetch(source, path, &hash)?;
        let step = descend(&node, rest)
            .ok_or_else(|| TrieError::Malformed { path: path.to_vec(), hash })?;
        visit(hash, node.clone());
        match step {
            Step::Value(value) => return Ok(value.map(<[u8]>::to_vec)),
            Step::Below { next, left } => {
                hash = next;
                rest = left;
            }
        }
    }
}

/// Where a key leads from one stored node.
pub(crate) enum Step<'a, 'k> {
    /// To the end: the value, if the key is there.
    Value(Option<&'a [u8]>),
    /// To another stored node, with this much of the key left.
    Below { next: B256, left: &'k [u8] },
}

/// Follows a key within one stored node and the nodes inside it; `None` if it is malformed.
pub(crate) fn descend<'a, 'k>(node: &'a [u8], mut rest: &'k [u8]) -> Option<Step<'a, 'k>> {
    let mut node = node;
    loop {
        let child = match parse(node)? {
            Parsed::Leaf { path, value } => {
                return Some(Step::Value((path == rest).then_some(value)));
            }
            Parsed::Extension { path, child } => {
                let Some(left) = rest.strip_prefix(path.as_slice()) else {
                    return Some(Step::Value(None));
                };
                rest = left;
                child
            }
            Parsed::Branch { children, value } => {
                let Some((nibble, left)) = rest.split_first() else {
                    return Some(Step::Value((!value.is_empty()).then_some(value)));
                };
                rest = left;
                *children.get(usize::from(*nibble))?
            }
        };
        match child {
            Reference::Empty => return Some(Step::Value(None)),
            Reference::Hash(next) => return Some(Step::Below { next, left: rest }),
            Reference::Inline(inner) => node = inner,
        }
    }
}

/// Reads a trie in the order of its keys, as far as `enter` says: it is asked before a stored node
/// is read, with the node's path (one nibble a byte) and hash. `value` is shown every entry, with
/// the nibbles of its key. Memory is bounded by the depth.
pub fn walk_all<S: NodeSource>(
    source: &S,
    root: B256,
    mut enter: impl FnMut(&[u8], &B256) -> bool,
    mut value: impl FnMut(&[u8], &[u8]),
) -> Result<(), TrieError<S::Error>> {
    if root == EMPTY_ROOT {
        return Ok(());
    }
    let mut pending = vec![(Vec::new(), root)];
    while let Some((path, hash)) = pending.pop() {
        if !enter(&path, &hash) {
            continue;
        }
        let bytes = fetch(source, &path, &hash)?;
        let start = pending.len();
        spread(&bytes, path.clone(), &mut pending, &mut value)
            .ok_or(TrieError::Malformed { path, hash })?;
        if let Some(added) = pending.get_mut(start..) {
            added.reverse();
        }
    }
    Ok(())
}

/// Adds the stored nodes right below one to `pending` and shows the values in it.
fn spread(
    bytes: &[u8],
    path: Vec<u8>,
    pending: &mut Vec<(Vec<u8>, B256)>,
    value: &mut impl FnMut(&[u8], &[u8]),
) -> Option<()> {
    let mut below = |reference, at: Vec<u8>, pending: &mut Vec<(Vec<u8>, B256)>| match reference {
        Reference::Empty => Some(()),
        Reference::Hash(hash) => {
            pending.push((at, hash));
            Some(())
        }
        Reference::Inline(inner) => spread(inner, at, pending, value),
    };
    match parse(bytes)? {
        Parsed::Leaf { path: end, value: content } => {
            value(&[path, end].concat(), content);
            Some(())
        }
        Parsed::Extension { path: part, child } => below(child, [path, part].concat(), pending),
        Parsed::Branch { children, value: content } => {
            for (nibble, child) in (0u8..).zip(children) {
                below(child, [path.as_slice(), &[nibble]].concat(), pending)?;
            }
            if !content.is_empty() {
                value(&path, content);
            }
            Some(())
        }
    }
}
