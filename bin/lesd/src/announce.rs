//! New heads, told to each connection in its own words.
//!
//! Clients check two things and drop a server that breaks them: the total difficulty rises with
//! every announcement, the one in Status included; and the reorg depth leads from the head that
//! *this* connection was told last to the common ancestor.

use std::sync::OnceLock;

use alloy_eip2124::ForkFilter;
use chain_backend::{BackendError, Head, Snapshot};
use les_wire::{Announce, AnnounceType, NewUpdates, SIGNATURE_BYTES};
use rlpx::NodeKey;

/// The newest head, signed once for everybody who wants it signed.
#[derive(Debug)]
pub(crate) struct Announcement {
    head: Head,
    forks: ForkFilter,
    signature: OnceLock<[u8; SIGNATURE_BYTES]>,
}

impl Announcement {
    /// `forks` is the schedule as it stands at this head (EIP-2124).
    pub(crate) const fn new(head: Head, forks: ForkFilter) -> Self {
        Self { head, forks, signature: OnceLock::new() }
    }

    pub(crate) const fn forks(&self) -> &ForkFilter {
        &self.forks
    }

    pub(crate) const fn head(&self) -> &Head {
        &self.head
    }

    fn signature(&self, key: &NodeKey) -> &[u8; SIGNATURE_BYTES] {
        self.signature.get_or_init(|| key.sign(&Announce::signing_digest(&wire(&self.head))))
    }
}

/// A head as messages carry it.
pub(crate) const fn wire(head: &Head) -> les_wire::Head {
    les_wire::Head { total_difficulty: head.total_difficulty, hash: head.hash, number: head.number }
}

/// What one connection was told.
#[derive(Debug)]
pub(crate) struct Announcer {
    wanted: AnnounceType,
    told: Head,
}

impl Announcer {
    /// `told` is the head of the Status that was sent.
    pub(crate) const fn new(wanted: AnnounceType, told: Head) -> Self {
        Self { wanted, told }
    }

    /// Appends the message for a new head, if this connection is to hear of it.
    ///
    /// # Errors
    /// If the store fails; nothing is told then.
    pub(crate) fn announce(
        &mut self,
        announcement: &Announcement,
        snapshot: &dyn Snapshot,
        key: &NodeKey,
        out: &mut Vec<u8>,
    ) -> Result<bool, BackendError> {
        let head = announcement.head();
        // The chain may have moved on since this head was announced to all. One that is no longer
        // canonical has no depth in this snapshot, and the head that replaced it follows.
        if snapshot.canonical_hash(head.number)? != Some(head.hash) {
            return Ok(false);
        }
        let rises = head.total_difficulty > self.told.total_difficulty;
        let updates = match self.wanted {
            AnnounceType::None => return Ok(false),
            AnnounceType::Simple => NewUpdates::default(),
            AnnounceType::Signed => {
                NewUpdates { signature: Some(*announcement.signature(key)), ..Default::default() }
            }
        };
        if !rises {
            return Ok(false);
        }
        let depth = reorg_depth(snapshot, &self.told)?;
        self.told = *head;
        Announce::encode(&wire(head), depth, &updates, out);
        Ok(true)
    }
}

/// Blocks from `told` down to the newest ancestor that is canonical in `snapshot`.
fn reorg_depth(snapshot: &dyn Snapshot, told: &Head) -> Result<u64, BackendError> {
    let (mut number, mut hash) = (told.number, told.hash);
    while snapshot.canonical_hash(number)? != Some(hash) {
        // A head that we told is stored with its ancestors; should one be gone, the depth so far is
        // the best that can be said.
        let Some(parent) = snapshot.parent_hash(&hash)? else { break };
        let Some(below) = number.checked_sub(1) else { break };
        (number, hash) = (below, parent);
    }
    Ok(told.number.saturating_sub(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_backend::{
        Backend as _, HelperTrieParameters,
        memory::{Generator, MemoryChain},
    };

    fn announced(head: Head) -> Announcement {
        Announcement::new(head, ForkFilter::new(Default::default(), head.hash, 0, []))
    }

    #[test]
    fn a_depth_leads_to_the_announced_head_or_nothing_is_told() {
        let mut generator = Generator::new(1);
        let blocks = generator.chain(4);
        let chain = MemoryChain::new(blocks[..4].to_vec(), HelperTrieParameters::SERVER);
        let told = chain.snapshot().head();
        chain.push(blocks[4].clone());
        let left = announced(chain.snapshot().head());
        // Blocks 3 and 4 are replaced by three others before the announcement is written.
        let mut tip = blocks[2].clone();
        for _ in 0..3 {
            tip = generator.child(&tip);
            chain.push(tip.clone());
        }
        let snapshot = chain.snapshot();
        let key = NodeKey::from_bytes(&[1; 32]).unwrap();
        let mut announcer = Announcer::new(AnnounceType::Simple, told);
        let mut tell = |announcement: &Announcement| {
            let mut out = Vec::new();
            let sent = announcer.announce(announcement, snapshot.as_ref(), &key, &mut out).unwrap();
            sent.then(|| Announce::decode(&out).unwrap().reorg_depth)
        };
        assert_eq!(tell(&left), None, "its depth would be 0, not the 1 of this snapshot");
        assert_eq!(tell(&announced(snapshot.head())), Some(1));
        assert_eq!(tell(&announced(snapshot.head())), None, "difficulty must rise");
    }
}
