//! Builds blocks and stores them: for tests that need a chain.
//!
//! What was built is imported like a block from a file, so nothing is stored that the import would
//! refuse.

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use consensus::ChainSpec;

use crate::{BlockBuilder, BuildError, Draft, ImportError, Importer, Store};

/// Why a block cannot be added to a chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtendError {
    /// It cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The finished block breaks a rule, as with a timestamp before the parent's.
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// Builds blocks on a store, and stores them.
#[derive(Debug)]
pub struct ChainBuilder {
    builder: BlockBuilder,
    importer: Importer,
}

impl ChainBuilder {
    /// A builder on a chain whose seals need no key: `importer` must take proof of work for done.
    pub fn new(store: Arc<Store>, spec: Arc<ChainSpec>, importer: Importer) -> Self {
        Self { builder: BlockBuilder::new(store, spec), importer }
    }

    /// Signs Clique blocks with this key, whose address is `signer`.
    #[must_use]
    pub fn with_signer(mut self, secret_key: B256, signer: Address) -> Self {
        self.builder = self.builder.with_signer(secret_key, signer);
        self
    }

    /// Builds a block on a stored one and imports it. Returns its RLP.
    ///
    /// # Errors
    /// If a transaction cannot be executed, or the block breaks a rule.
    pub fn extend(&mut self, parent: &B256, draft: Draft) -> Result<Vec<u8>, ExtendError> {
        let block = self.builder.build(parent, draft)?;
        self.importer.import_rlp(&block.rlp)?;
        Ok(block.rlp)
    }
}
