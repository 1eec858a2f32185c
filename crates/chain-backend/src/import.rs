//! Import: blocks are checked, executed and stored, one after the other.
//!
//! A block is stored whole or not at all, and one that is stored already is not executed again,
//! so an import that was interrupted at any instant goes on where it was when it is started anew.
//!
//! The canonical chain is the one with the highest total difficulty, the first seen of two equal
//! ones; after the merge the head is what was imported last.

mod ancestry;
mod block;
mod check;
mod file;
mod pipeline;
mod refusal;
mod rules;
mod seal;
mod segment;

use std::sync::Arc;

use alloy_consensus::Header;
use alloy_primitives::{B256, U256};
use alloy_rlp::Encodable as _;
use consensus::{ChainSpec, Parent};

use self::pipeline::Prepared;
pub use self::rules::rules_at;
pub(crate) use self::{
    ancestry::{Ancestry, header},
    block::root,
    check::receipts_root,
};
pub use self::{
    block::{Block, BlockDecodeError, BodyRoots},
    file::{FileError, MAX_BLOCK_BYTES},
    pipeline::{ImportSummary, Progress},
    refusal::{Refusal, RefusedBlock},
    seal::SealCaches,
    segment::{ImportedSegment, SegmentError},
};
use crate::{
    Backend as _, BackendError, BlockToExecute, ExecutedBlock, Outcome, Snapshot, Store,
    execute_block,
};

