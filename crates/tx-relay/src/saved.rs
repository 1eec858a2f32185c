//! The set as bytes, to be kept over a restart:
//!
//! ```text
//! "lesdtxs1" ‖ Keccak-256 of what follows ‖ RLP [[client, seen, transaction]…]
//! ```

use alloy_primitives::Bytes;
use alloy_rlp::{Decodable as _, Encodable as _, RlpDecodable, RlpEncodable};

use crate::{
    Client, ITEM_WEIGHT, MAX_INCLUDED_WEIGHT, MAX_TRANSACTION_BYTES, MAX_WEIGHT, RelaySet,
    UnixSeconds,
};

/// The most bytes that [`encode_saved`] writes.
pub const MAX_SAVED_BYTES: usize = MAX_WEIGHT + MAX_INCLUDED_WEIGHT + MAX_TRANSACTION_BYTES;

const MAGIC: &[u8; 8] = b"lesdtxs1";
const CHECKSUM_BYTES: usize = 32;
/// Transactions that both bounds allow.
const MAX_ITEMS: usize = (MAX_WEIGHT + MAX_INCLUDED_WEIGHT) / ITEM_WEIGHT;

/// A transaction as it was saved. Whether it is still good must be found out anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Who brought it.
    pub client: Client,
    /// When it was last sent to us.
    pub seen: UnixSeconds,
    /// Its canonical bytes.
    pub transaction: Bytes,
}

/// Why bytes are no saved set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamagedError {
    /// Another kind of file, or another version.
    #[error("it does not begin as a file of transactions")]
    Magic,
    /// Bytes were lost or changed.
    #[error("its checksum does not fit its {0} bytes")]
    Checksum(usize),
    /// The bytes are whole, but not what this version writes.
    #[error("its content is malformed: {0}")]
    Content(alloy_rlp::Error),
}

#[derive(RlpDecodable, RlpEncodable)]
struct Item {
    client: u128,
    seen: u64,
    transaction: Bytes,
}

impl RelaySet {
    /// Everything that waits or was included lately.
    #[must_use]
    pub fn saved(&self) -> Vec<Saved> {
        let waiting =
            self.waiting.values().map(|entry| (entry.client, entry.seen, &entry.transaction));
        let included =
            self.included.values().map(|entry| (entry.client, entry.seen, &entry.transaction));
        let saved = waiting.chain(included).map(|(client, seen, transaction)| Saved {
            client,
            seen,
            transaction: transaction.canonical().clone(),
        });
        saved.collect()
    }
}

/// The file that holds these transactions.
#[must_use]
pub fn encode_saved(saved: &[Saved]) -> Vec<u8> {
    let items: Vec<Item> = saved
        .iter()
        .map(|saved| Item {
            client: saved.client.0,
            seen: saved.seen.0,
            transaction: saved.transaction.clone(),
        })
        .collect();
    let mut content = Vec::new();
    items.encode(&mut content);
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(&keccak::keccak256(&content));
    file.extend_from_slice(&content);
    file
}

/// Reads what [`encode_saved`] wrote.
///
/// # Errors
/// If the bytes are anything else.
pub fn decode_saved(file: &[u8]) -> Result<Vec<Saved>, DamagedError> {
    let rest = file.strip_prefix(MAGIC).ok_or(DamagedError::Magic)?;
    let (checksum, mut content) =
        rest.split_at_checked(CHECKSUM_BYTES).ok_or(DamagedError::Checksum(file.len()))?;
    if keccak::keccak256(content) != checksum {
        return Err(DamagedError::Checksum(file.len()));
    }
    let items = Vec::<Item>::decode(&mut content).map_err(DamagedError::Content)?;
    if !content.is_empty() {
        return Err(DamagedError::Content(alloy_rlp::Error::UnexpectedLength));
    }
    let saved = items.into_iter().take(MAX_ITEMS).map(|item| Saved {
        client: Client(item.client),
        seen: UnixSeconds(item.seen),
        transaction: item.transaction,
    });
    Ok(saved.collect())
}
