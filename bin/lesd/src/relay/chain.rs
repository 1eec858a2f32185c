//! What the relay reads of the chain, and how it goes along with it.

use std::{collections::BTreeMap, sync::Arc};

use alloy_consensus::Header;
use alloy_primitives::{Address, KECCAK256_EMPTY};
use alloy_rlp::Decodable as _;
use chain_backend::{BackendError, Snapshot};
use consensus::Position as BlockPosition;
use tracing::{debug, info};
use tx_relay::{AccountFacts, ChainView, Rules, UnixSeconds, decode_transaction};

use super::TransactionRelay;
use crate::clock::unix_seconds;

impl TransactionRelay {
    /// Goes along with the chain, whatever happened to it. To be called after every new head, by
    /// one thread.
    ///
    /// # Errors
    /// If the chain cannot be read; the next call makes up for it.
    pub fn on_head(&self) -> Result<(), BackendError> {
        let snapshot = self.inner.backend.snapshot();
        let watched = self.inner.set.lock().watched();
        if watched.is_empty() {
            return Ok(());
        }
        let mut places = BTreeMap::new();
        for hash in watched {
            places.insert(hash, snapshot.transaction(&hash)?.map(|lookup| lookup.block_number));
        }
        let senders = self.inner.set.lock().senders_to_check(&places);
        let mut facts = BTreeMap::new();
        for sender in senders {
            facts.insert(sender, account(snapshot.as_ref(), &sender)?);
        }
        let rules = self.rules(snapshot.as_ref())?;
        let view = ChainView { head: snapshot.head().number, rules, places, facts };
        let mut set = self.inner.set.lock();
        let followed = set.follow(&view, UnixSeconds(unix_seconds()));
        let last = set.last_offer();
        drop(set);
        self.publish(last);
        debug!(head = view.head, ?followed, "Transactions followed the chain");
        Ok(())
    }

    /// The rules of the block after the snapshot's head.
    pub(super) fn rules(&self, snapshot: &dyn Snapshot) -> Result<Rules, BackendError> {
        let head = snapshot.head();
        let mut rlp = Vec::new();
        snapshot.append_header(&head.hash, &mut rlp)?;
        let header = Header::decode(&mut rlp.as_slice())
            .map_err(|error| BackendError::Corrupt(format!("header {}: {error}", head.hash)))?;
        let fork = self.inner.spec.fork_at(BlockPosition {
            number: head.number.saturating_add(1),
            timestamp: header.timestamp,
            merged: self.inner.spec.merged_after(head.total_difficulty),
        });
        Ok(Rules { fork, gas_limit: header.gas_limit, min_tip: self.inner.min_tip })
    }

    /// Takes up what was saved, as far as the chain still allows it.
    pub(super) fn restore(&self, saved: Vec<tx_relay::Saved>) -> Result<(), BackendError> {
        let snapshot = self.inner.backend.snapshot();
        let rules = self.rules(snapshot.as_ref())?;
        let now = UnixSeconds(unix_seconds());
        let mut set = self.inner.set.lock();
        for item in saved {
            let decoded = decode_transaction(&item.transaction);
            let Ok(transaction) = decoded.and_then(|transaction| self.signed(transaction)) else {
                continue;
            };
            let (transaction, seen) = (Arc::new(transaction), item.seen.min(now));
            if let Some(lookup) = snapshot.transaction(&transaction.hash())? {
                set.restore_included(transaction, item.client, seen, lookup.block_number);
                continue;
            }
            let facts = account(snapshot.as_ref(), &transaction.sender())?;
            // What the chain has made impossible meanwhile is simply gone.
            drop(set.submit(transaction, item.client, facts, &rules, seen));
        }
        set.age(now);
        self.publish(set.last_offer());
        let (pending, queued) = set.counts();
        drop(set);
        info!(pending, queued, "Loaded transactions to be relayed");
        Ok(())
    }
}

/// An account in the state of the snapshot's head.
pub(super) fn account(
    snapshot: &dyn Snapshot,
    address: &Address,
) -> Result<AccountFacts, BackendError> {
    let head = snapshot.head();
    let Some(state) = snapshot.state(&head.hash)? else {
        return Err(BackendError::Corrupt(format!("the state of the head {} is gone", head.hash)));
    };
    let key = keccak::keccak256(address.as_slice()).into();
    let account = state.account(&key)?;
    Ok(account.map_or_else(AccountFacts::default, |account| AccountFacts {
        nonce: account.nonce,
        balance: account.balance,
        has_code: account.code_hash != KECCAK256_EMPTY,
    }))
}
