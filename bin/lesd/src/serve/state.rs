//! Proofs and code, out of the state after a block.

use alloy_primitives::B256;
use alloy_rlp::Encodable as _;
use chain_backend::{BackendError, Snapshot, StateSnapshot};
use les_wire::{AccountKey, CodeQuery, ProofQuery};
use merkle_trie::NodeSet;

use super::{Answered, SOFT_REPLY_LIMIT};

/// Where an account is in the state trie; `None` if its name can be no account's.
fn trie_key(account: AccountKey) -> Option<B256> {
    match account {
        AccountKey::Hash(key) => Some(key),
        AccountKey::Address(address) => Some(keccak::keccak256(address.as_slice()).into()),
        AccountKey::None | AccountKey::Other => None,
    }
}

/// The state of the block asked for last: requests name the same block many times.
struct States<'a> {
    snapshot: &'a dyn Snapshot,
    last: Option<(B256, Known)>,
}

enum Known {
    State(Box<dyn StateSnapshot>),
    /// The block is known, its state is not kept. Clients race the window: no fault of theirs.
    Stale,
    UnknownBlock,
}

impl<'a> States<'a> {
    const fn new(snapshot: &'a dyn Snapshot) -> Self {
        Self { snapshot, last: None }
    }

    fn of(&mut self, block: B256) -> Result<&Known, BackendError> {
        let known = match self.last.take() {
            Some((last, known)) if last == block => known,
            Some(_) | None => match self.snapshot.state(&block)? {
                Some(state) => Known::State(state),
                None if self.snapshot.block_number(&block)?.is_some() => Known::Stale,
                None => Known::UnknownBlock,
            },
        };
        Ok(&self.last.insert((block, known)).1)
    }
}

/// Appends the codes that there are, in request order.
pub(super) fn codes<'i>(
    snapshot: &dyn Snapshot,
    items: impl Iterator<Item = CodeQuery<'i>>,
    out: &mut Vec<u8>,
) -> Result<Answered, BackendError> {
    let mut states = States::new(snapshot);
    let mut answered = Answered::default();
    for item in items {
        let account = match states.of(item.block_hash)? {
            Known::Stale => continue,
            Known::UnknownBlock => None,
            Known::State(state) => match trie_key(item.account()) {
                Some(key) => state.account(&key)?,
                None => None,
            },
        };
        answered.count(account.is_some());
        let Some(account) = account else { continue };
        if let Some(code) = snapshot.code(&account.code_hash)? {
            code.as_ref().encode(out);
        }
        if out.len() >= SOFT_REPLY_LIMIT {
            break;
        }
    }
    Ok(answered)
}

/// Collects the nodes of all proofs into one set: minimal, each once, in first-use order.
pub(super) fn proofs<'i>(
    snapshot: &dyn Snapshot,
    items: impl Iterator<Item = ProofQuery<'i>>,
    out: &mut Vec<u8>,
) -> Result<Answered, BackendError> {
    let mut states = States::new(snapshot);
    let mut nodes = NodeSet::default();
    let mut answered = Answered::default();
    for item in items {
        let found = match states.of(item.block_hash)? {
            Known::Stale => continue,
            Known::UnknownBlock => false,
            Known::State(state) => prove(state.as_ref(), &item, &mut nodes)?,
        };
        answered.count(found);
        if nodes.payload().len() >= SOFT_REPLY_LIMIT {
            break;
        }
    }
    out.extend_from_slice(nodes.payload());
    Ok(answered)
}

fn prove(
    state: &dyn StateSnapshot,
    item: &ProofQuery<'_>,
    nodes: &mut NodeSet,
) -> Result<bool, BackendError> {
    let from_level = usize::try_from(item.from_level).unwrap_or(usize::MAX);
    let account = item.account();
    if account == AccountKey::None {
        return state.prove_account(item.key, from_level, nodes).map(|()| true);
    }
    match trie_key(account) {
        Some(key) => state.prove_storage(&key, item.key, from_level, nodes),
        None => Ok(false),
    }
}
