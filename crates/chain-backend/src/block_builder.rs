//! Builds blocks that an import accepts: executed, with every field filled, and sealed. Nothing is
//! stored here.

use std::sync::Arc;

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_eips::{Encodable2718 as _, eip4895::Withdrawal};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rlp::Encodable as _;
use consensus::{ChainSpec, CliqueConfig, Engine, Fork, Position, clique, next_base_fee};

use crate::{
    Backend as _, BackendError, BlockToExecute, ExecutionError, ExecutionRules, Outcome, Refusal,
    SealCaches, SenderError, Store, Transaction, WorkingState as _,
    execute::execute_candidates,
    execute_block,
    import::{Ancestry, receipts_root, root, rules_at},
    recover_senders,
};

/// What its maker decides about a block.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Seconds since 1970; later than the parent's, on a Clique chain by its period.
    pub timestamp: u64,
    /// Most gas of all transactions; within 1/1024 of the parent's.
    pub gas_limit: u64,
    /// Whom fees and reward go to. On a Clique chain before the merge it is a vote: leave it zero.
    pub beneficiary: Address,
    /// The transactions, in order.
    pub transactions: Vec<Transaction>,
    /// Withdrawals, used from Shanghai on.
    pub withdrawals: Vec<Withdrawal>,
}

/// A block that is ready to be imported.
#[derive(Clone, Debug)]
pub struct BuiltBlock {
    /// The whole block.
    pub rlp: Vec<u8>,
    /// How many transactions it holds.
    pub transactions: usize,
    /// Candidates that it does not hold, and why.
    pub left_out: Vec<LeftOut>,
}

/// A candidate that is not in the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Hash of the transaction.
    pub hash: B256,
    /// What was wrong with it in this block.
    pub reason: String,
}

/// Why a block cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The parent is not stored, or its descendants cannot be sealed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A transaction has no sender.
    #[error("transaction {index}: {error}")]
    Sender {
        /// Position in the block, from 0.
        index: usize,
        /// What is wrong with its signature.
        error: SenderError,
    },
    /// A transaction cannot be executed.
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    /// A Clique chain needs a signer's key.
    #[error("a Clique block needs the key of a signer")]
    NoKey,
    /// The key cannot sign, or its owner may not sign this block.
    #[error("Clique: {0}")]
    Clique(#[from] clique::CliqueError),
}

impl From<BackendError> for BuildError {
    fn from(error: BackendError) -> Self {
        Self::Refused(Refusal::Backend(error))
    }
}

/// Builds blocks on those of a store.
#[derive(Debug)]
pub struct BlockBuilder {
    store: Arc<Store>,
    spec: Arc<ChainSpec>,
    /// Sets of Clique signers after recent blocks.
    seals: SealCaches,
    /// Secret key of the signer on a Clique chain, and its address.
    signer: Option<Signer>,
}

#[derive(Clone, Copy)]
struct Signer {
    secret_key: B256,
    address: Address,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Signer({})", self.address)
    }
}

/// What happens with a transaction that cannot be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// There is no block.
    All,
    /// The block does without it.
    WhatExecutes,
}

impl BlockBuilder {
    /// A builder on a chain whose blocks need no seal.
    pub fn new(store: Arc<Store>, spec: Arc<ChainSpec>) -> Self {
        Self { store, spec, seals: SealCaches::new(true), signer: None }
    }

    /// Signs Clique blocks with this key, whose address is `address`.
    #[must_use]
    pub fn with_signer(mut self, secret_key: B256, address: Address) -> Self {
        self.signer = Some(Signer { secret_key, address });
        self
    }

    /// Builds a block that holds all transactions of its draft.
    ///
    /// # Errors
    /// If one of them cannot be executed, the parent is not stored, or nobody can sign.
    pub fn build(&mut self, parent: &B256, draft: Draft) -> Result<BuiltBlock, BuildError> {
        self.assemble(parent, draft, Choice::All)
    }

