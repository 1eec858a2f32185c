//! What a header says about its body and about the outcome of executing it.

use alloy_consensus::Header;
use alloy_eips::Encodable2718 as _;
use alloy_primitives::B256;
use consensus::Fork;

use super::{Block, Refusal, root};
use crate::Outcome;

/// Most bytes of a block's RLP from Osaka on: 10 MiB less 2 MiB for the consensus layer's part
/// (EIP-7934).
const MAX_RLP_BLOCK_BYTES: usize = 8 << 20;

/// Compares the body with the header.
pub(super) fn body(block: &Block, fork: Fork) -> Result<(), Refusal> {
    let header = &block.header;
    same_hash("transactionsRoot", header.transactions_root, block.roots.transactions)?;
    same_hash("sha3Uncles", header.ommers_hash, block.roots.uncles)?;
    match (header.withdrawals_root, block.roots.withdrawals) {
        (Some(root), Some(computed)) => same_hash("withdrawalsRoot", root, computed)?,
        (None, None) => (),
        (None, Some(_)) => return Err(Refusal::Withdrawals(true)),
        (Some(_), None) => return Err(Refusal::Withdrawals(false)),
    }
    if fork >= Fork::Osaka && block.length > MAX_RLP_BLOCK_BYTES {
        return Err(Refusal::TooLarge { length: block.length, limit: MAX_RLP_BLOCK_BYTES });
    }
    Ok(())
}

/// Compares what execution gave with the header, except for the state root.
pub(super) fn outcome(header: &Header, outcome: &Outcome) -> Result<(), Refusal> {
    same_number("gasUsed", header.gas_used, outcome.gas_used)?;
    if header.logs_bloom != outcome.bloom {
        return Err(Refusal::Bloom(header.logs_bloom.into(), outcome.bloom.into()));
    }
    same_hash("receiptsRoot", header.receipts_root, receipts_root(outcome))?;
    if let Some(used) = header.blob_gas_used {
        same_number("blobGasUsed", used, outcome.blob_gas_used)?;
    }
    match (header.requests_hash, outcome.requests_hash) {
        (Some(hash), Some(computed)) => same_hash("requestsHash", hash, computed),
        // Whether the field is there is a rule of the header, and checked with it.
        _ => Ok(()),
    }
}

pub(super) fn state_root(header: &Header, computed: B256) -> Result<(), Refusal> {
    same_hash("stateRoot", header.state_root, computed)
}

/// Root of the trie of receipts.
pub(crate) fn receipts_root(outcome: &Outcome) -> B256 {
    let leaves: Vec<_> = outcome.receipts.iter().map(|receipt| receipt.encoded_2718()).collect();
    root(&leaves)
}

fn same_hash(field: &'static str, header: B256, computed: B256) -> Result<(), Refusal> {
    if header == computed { Ok(()) } else { Err(Refusal::Hash { field, header, computed }) }
}

fn same_number(field: &'static str, header: u64, computed: u64) -> Result<(), Refusal> {
    if header == computed { Ok(()) } else { Err(Refusal::Number { field, header, computed }) }
}
