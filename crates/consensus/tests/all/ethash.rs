//! `PoWTests`, and blocks of the mainnet.

use alloy_consensus::Header;
use alloy_primitives::{B64, B256, U256, keccak256};
use alloy_rlp::Decodable;
use consensus::ethash::{Cache, Caches, EthashError, MAX_EPOCH, seal_hash};

use super::support::{bytes, fixture, json, object, text};

#[test]
fn official_seals_are_accepted_and_changed_ones_refused() {
    let file = json(&fixture("consensus/ethash.json"));
    let cache = Cache::new(0).unwrap();
    for (name, case) in object(&file) {
        assert_eq!(Some(cache.bytes() as u64), case["cache_size"].as_u64(), "{name}");
        assert_eq!(cache.digest(), text(case, "cache_hash").parse::<B256>().unwrap(), "{name}");
        let header = Header::decode(&mut &bytes(case, "header")[..]).unwrap();
        let hash: B256 = text(case, "header_hash").parse().unwrap();
        assert_eq!(seal_hash(&header), hash, "{name}");
        let nonce: B64 = text(case, "nonce").parse().unwrap();
        let work = cache.work(hash, nonce);
        assert_eq!(work.mix_hash, text(case, "mixHash").parse::<B256>().unwrap(), "{name}");
        assert_eq!(work.result, text(case, "result").parse::<B256>().unwrap(), "{name}");

        // The header of the second case claims more work than was done.
        let sealed = Header { nonce, mix_hash: work.mix_hash, ..header };
        let enough = U256::from_be_bytes(work.result.0) <= U256::MAX / sealed.difficulty;
        assert_eq!(cache.verify(&sealed).is_ok(), enough, "{name}");
        let forged = Header { mix_hash: keccak256(work.mix_hash), ..sealed.clone() };
        assert!(matches!(cache.verify(&forged), Err(EthashError::MixHash { .. })), "{name}");
        let none = Header { difficulty: U256::ZERO, ..sealed.clone() };
        assert_eq!(cache.verify(&none), Err(EthashError::NoDifficulty), "{name}");
        let other = Header { number: 30_000, ..sealed };
        let wrong = EthashError::WrongEpoch { cache: 0, number: 30_000 };
        assert_eq!(cache.verify(&other), Err(wrong), "{name}");
    }
}

#[test]
fn caches_are_refused_beyond_the_last_epoch() {
    let number = (MAX_EPOCH + 1) * 30_000;
    let header = Header { number, difficulty: U256::ONE, ..Header::default() };
    let refused = Err(EthashError::TooFar { most: number - 1, found: number });
    assert_eq!(Caches::default().verify(&header), refused);
}
