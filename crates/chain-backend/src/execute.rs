//! Execution of one block on the state of its parent.
//!
//! The interpreter is `revm`; what a block does besides its transactions is here: the DAO drain,
//! system calls, rewards, withdrawals, requests, receipts. No type of `revm` leaves this module.

mod balances;
mod call;
mod database;
mod machine;
mod requests;

use alloy_consensus::{
    Eip658Value, EthereumTxEnvelope, Header, Receipt, ReceiptEnvelope, Transaction as _, TxEip4844,
    TxType, Typed2718 as _,
};
use alloy_eips::{eip4895::Withdrawal, eip7840::BlobParams};
use alloy_primitives::{Address, B256, Bloom};
use consensus::Fork;

pub use self::call::{Call, CallError, CallResult, call};
use self::{database::BlockState, machine::Machine};
use crate::{BackendError, WorkingState};

/// A transaction as a block holds it: blobs by hash, without their data.
pub type Transaction = EthereumTxEnvelope<TxEip4844>;

/// Hashes of a block's ancestors by number, for `BLOCKHASH`: at most the last 256 are asked for.
pub type AncestorHashes<'a> = dyn FnMut(u64) -> Result<Option<B256>, BackendError> + 'a;

/// What a chain's configuration says about the execution of one block.
#[derive(Clone, Debug)]
pub struct ExecutionRules {
    /// The newest fork active in the block.
    pub fork: Fork,
    /// Chain id of the transactions (EIP-155).
    pub chain_id: u64,
    /// Whether this is the block that moves the DAO's funds (EIP-779).
    pub dao_drain: bool,
    /// Wei for the beneficiary of a block without uncles; zero after the merge and on Clique.
    pub block_reward: u128,
    /// Limits and price of blobs, from Cancun on (EIP-7840).
    pub blobs: Option<BlobParams>,
    /// The contract whose logs are deposits, from Prague on (EIP-6110).
    pub deposit_contract: Option<Address>,
}

impl ExecutionRules {
    fn since(&self, fork: Fork) -> bool {
        self.fork >= fork
    }
}

/// A block whose header and body belong together.
#[derive(Clone, Copy, Debug)]
pub struct BlockToExecute<'a> {
    /// The header; what it claims about the outcome is not read.
    pub header: &'a Header,
    /// Whom fees and reward go to: the header's beneficiary, on Clique the signer.
    pub beneficiary: Address,
    /// The transactions, in order.
    pub transactions: &'a [Transaction],
    /// The sender of each transaction.
    pub senders: &'a [Address],
    /// Headers of the uncles.
    pub uncles: &'a [Header],
    /// Withdrawals, from Shanghai on (EIP-4895).
    pub withdrawals: &'a [Withdrawal],
}

/// What executing a block gave, besides the changed state.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// One receipt a transaction: with the intermediate state root before Byzantium, with the
    /// status from Byzantium on (EIP-658).
    pub receipts: Vec<ReceiptEnvelope>,
    /// Gas used by all transactions, after refunds.
    pub gas_used: u64,
    /// Union of the receipts' blooms.
    pub bloom: Bloom,
    /// Blob gas used by all transactions (EIP-4844).
    pub blob_gas_used: u64,
    /// Commitment to the requests to the consensus layer, from Prague on (EIP-7685).
    pub requests_hash: Option<B256>,
}

