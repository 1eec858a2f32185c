//! Building helper tries, a bounded step at a time.

use std::sync::Arc;

use alloy_primitives::{B256, U256};
use alloy_rlp::Header as RlpHeader;
use merkle_trie::{Commit, EMPTY_ROOT, TrieMut};

use super::{
    Store,
    helper::{BuiltSection, HelperSource},
    kv::{Batch, Table},
    view::View,
};
use crate::{BackendError, bloom_bits::BloomBits};

/// Blocks that one step reads: a few milliseconds of work.
const BLOCKS_PER_STEP: u64 = 1024;

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelperStep {
    /// Nothing: every section that the chain completes is built.
    Idle,
    /// Read some more blocks of a section.
    Reading {
        /// Index of the section.
        section: u64,
        /// Blocks read so far.
        blocks: u64,
    },
    /// Built and stored a section.
    Built {
        /// Index of the section.
        section: u64,
    },
}

/// Builds the helper tries of a store in the background. The shell calls [`Self::step`] on a
/// thread of its own until it says [`HelperStep::Idle`], and again after new heads.
#[derive(Debug)]
pub struct HelperTrieBuilder {
    store: Arc<Store>,
    open: Option<OpenSection>,
}

/// A section of which some blocks have been read.
struct OpenSection {
    /// The chain as it was when the section was begun.
    view: Arc<View>,
    index: u64,
    /// Hash and total difficulty of the blocks so far.
    blocks: Vec<(B256, U256)>,
    bits: BloomBits,
}

impl HelperTrieBuilder {
    /// A builder for this store.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store, open: None }
    }

    /// Does a bounded piece of work.
    pub fn step(&mut self) -> Result<HelperStep, BackendError> {
        let Some(mut open) =
            self.open.take().map_or_else(|| self.begin(), |open| Ok(Some(open)))?
        else {
            return Ok(HelperStep::Idle);
        };
        let section = open.index;
        if open.read_more()? {
            let blocks = open.blocks.len() as u64;
            self.open = Some(open);
            return Ok(HelperStep::Reading { section, blocks });
        }
        let (built, batch) = open.build()?;
        self.store.add_section(section, built, batch)?;
        Ok(HelperStep::Built { section })
    }

    /// The next section to build, if the chain completes one.
    fn begin(&self) -> Result<Option<OpenSection>, BackendError> {
        let view = self.store.view();
        let index = view.canonical_sections()?.len() as u64;
        if index >= view.helper.sections(view.head.number) {
            return Ok(None);
        }
        let bits = BloomBits::new(view.helper.section);
        Ok(Some(OpenSection { view, index, blocks: Vec::new(), bits }))
    }
}

impl OpenSection {
    /// Reads blocks; `false` if there is none left to read.
    fn read_more(&mut self) -> Result<bool, BackendError> {
        let size = self.view.helper.section;
        let read = self.blocks.len() as u64;
        let end = size.min(read + BLOCKS_PER_STEP);
        for position in read..end {
            let number = self.index * size + position;
            let corrupt = || BackendError::Corrupt(format!("canonical block {number}"));
            let entry = self.view.canonical.get(number, &*self.view.kv)?.ok_or_else(corrupt)?;
            let block = self.view.block(&entry.hash)?.ok_or_else(corrupt)?;
            self.blocks.push((entry.hash, block.total_difficulty));
            let bits = &mut self.bits;
            let add = |header: &[u8]| header_bloom(header).map(|bloom| bits.add(position, bloom));
            self.view.segments.journal.read(entry.header, add)?.ok_or_else(corrupt)?;
        }
        Ok(end > read)
    }

    fn build(self) -> Result<(BuiltSection, Batch), BackendError> {
        let before = self.view.canonical_sections()?.last().copied();
        let trie = |root: Option<B256>| {
            let source = HelperSource(Arc::clone(&self.view));
            TrieMut::new(source, root.unwrap_or(EMPTY_ROOT))
        };
        let mut hashes = trie(before.map(|section| section.canonical_hash_root));
        let first = self.index * self.view.helper.section;
        for (number, (hash, total_difficulty)) in (first..).zip(&self.blocks) {
            hashes.insert(&number.to_be_bytes(), canonical_hash_value(hash, total_difficulty))?;
        }
        let mut blooms = trie(before.map(|section| section.bloom_root));
        for (bit, vector) in (0u16..).zip(self.bits.vectors()) {
            // A vector without a bit compresses to nothing, and has no entry.
            let key = [&bit.to_be_bytes()[..], &self.index.to_be_bytes()].concat();
            blooms.insert(&key, crate::bloom_bits::compress(vector))?;
        }
        let mut batch = Batch::default();
        let mut store = |commit: Commit| {
            for (hash, node) in commit.changes.into_iter().filter_map(|(_, node)| node) {
                batch.put(Table::HelperNodes, hash.as_slice(), node);
            }
            commit.root
        };
        let built = BuiltSection {
            head: self.blocks.last().map(|(hash, _)| *hash).unwrap_or_default(),
            canonical_hash_root: store(hashes.commit()),
            bloom_root: store(blooms.commit()),
        };
        Ok((built, batch))
    }
}

impl std::fmt::Debug for OpenSection {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("OpenSection").field("index", &self.index).finish_non_exhaustive()
    }
}

/// RLP of `[block hash, total difficulty]`.
fn canonical_hash_value(hash: &B256, total_difficulty: &U256) -> Vec<u8> {
    let mut value = Vec::with_capacity(72);
    let list: [&dyn alloy_rlp::Encodable; 2] = [hash, total_difficulty];
    alloy_rlp::encode_list::<_, dyn alloy_rlp::Encodable>(&list, &mut value);
    value
}

/// The seventh field of a header.
fn header_bloom(header: &[u8]) -> Option<&[u8; 256]> {
    let mut rest = RlpHeader::decode_bytes(&mut { header }, true).ok()?;
    for _ in 0..6 {
        RlpHeader::decode_bytes(&mut rest, false).ok()?;
    }
    RlpHeader::decode_bytes(&mut rest, false).ok()?.try_into().ok()
}

impl Store {
    /// Stores a section, unless the chain has left it meanwhile.
    fn add_section(
        &self,
        index: u64,
        built: BuiltSection,
        mut batch: Batch,
    ) -> Result<(), BackendError> {
        self.write(|writer| {
            let last = (index + 1) * writer.view.helper.section - 1;
            if writer.view.canonical_hash(last)? != Some(built.head) {
                return Ok(());
            }
            let mut sections = writer.view.canonical_sections()?.to_vec();
            sections.truncate(usize::try_from(index).unwrap_or(usize::MAX));
            sections.push(built);
            batch.put(Table::HelperRoots, index.to_be_bytes(), built.encode());
            // Those above stood on a section that is not canonical any more.
            for gone in sections.len()..writer.view.helper_sections.len() {
                batch.delete(Table::HelperRoots, (gone as u64).to_be_bytes());
            }
            writer.kv.write(batch)?;
            let kv = Arc::from(writer.kv.snapshot()?);
            let view = writer.view_mut();
            view.kv = kv;
            view.helper_sections = Arc::new(sections);
            Ok(())
        })
    }
}
