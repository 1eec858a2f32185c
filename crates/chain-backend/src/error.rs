//! What can go wrong in the store.

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
    /// The key-value engine failed.
    #[error("key-value store: {0}")]
    KeyValue(String),
}
