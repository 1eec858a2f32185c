//! Transactions of made-up senders: the set never looks at a signature.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, each used by some of the suites"
)]

use std::sync::Arc;

use alloy_consensus::{TxEip1559, TxLegacy};
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256};
use consensus::Fork;
use tx_relay::{AccountFacts, Client, RelayTransaction, Rules, UnixSeconds};

pub const RULES: Rules = Rules { fork: Fork::London, gas_limit: 30_000_000, min_tip: 1 };
pub const NOW: UnixSeconds = UnixSeconds(1_700_000_000);
pub const GWEI: u128 = 1_000_000_000;

pub fn sender(number: u64) -> Address {
    Address::from_word(U256::from(number).into())
}

pub fn client(number: u128) -> Client {
    Client(number)
}

/// An account that can pay for everything in these tests.
pub fn rich(nonce: u64) -> AccountFacts {
    AccountFacts { nonce, balance: U256::from(10u64).pow(U256::from(24)), has_code: false }
}

pub fn legacy() -> TxLegacy {
    TxLegacy {
        chain_id: Some(1337),
        nonce: 0,
        gas_price: GWEI,
        gas_limit: 21_000,
        to: TxKind::Call(Address::ZERO),
        value: U256::ZERO,
        input: Bytes::new(),
    }
}

pub fn dynamic(nonce: u64, cap: u128, tip: u128) -> TxEip1559 {
    TxEip1559 {
        chain_id: 1337,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: cap,
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(Address::ZERO),
        value: U256::ZERO,
        access_list: Default::default(),
        input: Bytes::new(),
    }
}

pub fn signed<T>(transaction: T, sender: Address) -> Arc<RelayTransaction>
where
    T: alloy_consensus::SignableTransaction<Signature>,
    tx_relay::Transaction: From<alloy_consensus::Signed<T>>,
{
    // Another signature for each sender, so that each has a hash of its own.
    let signature = Signature::new(U256::from_be_slice(sender.as_slice()), U256::from(1), true);
    let envelope = transaction.into_signed(signature).into();
    Arc::new(RelayTransaction::new(envelope, sender))
}

/// One of `from` with this nonce and so many bytes of data; the gas for it is paid.
pub fn plain(from: u64, nonce: u64, price: u128, data: usize) -> Arc<RelayTransaction> {
    let gas_limit = 21_000 + 4 * u64::try_from(data).unwrap();
    let input = vec![0; data].into();
    signed(TxLegacy { nonce, gas_price: price, gas_limit, input, ..legacy() }, sender(from))
}
