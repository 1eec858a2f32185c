//! Why a header is not valid.

use alloy_primitives::{B64, B256, Bytes, U256};

use crate::clique::ExtraError;
use crate::fork::Fork;

/// A rule that a header breaks: the field, what it had to be and what it is.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each message says what the fields are")]
pub enum HeaderError {
    #[error("parentHash: expected {expected}, found {found}")]
    ParentHash { expected: B256, found: B256 },
    #[error("number: expected {expected}, found {found}")]
    Number { expected: u64, found: u64 },
    #[error("timestamp: expected at least {least}, found {found}")]
    Timestamp { least: u64, found: u64 },
    #[error("extraData: at most {most} bytes, found {found}")]
    ExtraLength { most: usize, found: usize },
    #[error("extraData of a block near the DAO fork: {rule}, found {found}")]
    DaoExtra { rule: &'static str, found: Bytes },
    #[error("extraData: {0}")]
    CliqueExtra(ExtraError),
    #[error("gasLimit: expected {least} to {most}, found {found}")]
    GasLimit { least: u64, most: u64, found: u64 },
    #[error("gasUsed: at most the gas limit {limit}, found {found}")]
    GasUsed { limit: u64, found: u64 },
    #[error("difficulty: expected {expected}, found {found}")]
    Difficulty { expected: U256, found: U256 },
    #[error("difficulty: expected 1 or 2 on a Clique chain, found {found}")]
    CliqueDifficulty { found: U256 },
    #[error("baseFeePerGas: expected {expected}, found {found}")]
    BaseFee { expected: u64, found: u64 },
    #[error("nonce: expected {expected}, found {found}")]
    Nonce { expected: B64, found: B64 },
    #[error("nonce: a Clique vote is 0x0000000000000000 or 0xffffffffffffffff, found {found}")]
    CliqueNonce { found: B64 },
    #[error("miner: a Clique epoch block names no candidate, found {found}")]
    CliqueCandidate { found: alloy_primitives::Address },
    #[error("mixHash: expected {expected}, found {found}")]
    MixHash { expected: B256, found: B256 },
    #[error("sha3Uncles: expected {expected}, found {found}")]
    UnclesHash { expected: B256, found: B256 },
    #[error("{field} is missing, it exists from {} on", fork.field())]
    Missing { field: &'static str, fork: Fork },
    #[error("{field} is there, but {} is not active", fork.field())]
    TooEarly { field: &'static str, fork: Fork },
    #[error("{field} is there, but no supported fork has this field")]
    Unknown { field: &'static str },
    #[error("{} has begun, but the chain is not merged", fork.field())]
    BeforeMerge { fork: Fork },
    #[error("blobGasUsed: a multiple of {unit} and at most {most}, found {found}")]
    BlobGasUsed { unit: u64, most: u64, found: u64 },
    #[error("excessBlobGas: expected {expected}, found {found}")]
    ExcessBlobGas { expected: u64, found: u64 },
    #[error("the parent's blob gas (excess {excess}, used {used}) is out of any chain's reach")]
    ParentBlobGas { excess: u64, used: u64 },
}
