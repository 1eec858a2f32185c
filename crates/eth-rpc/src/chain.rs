//! Reads of whole blocks and states from one snapshot.

use std::sync::Arc;

use alloy_consensus::{Header, ReceiptEnvelope};
use alloy_primitives::{Address, B256};
use alloy_rlp::Decodable as _;
use chain_backend::{
    BackendError, Block, Snapshot, StateSnapshot, Transaction, recover_senders, rules_at,
};
use consensus::ChainSpec;

use crate::{
    RpcError,
    block_id::{BlockId, BlockTag},
};

/// One view of the chain, and its rules.
pub(crate) struct View<'a> {
    pub(crate) snapshot: Arc<dyn Snapshot>,
    pub(crate) spec: &'a ChainSpec,
}

fn corrupt(part: &str, hash: &B256) -> RpcError {
    BackendError::Corrupt(format!("{part} of block {hash}")).into()
}

impl View<'_> {
    pub(crate) fn header(&self, hash: &B256) -> Result<Option<Header>, RpcError> {
        let mut rlp = Vec::new();
        if !self.snapshot.append_header(hash, &mut rlp)? {
            return Ok(None);
        }
        let header = Header::decode(&mut rlp.as_slice());
        header.map(Some).map_err(|_| corrupt("header", hash))
    }

    /// The header of the newest block.
    pub(crate) fn head(&self) -> Result<Header, RpcError> {
        let hash = self.snapshot.head().hash;
        self.header(&hash)?.ok_or_else(|| corrupt("header", &hash))
    }

    pub(crate) fn block(&self, hash: &B256) -> Result<Option<Block>, RpcError> {
        let (mut header, mut body) = (Vec::new(), Vec::new());
        if !self.snapshot.append_header(hash, &mut header)?
            || !self.snapshot.append_body(hash, &mut body)?
        {
            return Ok(None);
        }
        let whole = Block::join(&header, &body).ok_or_else(|| corrupt("body", hash))?;
        Block::decode(&whole).map(Some).map_err(|_| corrupt("body", hash))
    }

    pub(crate) fn receipts(&self, hash: &B256) -> Result<Vec<ReceiptEnvelope>, RpcError> {
        let mut rlp = Vec::new();
        if !self.snapshot.append_receipts(hash, &mut rlp)? {
            return Err(corrupt("no receipts", hash));
        }
        Vec::<ReceiptEnvelope>::decode(&mut rlp.as_slice()).map_err(|_| corrupt("receipts", hash))
    }

    /// Who sent these transactions of a block.
    pub(crate) fn senders(
        &self,
        header: &Header,
        transactions: &[Transaction],
    ) -> Result<Vec<Address>, RpcError> {
        let rules = rules_at(self.spec, header);
        recover_senders(&rules, transactions)
            .map_err(|(index, error)| RpcError::server(format!("transaction {index}: {error}")))
    }

    /// The block of this place; `None` if the chain does not reach so far.
    pub(crate) fn hash_of(&self, tag: BlockTag) -> Result<Option<B256>, RpcError> {
        match tag {
            BlockTag::Number(number) => Ok(self.snapshot.canonical_hash(number)?),
            BlockTag::Latest | BlockTag::Pending => Ok(Some(self.snapshot.head().hash)),
            BlockTag::Safe => Err(RpcError::server("safe block not found")),
            BlockTag::Finalized => Err(RpcError::server("finalized block not found")),
        }
    }

    /// The block that a state is read after.
    pub(crate) fn hash_for_state(&self, block: BlockId) -> Result<B256, RpcError> {
        match block {
            BlockId::Tag(tag) => {
                self.hash_of(tag)?.ok_or_else(|| RpcError::server("header not found"))
            }
            BlockId::Hash { hash, must_be_canonical } => {
                let number = self.snapshot.block_number(&hash)?;
                let number = number.ok_or_else(|| RpcError::server("header for hash not found"))?;
                if must_be_canonical && self.snapshot.canonical_hash(number)? != Some(hash) {
                    return Err(RpcError::server("hash is not currently canonical"));
                }
                Ok(hash)
            }
        }
    }

    /// The state after a block.
    pub(crate) fn state(&self, block: BlockId) -> Result<Box<dyn StateSnapshot>, RpcError> {
        let hash = self.hash_for_state(block)?;
        if let Some(state) = self.snapshot.state(&hash)? {
            return Ok(state);
        }
        let root = self.header(&hash)?.map(|header| header.state_root).unwrap_or_default();
        let root = root.to_string();
        let digits = root.trim_start_matches("0x");
        Err(RpcError::server(format!("missing trie node {digits} (path ) state is not kept")))
    }
}
