//! Hot trie nodes and code in memory, by hash.

use alloy_primitives::{B256, Bytes, map::B256Map};
use parking_lot::Mutex;

/// Locks that share the entries, so that reader threads seldom meet. A power of two.
const SHARDS: usize = 16;

/// Bytes that an entry costs besides its content: key, handle, table slot.
const ENTRY_OVERHEAD: usize = 96;

/// A cache that forgets the longest unused half at a time. Content has the hash it is kept
/// under, so nothing in it can become wrong.
#[derive(Debug)]
pub(super) struct NodeCache {
    shards: Vec<Mutex<Shard>>,
    /// Bytes of one half of one shard.
    half: usize,
}

#[derive(Debug, Default)]
struct Shard {
    /// Used since the last turn.
    young: B256Map<Bytes>,
    young_bytes: usize,
    /// Used before it.
    old: B256Map<Bytes>,
}

impl NodeCache {
    /// A cache of at most this many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, half: bytes / (2 * SHARDS) }
    }

    pub(super) fn get(&self, hash: &B256) -> Option<Bytes> {
        let mut shard = self.shard(hash)?.lock();
        if let Some(found) = shard.young.get(hash) {
            return Some(found.clone());
        }
        let found = shard.old.remove(hash)?;
        self.add(&mut shard, *hash, found.clone());
        Some(found)
    }

    pub(super) fn insert(&self, hash: B256, content: Bytes) {
        if let Some(shard) = self.shard(&hash) {
            self.add(&mut shard.lock(), hash, content);
        }
    }

    fn add(&self, shard: &mut Shard, hash: B256, content: Bytes) {
        let size = content.len() + ENTRY_OVERHEAD;
        if shard.young_bytes + size > self.half {
            shard.old = std::mem::take(&mut shard.young);
            shard.young_bytes = 0;
        }
        if size <= self.half && shard.young.insert(hash, content).is_none() {
            shard.young_bytes += size;
        }
    }

    fn shard(&self, hash: &B256) -> Option<&Mutex<Shard>> {
        self.shards.get(usize::from(*hash.last()?) % SHARDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_keeps_what_is_used_and_stays_within_its_bound() {
        let cache = NodeCache::new(64 * 1024);
        let hash = |n: u32| alloy_primitives::keccak256(n.to_be_bytes());
        for n in 0..10_000 {
            cache.insert(hash(n), Bytes::from(vec![0; 100]));
            assert!(cache.get(&hash(0)).is_some(), "after {n}");
        }
        let count = |shard: &Shard| shard.young.len() + shard.old.len();
        let entries: usize = cache.shards.iter().map(|shard| count(&shard.lock())).sum();
        assert!(entries * (100 + ENTRY_OVERHEAD) <= 64 * 1024, "{entries} entries");
        assert!(entries > 100, "{entries} entries");
    }
}
