//! The accounts of a development chain: those of the mnemonic that every development tool uses, so
//! that wallets and scripts made for Hardhat or Anvil work unchanged. Everybody knows their keys.

use alloy_primitives::{Address, B256, hex};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secp256k1::{PublicKey, Scalar, SecretKey};
use sha2::Sha512;

/// The public mnemonic (the default of Hardhat and Anvil).
pub const MNEMONIC: &str = "test test test test test test test test test test test junk";
/// Salt of a seed without a passphrase, and its rounds (BIP-39, "From mnemonic to seed").
const SEED_SALT: &[u8] = b"mnemonic";
const SEED_ROUNDS: usize = 2048;
/// Key of the first step from a seed (BIP-32, "Master key generation").
const MASTER: &[u8] = b"Bitcoin seed";
/// Set in the index of a child whose public key alone does not suffice to find it (BIP-32).
const HARDENED: u32 = 1 << 31;
/// Where Ethereum's accounts begin: m/44'/60'/0'/0 (BIP-44, SLIP-44).
const ACCOUNTS: [u32; 4] = [44 | HARDENED, 60 | HARDENED, HARDENED, 0];
/// The signer's account, which holds nothing: m/44'/60'/1'/0/0. Fees that it earns change the
/// balance of no account that a user looks at.
const SIGNER: [u32; 5] = [44 | HARDENED, 60 | HARDENED, 1 | HARDENED, 0, 0];

/// An account whose key is known to everybody.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DevAccount {
    /// Its address.
    pub address: Address,
    /// Its secret key.
    pub key: B256,
}

impl std::fmt::Debug for DevAccount {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "DevAccount({})", self.address)
    }
}

/// A key that cannot be derived; one of 2^127 mnemonics has one (BIP-32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mnemonic has no key at this path")]
pub struct DeriveError;

/// The first accounts of the mnemonic.
///
/// # Errors
/// None with the mnemonic of this module.
pub(super) fn funded(count: u32) -> Result<Vec<DevAccount>, DeriveError> {
    let parent = Extended::of_mnemonic(MNEMONIC)?.at(&ACCOUNTS)?;
    (0..count).map(|index| parent.child(index).map(|child| child.account())).collect()
}

/// Who signs the blocks.
///
/// # Errors
/// None with the mnemonic of this module.
pub(super) fn signer() -> Result<DevAccount, DeriveError> {
    Ok(Extended::of_mnemonic(MNEMONIC)?.at(&SIGNER)?.account())
}

/// A secret key with what its children are derived from (BIP-32, "Extended keys").
struct Extended {
    key: SecretKey,
    chain_code: [u8; 32],
}

impl Extended {
    fn of_mnemonic(mnemonic: &str) -> Result<Self, DeriveError> {
        let (key, chain_code) = halves(&mac(MASTER, &[&seed(mnemonic)?])?);
        let key = SecretKey::from_secret_bytes(key).map_err(|_| DeriveError)?;
        Ok(Self { key, chain_code })
    }

    fn at(self, path: &[u32]) -> Result<Self, DeriveError> {
        path.iter().try_fold(self, |parent, index| parent.child(*index))
    }

    fn child(&self, index: u32) -> Result<Self, DeriveError> {
        let number = index.to_be_bytes();
        let output = if index & HARDENED == 0 {
            let point = PublicKey::from_secret_key(&self.key).serialize();
            mac(&self.chain_code, &[&point, &number])?
        } else {
            mac(&self.chain_code, &[&[0], &self.key.to_secret_bytes(), &number])?
        };
        let (tweak, chain_code) = halves(&output);
        let tweak = Scalar::from_be_bytes(tweak).map_err(|_| DeriveError)?;
        let key = self.key.add_tweak(&tweak).map_err(|_| DeriveError)?;
        Ok(Self { key, chain_code })
    }

    fn account(&self) -> DevAccount {
        let [_, point @ ..] = PublicKey::from_secret_key(&self.key).serialize_uncompressed();
        let address = Address::from_raw_public_key(&point);
        DevAccount { address, key: B256::new(self.key.to_secret_bytes()) }
    }
}

/// PBKDF2 (RFC 8018, 5.2) with HMAC-SHA512; one block is as long as a seed.
fn seed(mnemonic: &str) -> Result<[u8; 64], DeriveError> {
    let mut last = mac(mnemonic.as_bytes(), &[SEED_SALT, &1_u32.to_be_bytes()])?;
    let mut seed = last;
    for _ in 1..SEED_ROUNDS {
        last = mac(mnemonic.as_bytes(), &[&last])?;
        seed.iter_mut().zip(last).for_each(|(byte, other)| *byte ^= other);
    }
    Ok(seed)
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Result<[u8; 64], DeriveError> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).map_err(|_| DeriveError)?;
    parts.iter().for_each(|part| mac.update(part));
    Ok(mac.finalize().into_bytes().into())
}

fn halves(output: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    let mut halves = ([0; 32], [0; 32]);
    let (left, right) = output.split_at(32);
    halves.0.copy_from_slice(left);
    halves.1.copy_from_slice(right);
    halves
}

/// A key as `geth account import` reads it.
pub(super) fn key_file(account: &DevAccount) -> String {
    hex::encode(account.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{address, b256};

    #[test]
    fn a_seed_is_that_of_bip_39() {
        // BIP-39, test vector of the English words with an all-zero entropy, here without its
        // passphrase "TREZOR": the seed of "abandon … about" that wallets show.
        let words = "abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                     abandon abandon about";
        let expected = hex!(
            "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
            "9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4"
        );
        assert_eq!(seed(words).unwrap(), expected);
    }

    #[test]
    fn the_accounts_are_those_that_hardhat_and_anvil_print() {
        let expected = [
            (
                address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
                b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
            ),
            (
                address!("70997970C51812dc3A010C7d01b50e0d17dc79C8"),
                b256!("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
            ),
            (
                address!("3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
                b256!("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"),
            ),
        ];
        let found: Vec<_> =
            funded(3).unwrap().iter().map(|account| (account.address, account.key)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_signer_is_none_of_the_funded_accounts() {
        let signer = signer().unwrap();
        assert!(funded(100).unwrap().iter().all(|account| account.address != signer.address));
        assert!(!format!("{signer:?}").contains(&key_file(&signer)));
    }
}
