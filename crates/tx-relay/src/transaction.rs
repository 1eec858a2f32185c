//! A signed transaction with what the set needs to know of it.

use alloy_consensus::{EthereumTxEnvelope, Transaction as _, TxEip4844, Typed2718 as _};
use alloy_eips::eip2718::{Decodable2718 as _, Encodable2718 as _};
use alloy_primitives::{Address, B256, Bytes, U256};

use crate::{MAX_TRANSACTION_BYTES, Refusal};

/// A transaction as a block holds it: blobs by hash, without their data.
pub type Transaction = EthereumTxEnvelope<TxEip4844>;

/// Type of a blob transaction (EIP-4844).
const BLOB: u8 = 3;
/// The newest type (EIP-7702).
const SET_CODE: u8 = 4;
/// Fields of the longest type: [`SET_CODE`].
const MOST_FIELDS: usize = 13;
/// Types up to this are `type ‖ payload`; above begins RLP (EIP-2718).
const LAST_TYPE: u8 = 0x7f;

/// Reads a transaction in its canonical form: an RLP list, or `type ‖ payload` (EIP-2718).
///
/// # Errors
/// If these are no such bytes, too many, or of a type that is never relayed.
pub fn decode_transaction(canonical: &[u8]) -> Result<Transaction, Refusal> {
    match canonical.first() {
        None => return Err(Refusal::Malformed("typed transaction too short".to_owned())),
        Some(&BLOB) => return Err(Refusal::Blob),
        Some(&kind) if kind == 0 || (kind > SET_CODE && kind <= LAST_TYPE) => {
            return Err(Refusal::TypeNotSupported);
        }
        Some(_) => {}
    }
    if canonical.len() > MAX_TRANSACTION_BYTES {
        return Err(Refusal::Oversized);
    }
    let mut rest = canonical;
    let decoded = Transaction::decode_2718(&mut rest);
    match decoded {
        Ok(_) if !rest.is_empty() => {
            Err(Refusal::Malformed(format!("{} bytes behind the transaction", rest.len())))
        }
        // Another encoding of the same transaction would have another hash here than in a block.
        Ok(transaction) if transaction.encode_2718_len() != canonical.len() => {
            Err(Refusal::Malformed("not in its only valid encoding".to_owned()))
        }
        Ok(transaction) => Ok(transaction),
        Err(error) => Err(why(canonical, &error.to_string())),
    }
}

/// The decoder wants fees of 128 bits and a possible signature; bytes that are a transaction but
/// for that are refused as go-ethereum refuses them.
fn why(canonical: &[u8], error: &str) -> Refusal {
    let malformed = Refusal::Malformed(format!("rlp: {error}"));
    // Where nonce and gas are, and where the fees.
    let (words, fees): ([usize; 2], &[usize]) = match canonical.first() {
        Some(1) => ([1, 3], &[2]),
        Some(2 | 4) => ([1, 4], &[2, 3]),
        _ => ([0, 2], &[1]),
    };
    let payload = canonical.get(usize::from(canonical.first() <= Some(&LAST_TYPE))..);
    let Some(fields) = payload.and_then(string_fields) else { return malformed };
    let longer = |index: &usize, most| fields.get(*index).is_none_or(|field| field.len() > most);
    if words.iter().any(|index| longer(index, 8)) {
        return malformed;
    }
    if fees.iter().any(|index| longer(index, 16)) {
        return Refusal::FeeVeryHigh;
    }
    // The last three fields are a signature: integers of at most 32 bytes.
    let is_number = |field: &&[u8]| field.len() <= 32 && field.first() != Some(&0);
    if fields.iter().rev().take(3).all(is_number) { Refusal::InvalidSender } else { malformed }
}

/// The fields of an RLP list, if a transaction could have so many; a list among them counts as an
/// empty one.
fn string_fields(mut list: &[u8]) -> Option<Vec<&[u8]>> {
    let mut payload = alloy_rlp::Header::decode_bytes(&mut list, true).ok()?;
    let mut fields = Vec::new();
    while !payload.is_empty() {
        if fields.len() == MOST_FIELDS {
            return None;
        }
        let header = alloy_rlp::Header::decode(&mut payload).ok()?;
        let content = payload.get(..header.payload_length)?;
        payload = payload.get(header.payload_length..)?;
        fields.push(if header.list { &[] } else { content });
    }
    list.is_empty().then_some(fields)
}

/// A transaction whose sender is known.
#[derive(Clone, Debug)]
pub struct RelayTransaction {
    transaction: Transaction,
    canonical: Bytes,
    sender: Address,
    cost: U256,
}

impl RelayTransaction {
    /// `sender` must have been recovered from the signature.
    #[must_use]
    pub fn new(transaction: Transaction, sender: Address) -> Self {
        let canonical = Bytes::from(transaction.encoded_2718());
        // 64 and 128 bits: the product fits.
        let fee = U256::from(transaction.gas_limit())
            .saturating_mul(U256::from(transaction.max_fee_per_gas()));
        let cost = fee.saturating_add(transaction.value());
        Self { transaction, canonical, sender, cost }
    }

    /// The transaction itself.
    #[must_use]
    pub const fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Its bytes: an RLP list, or `type ‖ payload`.
    #[must_use]
    pub const fn canonical(&self) -> &Bytes {
        &self.canonical
    }

    /// Keccak-256 of its bytes.
    #[must_use]
    pub fn hash(&self) -> B256 {
        *self.transaction.tx_hash()
    }

    /// Type of the transaction (EIP-2718).
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.transaction.ty()
    }

    /// Who signed it.
    #[must_use]
    pub const fn sender(&self) -> Address {
        self.sender
    }

    /// Its position among the sender's transactions.
    #[must_use]
    pub fn nonce(&self) -> u64 {
        self.transaction.nonce()
    }

    /// The most wei that it can take from the sender: value and gas at the highest fee.
    #[must_use]
    pub const fn cost(&self) -> U256 {
        self.cost
    }

    /// Highest fee per gas, wei.
    #[must_use]
    pub fn fee_cap(&self) -> u128 {
        self.transaction.max_fee_per_gas()
    }

    /// Highest fee per gas for the miner, wei; a transaction without that field offers its price.
    #[must_use]
    pub fn tip_cap(&self) -> u128 {
        self.transaction.max_priority_fee_per_gas().unwrap_or_else(|| self.fee_cap())
    }

    /// Fee per gas for the miner of a block with this base fee, wei; `None` if it does not pay the
    /// base fee.
    #[must_use]
    pub fn tip(&self, base_fee: u64) -> Option<u128> {
        let above = self.fee_cap().checked_sub(u128::from(base_fee))?;
        Some(above.min(self.tip_cap()))
    }
}
