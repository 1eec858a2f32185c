//! What can go wrong in the store.

use alloy_primitives::B256;

/// The store could not answer. None of these is a peer's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The operating system refused a read or write.
    #[error("{context}: {source}")]
    Io {
        /// What was being done, with the path.
        context: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// Stored bytes are not what was written.
    #[error("{0}")]
    Corrupt(String),
    /// Something that was stored is damaged, and not the end of what was being written.
    #[error(
        "{what}, and {records} records behind it are whole: this is damage, not an interrupted \
         write; restore a copy, or run `lesd db repair`, which keeps what is before it"
    )]
    Damaged {
        /// What is damaged.
        what: String,
        /// Whole records of the journal behind the damaged one, at least.
        records: u64,
    },
    /// Another process has the data directory open.
    #[error("the data directory {directory} is in use by process {pid}: stop that process first")]
    Locked {
        /// The directory.
        directory: String,
        /// The process that holds the lock, as it wrote it there.
        pid: String,
    },
    /// The directory holds no chain yet.
    #[error("{0} holds no chain: run `lesd init` first")]
    NotInitialised(String),
    /// The directory was written by another version of the store.
    #[error("{directory} has store version {found}, this program reads version {expected}")]
    Version {
        /// The directory.
        directory: String,
        /// The version in it.
        found: String,
        /// The version that this program writes.
        expected: String,
    },
    /// The directory holds another chain.
    #[error("the data directory has genesis {stored}, the given genesis is {given}")]
    OtherGenesis {
        /// Genesis hash in the directory.
        stored: B256,
        /// Genesis hash that was asked for.
        given: B256,
    },
    /// A block that must be stored is not.
    #[error("block {0} is not stored")]
    UnknownBlock(B256),
    /// A block is stored, but the state after it is not (any more).
    #[error("the state after block {0} is not kept")]
    StateNotKept(B256),
    /// The key-value engine failed; the text names its file.
    #[error("{0}")]
    KeyValue(String),
}

impl BackendError {
    /// Whether only a new start can help: the key-value engine refuses every write after one that
    /// failed, and on a full or broken disk somebody must do something first.
    #[must_use]
    pub const fn ends_writing(&self) -> bool {
        matches!(self, Self::KeyValue(_) | Self::Io { .. })
    }
}
