//! Transactions and receipts in words. They are proven before they come here; this only reads.

use alloy_consensus::{Eip658Value, ReceiptEnvelope, Transaction as _, TxEnvelope, TxReceipt as _};
use alloy_eips::eip2718::{Decodable2718 as _, Typed2718 as _};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use rlpx::NodeId;
use serde_json::{Value, json};

/// A transaction: its hash and what can be read of it, in words and for programs.
pub(crate) fn describe(canonical: &Bytes) -> (String, Value) {
    let hash = keccak256(canonical);
    let Ok(transaction) = TxEnvelope::decode_2718_exact(canonical) else {
        let text = format!("{hash}  of a type that is not known here");
        return (text, json!({"hash": hash, "raw": canonical}));
    };
    let from = sender(&transaction);
    let sender = from.map_or_else(|| "(no valid signature)".to_owned(), |from| from.to_string());
    let to = transaction.to();
    let recipient = to.map_or_else(|| "creates a contract".to_owned(), |to| format!("to {to}"));
    let text = format!(
        "{hash}\n  type {}, from {sender} {recipient}, nonce {}, {}, gas limit {}, \
         {} bytes of data",
        transaction.ty(),
        transaction.nonce(),
        ether(transaction.value()),
        transaction.gas_limit(),
        transaction.input().len(),
    );
    let value = json!({
        "hash": hash,
        "type": transaction.ty(),
        "from": from,
        "to": to,
        "nonce": transaction.nonce(),
        "value": transaction.value().to_string(),
        "gasLimit": transaction.gas_limit(),
        "input": transaction.input(),
        "raw": canonical,
    });
    (text, value)
}

/// Who signed it.
fn sender(transaction: &TxEnvelope) -> Option<Address> {
    let signature = transaction.signature();
    let mut bytes = [0; rlpx::SIGNATURE];
    let (scalars, parity) = bytes.split_at_mut(64);
    let (r, s) = scalars.split_at_mut(32);
    r.copy_from_slice(&signature.r().to_be_bytes::<32>());
    s.copy_from_slice(&signature.s().to_be_bytes::<32>());
    parity.fill(u8::from(signature.v()));
    let digest: B256 = transaction.signature_hash();
    let key = NodeId::recover(&digest.0, &bytes).ok()?;
    Some(Address::from_raw_public_key(key.as_bytes()))
}

/// A receipt in words and for programs.
pub(crate) fn describe_receipt(index: usize, canonical: &Bytes) -> (String, Value) {
    let Ok(receipt) = ReceiptEnvelope::decode_2718_exact(canonical) else {
        let text = format!("{index}  of a type that is not known here");
        return (text, json!({"index": index, "raw": canonical}));
    };
    let outcome = match receipt.status_or_post_state() {
        Eip658Value::Eip658(true) => "succeeded".to_owned(),
        Eip658Value::Eip658(false) => "failed".to_owned(),
        Eip658Value::PostState(root) => format!("led to state {root}"),
    };
    let gas = receipt.cumulative_gas_used();
    let logs = receipt.logs();
    let text = format!("{index}  {outcome}, {gas} gas so far in the block, {} logs", logs.len());
    let value = json!({
        "index": index,
        "type": receipt.ty(),
        "outcome": outcome,
        "cumulativeGasUsed": gas,
        "logs": logs.iter().map(|log| json!({
            "address": log.address,
            "topics": log.topics(),
            "data": log.data.data,
        })).collect::<Vec<_>>(),
        "raw": canonical,
    });
    (text, value)
}

/// An amount in ether, exactly.
pub(crate) fn ether(wei: U256) -> String {
    let (whole, rest) = wei.div_rem(U256::from(1_000_000_000_000_000_000_u64));
    let digits = format!("{rest:018}");
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() { format!("{whole} ether") } else { format!("{whole}.{digits} ether") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (wei, expected) in [
            (U256::ZERO, "0 ether"),
            (U256::from(1), "0.000000000000000001 ether"),
            (U256::from(1_500_000_000_000_000_000_u64), "1.5 ether"),
            (U256::from(10).pow(U256::from(20)), "100 ether"),
        ] {
            assert_eq!(ether(wei), expected);
        }
    }

    #[test]
    fn a_transaction_of_eip_155_is_read_with_its_sender() {
        // The example of EIP-155.
        let raw: Bytes = concat!(
            "0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764",
            "00008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9",
            "d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83",
        )
        .parse()
        .unwrap();
        let (_, value) = describe(&raw);
        assert_eq!(value["nonce"], 9);
        assert_eq!(value["value"], "1000000000000000000");
        // The address of the key 0x4646…46.
        assert_eq!(value["from"], "0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f");
    }

    #[test]
    fn what_cannot_be_read_is_shown_raw() {
        let (_, value) = describe(&Bytes::from_static(&[0x7f, 0x01]));
        assert_eq!(value["raw"], "0x7f01");
        let (_, value) = describe_receipt(3, &Bytes::from_static(&[0x7f, 0x01]));
        assert_eq!(value["index"], 3);
    }
}
