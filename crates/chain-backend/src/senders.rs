//! Senders of transactions, recovered from their signatures.

use alloy_consensus::{Transaction as _, Typed2718 as _, crypto::SECP256K1N_HALF};
use alloy_primitives::{Address, B256, Signature};
use consensus::Fork;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};

use crate::execute::{ExecutionRules, Transaction};

/// Why a transaction has no sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SenderError {
    /// Its type comes with a later fork.
    #[error("type {0} is not known yet in this block")]
    TypeTooNew(u8),
    /// It is bound to a chain before EIP-155, or to another chain.
    #[error("it is bound to chain {0}, which this block does not accept")]
    Chain(u64),
    /// The upper of two equivalent values of `s`, refused from Homestead on (EIP-2).
    #[error("its signature has a high s")]
    HighS,
    /// The signature is of no key.
    #[error("its signature belongs to no key")]
    NoKey,
}

/// The sender of each transaction. The first error is that of the lowest index.
pub fn recover_senders(
    rules: &ExecutionRules,
    transactions: &[Transaction],
) -> Result<Vec<Address>, (usize, SenderError)> {
    // Collected before the first error is looked for: rayon reports any of several.
    let senders: Vec<_> = if transactions.len() < PARALLEL_FROM {
        transactions.iter().map(|transaction| recover_sender(rules, transaction)).collect()
    } else {
        transactions.par_iter().map(|transaction| recover_sender(rules, transaction)).collect()
    };
    let indexed = senders.into_iter().enumerate();
    indexed.map(|(index, sender)| sender.map_err(|error| (index, error))).collect()
}

/// Fewer signatures than this cost less than handing them to other threads (35 µs each).
const PARALLEL_FROM: usize = 4;

fn recover_sender(
    rules: &ExecutionRules,
    transaction: &Transaction,
) -> Result<Address, SenderError> {
    let (kind, first) = match transaction {
        Transaction::Legacy(_) => (0, Fork::Frontier),
        Transaction::Eip2930(_) => (1, Fork::Berlin),
        Transaction::Eip1559(_) => (2, Fork::London),
        Transaction::Eip4844(_) => (3, Fork::Cancun),
        Transaction::Eip7702(_) => (4, Fork::Prague),
    };
    debug_assert_eq!(kind, transaction.ty(), "types are numbered by their EIP");
    if rules.fork < first {
        return Err(SenderError::TypeTooNew(kind));
    }
    if let Some(chain) = transaction.chain_id()
        && (chain != rules.chain_id || rules.fork < Fork::Eip155)
    {
        return Err(SenderError::Chain(chain));
    }
    let signature = transaction.signature();
    if signature.s() > SECP256K1N_HALF && rules.fork >= Fork::Homestead {
        return Err(SenderError::HighS);
    }
    recover(&compact(signature), signature.v(), &transaction.signature_hash())
        .ok_or(SenderError::NoKey)
}

fn compact(signature: &Signature) -> [u8; 64] {
    let mut bytes = [0; 64];
    let (r, s) = bytes.split_at_mut(32);
    r.copy_from_slice(&signature.r().to_be_bytes::<32>());
    s.copy_from_slice(&signature.s().to_be_bytes::<32>());
    bytes
}

/// The address whose key made the signature `r ‖ s`, by the parity of the curve point.
pub(crate) fn recover(signature: &[u8; 64], odd: bool, hash: &B256) -> Option<Address> {
    let id = if odd { RecoveryId::One } else { RecoveryId::Zero };
    let signature = RecoverableSignature::from_compact(signature, id).ok()?;
    let key = signature.recover(Message::from_digest(hash.0)).ok()?.serialize_uncompressed();
    let [_, point @ ..] = key;
    let hash = keccak::keccak256(&point);
    Some(Address::from_slice(hash.last_chunk::<20>()?))
}
