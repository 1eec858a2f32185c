//! The transactions that clients sent, until a block includes them or they expire.
//!
//! [`RelaySet`] takes what the next block could take now or after its predecessors, by the rules
//! and in the words of go-ethereum's pool; it follows the chain, and it is fair: who sends much
//! loses before who sends little. It is no market for block space: it does not rank by price what
//! it keeps.
//!
//! A value without clock, lock, file or socket. It does not know the chain either: the caller
//! recovers senders, reads accounts, and says which transactions are in blocks.
#![forbid(unsafe_code)]

mod executable;
mod follow;
mod refusal;
mod rules;
mod saved;
mod sender;
mod set;
mod shares;
mod transaction;

pub use follow::{ChainView, Followed};
pub use refusal::Refusal;
pub use rules::{DEFAULT_MIN_TIP, MAX_TRANSACTION_BYTES, Rules};
pub use saved::{DamagedError, MAX_SAVED_BYTES, Saved, decode_saved, encode_saved};
pub use sender::{MAX_SENDER_TRANSACTIONS, PRICE_BUMP_PERCENT};
pub use set::{EXPIRY, Offer, Position, REOFFER, RelaySet, Standing};
pub use shares::{Client, ITEM_WEIGHT, MAX_CLIENT_WEIGHT, MAX_INCLUDED_WEIGHT, MAX_WEIGHT};
pub use transaction::{RelayTransaction, Transaction, decode_transaction};

/// Seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixSeconds(pub u64);

/// What the state after the head says of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountFacts {
    /// Transactions sent: the nonce of the next one.
    pub nonce: u64,
    /// Wei.
    pub balance: alloy_primitives::U256,
    /// Whether it has code. An account that sends can only have a delegation (EIP-7702, EIP-3607).
    pub has_code: bool,
}
