//! What can go wrong, in words that say what to do.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use alloy_primitives::B256;
use light_client::{ConnectionError, Mistrust, SendError, SyncError};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host has no address.
    #[error("cannot find the address of {host}: {error}")]
    Resolve {
        /// The host.
        host: String,
        /// Why.
        error: io::Error,
    },
    /// Nobody listens.
    #[error("cannot connect to {address}: {error}. Is the server running, and the port open?")]
    Connect {
        /// Host and port.
        address: String,
        /// Why.
        error: io::Error,
    },
    /// The socket failed.
    #[error("the connection to the server failed: {0}")]
    Socket(io::Error),
    /// The server hung up without a word.
    #[error(
        "the server closed the connection during {during}. It says nothing more; a wrong key in \
         the enode, or a full server, look like this"
    )]
    HungUp {
        /// What was going on.
        during: &'static str,
    },
    /// Silence.
    #[error("no {awaited} from the server within {} seconds; try again, or give it more time with \
             --timeout", .after.as_secs())]
    Timeout {
        /// What was awaited.
        awaited: &'static str,
        /// How long.
        after: Duration,
    },
    /// The protocol was broken.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// A request could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The server stops again and again.
    #[error("the server stopped {times} times instead of answering; it is overloaded")]
    Overloaded {
        /// How often.
        times: usize,
    },
    /// An answer is not proven.
    #[error("the server's answer is wrong and is not believed: {0}")]
    Mistrust(#[from] Mistrust),
    /// The headers are not a chain.
    #[error("the server's headers are not believed: {0}")]
    Sync(#[from] SyncError),
    /// The server lacks what was asked for.
    #[error("the server does not have {what}{hint}")]
    NotServed {
        /// What was asked for.
        what: String,
        /// What could be done.
        hint: String,
    },
    /// The genesis file.
    #[error("cannot use the genesis file {}: {reason}", .path.display())]
    Genesis {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Another chain.
    #[error("the server is on another chain: its genesis is {theirs}, that of the file is {ours}")]
    OtherGenesis {
        /// From the server's Status.
        theirs: B256,
        /// Of the file.
        ours: B256,
    },
    /// Nothing to begin with.
    #[error(
        "say what to trust: --genesis FILE checks every header, --trusted-hash HASH begins at a \
         block that you know, --cht-root N:HASH at a trie root that you know, --trust-head \
         believes the server's newest block"
    )]
    NoTrust,
    /// The server says nothing of a head.
    #[error("the server's Status does not name its head; it serves nothing")]
    NoHead,
    /// A block beyond the trusted ones.
    #[error("block {number} is newer than the newest trusted block {newest}")]
    Beyond {
        /// The block.
        number: u64,
        /// The newest trusted one.
        newest: u64,
    },
    /// A block of another branch.
    #[error("block {hash} is not on the trusted chain: block {number} there is {trusted}")]
    OtherBranch {
        /// Its number.
        number: u64,
        /// Its hash.
        hash: B256,
        /// The trusted hash of that number.
        trusted: B256,
    },
    /// No such transaction.
    #[error("the server knows of no block with transaction {hash}{reason}. This is not proven")]
    UnknownTransaction {
        /// Its hash.
        hash: B256,
        /// What the server says about it.
        reason: String,
    },
    /// Output failed.
    #[error("cannot write the answer: {0}")]
    Output(io::Error),
}