    /// Builds a block that holds those transactions of its draft that can be executed, in their
    /// order. One that cannot fails no block.
    ///
    /// # Errors
    /// If the parent is not stored, or nobody can sign.
    pub fn build_from(&mut self, parent: &B256, draft: Draft) -> Result<BuiltBlock, BuildError> {
        self.assemble(parent, draft, Choice::WhatExecutes)
    }

    fn assemble(
        &mut self,
        parent: &B256,
        mut draft: Draft,
        choice: Choice,
    ) -> Result<BuiltBlock, BuildError> {
        let snapshot = self.store.snapshot();
        let mut ancestry = Ancestry::new(&*snapshot, *parent);
        let above = ancestry.parent_header()?;
        let difficulty = snapshot.total_difficulty(parent)?.unwrap_or_default();
        let mut header = self.unsealed(&above, *parent, difficulty, &draft);
        let seal = self.prepare_seal(&mut header, &ancestry)?;
        let rules = rules_at(&self.spec, &header);
        let mut left_out = Vec::new();
        let senders = senders(&rules, &mut draft.transactions, choice, &mut left_out)?;
        let block = BlockToExecute {
            header: &header,
            beneficiary: seal.as_ref().map_or(draft.beneficiary, |(signer, _)| signer.address),
            transactions: &draft.transactions,
            senders: &senders,
            uncles: &[],
            withdrawals: if header.withdrawals_root.is_some() { &draft.withdrawals } else { &[] },
        };
        let mut state = self.store.working_state(parent)?;
        let mut ancestors = |number| ancestry.hash(number);
        let (outcome, refused) = match choice {
            Choice::All => (execute_block(&rules, &block, &mut state, &mut ancestors)?, Vec::new()),
            Choice::WhatExecutes => execute_candidates(&rules, &block, &mut state, &mut ancestors)?,
        };
        commit_to_outcome(&mut header, &outcome, state.root()?);
        // From the last on: the positions of the others stay what they are.
        for refused in refused.into_iter().rev() {
            let hash = *draft.transactions.remove(refused.index).tx_hash();
            left_out.push(LeftOut { hash, reason: refused.reason });
        }
        let body = Body { transactions: &draft.transactions, withdrawals: &draft.withdrawals };
        body.commit_to(&mut header);
        if let Some((signer, mut signers)) = seal {
            clique::sign(&mut header, &signer.secret_key)?;
            signers.apply(&header)?;
            self.seals.keep(signers);
        }
        let transactions = draft.transactions.len();
        Ok(BuiltBlock { rlp: body.join(&header), transactions, left_out })
    }

    /// The header as far as it is known before execution, without what the seal needs.
    fn unsealed(
        &self,
        parent: &Header,
        parent_hash: B256,
        total_difficulty: U256,
        draft: &Draft,
    ) -> Header {
        let position = Position {
            number: parent.number + 1,
            timestamp: draft.timestamp,
            merged: self.spec.merged_after(total_difficulty),
        };
        let active = |fork| self.spec.is_active(fork, position);
        let excess_blob_gas = self.spec.blob_params(position).map(|blobs| {
            blobs.next_block_excess_blob_gas_osaka(
                parent.excess_blob_gas.unwrap_or_default(),
                parent.blob_gas_used.unwrap_or_default(),
                parent.base_fee_per_gas.unwrap_or_default(),
            )
        });
        let difficulty = match self.spec.engine() {
            Engine::Ethash if !position.merged => {
                self.spec.next_difficulty(parent, draft.timestamp)
            }
            Engine::Clique(_) if !position.merged => clique::IN_TURN,
            Engine::Ethash | Engine::Clique(_) => U256::ZERO,
        };
        Header {
            parent_hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: draft.beneficiary,
            difficulty,
            number: position.number,
            timestamp: position.timestamp,
            gas_limit: draft.gas_limit,
            base_fee_per_gas: active(Fork::London).then(|| next_base_fee(parent)),
            withdrawals_root: active(Fork::Shanghai).then_some(B256::ZERO),
            blob_gas_used: active(Fork::Cancun).then_some(0),
            excess_blob_gas,
            parent_beacon_block_root: active(Fork::Cancun).then_some(B256::ZERO),
            requests_hash: active(Fork::Prague).then_some(B256::ZERO),
            ..Header::default()
        }
    }

