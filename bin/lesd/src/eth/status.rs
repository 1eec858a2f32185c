//! The Status message of `eth`: ours, and whether theirs is of our chain.

use eth_wire::{ForkId, Status, Version};

use crate::{announce::Announcement, status::Offer};

/// Our Status at this head.
pub(super) fn ours(offer: &Offer, version: Version, announcement: &Announcement) -> Status {
    let forks = announcement.forks().current();
    let head = announcement.head();
    Status {
        version: u64::from(version.number()),
        network_id: offer.network_id,
        total_difficulty: head.total_difficulty,
        head: head.hash,
        genesis: offer.genesis_hash,
        fork_id: ForkId { hash: forks.hash.0, next: forks.next },
    }
}

/// Why a node cannot be a peer of ours, in words for the log.
pub(super) fn mismatch(
    offer: &Offer,
    version: Version,
    announcement: &Announcement,
    theirs: &Status,
) -> Option<String> {
    if theirs.version != u64::from(version.number()) {
        let (said, ours) = (theirs.version, version.number());
        return Some(format!("Status says version {said} on eth/{ours}"));
    }
    if theirs.network_id != offer.network_id {
        return Some(format!("another network, id {}", theirs.network_id));
    }
    if theirs.genesis != offer.genesis_hash {
        return Some(format!("another chain, genesis {}", theirs.genesis));
    }
    let ForkId { hash, next } = theirs.fork_id;
    let said = alloy_eip2124::ForkId { hash: alloy_eip2124::ForkHash(hash), next };
    match announcement.forks().validate(said) {
        Ok(()) => None,
        Err(error) => Some(format!("another fork schedule: {error}")),
    }
}