/// Why an import ended early. What was imported before stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file could not be read, or holds something that is no block.
    #[error(transparent)]
    File(#[from] FileError),
    /// A block breaks a rule.
    #[error(transparent)]
    Refused(#[from] Box<RefusedBlock>),
    /// The store failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It was executed and stored.
    New,
    /// It was stored before.
    Known,
}

/// Imports blocks into a store.
#[derive(Debug)]
pub struct Importer {
    store: Arc<Store>,
    spec: Arc<ChainSpec>,
    seals: SealCaches,
}

impl Importer {
    /// An importer for the chain with these rules. `seals` may come from another importer.
    pub fn new(store: Arc<Store>, spec: Arc<ChainSpec>, seals: SealCaches) -> Self {
        Self { store, spec, seals }
    }

    /// What was computed to check seals, for the next importer of the same chain.
    pub fn into_seals(self) -> SealCaches {
        self.seals
    }

    /// Imports one block from its RLP, and makes it the head if the fork choice says so.
    pub fn import_rlp(&mut self, bytes: &[u8]) -> Result<Imported, ImportError> {
        let block =
            Block::decode(bytes).map_err(|error| FileError::Malformed { offset: 0, error })?;
        self.import(block)
    }

    /// Imports one block, and makes it the head if the fork choice says so.
    pub fn import(&mut self, block: Block) -> Result<Imported, ImportError> {
        let hash = block.hash;
        let imported = self.process(Prepared::new(&self.spec, block))?;
        self.choose_last(&hash)?;
        Ok(imported)
    }

    /// Checks, executes and stores a block. The head moves if the block is heavier, or stands on
    /// the head after the merge.
    fn process(&mut self, prepared: Prepared) -> Result<Imported, ImportError> {
        let hash = prepared.block.hash;
        let snapshot = self.store.snapshot();
        let number = prepared.block.header.number;
        let (imported, total_difficulty) = match finished(&*snapshot, &hash, number)? {
            Some(total_difficulty) => (Imported::Known, total_difficulty),
            None => {
                let executed = self.execute(&*snapshot, &prepared);
                (Imported::New, executed.map_err(|reason| import_error(number, hash, reason))?)
            }
        };
        self.choose_heavier(&*snapshot, &prepared.block, total_difficulty)?;
        Ok(imported)
    }

    /// Checks and executes a block that is not stored, stores it, gives its total difficulty.
    fn execute(&mut self, snapshot: &dyn Snapshot, prepared: &Prepared) -> Result<U256, Refusal> {
        let (block, header) = (&prepared.block, &prepared.block.header);
        let mut ancestry = Ancestry::new(snapshot, header.parent_hash);
        let parent = ancestry.parent_header()?;
        let parent_difficulty = snapshot
            .total_difficulty(&header.parent_hash)?
            .ok_or(Refusal::UnknownParent(header.parent_hash))?;
        consensus::check_header(
            &self.spec,
            header,
            &Parent {
                header: &parent,
                hash: header.parent_hash,
                total_difficulty: parent_difficulty,
            },
        )?;
        check::body(block, prepared.rules.fork)?;
        if !block.uncles.is_empty() {
            ancestry.check_uncles(&self.spec, header, &block.uncles)?;
        }
        let beneficiary = self.seals.check(&self.spec, &ancestry, block)?;
        let senders = prepared
            .senders()
            .as_ref()
            .map_err(|(index, error)| Refusal::Sender { index: *index, error: *error })?;
        let mut state = self.store.working_state(&header.parent_hash).map_err(too_old)?;
        let outcome = execute_block(
            &prepared.rules,
            &BlockToExecute {
                header,
                beneficiary,
                transactions: &block.transactions,
                senders,
                uncles: &block.uncles,
                withdrawals: block.withdrawals.as_deref().unwrap_or_default(),
            },
            &mut state,
            &mut |number| ancestry.hash(number),
        )?;
        check::outcome(header, &outcome)?;
        let state = state.commit()?;
        check::state_root(header, state.root)?;
        let total_difficulty = parent_difficulty.saturating_add(header.difficulty);
        self.store.insert(ExecutedBlock {
            hash: block.hash,
            number: header.number,
            parent: header.parent_hash,
            header: block.header_rlp.clone(),
            body: block.body_rlp.clone(),
            receipts: receipts_rlp(&outcome),
            transactions: block.transactions.iter().map(|tx| *tx.tx_hash()).collect(),
            total_difficulty,
            state,
        })?;
        Ok(total_difficulty)
    }

    fn choose_heavier(
        &self,
        snapshot: &dyn Snapshot,
        block: &Block,
        total_difficulty: U256,
    ) -> Result<(), BackendError> {
        let head = snapshot.head();
        let extends = block.header.parent_hash == head.hash;
        let chosen = if self.is_merged(&block.header) {
            extends
        } else {
            total_difficulty > head.total_difficulty && !self.head_is_merged(snapshot)?
        };
        if chosen { self.store.set_head(&block.hash) } else { Ok(()) }
    }

    /// After the merge the last block of an import is the head, unless it is canonical already.
    fn choose_last(&self, hash: &B256) -> Result<(), BackendError> {
        let snapshot = self.store.snapshot();
        let Some(header) = header(&*snapshot, hash)? else { return Ok(()) };
        let canonical = snapshot.canonical_hash(header.number)? == Some(*hash);
        if self.is_merged(&header) && !canonical {
            return self.store.set_head(hash);
        }
        Ok(())
    }

    fn head_is_merged(&self, snapshot: &dyn Snapshot) -> Result<bool, BackendError> {
        let head = header(snapshot, &snapshot.head().hash)?;
        Ok(head.is_some_and(|head| head.number > 0 && self.is_merged(&head)))
    }

    fn is_merged(&self, header: &Header) -> bool {
        self.spec.position(header).merged
    }
}

/// The total difficulty of a block that need not be executed: a canonical one, or one whose state
/// is kept. A block of an old side chain is stored without its state, and is executed again.
fn finished(
    snapshot: &dyn Snapshot,
    hash: &B256,
    number: u64,
) -> Result<Option<U256>, BackendError> {
    let Some(total_difficulty) = snapshot.total_difficulty(hash)? else { return Ok(None) };
    let finished =
        snapshot.canonical_hash(number)? == Some(*hash) || snapshot.state(hash)?.is_some();
    Ok(finished.then_some(total_difficulty))
}

fn too_old(error: BackendError) -> Refusal {
    if let BackendError::StateNotKept(parent) = error {
        return Refusal::TooOld(parent);
    }
    Refusal::Backend(error)
}

/// A failing store is not the block's fault.
fn import_error(number: u64, hash: B256, reason: Refusal) -> ImportError {
    if let Refusal::Backend(error) = reason {
        return ImportError::Backend(error);
    }
    Box::new(RefusedBlock { number, hash, reason }).into()
}

/// The list of receipts as the wire and the store hold it: typed ones as byte strings.
pub(crate) fn receipts_rlp(outcome: &Outcome) -> Vec<u8> {
    let mut rlp = Vec::new();
    outcome.receipts.encode(&mut rlp);
    rlp
}