    /// On a Clique chain before the merge: gives the header its turn and room for the seal, and
    /// says who signs.
    fn prepare_seal(
        &self,
        header: &mut Header,
        ancestry: &Ancestry<'_>,
    ) -> Result<Option<(Signer, clique::Snapshot)>, BuildError> {
        let Engine::Clique(config) = self.spec.engine() else { return Ok(None) };
        if self.spec.position(header).merged {
            return Ok(None);
        }
        let signer = self.signer.ok_or(BuildError::NoKey)?;
        let signers = self.seals.signers_after(config, ancestry)?;
        header.difficulty = signers.difficulty_for(signer.address);
        header.extra_data = unsealed_extra(config, header.number, &signers);
        Ok(Some((signer, signers)))
    }
}

/// Vanity, at an epoch the signers, and room for the seal (EIP-225).
fn unsealed_extra(config: CliqueConfig, number: u64, signers: &clique::Snapshot) -> Bytes {
    let is_epoch = number.checked_rem(config.epoch) == Some(0);
    let listed: Vec<Address> = signers.signers().filter(|_| is_epoch).collect();
    clique::unsealed_extra(&listed)
}

/// The sender of each transaction. Those without one are an error, or are taken out.
fn senders(
    rules: &ExecutionRules,
    transactions: &mut Vec<Transaction>,
    choice: Choice,
    left_out: &mut Vec<LeftOut>,
) -> Result<Vec<Address>, BuildError> {
    if choice == Choice::All {
        return recover_senders(rules, transactions)
            .map_err(|(index, error)| BuildError::Sender { index, error });
    }
    let mut senders = Vec::with_capacity(transactions.len());
    transactions.retain(|transaction| {
        match recover_senders(rules, std::slice::from_ref(transaction)) {
            Ok(found) => {
                senders.extend(found);
                true
            }
            Err((_, error)) => {
                let hash = *transaction.tx_hash();
                left_out.push(LeftOut { hash, reason: error.to_string() });
                false
            }
        }
    });
    Ok(senders)
}

fn commit_to_outcome(header: &mut Header, outcome: &Outcome, state_root: B256) {
    header.state_root = state_root;
    header.receipts_root = receipts_root(outcome);
    header.logs_bloom = outcome.bloom;
    header.gas_used = outcome.gas_used;
    header.blob_gas_used = header.blob_gas_used.map(|_| outcome.blob_gas_used);
    header.requests_hash = outcome.requests_hash;
}

struct Body<'a> {
    transactions: &'a [Transaction],
    withdrawals: &'a [Withdrawal],
}

impl Body<'_> {
    fn commit_to(&self, header: &mut Header) {
        let leaves: Vec<_> = self.transactions.iter().map(|item| item.encoded_2718()).collect();
        header.transactions_root = root(&leaves);
        if header.withdrawals_root.is_some() {
            let leaves: Vec<_> = self.withdrawals.iter().map(alloy_rlp::encode).collect();
            header.withdrawals_root = Some(root(&leaves));
        }
    }

    fn join(&self, header: &Header) -> Vec<u8> {
        let mut fields = alloy_rlp::encode(header);
        self.transactions.to_vec().encode(&mut fields);
        Vec::<Header>::new().encode(&mut fields);
        if header.withdrawals_root.is_some() {
            self.withdrawals.to_vec().encode(&mut fields);
        }
        let mut block = Vec::with_capacity(fields.len() + 9);
        alloy_rlp::Header { list: true, payload_length: fields.len() }.encode(&mut block);
        block.extend_from_slice(&fields);
        block
    }
}
