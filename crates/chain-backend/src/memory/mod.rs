//! A generated chain in memory, for tests: the same traits over sorted maps.
//!
//! Roots and proofs come from alloy-trie's `HashBuilder`, which is given all entries each time, so
//! that this chain is also the oracle for the store. Signatures and gas are made up: such a chain
//! can be served and read, not executed.

mod generate;
mod plain_state;
mod view;

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::B256;
use parking_lot::RwLock;

use crate::{Backend, HelperTrieParameters, Snapshot};
pub use generate::{GeneratedBlock, Generator};
pub use plain_state::{PlainAccount, PlainState};
use view::MemoryView;

/// A chain of generated blocks that can grow.
#[derive(Debug)]
pub struct MemoryChain {
    view: RwLock<Arc<MemoryView>>,
}

impl MemoryChain {
    /// A chain of generated blocks, genesis first, each the child of the one before it.
    pub fn new(blocks: Vec<Arc<GeneratedBlock>>, helper: HelperTrieParameters) -> Self {
        let chain = Self {
            view: RwLock::new(Arc::new(MemoryView {
                blocks: BTreeMap::new(),
                canonical: Vec::new(),
                helper,
            })),
        };
        blocks.into_iter().for_each(|block| chain.push(block));
        chain
    }

    /// A chain of this many blocks after genesis. The same seed gives the same chain.
    pub fn generate(seed: u64, length: u64) -> Self {
        Self::new(Generator::new(seed).chain(length), HelperTrieParameters::SERVER)
    }

    /// Adds a block and makes it the head; its ancestors, which must be here, become canonical.
    pub fn push(&self, block: Arc<GeneratedBlock>) {
        let mut view = self.view.write();
        Arc::make_mut(&mut view).push(block);
    }

    /// A block by its hash.
    pub fn block(&self, hash: &B256) -> Option<Arc<GeneratedBlock>> {
        self.view.read().blocks.get(hash).cloned()
    }
}

impl Backend for MemoryChain {
    fn snapshot(&self) -> Arc<dyn Snapshot> {
        Arc::clone(&*self.view.read()) as Arc<dyn Snapshot>
    }
}
