//! Values as the tests write them: everything is a string of hex.

use alloy_consensus::Header;
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, U256, hex};
use consensus::GenesisAccount;
use serde_json::Value;

pub(super) fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    value.get(key).and_then(Value::as_str).ok_or_else(|| format!("`{key}` is missing"))
}

pub(super) fn number(text: &str) -> Result<U256, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.is_empty() {
        return Ok(U256::ZERO);
    }
    U256::from_str_radix(digits, 16).map_err(|error| format!("{text}: {error}"))
}

pub(super) fn small(text: &str) -> Result<u64, String> {
    number(text)?.try_into().map_err(|_| format!("{text} does not fit 64 bits"))
}

pub(super) fn bytes(text: &str) -> Result<Bytes, String> {
    hex::decode(text).map(Bytes::from).map_err(|error| format!("{error} in {text:.40}"))
}

pub(super) fn fixed<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} has the wrong length"))
}

/// The genesis header.
pub(super) fn header(value: &Value) -> Result<Header, String> {
    let hash = |key| fixed::<B256>(text(value, key)?);
    let optional = |key: &str| value.get(key).and_then(Value::as_str);
    let small_at = |key| small(text(value, key)?);
    Ok(Header {
        parent_hash: hash("parentHash")?,
        ommers_hash: hash("uncleHash")?,
        beneficiary: fixed::<Address>(text(value, "coinbase")?)?,
        state_root: hash("stateRoot")?,
        transactions_root: hash("transactionsTrie")?,
        receipts_root: hash("receiptTrie")?,
        logs_bloom: fixed::<Bloom>(text(value, "bloom")?)?,
        difficulty: number(text(value, "difficulty")?)?,
        number: small_at("number")?,
        gas_limit: small_at("gasLimit")?,
        gas_used: small_at("gasUsed")?,
        timestamp: small_at("timestamp")?,
        extra_data: bytes(text(value, "extraData")?)?,
        mix_hash: hash("mixHash")?,
        nonce: fixed::<B64>(text(value, "nonce")?)?,
        base_fee_per_gas: optional("baseFeePerGas").map(small).transpose()?,
        withdrawals_root: optional("withdrawalsRoot").map(fixed).transpose()?,
        blob_gas_used: optional("blobGasUsed").map(small).transpose()?,
        excess_blob_gas: optional("excessBlobGas").map(small).transpose()?,
        parent_beacon_block_root: optional("parentBeaconBlockRoot").map(fixed).transpose()?,
        requests_hash: optional("requestsHash").map(fixed).transpose()?,
        block_access_list_hash: optional("blockAccessListHash").map(fixed).transpose()?,
        slot_number: optional("slotNumber").map(small).transpose()?,
    })
}

/// A state: `pre` or `postState`.
pub(super) fn accounts(value: &Value) -> Result<Vec<(Address, GenesisAccount)>, String> {
    let entries = value.as_object().ok_or("a state is an object")?;
    entries.iter().map(|(address, content)| Ok((fixed(address)?, account(content)?))).collect()
}

fn account(value: &Value) -> Result<GenesisAccount, String> {
    let slots = value.get("storage").and_then(Value::as_object);
    let storage: Result<Vec<(B256, U256)>, String> = slots
        .into_iter()
        .flatten()
        .map(|(slot, content)| {
            let content = content.as_str().ok_or("a storage value is a string")?;
            Ok((number(slot)?.into(), number(content)?))
        })
        .collect();
    Ok(GenesisAccount {
        nonce: small(text(value, "nonce")?)?,
        balance: number(text(value, "balance")?)?,
        code: bytes(text(value, "code")?)?,
        storage: storage?,
    })
}
