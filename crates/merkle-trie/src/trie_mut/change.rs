//! Insertion and removal: how a path splits and joins.

use std::{collections::BTreeSet, mem};

use super::{Branch, Cell, Child, Node};
use crate::{NodeSource, TrieError, path::common_prefix};

/// One descent along a key.
pub(super) struct Walk<'a, S> {
    pub(super) source: &'a S,
    pub(super) loaded: &'a mut BTreeSet<Vec<u8>>,
    /// The whole key, one nibble a byte. A depth is a position in it.
    pub(super) key: &'a [u8],
}

impl<S: NodeSource> Walk<'_, S> {
    /// Puts a value below `child`, which stands at `depth`. Says whether anything changed.
    pub(super) fn insert(
        &mut self,
        child: &mut Child,
        depth: usize,
        value: Vec<u8>,
    ) -> Result<bool, TrieError<S::Error>> {
        let rest = self.key.get(depth..).unwrap_or_default();
        let Some(cell) = self.load(child, depth)? else {
            *child = leaf(rest, value);
            return Ok(true);
        };
        let changed = match &mut cell.node {
            Node::Leaf { path, value: old } if path == rest => {
                let differs = *old != value;
                *old = value;
                differs
            }
            Node::Leaf { path, value: old } => {
                let (path, old) = (mem::take(path), mem::take(old));
                let shared = common_prefix(&path, rest);
                let mut branch = Branch::default();
                branch.add_leaf(path.get(shared..).unwrap_or_default(), old);
                branch.add_leaf(rest.get(shared..).unwrap_or_default(), value);
                cell.node = extend(rest.get(..shared).unwrap_or_default(), branch);
                true
            }
            Node::Extension { path, child: below } if rest.starts_with(path) => {
                self.insert(below, depth + path.len(), value)?
            }
            Node::Extension { path, child: below } => {
                let (path, below) = (mem::take(path), mem::take(below));
                let shared = common_prefix(&path, rest);
                cell.node = split(&path, below, rest, shared, value);
                true
            }
            Node::Branch(branch) => match rest.first() {
                None => {
                    let differs = branch.value.as_ref() != Some(&value);
                    branch.value = Some(value);
                    differs
                }
                Some(nibble) => match branch.children.get_mut(usize::from(*nibble)) {
                    Some(below) => self.insert(below, depth + 1, value)?,
                    None => false,
                },
            },
        };
        if changed {
            cell.encoded = None;
        }
        Ok(changed)
    }

    /// Takes the key's value out below `child`. Says whether anything changed.
    pub(super) fn remove(
        &mut self,
        child: &mut Child,
        depth: usize,
    ) -> Result<bool, TrieError<S::Error>> {
        let rest = self.key.get(depth..).unwrap_or_default();
        let Some(cell) = self.load(child, depth)? else { return Ok(false) };
        let changed = match &mut cell.node {
            Node::Leaf { path, .. } => {
                let found = path == rest;
                if found {
                    *child = Child::Empty;
                }
                return Ok(found);
            }
            Node::Extension { path, child: below } => {
                rest.starts_with(path) && self.remove(below, depth + path.len())?
            }
            Node::Branch(branch) => match rest.first() {
                None => branch.value.take().is_some(),
                Some(nibble) => match branch.children.get_mut(usize::from(*nibble)) {
                    Some(below) => self.remove(below, depth + 1)?,
                    None => false,
                },
            },
        };
        if changed {
            cell.encoded = None;
            self.tidy(cell, depth)?;
        }
        Ok(changed)
    }

    /// Restores the canonical shape of a node at `depth` after something below it went away: a
    /// branch has at least two entries, and an extension leads to a branch.
    fn tidy(&mut self, cell: &mut Cell, depth: usize) -> Result<(), TrieError<S::Error>> {
        let start = self.key.get(..depth).unwrap_or_default().to_vec();
        let (prefix, below) = match &mut cell.node {
            Node::Leaf { .. } => return Ok(()),
            Node::Extension { path, child } => (mem::take(path), mem::take(child)),
            Node::Branch(branch) => {
                let mut left =
                    (0u8..).zip(&mut branch.children).filter(|(_, child)| !child.is_empty());
                match (left.next(), left.next(), branch.value.take()) {
                    (None, _, Some(value)) => {
                        cell.node = Node::Leaf { path: Vec::new(), value };
                        return Ok(());
                    }
                    (Some((nibble, child)), None, None) => (vec![nibble], mem::take(child)),
                    (_, _, value) => {
                        branch.value = value;
                        return Ok(());
                    }
                }
            }
        };
        self.join(cell, &start, prefix, below)
    }

    /// Makes `cell`, at the path `start`, lead along `prefix` to the node `below`.
    fn join(
        &mut self,
        cell: &mut Cell,
        start: &[u8],
        prefix: Vec<u8>,
        mut below: Child,
    ) -> Result<(), TrieError<S::Error>> {
        let at = [start, prefix.as_slice()].concat();
        let Some(next) = below.load(self.source, self.loaded, &at)? else {
            return Ok(());
        };
        cell.node = match &mut next.node {
            Node::Leaf { path, value } => {
                Node::Leaf { path: [prefix, mem::take(path)].concat(), value: mem::take(value) }
            }
            Node::Extension { path, child } => Node::Extension {
                path: [prefix, mem::take(path)].concat(),
                child: mem::take(child),
            },
            Node::Branch(_) => Node::Extension { path: prefix, child: below },
        };
        Ok(())
    }

    fn load<'c>(
        &mut self,
        child: &'c mut Child,
        depth: usize,
    ) -> Result<Option<&'c mut Cell>, TrieError<S::Error>> {
        child.load(self.source, self.loaded, self.key.get(..depth).unwrap_or_default())
    }
}

impl Branch {
    /// Adds an entry: here if its path ends here, else as a leaf behind the path's first nibble.
    fn add_leaf(&mut self, path: &[u8], value: Vec<u8>) {
        match path.split_first() {
            None => self.value = Some(value),
            Some((nibble, rest)) => {
                if let Some(slot) = self.children.get_mut(usize::from(*nibble)) {
                    *slot = leaf(rest, value);
                }
            }
        }
    }
}

fn leaf(path: &[u8], value: Vec<u8>) -> Child {
    Child::Loaded(Cell::changed(Node::Leaf { path: path.to_vec(), value }))
}

fn extension(path: &[u8], child: Child) -> Child {
    if path.is_empty() {
        return child;
    }
    Child::Loaded(Cell::changed(Node::Extension { path: path.to_vec(), child }))
}

/// A branch, behind an extension if there is a path to it.
fn extend(path: &[u8], branch: Branch) -> Node {
    let branch = Node::Branch(Box::new(branch));
    if path.is_empty() {
        return branch;
    }
    Node::Extension { path: path.to_vec(), child: Child::Loaded(Cell::changed(branch)) }
}

/// Splits an extension `path` to `below` after its first `shared` nibbles, where `rest` leaves it.
fn split(path: &[u8], below: Child, rest: &[u8], shared: usize, value: Vec<u8>) -> Node {
    let mut branch = Branch::default();
    if let Some((nibble, left)) = path.get(shared..).and_then(<[u8]>::split_first)
        && let Some(slot) = branch.children.get_mut(usize::from(*nibble))
    {
        *slot = extension(left, below);
    }
    branch.add_leaf(rest.get(shared..).unwrap_or_default(), value);
    extend(rest.get(..shared).unwrap_or_default(), branch)
}
