//! The transactions of one sender, by nonce.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::U256;

use crate::{AccountFacts, Refusal, RelayTransaction};

/// Transactions of one sender that may wait (go-ethereum, `AccountQueue`).
pub const MAX_SENDER_TRANSACTIONS: usize = 64;
/// What a replacement must offer more, for the miner and in all (go-ethereum, `PriceBump`).
pub const PRICE_BUMP_PERCENT: u32 = 10;

/// What waits of one sender.
#[derive(Debug, Default)]
pub(crate) struct SenderQueue {
    pub(crate) facts: AccountFacts,
    pub(crate) items: BTreeMap<u64, Arc<RelayTransaction>>,
}

impl SenderQueue {
    /// Whether `transaction` may be added, beside its sender's account. Gives the nonce that must
    /// leave for it, if one must.
    pub(crate) fn check(&self, transaction: &RelayTransaction) -> Result<Option<u64>, Refusal> {
        let nonce = transaction.nonce();
        let others = self.items.iter().filter(|(other, _)| **other != nonce);
        let cost =
            others.map(|(_, other)| other.cost()).fold(transaction.cost(), U256::saturating_add);
        if cost > self.facts.balance {
            return Err(Refusal::Overdraft);
        }
        self.check_delegation(nonce)?;
        if let Some(old) = self.items.get(&nonce) {
            return if replaces(transaction, old) {
                Ok(Some(nonce))
            } else {
                Err(Refusal::ReplacementUnderpriced)
            };
        }
        if self.items.len() < MAX_SENDER_TRANSACTIONS {
            return Ok(None);
        }
        // One that comes earlier is worth more than the one that comes last.
        match self.items.last_key_value() {
            Some((last, _)) if *last > nonce => Ok(Some(*last)),
            _ => Err(Refusal::SenderFull),
        }
    }

    /// Whoever runs the code of an account can empty it, and so make everything that waits of it
    /// worthless at once: only its next transaction is taken, or a replacement (EIP-7702,
    /// "Transaction Propagation"; go-ethereum 1.15.11, `checkDelegationLimit`).
    fn check_delegation(&self, nonce: u64) -> Result<(), Refusal> {
        if !self.facts.has_code || nonce == self.facts.nonce {
            return Ok(());
        }
        match self.items.contains_key(&self.facts.nonce) {
            // Several may wait from before the delegation.
            true if self.items.contains_key(&nonce) => Ok(()),
            true => Err(Refusal::DelegatedInFlight),
            false => Err(Refusal::DelegatedGap),
        }
    }
}

/// Whether `new` offers enough more than `old`, which has its sender and nonce.
fn replaces(new: &RelayTransaction, old: &RelayTransaction) -> bool {
    let enough = |new: u128, old: u128| {
        let least = U256::from(old) * U256::from(100 + PRICE_BUMP_PERCENT) / U256::from(100);
        new > old && U256::from(new) >= least
    };
    enough(new.fee_cap(), old.fee_cap()) && enough(new.tip_cap(), old.tip_cap())
}
