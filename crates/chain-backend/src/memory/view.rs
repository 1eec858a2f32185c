//! Reading a generated chain.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{B256, Bloom, Bytes, U256};
use merkle_trie::NodeSet;

use super::{
    generate::GeneratedBlock,
    plain_state::{Entries, PlainState, prove, root},
};
use crate::{
    Account, BackendError, Checkpoint, Head, HelperTrieKind, HelperTrieParameters, KEPT_STATES,
    Snapshot, StateSnapshot, TransactionLookup, bloom_bits::compress,
};

/// A frozen generated chain.
#[derive(Clone, Debug)]
pub(super) struct MemoryView {
    pub(super) blocks: BTreeMap<B256, Arc<GeneratedBlock>>,
    pub(super) canonical: Vec<B256>,
    pub(super) helper: HelperTrieParameters,
}

impl MemoryView {
    pub(super) fn push(&mut self, block: Arc<GeneratedBlock>) {
        let mut ancestors = vec![block.hash];
        let mut parent = block.header.parent_hash;
        self.blocks.insert(block.hash, block);
        let kept = loop {
            let Some(block) = self.blocks.get(&parent) else { break 0 };
            let number = usize::try_from(block.header.number).unwrap_or(usize::MAX);
            if self.canonical.get(number) == Some(&parent) {
                break number + 1;
            }
            ancestors.push(parent);
            parent = block.header.parent_hash;
        };
        self.canonical.truncate(kept);
        self.canonical.extend(ancestors.iter().rev());
    }

    fn canonical_block(&self, number: u64) -> Option<&GeneratedBlock> {
        let hash = self.canonical.get(usize::try_from(number).ok()?)?;
        self.blocks.get(hash).map(|block| &**block)
    }

    /// The entries of a helper trie whose last section is this one.
    fn helper_entries(&self, kind: HelperTrieKind, section: u64) -> Entries {
        match kind {
            HelperTrieKind::CanonicalHash => self.canonical_hash_entries(section),
            HelperTrieKind::Bloom => {
                (0..=section).flat_map(|one| self.bloom_entries(one)).collect()
            }
        }
    }

    fn canonical_hash_entries(&self, section: u64) -> Entries {
        let value = |block: &GeneratedBlock| {
            let mut value = Vec::new();
            let list: [&dyn alloy_rlp::Encodable; 2] = [&block.hash, &block.total_difficulty];
            alloy_rlp::encode_list::<_, dyn alloy_rlp::Encodable>(&list, &mut value);
            value
        };
        (0..(section + 1) * self.helper.section)
            .filter_map(|number| {
                Some((number.to_be_bytes().to_vec(), value(self.canonical_block(number)?)))
            })
            .collect()
    }

    fn bloom_entries(&self, section: u64) -> Entries {
        let first = section * self.helper.section;
        let blooms: Vec<_> = (first..first + self.helper.section)
            .map(|number| self.canonical_block(number).map(|block| block.header.logs_bloom))
            .map(Option::unwrap_or_default)
            .collect();
        let vector = |bit: u16| {
            let is_set = |bloom: &Bloom| {
                bloom.get(usize::from(255 - bit / 8)).map_or(0, |byte| byte >> (bit % 8) & 1)
            };
            let byte = |eight: &[Bloom]| eight.iter().fold(0, |bits, one| bits << 1 | is_set(one));
            compress(&blooms.chunks(8).map(byte).collect::<Vec<u8>>())
        };
        (0u16..2048)
            .map(|bit| ([&bit.to_be_bytes()[..], &section.to_be_bytes()].concat(), vector(bit)))
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }
}

impl Snapshot for MemoryView {
    fn head(&self) -> Head {
        let head = self.canonical.last().and_then(|hash| self.blocks.get(hash));
        Head {
            number: head.map_or(0, |block| block.header.number),
            hash: head.map_or(B256::ZERO, |block| block.hash),
            total_difficulty: head.map_or(U256::ZERO, |block| block.total_difficulty),
        }
    }

    fn genesis_hash(&self) -> B256 {
        self.canonical.first().copied().unwrap_or_default()
    }

    fn canonical_hash(&self, number: u64) -> Result<Option<B256>, BackendError> {
        Ok(self.canonical_block(number).map(|block| block.hash))
    }

    fn block_number(&self, hash: &B256) -> Result<Option<u64>, BackendError> {
        Ok(self.blocks.get(hash).map(|block| block.header.number))
    }

