//! Why a block is refused.

use alloy_primitives::{B256, Bloom};
use consensus::{HeaderError, UncleError, clique::CliqueError, ethash::EthashError};

use crate::{BackendError, ExecutionError, SenderError};

/// A block that breaks a rule.
#[derive(Debug, thiserror::Error)]
#[error("block {number} ({hash}) is refused: {reason}")]
pub struct RefusedBlock {
    /// Its number, as its header says.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// The rule.
    pub reason: Refusal,
}

/// The rule that a block breaks. What its header says stands before what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It stands on no block that is stored.
    #[error("its parent {0} is not known")]
    UnknownParent(B256),
    /// It stands on a block whose state is no longer kept: its chain leaves ours too far back. It
    /// may be valid.
    #[error("the state after its parent {0} is not kept")]
    TooOld(B256),
    /// A field of the header does not follow from its parent.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// An uncle may not be here.
    #[error(transparent)]
    Uncle(#[from] UncleError),
    /// The signature is not of whom it must be (EIP-225).
    #[error("Clique: {0}")]
    Clique(#[from] CliqueError),
    /// The work was not done.
    #[error("ethash: {0}")]
    Ethash(#[from] EthashError),
    /// The header commits to something else.
    #[error("{field}: the header has {header}, computed {computed}")]
    Hash {
        /// Name of the header field in JSON.
        field: &'static str,
        /// What the header says.
        header: B256,
        /// What the block gives.
        computed: B256,
    },
    /// A number in the header is not what execution gives.
    #[error("{field}: the header has {header}, computed {computed}")]
    Number {
        /// Name of the header field in JSON.
        field: &'static str,
        /// What the header says.
        header: u64,
        /// What the block gives.
        computed: u64,
    },
    /// The bloom in the header is not that of the receipts.
    #[error("logsBloom: the header has {0}, computed {1}")]
    Bloom(Box<Bloom>, Box<Bloom>),
    /// The body has withdrawals where there are none yet, or has none where there must be.
    #[error(
        "withdrawals: the list is {}",
        if *.0 { "not expected before Shanghai" } else { "missing" }
    )]
    Withdrawals(bool),
    /// More bytes than EIP-7934 allows.
    #[error("its RLP has {length} bytes, allowed are {limit} (EIP-7934)")]
    TooLarge {
        /// Bytes of the block.
        length: usize,
        /// Most bytes.
        limit: usize,
    },
    /// A transaction has no sender.
    #[error("transaction {index}: {error}")]
    Sender {
        /// Position in the block, from 0.
        index: usize,
        /// What is wrong with its signature.
        error: SenderError,
    },
    /// It cannot be executed.
    #[error(transparent)]
    Execution(ExecutionError),
    /// The store failed: no fault of the block.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl From<ExecutionError> for Refusal {
    fn from(error: ExecutionError) -> Self {
        if let ExecutionError::Backend(error) = error {
            return Self::Backend(error);
        }
        Self::Execution(error)
    }
}