/// A transaction that may not be where it stands in a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transaction {index}: {reason}")]
pub struct RefusedTransaction {
    /// Position in the block, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a block cannot be executed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutionError {
    /// The state could not be read or changed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A transaction may not be in this block.
    #[error(transparent)]
    Transaction(#[from] RefusedTransaction),
    /// A system contract is absent where it must be there, or its call failed.
    #[error("system call to {contract}: {reason}")]
    SystemCall {
        /// The contract.
        contract: Address,
        /// What is wrong.
        reason: String,
    },
    /// A log of the deposit contract is no deposit (EIP-6110).
    #[error("the deposit contract logged {0} bytes that are no deposit")]
    DepositLayout(usize),
}

/// Executes a block and applies its changes to `state`, which is the state after its parent.
/// Nothing of the header's claims is checked: the caller compares them with the outcome.
pub fn execute_block(
    rules: &ExecutionRules,
    block: &BlockToExecute<'_>,
    state: &mut dyn WorkingState,
    ancestors: &mut AncestorHashes<'_>,
) -> Result<Outcome, ExecutionError> {
    execute(rules, block, state, ancestors, &mut |refused| Err(refused.into()))
}

/// As [`execute_block`], but leaves out transactions that cannot be executed where they stand, as
/// if the block did not hold them. Which these are comes with the outcome.
pub(crate) fn execute_candidates(
    rules: &ExecutionRules,
    block: &BlockToExecute<'_>,
    state: &mut dyn WorkingState,
    ancestors: &mut AncestorHashes<'_>,
) -> Result<(Outcome, Vec<RefusedTransaction>), ExecutionError> {
    let mut left_out = Vec::new();
    let outcome = execute(rules, block, state, ancestors, &mut |refused| {
        left_out.push(refused);
        Ok(())
    })?;
    Ok((outcome, left_out))
}

/// Decides whether a block goes on without a transaction that cannot be executed.
type OnRefused<'a> = dyn FnMut(RefusedTransaction) -> Result<(), ExecutionError> + 'a;

fn execute(
    rules: &ExecutionRules,
    block: &BlockToExecute<'_>,
    state: &mut dyn WorkingState,
    ancestors: &mut AncestorHashes<'_>,
    on_refused: &mut OnRefused<'_>,
) -> Result<Outcome, ExecutionError> {
    let mut accounts = BlockState::new(state, ancestors, rules.fork);
    if rules.dao_drain {
        balances::drain_dao(&mut accounts)?;
    }
    let mut machine = Machine::new(rules, block, accounts);
    if rules.since(Fork::Cancun)
        && let Some(root) = block.header.parent_beacon_block_root
    {
        requests::store_beacon_root(&mut machine, root)?;
    }
    if rules.since(Fork::Prague) {
        requests::store_parent_hash(&mut machine, block.header.parent_hash)?;
    }
    let mut outcome = Outcome {
        receipts: Vec::with_capacity(block.transactions.len()),
        gas_used: 0,
        bloom: Bloom::ZERO,
        blob_gas_used: 0,
        requests_hash: None,
    };
    for index in 0..block.transactions.len() {
        match execute_transaction(rules, block, &mut machine, index, &mut outcome) {
            Err(ExecutionError::Transaction(refused)) => on_refused(refused)?,
            executed => executed?,
        }
    }
    if rules.since(Fork::Prague) {
        let hash = requests::collect(&mut machine, rules.deposit_contract, &outcome.receipts)?;
        outcome.requests_hash = Some(hash);
    }
    let accounts = machine.state_mut();
    balances::pay_rewards(accounts, rules.block_reward, block)?;
    balances::pay_withdrawals(accounts, block.withdrawals)?;
    accounts.apply()?;
    Ok(outcome)
}

/// Executes one transaction and adds what it did to `outcome`, which it leaves alone on failure.
fn execute_transaction(
    rules: &ExecutionRules,
    block: &BlockToExecute<'_>,
    machine: &mut Machine<'_>,
    index: usize,
    outcome: &mut Outcome,
) -> Result<(), ExecutionError> {
    let refuse = |reason: String| RefusedTransaction { index, reason };
    let (Some(transaction), Some(sender)) =
        (block.transactions.get(index), block.senders.get(index))
    else {
        return Err(refuse("it has no sender".to_owned()).into());
    };
    let left = block.header.gas_limit.saturating_sub(outcome.gas_used);
    if transaction.gas_limit() > left {
        let limit = transaction.gas_limit();
        let reason = format!("gas limit {limit} is above the {left} left in the block");
        return Err(refuse(reason).into());
    }
    let blob_gas = transaction.blob_gas_used().unwrap_or_default();
    let blob_gas_used = outcome.blob_gas_used.saturating_add(blob_gas);
    let most = rules.blobs.map_or(0, |blobs| blobs.max_blob_gas_per_block());
    if blob_gas_used > most {
        let reason = format!("blob gas {blob_gas_used} is above the block's limit of {most}");
        return Err(refuse(reason).into());
    }
    // Before anything is executed: what has no receipt must leave no trace.
    let kind = TxType::try_from(transaction.ty())
        .map_err(|_| refuse(format!("type {} has no receipt", transaction.ty())))?;
    let result = machine.transact(transaction, *sender, index)?;
    outcome.blob_gas_used = blob_gas_used;
    outcome.gas_used = outcome.gas_used.saturating_add(result.gas_used);
    let status = if rules.since(Fork::Byzantium) {
        Eip658Value::Eip658(result.success)
    } else {
        Eip658Value::PostState(machine.state_mut().root()?)
    };
    let receipt = Receipt { status, cumulative_gas_used: outcome.gas_used, logs: result.logs };
    let receipt = ReceiptEnvelope::from_typed(kind, receipt.with_bloom());
    outcome.bloom |= *receipt.logs_bloom();
    outcome.receipts.push(receipt);
    Ok(())
}
