//! A trie that changes.
//!
//! Nodes are loaded when a key leads through them and stay in memory; a node that has changed
//! loses its encoding, and [`TrieMut::root`] encodes and hashes only such nodes again.

mod change;

use std::collections::BTreeSet;

use alloy_primitives::{B256, Bytes};

use crate::{
    EMPTY_ROOT, NodeSource, TrieError,
    node::{self, Link, Parsed, Reference, parse},
    path::nibbles,
    source::fetch,
};

/// A trie over a source, with changes in memory.
///
/// When an operation fails, the source is at fault; the trie must then be dropped.
#[derive(Debug)]
pub struct TrieMut<S> {
    source: S,
    root: Child,
    /// Paths of all nodes loaded from the source.
    loaded: BTreeSet<Vec<u8>>,
}

/// A stored node that is not what it was: its path (one nibble a byte), and its new hash and
/// encoding, `None` if no node stands there any more.
pub type NodeChange = (Vec<u8>, Option<(B256, Bytes)>);

/// What a changed trie leaves to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// The new root.
    pub root: B256,
    /// The changed nodes, by rising path, each path once.
    pub changes: Vec<NodeChange>,
}

#[derive(Debug, Default)]
enum Child {
    #[default]
    Empty,
    /// In the source, under its path.
    Stored(B256),
    Loaded(Box<Cell>),
}

#[derive(Debug)]
struct Cell {
    node: Node,
    /// `None` if the node changed since it was last encoded.
    encoded: Option<Encoded>,
}

#[derive(Debug)]
struct Encoded {
    link: Link,
    /// The encoding, unless it is the source's.
    fresh: Option<Vec<u8>>,
}

#[derive(Debug)]
enum Node {
    Leaf { path: Vec<u8>, value: Vec<u8> },
    Extension { path: Vec<u8>, child: Child },
    Branch(Box<Branch>),
}

#[derive(Debug, Default)]
struct Branch {
    children: [Child; 16],
    value: Option<Vec<u8>>,
}

impl<S: NodeSource> TrieMut<S> {
    /// The trie with this root, to be read from `source`.
    pub fn new(source: S, root: B256) -> Self {
        let root = if root == EMPTY_ROOT { Child::Empty } else { Child::Stored(root) };
        Self { source, root, loaded: BTreeSet::new() }
    }

    /// The value of a key, with the changes so far.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, TrieError<S::Error>> {
        let key = nibbles(key);
        let Self { source, root, loaded } = self;
        let mut child = root;
        let mut rest = key.as_slice();
        loop {
            let path = key.get(..key.len() - rest.len()).unwrap_or_default();
            let Some(cell) = child.load(source, loaded, path)? else { return Ok(None) };
            match &mut cell.node {
                Node::Leaf { path, value } => return Ok((path == rest).then(|| value.clone())),
                Node::Extension { path, child: below } => {
                    let Some(left) = rest.strip_prefix(path.as_slice()) else { return Ok(None) };
                    rest = left;
                    child = below;
                }
                Node::Branch(branch) => {
                    let Some((nibble, left)) = rest.split_first() else {
                        return Ok(branch.value.clone());
                    };
                    rest = left;
                    let Some(below) = branch.children.get_mut(usize::from(*nibble)) else {
                        return Ok(None);
                    };
                    child = below;
                }
            }
        }
    }

    /// Sets the value of a key; an empty value removes it.
    pub fn insert(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), TrieError<S::Error>> {
        if value.is_empty() {
            return self.remove(key);
        }
        let key = nibbles(key);
        let mut walk = change::Walk { source: &self.source, loaded: &mut self.loaded, key: &key };
        walk.insert(&mut self.root, 0, value).map(drop)
    }

    /// Removes a key, if it is there.
    pub fn remove(&mut self, key: &[u8]) -> Result<(), TrieError<S::Error>> {
        let key = nibbles(key);
        let mut walk = change::Walk { source: &self.source, loaded: &mut self.loaded, key: &key };
        walk.remove(&mut self.root, 0).map(drop)
    }

    /// The root with the changes so far. Encodes what changed since the last call.
    pub fn root(&mut self) -> B256 {
        match &mut self.root {
            Child::Empty => EMPTY_ROOT,
            Child::Stored(hash) => *hash,
            Child::Loaded(cell) => match cell.link() {
                Link::Hash(hash) => *hash,
                Link::Inline(encoding) => crate::hash(encoding),
            },
        }
    }

    /// The new root and all nodes to be stored or deleted.
    pub fn commit(mut self) -> Commit {
        let root = self.root();
        let mut changes = Vec::new();
        if let Child::Loaded(cell) = self.root {
            cell.collect(&mut Vec::new(), &mut self.loaded, &mut changes);
        }
        // What was loaded and was not met again has made room.
        changes.extend(self.loaded.into_iter().map(|path| (path, None)));
        changes.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        Commit { root, changes }
    }
}

