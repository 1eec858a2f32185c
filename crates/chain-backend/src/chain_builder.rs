//! Builds valid blocks: for development chains and for tests that need a chain.
//!
//! A block is executed to fill its header, sealed, and then imported like one from a file, so
//! nothing is stored that the import would refuse.

use std::sync::Arc;

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_eips::{Encodable2718 as _, eip4895::Withdrawal};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rlp::Encodable as _;
use consensus::{ChainSpec, Engine, Fork, Position, clique, next_base_fee};

use crate::{
    Backend as _, BackendError, BlockToExecute, ExecutionError, ImportError, Importer, Refusal,
    SenderError, Store, Transaction, WorkingState as _, execute_block,
    import::{Ancestry, receipts_root, root, rules_at},
    recover_senders,
};

/// Bytes before and after the list of signers in a Clique header's extra data (EIP-225).
const CLIQUE_VANITY: usize = 32;
const CLIQUE_SEAL: usize = 65;

/// What its maker decides about a block.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Seconds since 1970; later than the parent's.
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
    /// The finished block breaks a rule, as with a timestamp before the parent's.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A Clique chain needs a signer's key.
    #[error("a Clique block needs the key of a signer")]
    NoKey,
    /// The key cannot sign.
    #[error("Clique: {0}")]
    Clique(#[from] clique::CliqueError),
}

impl From<BackendError> for BuildError {
    fn from(error: BackendError) -> Self {
        Self::Refused(Refusal::Backend(error))
    }
}

/// Builds blocks on a store, and stores them.
#[derive(Debug)]
pub struct ChainBuilder {
    store: Arc<Store>,
    spec: Arc<ChainSpec>,
    importer: Importer,
    /// Secret key of the signer on a Clique chain, and its address.
    signer: Option<(B256, Address)>,
}

impl ChainBuilder {
    /// A builder on a chain whose seals need no key: `importer` must take proof of work for done.
    pub fn new(store: Arc<Store>, spec: Arc<ChainSpec>, importer: Importer) -> Self {
        Self { store, spec, importer, signer: None }
    }

    /// Signs Clique blocks with this key, whose address is `signer`.
    #[must_use]
    pub fn with_signer(mut self, secret_key: B256, signer: Address) -> Self {
        self.signer = Some((secret_key, signer));
        self
    }

    /// Builds a block on a stored one and imports it. Returns its RLP.
    pub fn extend(&mut self, parent: &B256, draft: Draft) -> Result<Vec<u8>, BuildError> {
        let snapshot = self.store.snapshot();
        let mut ancestry = Ancestry::new(&*snapshot, *parent);
        let above = ancestry.parent_header()?;
        let difficulty = snapshot.total_difficulty(parent)?.unwrap_or_default();
        let mut header = self.header(&above, *parent, difficulty, &draft, &ancestry)?;
        let body = Body { transactions: &draft.transactions, withdrawals: &draft.withdrawals };
        body.commit_to(&mut header);
        let rules = rules_at(&self.spec, &header);
        let senders = recover_senders(&rules, &draft.transactions)
            .map_err(|(index, error)| BuildError::Sender { index, error })?;
        let clique = matches!(self.spec.engine(), Engine::Clique(_));
        let signs = clique && !self.spec.position(&header).merged;
        let block = BlockToExecute {
            header: &header,
            beneficiary: self.signer.filter(|_| signs).map_or(draft.beneficiary, |signer| signer.1),
            transactions: &draft.transactions,
            senders: &senders,
            uncles: &[],
            withdrawals: if header.withdrawals_root.is_some() { &draft.withdrawals } else { &[] },
        };
        let mut state = self.store.working_state(parent)?;
        let outcome =
            execute_block(&rules, &block, &mut state, &mut |number| ancestry.hash(number))?;
        header.state_root = state.root()?;
        header.receipts_root = receipts_root(&outcome);
        header.logs_bloom = outcome.bloom;
        header.gas_used = outcome.gas_used;
        header.blob_gas_used = header.blob_gas_used.map(|_| outcome.blob_gas_used);
        header.requests_hash = outcome.requests_hash;
        if signs && let Some((key, _)) = &self.signer {
            clique::sign(&mut header, key)?;
        }
        let rlp = body.join(&header);
        self.importer.import_rlp(&rlp)?;
        Ok(rlp)
    }

    /// The header as far as it is known before execution.
    fn header(
        &self,
        parent: &Header,
        parent_hash: B256,
        total_difficulty: U256,
        draft: &Draft,
        ancestry: &Ancestry<'_>,
    ) -> Result<Header, BuildError> {
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
        let mut header = Header {
            parent_hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: draft.beneficiary,
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
        };
        if position.merged {
            return Ok(header);
        }
        match self.spec.engine() {
            Engine::Ethash => {
                header.difficulty = self.spec.next_difficulty(parent, draft.timestamp);
            }
            Engine::Clique(config) => {
                let (_, signer) = self.signer.ok_or(BuildError::NoKey)?;
                let signers = self.importer.seals().signers_after(config, ancestry)?;
                header.difficulty = signers.difficulty_for(signer);
                let mut extra = vec![0; CLIQUE_VANITY];
                if header.number.checked_rem(config.epoch) == Some(0) {
                    signers.signers().for_each(|signer| extra.extend_from_slice(signer.as_slice()));
                }
                extra.resize(extra.len() + CLIQUE_SEAL, 0);
                header.extra_data = Bytes::from(extra);
            }
        }
        Ok(header)
    }
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
