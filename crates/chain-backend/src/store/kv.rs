//! The key-value store behind the state and the indexes: one small trait.

use alloy_primitives::Bytes;

use crate::BackendError;

/// A key space of its own, ordered by key bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Trie (accounts, or one account's storage) and path to the trie node of the base state.
    State,
    /// Keccak-256 to code.
    Code,
    /// Block hash to where its parts stand in the segments.
    Blocks,
    /// Chunk number to canonical hashes and header locations.
    Canonical,
    /// Transaction hash to block number and position.
    Transactions,
    /// Keccak-256 to a node of a helper trie.
    HelperNodes,
    /// Kind and section to the root of a helper trie.
    HelperRoots,
    /// Archive only: node key and inverted block number to what the block made of that node.
    History,
    /// Archive only: block number to the node keys that it changed.
    Changes,
    /// The store's own settings and positions.
    Meta,
}

impl Table {
    /// All tables, in the order of their discriminants.
    pub const ALL: [Self; 10] = [
        Self::State,
        Self::Code,
        Self::Blocks,
        Self::Canonical,
        Self::Transactions,
        Self::HelperNodes,
        Self::HelperRoots,
        Self::History,
        Self::Changes,
        Self::Meta,
    ];

    /// The name within the engine.
    pub const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Code => "code",
            Self::Blocks => "blocks",
            Self::Canonical => "canonical",
            Self::Transactions => "transactions",
            Self::HelperNodes => "helper-nodes",
            Self::HelperRoots => "helper-roots",
            Self::History => "history",
            Self::Changes => "changes",
            Self::Meta => "meta",
        }
    }
}

/// Writes that become visible and durable together.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) writes: Vec<(Table, Vec<u8>, Option<Bytes>)>,
}

impl Batch {
    /// Sets a value.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Bytes>) {
        self.writes.push((table, key.into(), Some(value.into())));
    }

    /// Removes a key, whether it is there or not.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.writes.push((table, key.into(), None));
    }

    /// How many writes there are.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether there is no write.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

/// An ordered key-value engine.
pub trait Kv: Send + Sync {
    /// A view that later writes do not change.
    fn snapshot(&self) -> Result<Box<dyn KvSnapshot>, BackendError>;

    /// Applies a batch: all of it, durably, or nothing.
    fn write(&self, batch: Batch) -> Result<(), BackendError>;
}

/// A frozen view of a [`Kv`].
pub trait KvSnapshot: Send + Sync {
    /// The value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, BackendError>;

    /// The first entry whose key is at least `key`.
    fn at_or_after(
        &self,
        table: Table,
        key: &[u8],
    ) -> Result<Option<(Vec<u8>, Bytes)>, BackendError>;

    /// Shows the entries from `key` on in rising order, until `visit` says `false`.
    fn scan(
        &self,
        table: Table,
        key: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), BackendError>;

    /// How many entries a table has.
    fn count(&self, table: Table) -> Result<u64, BackendError>;
}
