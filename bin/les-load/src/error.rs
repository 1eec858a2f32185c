//! What keeps a run from taking place, and what makes a reply wrong.

use std::io;
use std::path::PathBuf;

use light_client::{ConnectionError, Mistrust, SendError};

/// Why a run did not take place or a connection ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The event loop could not be made.
    #[error("cannot wait for sockets: {0}")]
    Runtime(io::Error),
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
    Socket(#[from] io::Error),
    /// The server hung up without a word.
    #[error("the server closed the connection without a word")]
    HungUp,
    /// Silence.
    #[error("the server sent no {awaited} within {seconds} s")]
    Silence {
        /// What was awaited.
        awaited: &'static str,
        /// How long.
        seconds: u64,
    },
    /// The protocol was broken, or the server disconnected.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// A request could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The first look at the chain already showed a wrong answer.
    #[error("the server's answers are not believed: {0}")]
    Wrong(#[from] Wrong),
    /// The manifest.
    #[error("cannot use the manifest {}: {reason}", .path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Nothing of this kind can be asked for.
    #[error("nothing to ask for: {0}")]
    NothingToAsk(&'static str),
    /// No connection came about.
    #[error("no connection came about; the first failed so: {0}")]
    NoConnection(String),
    /// The server's process.
    #[error("cannot read the figures of process {pid}: {reason}")]
    Process {
        /// Its id.
        pid: u32,
        /// Why not.
        reason: String,
    },
    /// Output failed.
    #[error("cannot write the figures: {0}")]
    Output(io::Error),
}

/// Why a reply is wrong.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum Wrong {
    /// It does not prove what it says.
    #[error(transparent)]
    Mistrust(#[from] Mistrust),
    /// It cannot be decoded.
    #[error(transparent)]
    Malformed(#[from] les_wire::DecodeError),
    /// Other than the expected number of items.
    #[error("the reply has {got} {what} instead of {expected}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// Of which there should be so many.
        expected: usize,
        /// But are so many.
        got: usize,
    },
    /// The content answers another question.
    #[error("the reply has {0} that was not asked for")]
    Other(&'static str),
    /// A transaction that is in the chain is not found.
    #[error("a transaction of the chain is not reported as included")]
    NotIncluded,
}
