//! New heads, told to each connection in its own words.
//!
//! Clients check two things and drop a server that breaks them: the total difficulty rises with
//! every announcement, the one in Status included; and the reorg depth leads from the head that
//! *this* connection was told last to the common ancestor.

use std::{sync::OnceLock, time::Duration};

use alloy_eip2124::ForkFilter;
use chain_backend::{BackendError, Head, Snapshot};
use les_wire::{Announce, AnnounceType, NewUpdates, SIGNATURE_BYTES};
use rlpx::NodeKey;
use tokio::time::Instant;

/// Between signed announcements to one connection: a client counts their 79 bytes against a bucket
/// that leaks 100 bytes a second, and drops a server that fills it (`docs/protocol.md`).
const SIGNED_INTERVAL: Duration = Duration::from_secs(1);

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

/// Which heads a client can bear (`docs/protocol.md`, "After the merge").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Those of a higher total difficulty: it takes any other for a fault.
    Rising,
    /// Also those of the same, as all are after the merge.
    Level,
}

impl Manner {
    /// By what a client calls itself in Hello: `Geth/v1.12.1-stable/…` or `Geth/NAME/v…`.
    pub(crate) fn of(client: &str) -> Self {
        let mut parts = client.split('/');
        let is_geth = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("geth"));
        match parts.take(2).find_map(version).filter(|_| is_geth) {
            Some(version) if version >= FIRST_LEVEL => Self::Level,
            Some(_) | None => Self::Rising,
        }
    }
}

/// The first go-ethereum whose light client does not compare total difficulties.
const FIRST_LEVEL: [u32; 3] = [1, 12, 1];

/// `v1.12.1-stable-…` as three numbers.
fn version(text: &str) -> Option<[u32; 3]> {
    let number = text.strip_prefix('v')?.split(['-', '+']).next()?;
    let mut parts = number.split('.').map(|part| part.parse().ok());
    let version = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(version)
}

/// What one connection was told, and when.
#[derive(Debug)]
pub(crate) struct Announcer {
    wanted: AnnounceType,
    manner: Manner,
    told: Head,
    /// No signed announcement before this.
    next: Instant,
    /// Whether there is one that waits for it.
    held: bool,
}

impl Announcer {
    /// `told` is the head of the Status that was sent.
    pub(crate) const fn new(
        wanted: AnnounceType,
        manner: Manner,
        told: Head,
        now: Instant,
    ) -> Self {
        Self { wanted, manner, told, next: now, held: false }
    }

    /// Whether a head may be announced now. If not, [`Announcer::due`] says when; the head that is
    /// the newest by then goes out.
    pub(crate) fn is_free(&mut self, now: Instant) -> bool {
        self.held = now < self.next;
        !self.held
    }

    /// When a head that waits may be announced.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.held.then_some(self.next)
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
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Result<bool, BackendError> {
        let head = announcement.head();
        // The chain may have moved on since this head was announced to all. One that is no longer
        // canonical has no depth in this snapshot, and the head that replaced it follows.
        if snapshot.canonical_hash(head.number)? != Some(head.hash) {
            return Ok(false);
        }
        let tells = match self.manner {
            _ if head.total_difficulty > self.told.total_difficulty => true,
            Manner::Rising => false,
            Manner::Level => {
                head.total_difficulty == self.told.total_difficulty && head.hash != self.told.hash
            }
        };
        if !tells {
            return Ok(false);
        }
        let updates = match self.wanted {
            AnnounceType::None => return Ok(false),
            AnnounceType::Simple => NewUpdates::default(),
            AnnounceType::Signed => {
                self.next = now + SIGNED_INTERVAL;
                NewUpdates { signature: Some(*announcement.signature(key)), ..Default::default() }
            }
        };
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
        let now = Instant::now();
        let mut announcer = Announcer::new(AnnounceType::Simple, Manner::Rising, told, now);
        let mut tell = |announcement: &Announcement| {
            let mut out = Vec::new();
            let sent =
                announcer.announce(announcement, snapshot.as_ref(), &key, now, &mut out).unwrap();
            sent.then(|| Announce::decode(&out).unwrap().reorg_depth)
        };
        assert_eq!(tell(&left), None, "its depth would be 0, not the 1 of this snapshot");
        assert_eq!(tell(&announced(snapshot.head())), Some(1));
        assert_eq!(tell(&announced(snapshot.head())), None, "difficulty must rise");
    }

