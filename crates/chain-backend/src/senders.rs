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

#[cfg(test)]
mod tests {
    use alloy_primitives::{U256, address, hex};
    use alloy_rlp::Decodable as _;

    use super::*;

    /// The signed transaction of EIP-155, "Example".
    const EIP_155: [u8; 110] = hex!(
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a0"
        "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b"
        "3800ccf555c9f3dc64214b297fb1966a3b6d83"
    );

    fn rules(fork: Fork, chain_id: u64) -> ExecutionRules {
        ExecutionRules {
            fork,
            chain_id,
            dao_drain: false,
            block_reward: 0,
            blobs: None,
            deposit_contract: None,
        }
    }

    fn example() -> Transaction {
        Transaction::decode(&mut EIP_155.as_slice()).unwrap()
    }

    /// The same signature with `s` replaced by the order less `s`, and the other parity.
    fn upper_s(transaction: &Transaction) -> Transaction {
        let Transaction::Legacy(signed) = transaction else { panic!("a legacy transaction") };
        let order = SECP256K1N_HALF * U256::from(2) + U256::from(1);
        let old = signed.signature();
        let signature = Signature::new(old.r(), order - old.s(), !old.v());
        Transaction::new_unhashed(signed.tx().clone().into(), signature)
    }

    #[track_caller]
    fn check(
        fork: Fork,
        chain_id: u64,
        transaction: &Transaction,
        expected: Result<Address, SenderError>,
    ) {
        let found = recover_senders(&rules(fork, chain_id), std::slice::from_ref(transaction));
        let expected = expected.map(|sender| vec![sender]).map_err(|error| (0, error));
        assert_eq!(found, expected, "{fork:?}");
    }

    const SENDER: Address = address!("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f");

    #[test]
    fn the_example_of_eip_155_has_its_sender_from_eip_155_on_and_on_its_chain_alone() {
        check(Fork::Eip155, 1, &example(), Ok(SENDER));
        check(Fork::Osaka, 1, &example(), Ok(SENDER));
        check(Fork::TangerineWhistle, 1, &example(), Err(SenderError::Chain(1)));
        check(Fork::Osaka, 2, &example(), Err(SenderError::Chain(1)));
    }

    #[test]
    fn a_high_s_is_refused_from_homestead_on() {
        let Transaction::Legacy(signed) = example() else { panic!("a legacy transaction") };
        let unbound = alloy_consensus::TxLegacy { chain_id: None, ..signed.tx().clone() };
        let transaction = Transaction::new_unhashed(unbound.into(), *signed.signature());
        let low = recover_senders(&rules(Fork::Frontier, 1), std::slice::from_ref(&transaction));
        let sender = low.unwrap().remove(0);
        let high = upper_s(&transaction);
        check(Fork::Frontier, 1, &high, Ok(sender));
        check(Fork::Homestead, 1, &transaction, Ok(sender));
        check(Fork::Homestead, 1, &high, Err(SenderError::HighS));
    }

    #[test]
    fn the_first_of_several_bad_transactions_is_named_also_in_parallel() {
        let mut transactions = vec![example(); 20];
        transactions[7] = upper_s(&example());
        transactions[13] = upper_s(&example());
        let found = recover_senders(&rules(Fork::London, 1), &transactions);
        assert_eq!(found, Err((7, SenderError::HighS)));
    }
}