    fn parent_hash(&self, hash: &B256) -> Result<Option<B256>, BackendError> {
        Ok(self.blocks.get(hash).map(|block| block.header.parent_hash))
    }

    fn total_difficulty(&self, hash: &B256) -> Result<Option<U256>, BackendError> {
        Ok(self.blocks.get(hash).map(|block| block.total_difficulty))
    }

    fn append_header(&self, hash: &B256, out: &mut Vec<u8>) -> Result<bool, BackendError> {
        let block = self.blocks.get(hash);
        if let Some(block) = block {
            alloy_rlp::Encodable::encode(&block.header, out);
        }
        Ok(block.is_some())
    }

    fn append_body(&self, hash: &B256, out: &mut Vec<u8>) -> Result<bool, BackendError> {
        let block = self.blocks.get(hash);
        out.extend(block.iter().flat_map(|block| &block.body));
        Ok(block.is_some())
    }

    fn append_receipts(&self, hash: &B256, out: &mut Vec<u8>) -> Result<bool, BackendError> {
        let block = self.blocks.get(hash);
        out.extend(block.iter().flat_map(|block| &block.receipts));
        Ok(block.is_some())
    }

    fn state(&self, block: &B256) -> Result<Option<Box<dyn StateSnapshot>>, BackendError> {
        let head = self.head().number;
        let recent =
            self.blocks.get(block).filter(|block| block.header.number + KEPT_STATES > head);
        Ok(recent.map(|block| {
            let root = block.header.state_root;
            Box::new(MemoryState { root, state: Arc::clone(&block.state) }) as Box<_>
        }))
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytes>, BackendError> {
        let head = self.canonical.last().and_then(|hash| self.blocks.get(hash));
        Ok(head.and_then(|block| block.codes.get(hash).cloned()))
    }

    fn transaction(&self, hash: &B256) -> Result<Option<TransactionLookup>, BackendError> {
        for block in self.canonical.iter().filter_map(|hash| self.blocks.get(hash)) {
            if let Some(index) = block.transactions.iter().position(|found| found == hash) {
                return Ok(Some(TransactionLookup {
                    block_hash: block.hash,
                    block_number: block.header.number,
                    index: index as u64,
                }));
            }
        }
        Ok(None)
    }

    fn helper_trie_sections(&self, _kind: HelperTrieKind) -> u64 {
        self.helper.sections(self.head().number)
    }

    fn prove_helper(
        &self,
        kind: HelperTrieKind,
        section: u64,
        key: &[u8],
        from_level: usize,
        nodes: &mut NodeSet,
    ) -> Result<bool, BackendError> {
        let built = section < self.helper_trie_sections(kind);
        if built {
            prove(&self.helper_entries(kind, section), key, from_level, nodes);
        }
        Ok(built)
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, BackendError> {
        let sections = self.helper.sections(self.head().number);
        let Some(section_index) = sections.checked_sub(1) else { return Ok(None) };
        let last = self.canonical_block(sections * self.helper.section - 1);
        let root = |kind| root(&self.helper_entries(kind, section_index));
        Ok(last.map(|last| Checkpoint {
            section_index,
            section_head: last.hash,
            cht_root: root(HelperTrieKind::CanonicalHash),
            bloom_root: root(HelperTrieKind::Bloom),
        }))
    }
}

struct MemoryState {
    root: B256,
    state: Arc<PlainState>,
}

impl StateSnapshot for MemoryState {
    fn root(&self) -> B256 {
        self.root
    }

    fn account(&self, key: &B256) -> Result<Option<Account>, BackendError> {
        Ok(self.state.accounts.get(key).map(|account| account.summary()))
    }

    fn storage(&self, account_key: &B256, key: &B256) -> Result<U256, BackendError> {
        let account = self.state.accounts.get(account_key);
        Ok(account.and_then(|account| account.storage.get(key).copied()).unwrap_or_default())
    }

    fn prove_account(
        &self,
        key: &[u8],
        from_level: usize,
        nodes: &mut NodeSet,
    ) -> Result<(), BackendError> {
        prove(&self.state.entries(), key, from_level, nodes);
        Ok(())
    }

    fn prove_storage(
        &self,
        account_key: &B256,
        key: &[u8],
        from_level: usize,
        nodes: &mut NodeSet,
    ) -> Result<bool, BackendError> {
        let account = self.state.accounts.get(account_key);
        if let Some(account) = account {
            prove(&account.slots(), key, from_level, nodes);
        }
        Ok(account.is_some())
    }
}