    #[test]
    fn a_client_hears_of_level_heads_if_its_version_bears_them() {
        let check = |client, manner| assert_eq!(Manner::of(client), manner, "{client}");
        check("Geth/v1.9.25-stable-e7872729/linux-amd64/go1.15.6", Manner::Rising);
        check("Geth/v1.10.26-stable-e5eb32ac/linux-amd64/go1.18.5", Manner::Rising);
        check("Geth/v1.12.0-stable-e501b3b0/linux-amd64/go1.20.5", Manner::Rising);
        check("Geth/v1.12.1-unstable-8bbb16b7/linux-amd64/go1.20.5", Manner::Level);
        check("Geth/home/v1.13.5-stable-916d6a44/linux-amd64/go1.21.4", Manner::Level);
        check("geth/v2.0.0", Manner::Level);
        check("CoreGeth/v1.12.19-stable/linux-amd64/go1.21", Manner::Rising);
        check("ethereumjs-devp2p/linux-x64/nodejs", Manner::Rising);
        check("Geth/v1.12", Manner::Rising);
        check("Geth/v1.12.x", Manner::Rising);
        check("", Manner::Rising);
    }

    #[test]
    fn after_the_merge_level_heads_are_told_to_whom_they_do_no_harm() {
        let blocks = Generator::new(1).chain(3);
        let chain = MemoryChain::new(blocks.clone(), HelperTrieParameters::SERVER);
        let snapshot = chain.snapshot();
        let difficulty = snapshot.head().total_difficulty;
        let head = |number: usize| Head {
            number: u64::try_from(number).unwrap(),
            hash: blocks[number].hash,
            total_difficulty: difficulty,
        };
        let key = NodeKey::from_bytes(&[1; 32]).unwrap();
        let now = Instant::now();
        let check = |manner, expected: [bool; 3]| {
            let mut announcer = Announcer::new(AnnounceType::Simple, manner, head(1), now);
            let told = [1, 2, 3].map(|number| {
                let announcement = announced(head(number));
                let mut out = Vec::new();
                announcer.announce(&announcement, &*snapshot, &key, now, &mut out).unwrap()
            });
            assert_eq!(told, expected, "{manner:?}");
        };
        check(Manner::Rising, [false; 3]);
        check(Manner::Level, [false, true, true]);
    }

    #[test]
    fn signed_heads_keep_their_distance_and_simple_ones_do_not() {
        let blocks = Generator::new(1).chain(4);
        let chain = MemoryChain::new(blocks.clone(), HelperTrieParameters::SERVER);
        let snapshot = chain.snapshot();
        let key = NodeKey::from_bytes(&[1; 32]).unwrap();
        let begin = Instant::now();
        let head = |number: usize| Head {
            number: u64::try_from(number).unwrap(),
            hash: blocks[number].hash,
            total_difficulty: blocks[number].total_difficulty,
        };
        let check = |wanted, expected: [bool; 4]| {
            let mut announcer = Announcer::new(wanted, Manner::Rising, head(0), begin);
            let at = [(0, 1), (1, 2), (999, 3), (1000, 4)];
            let told = at.map(|(millis, number)| {
                let now = begin + Duration::from_millis(millis);
                if !announcer.is_free(now) {
                    assert_eq!(announcer.due(), Some(begin + SIGNED_INTERVAL));
                    return false;
                }
                let mut out = Vec::new();
                let announcement = announced(head(number));
                announcer.announce(&announcement, &*snapshot, &key, now, &mut out).unwrap()
            });
            assert_eq!(told, expected, "{wanted:?}");
        };
        check(AnnounceType::Simple, [true; 4]);
        check(AnnounceType::Signed, [true, false, false, true]);
    }
}
