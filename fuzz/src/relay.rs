//! Transactions on their way into a block, and the file that keeps them.

use alloy_eips::eip2718::Encodable2718 as _;
use keccak::keccak256;
use tx_relay::{Refusal, decode_saved, decode_transaction, encode_saved};

use crate::{Target, memory::bounded};

pub const TARGETS: &[Target] = &[("transaction", transaction), ("saved", saved)];

/// What a transaction file begins with.
const MAGIC: &[u8] = b"lesdtxs1";

fn transaction(input: &[u8]) {
    // An authorization of 27 bytes takes 136, and a list that grows holds three times as much.
    let decoded = bounded(input.len(), 16, 2048, || decode_transaction(input));
    match decoded {
        Ok(transaction) => {
            let mut encoded = Vec::new();
            transaction.encode_2718(&mut encoded);
            assert_eq!(encoded, input, "a transaction has one spelling");
            assert_eq!(transaction.tx_hash().0, keccak256(input));
        }
        Err(
            Refusal::Malformed(_)
            | Refusal::Blob
            | Refusal::TypeNotSupported
            | Refusal::Oversized
            | Refusal::FeeVeryHigh
            | Refusal::InvalidSender,
        ) => {}
        Err(other) => panic!("{other} is not about bytes"),
    }
}

/// The input is what the checksum is of, so that mutations get past it.
fn saved(input: &[u8]) {
    let file = [MAGIC, &keccak256(input), input].concat();
    // An item of four bytes takes 64, and a list that grows holds three times as much.
    let Ok(saved) = bounded(file.len(), 64, 2048, || decode_saved(&file)) else { return };
    assert_eq!(encode_saved(&saved), file, "a file has one spelling");
}
