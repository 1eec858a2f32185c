//! Why an answer is not believed.

use alloy_primitives::B256;
use les_wire::DecodeError;
use merkle_trie::ProofError;

/// An answer that does not prove what it says.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Mistrust {
    /// A proof does not lead from the root to the key.
    #[error("the proof of the {what} under root {root} fails: {error}")]
    Proof {
        /// What was to be proven.
        what: &'static str,
        /// The root that is trusted.
        root: B256,
        /// Where it fails; names the hash that nothing matched.
        error: ProofError,
    },
    /// Nodes that no proof needs; a server must send the least set.
    #[error("{count} nodes of the reply belong to no proof that was asked for")]
    UselessNodes {
        /// How many.
        count: usize,
    },
    /// Something does not have the hash that a trusted header or account names.
    #[error("the {what} should have hash {expected} but has {got}")]
    WrongHash {
        /// What was hashed.
        what: &'static str,
        /// The trusted hash.
        expected: B256,
        /// The hash of what was sent.
        got: B256,
    },
    /// Other than the expected number of items.
    #[error("the reply should have {expected} {what} but has {got}")]
    WrongCount {
        /// What was counted.
        what: &'static str,
        /// What was asked for.
        expected: usize,
        /// What was sent.
        got: usize,
    },
    /// A proven value is not what it should be.
    #[error("the {what} is malformed: {error}")]
    Malformed {
        /// What could not be read.
        what: &'static str,
        /// How.
        error: DecodeError,
    },
    /// A header that is no header.
    #[error("the header with hash {hash} is malformed")]
    MalformedHeader {
        /// Keccak-256 of what was sent.
        hash: B256,
    },
    /// A header of another block than asked for.
    #[error("the header with hash {hash} should have number {expected} but has {got}")]
    WrongNumber {
        /// Hash of the header.
        hash: B256,
        /// Number that was asked for.
        expected: u64,
        /// Its number.
        got: u64,
    },
    /// Bits that cannot be decompressed.
    #[error("the proven bits of the bloom trie are malformed")]
    MalformedBits,
    /// The body has withdrawals although its header has none, or the other way round.
    #[error("withdrawals do not fit the header")]
    Withdrawals,
    /// The server does not have what was asked for.
    #[error("the server does not serve the {what} with hash {hash}")]
    NotServed {
        /// What was asked for.
        what: &'static str,
        /// Its hash.
        hash: B256,
    },
}
