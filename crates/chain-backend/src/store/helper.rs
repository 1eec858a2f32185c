//! Helper tries as readers see them (devp2p `caps/les.md`, "Helper tries").
//!
//! Each section's trie contains the sections before it. A root is kept under its section and the
//! hash of the section's last block, so that a reorganisation cannot make it wrong; nodes are kept
//! by hash and shared between sections.

use std::sync::Arc;

use alloy_primitives::{B256, Bytes};
use merkle_trie::{NodeSet, NodeSource, prove};

use super::{
    key::Fields,
    kv::{KvSnapshot, Table},
    view::View,
};
use crate::{BackendError, Checkpoint, HelperTrieKind};

/// How the chain is cut into sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelperTrieParameters {
    /// Blocks in a section; a multiple of 8.
    pub section: u64,
    /// Blocks that must stand on a section's last block before the section is built.
    pub confirmations: u64,
}

impl HelperTrieParameters {
    /// What servers use: 32768 blocks, 256 confirmations (go-ethereum `params/network_params.go`:
    /// `CHTFrequency`, `HelperTrieProcessConfirmations`).
    pub const SERVER: Self = Self { section: 32_768, confirmations: 256 };

    /// Number of sections that a chain with this head completes.
    pub fn sections(&self, head: u64) -> u64 {
        (head + 1).saturating_sub(self.confirmations) / self.section.max(1)
    }
}

/// A section that has been built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BuiltSection {
    /// Hash of its last block.
    pub(super) head: B256,
    pub(super) canonical_hash_root: B256,
    pub(super) bloom_root: B256,
}

impl BuiltSection {
    pub(super) fn root(&self, kind: HelperTrieKind) -> B256 {
        match kind {
            HelperTrieKind::CanonicalHash => self.canonical_hash_root,
            HelperTrieKind::Bloom => self.bloom_root,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        [self.head, self.canonical_hash_root, self.bloom_root].concat()
    }
}

/// The sections in the store, each built on the one before it.
pub(super) fn load_sections(kv: &dyn KvSnapshot) -> Result<Vec<BuiltSection>, BackendError> {
    let mut sections = Vec::new();
    let mut whole = true;
    kv.scan(Table::HelperRoots, &[], &mut |_, value| {
        let mut fields = Fields(value);
        let mut hash = || fields.hash();
        match (hash(), hash(), hash()) {
            (Some(head), Some(canonical_hash_root), Some(bloom_root)) => {
                sections.push(BuiltSection { head, canonical_hash_root, bloom_root });
            }
            _ => whole = false,
        }
        whole
    })?;
    if whole { Ok(sections) } else { Err(BackendError::Corrupt("a helper trie root".into())) }
}

impl View {
    /// The built sections whose blocks are canonical in this view.
    pub(super) fn canonical_sections(&self) -> Result<&[BuiltSection], BackendError> {
        let mut sections = self.helper_sections.as_slice();
        // Sections stand on each other: if the last is canonical, all are.
        while let Some(last) = sections.last() {
            let end = sections.len() as u64 * self.helper.section;
            if self.canonical_hash(end - 1)? == Some(last.head) {
                break;
            }
            sections = sections.get(..sections.len() - 1).unwrap_or_default();
        }
        Ok(sections)
    }

    pub(super) fn prove_helper(
        self: &Arc<Self>,
        kind: HelperTrieKind,
        section: u64,
        key: &[u8],
        from_level: usize,
        nodes: &mut NodeSet,
    ) -> Result<bool, BackendError> {
        let index = usize::try_from(section).unwrap_or(usize::MAX);
        let Some(built) = self.canonical_sections()?.get(index) else { return Ok(false) };
        let source = HelperSource(Arc::clone(self));
        prove(&source, built.root(kind), key, from_level, nodes)?;
        Ok(true)
    }

    pub(super) fn checkpoint(&self) -> Result<Option<Checkpoint>, BackendError> {
        let sections = self.canonical_sections()?;
        Ok(sections.last().map(|last| Checkpoint {
            section_index: sections.len() as u64 - 1,
            section_head: last.head,
            cht_root: last.canonical_hash_root,
            bloom_root: last.bloom_root,
        }))
    }
}

/// The nodes of all helper tries.
pub(super) struct HelperSource(pub(super) Arc<View>);

impl NodeSource for HelperSource {
    type Error = BackendError;

    fn node(&self, _path: &[u8], hash: &B256) -> Result<Option<Bytes>, BackendError> {
        self.0.content(Table::HelperNodes, hash)
    }
}
