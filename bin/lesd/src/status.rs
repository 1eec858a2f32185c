//! The Status message: what this server is and serves.

use les_wire::{FlowControl, ForkId, Status, Version};

use crate::announce::{Announcement, wire};

/// States that a client may rely on: go-ethereum's 128, less what may be lost while it asks.
const RECENT_STATES: u64 = 124;

/// What is the same in every Status.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    pub(crate) network_id: u64,
    pub(crate) genesis_hash: alloy_primitives::B256,
    pub(crate) archive: bool,
}

/// The Status for one connection.
pub(crate) fn status(
    offer: &Offer,
    version: Version,
    announcement: &Announcement,
    flow_control: FlowControl,
) -> Status {
    let forks = announcement.forks().current();
    let fork_id = ForkId { hash: forks.hash.0, next: forks.next };
    Status {
        protocol_version: u64::from(version.number()),
        network_id: offer.network_id,
        genesis_hash: offer.genesis_hash,
        head: Some(wire(announcement.head())),
        fork_id: (version >= Version::Les4).then_some(fork_id),
        serve_headers: true,
        serve_chain_since: Some(0),
        serve_state_since: Some(0),
        serve_recent_state: Some(if offer.archive { 0 } else { RECENT_STATES }),
        tx_relay: true,
        // 0: every canonical transaction is found.
        recent_tx_lookup: (version >= Version::Les4).then_some(0),
        flow_control: Some(flow_control),
        ..Status::default()
    }
}

/// Why a client's Status cannot be accepted, in words for the log.
pub(crate) fn mismatch(
    offer: &Offer,
    version: Version,
    announcement: &Announcement,
    theirs: &Status,
) -> Option<String> {
    if theirs.protocol_version != u64::from(version.number()) {
        let (said, ours) = (theirs.protocol_version, version.number());
        return Some(format!("Status says version {said} on les/{ours}"));
    }
    if theirs.genesis_hash != offer.genesis_hash {
        return Some(format!("another chain, genesis {}", theirs.genesis_hash));
    }
    if theirs.network_id != offer.network_id {
        return Some(format!("another network, id {}", theirs.network_id));
    }
    if version < Version::Les4 {
        return None;
    }
    let Some(ForkId { hash, next }) = theirs.fork_id else {
        return Some("no fork id".to_owned());
    };
    let said = alloy_eip2124::ForkId { hash: alloy_eip2124::ForkHash(hash), next };
    match announcement.forks().validate(said) {
        Ok(()) => None,
        Err(error) => Some(format!("another fork schedule: {error}")),
    }
}
