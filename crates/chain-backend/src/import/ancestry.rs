//! The blocks above a block, read when they are asked for.

use alloy_consensus::Header;
use alloy_primitives::B256;
use alloy_rlp::{Decodable as _, Header as RlpHeader};
use consensus::{Ancestor, ChainSpec, UNCLE_DEPTH};

use super::Refusal;
use crate::{BackendError, Snapshot};

/// The ancestors of a block that stands on `parent`.
pub(crate) struct Ancestry<'a> {
    pub(super) snapshot: &'a dyn Snapshot,
    /// Parent first. At most 256 long: that is how far `BLOCKHASH` reaches.
    hashes: Vec<B256>,
    parent_number: Option<u64>,
}

impl<'a> Ancestry<'a> {
    pub(crate) fn new(snapshot: &'a dyn Snapshot, parent: B256) -> Self {
        Self { snapshot, hashes: vec![parent], parent_number: None }
    }

    pub(super) fn parent_hash(&self) -> B256 {
        self.hashes.first().copied().unwrap_or_default()
    }

    pub(crate) fn parent_header(&self) -> Result<Header, Refusal> {
        let hash = self.parent_hash();
        header(self.snapshot, &hash)?.ok_or(Refusal::UnknownParent(hash))
    }

    /// The ancestor's hash; `None` if there is none of this number.
    pub(crate) fn hash(&mut self, number: u64) -> Result<Option<B256>, BackendError> {
        let parent_number = match self.parent_number {
            Some(number) => number,
            None => self.snapshot.block_number(&self.parent_hash())?.unwrap_or_default(),
        };
        self.parent_number = Some(parent_number);
        let Some(back) = parent_number.checked_sub(number) else { return Ok(None) };
        let back = usize::try_from(back).unwrap_or(usize::MAX);
        while self.hashes.len() <= back {
            let Some(last) = self.hashes.last() else { return Ok(None) };
            let Some(above) = self.snapshot.parent_hash(last)? else { return Ok(None) };
            self.hashes.push(above);
        }
        Ok(self.hashes.get(back).copied())
    }

    pub(super) fn check_uncles(
        &self,
        spec: &ChainSpec,
        block: &Header,
        uncles: &[Header],
    ) -> Result<(), Refusal> {
        let mut above = Vec::with_capacity(UNCLE_DEPTH);
        let mut hash = self.parent_hash();
        while above.len() < UNCLE_DEPTH
            && let Some(header) = header(self.snapshot, &hash)?
        {
            let uncles = stored_uncles(self.snapshot, &hash)?;
            let parent = header.parent_hash;
            above.push((hash, header, uncles));
            hash = parent;
        }
        let ancestors: Vec<_> = above
            .iter()
            .map(|(hash, header, uncles)| Ancestor { header, hash: *hash, uncles })
            .collect();
        Ok(consensus::check_uncles(spec, block, uncles, &ancestors)?)
    }
}

/// A stored block's header.
pub(crate) fn header(snapshot: &dyn Snapshot, hash: &B256) -> Result<Option<Header>, BackendError> {
    let mut rlp = Vec::new();
    if !snapshot.append_header(hash, &mut rlp)? {
        return Ok(None);
    }
    let header = Header::decode(&mut rlp.as_slice());
    header.map(Some).map_err(|_| BackendError::Corrupt(format!("header of block {hash}")))
}

fn stored_uncles(snapshot: &dyn Snapshot, hash: &B256) -> Result<Vec<Header>, BackendError> {
    let mut rlp = Vec::new();
    if !snapshot.append_body(hash, &mut rlp)? {
        return Ok(Vec::new());
    }
    let mut bytes = rlp.as_slice();
    let uncles = RlpHeader::decode_bytes(&mut bytes, true).and_then(|mut fields| {
        RlpHeader::decode_bytes(&mut fields, true)?;
        Vec::<Header>::decode(&mut fields)
    });
    uncles.map_err(|_| BackendError::Corrupt(format!("body of block {hash}")))
}
