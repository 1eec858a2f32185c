//! Headers: four ways to walk a chain (devp2p `caps/les.md`, "GetBlockHeaders").

use alloy_primitives::B256;
use chain_backend::{BackendError, Snapshot};
use les_wire::{HeaderOrigin, HeaderQuery};

/// Blocks off the canonical chain that one request may walk, as in go-ethereum.
const MAX_NON_CANONICAL: u32 = 100;

/// Appends at most `amount` headers of a walk and returns how many. The first one missing ends it.
pub(crate) fn headers(
    snapshot: &dyn Snapshot,
    walk: &HeaderQuery,
    amount: u64,
    out: &mut Vec<u8>,
) -> Result<u64, BackendError> {
    if amount == 0 {
        return Ok(0);
    }
    let (number, hash) = match walk.origin {
        HeaderOrigin::Hash(hash) => match snapshot.block_number(&hash)? {
            Some(number) => (number, hash),
            None => return Ok(0),
        },
        HeaderOrigin::Number(number) => match snapshot.canonical_hash(number)? {
            Some(hash) => (number, hash),
            None => return Ok(0),
        },
    };
    if !snapshot.append_header(&hash, out)? {
        return Ok(0);
    }
    // A step of 2^64 is no step: go-ethereum repeats the header here (see docs/deviations.md).
    let Some(step) = walk.skip.checked_add(1) else { return Ok(1) };
    let rest = amount.saturating_sub(1);
    let canonical = snapshot.canonical_hash(number)? == Some(hash);
    let walked = match (walk.reverse, canonical) {
        (false, true) => match number.checked_add(step) {
            Some(next) => snapshot.append_canonical_headers(next, step, rest, out)?,
            None => 0,
        },
        // No canonical header has this one as an ancestor.
        (false, false) => 0,
        (true, true) => canonical_down(snapshot, number, step, rest, out)?,
        (true, false) => side_chain_down(snapshot, (number, hash), step, rest, out)?,
    };
    Ok(walked.saturating_add(1))
}

fn canonical_down(
    snapshot: &dyn Snapshot,
    from: u64,
    step: u64,
    amount: u64,
    out: &mut Vec<u8>,
) -> Result<u64, BackendError> {
    let mut number = from;
    for walked in 0..amount {
        let Some(next) = number.checked_sub(step) else { return Ok(walked) };
        if snapshot.append_canonical_headers(next, 1, 1, out)? == 0 {
            return Ok(walked);
        }
        number = next;
    }
    Ok(amount)
}

fn side_chain_down(
    snapshot: &dyn Snapshot,
    from: (u64, B256),
    step: u64,
    amount: u64,
    out: &mut Vec<u8>,
) -> Result<u64, BackendError> {
    let mut budget = MAX_NON_CANONICAL;
    let (mut number, mut hash) = from;
    for walked in 0..amount {
        let Some(ancestor) = ancestor(snapshot, (number, hash), step, &mut budget)? else {
            return Ok(walked);
        };
        (number, hash) = ancestor;
        if !snapshot.append_header(&hash, out)? {
            return Ok(walked);
        }
    }
    Ok(amount)
}

/// The ancestor `distance` blocks down: by parent links while off the canonical chain, at one
/// stroke on it.
fn ancestor(
    snapshot: &dyn Snapshot,
    from: (u64, B256),
    distance: u64,
    budget: &mut u32,
) -> Result<Option<(u64, B256)>, BackendError> {
    let (mut number, mut hash) = from;
    let Some(target) = number.checked_sub(distance) else { return Ok(None) };
    while number > target {
        if snapshot.canonical_hash(number)? == Some(hash) {
            return Ok(snapshot.canonical_hash(target)?.map(|hash| (target, hash)));
        }
        if *budget == 0 {
            return Ok(None);
        }
        *budget = budget.saturating_sub(1);
        let Some(parent) = snapshot.parent_hash(&hash)? else { return Ok(None) };
        hash = parent;
        number = number.saturating_sub(1);
    }
    Ok(Some((number, hash)))
}