impl Child {
    /// The node itself, read from the source if need be; `None` if there is none.
    fn load<S: NodeSource>(
        &mut self,
        source: &S,
        loaded: &mut BTreeSet<Vec<u8>>,
        path: &[u8],
    ) -> Result<Option<&mut Cell>, TrieError<S::Error>> {
        if let Self::Stored(hash) = self {
            let hash = *hash;
            let bytes = fetch(source, path, &hash)?;
            let cell = Cell::decode(&bytes, Link::Hash(hash))
                .ok_or_else(|| TrieError::Malformed { path: path.to_vec(), hash })?;
            loaded.insert(path.to_vec());
            *self = Self::Loaded(Box::new(cell));
        }
        match self {
            Self::Loaded(cell) => Ok(Some(cell)),
            Self::Empty | Self::Stored(_) => Ok(None),
        }
    }

    fn link(&mut self) -> Option<Link> {
        match self {
            Self::Empty => None,
            Self::Stored(hash) => Some(Link::Hash(*hash)),
            Self::Loaded(cell) => Some(cell.link().clone()),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// A child as its parent's encoding names it. Nodes inside their parent come with it.
    fn decode(reference: Reference<'_>) -> Option<Self> {
        Some(match reference {
            Reference::Empty => Self::Empty,
            Reference::Hash(hash) => Self::Stored(hash),
            Reference::Inline(inner) => {
                Self::Loaded(Box::new(Cell::decode(inner, Link::Inline(inner.to_vec()))?))
            }
        })
    }
}

impl Cell {
    fn changed(node: Node) -> Box<Self> {
        Box::new(Self { node, encoded: None })
    }

    fn decode(bytes: &[u8], link: Link) -> Option<Self> {
        let node = match parse(bytes)? {
            Parsed::Leaf { path, value } => Node::Leaf { path, value: value.to_vec() },
            Parsed::Extension { path, child } => {
                Node::Extension { path, child: Child::decode(child)? }
            }
            Parsed::Branch { children, value } => {
                let mut branch = Branch::default();
                for (child, reference) in branch.children.iter_mut().zip(children) {
                    *child = Child::decode(reference)?;
                }
                branch.value = (!value.is_empty()).then(|| value.to_vec());
                Node::Branch(Box::new(branch))
            }
        };
        Some(Self { node, encoded: Some(Encoded { link, fresh: None }) })
    }

    /// How a parent names this node; encodes whatever changed at and below it.
    fn link(&mut self) -> &Link {
        let encoded = self.encoded.get_or_insert_with(|| {
            let encoding = self.node.encode();
            Encoded { link: Link::to(&encoding), fresh: Some(encoding) }
        });
        &encoded.link
    }

    /// Takes every stored node at and below this one out of `loaded`, and those that are new
    /// into `changes`.
    fn collect(
        self,
        path: &mut Vec<u8>,
        loaded: &mut BTreeSet<Vec<u8>>,
        changes: &mut Vec<NodeChange>,
    ) {
        if let Some(Encoded { link, fresh }) = self.encoded {
            let hash = match link {
                Link::Hash(hash) => Some(hash),
                // The root is stored however short it is.
                Link::Inline(encoding) => path.is_empty().then(|| crate::hash(&encoding)),
            };
            if let Some(hash) = hash {
                loaded.remove(path);
                changes.extend(fresh.map(|node| (path.clone(), Some((hash, node.into())))));
            }
        }
        let depth = path.len();
        match self.node {
            Node::Leaf { .. } => {}
            Node::Extension { path: part, child } => {
                if let Child::Loaded(cell) = child {
                    path.extend_from_slice(&part);
                    cell.collect(path, loaded, changes);
                    path.truncate(depth);
                }
            }
            Node::Branch(branch) => {
                for (nibble, child) in (0u8..).zip(branch.children) {
                    if let Child::Loaded(cell) = child {
                        path.push(nibble);
                        cell.collect(path, loaded, changes);
                        path.truncate(depth);
                    }
                }
            }
        }
    }
}

impl Branch {
    /// Encodes the children that changed, and hashes them together.
    fn encode_children(&mut self) {
        let encodings = self.children.each_mut().map(|child| match child {
            Child::Loaded(cell) if cell.encoded.is_none() => Some(cell.node.encode()),
            Child::Empty | Child::Stored(_) | Child::Loaded(_) => None,
        });
        let links = Link::to_children(&encodings);
        for (child, (encoding, link)) in
            self.children.iter_mut().zip(encodings.into_iter().zip(links))
        {
            if let (Child::Loaded(cell), Some(link)) = (child, link) {
                cell.encoded = Some(Encoded { link, fresh: encoding });
            }
        }
    }
}

impl Node {
    fn encode(&mut self) -> Vec<u8> {
        match self {
            Self::Leaf { path, value } => node::encode_leaf(path, value),
            Self::Extension { path, child } => match child.link() {
                Some(link) => node::encode_extension(path, &link),
                None => Vec::new(),
            },
            Self::Branch(branch) => {
                branch.encode_children();
                let links: [Option<Link>; 16] = branch.children.each_mut().map(Child::link);
                node::encode_branch(links.iter().map(Option::as_ref), branch.value.as_deref())
            }
        }
    }
}
