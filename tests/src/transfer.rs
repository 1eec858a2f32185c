//! Signed transactions.

use alloy_consensus::{SignableTransaction as _, TxLegacy};
use alloy_primitives::{Signature, TxKind, U256};
use chain_backend::Transaction;
use lesd::dev::DevAccount;
use secp256k1::{Message, SecretKey, ecdsa::RecoverableSignature};

/// One wei from an account to itself on a development chain.
pub fn transfer(from: &DevAccount, nonce: u64, gas_price: u128) -> TxLegacy {
    TxLegacy {
        chain_id: Some(1337),
        nonce,
        gas_price,
        gas_limit: 21_000,
        to: TxKind::Call(from.address),
        value: U256::from(1),
        ..TxLegacy::default()
    }
}

/// Signs a transaction with an account's key.
pub fn sign(from: &DevAccount, transaction: TxLegacy) -> Transaction {
    let key = SecretKey::from_secret_bytes(from.key.0).expect("a secret key");
    let message = Message::from_digest(transaction.signature_hash().0);
    let (id, bytes) =
        RecoverableSignature::sign_ecdsa_recoverable(message, &key).serialize_compact();
    let signature = Signature::from_bytes_and_parity(&bytes, id.to_u8() == 1);
    transaction.into_signed(signature).into()
}
