//! The genesis file of a development chain.

use alloy_primitives::{Address, U256};
use consensus::clique;
use serde_json::{Map, Value, json};

use super::accounts::{self, DeriveError};

/// The chain id that wallets propose for a chain on this machine (go-ethereum's `--dev`).
const CHAIN_ID: u64 = 1337;
/// Every account has 10,000 ether, as with Anvil and Hardhat.
const BALANCE: u128 = 10_000 * 1_000_000_000_000_000_000;
/// Gas limit of every block.
const GAS_LIMIT: u64 = 30_000_000;
/// Blocks between two lists of signers (go-ethereum's default).
const EPOCH: u64 = 30_000;
/// First base fee, in wei (EIP-1559, `INITIAL_BASE_FEE`).
const BASE_FEE: u64 = 1_000_000_000;

/// The genesis file of the chain with this many funded accounts, in go-ethereum's format.
///
/// The rules are London's: the last ones that a Clique chain can have for a go-ethereum light
/// client. The period of the file is 0, so that one file fits every `--dev.period`: the node keeps
/// the time between blocks, the rules do not ask for it.
///
/// # Errors
/// If an account cannot be derived from the mnemonic.
pub fn file(account_count: u32) -> Result<String, DeriveError> {
    let signer = accounts::signer()?.address;
    let mut alloc = Map::new();
    for account in accounts::funded(account_count)? {
        alloc.insert(plain(account.address), json!({ "balance": quantity(U256::from(BALANCE)) }));
    }
    let genesis = json!({
        "config": {
            "chainId": CHAIN_ID,
            "homesteadBlock": 0,
            "eip150Block": 0,
            "eip155Block": 0,
            "eip158Block": 0,
            "byzantiumBlock": 0,
            "constantinopleBlock": 0,
            "petersburgBlock": 0,
            "istanbulBlock": 0,
            "muirGlacierBlock": 0,
            "berlinBlock": 0,
            "londonBlock": 0,
            "arrowGlacierBlock": 0,
            "grayGlacierBlock": 0,
            "clique": { "period": 0, "epoch": EPOCH },
        },
        "extraData": clique::unsealed_extra(&[signer]),
        "difficulty": "0x1",
        "gasLimit": quantity(U256::from(GAS_LIMIT)),
        "baseFeePerGas": quantity(U256::from(BASE_FEE)),
        "alloc": Value::Object(alloc),
    });
    Ok(format!("{genesis:#}\n"))
}

fn quantity(value: U256) -> String {
    format!("{value:#x}")
}

/// An address as go-ethereum's genesis files have it.
fn plain(address: Address) -> String {
    format!("{address:x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use consensus::Genesis;

    #[test]
    fn the_file_is_a_genesis_of_a_clique_chain_with_the_funded_accounts_alone() {
        for count in [1, 10, 100] {
            let genesis = Genesis::parse(file(count).unwrap().as_bytes()).unwrap();
            let accounts = accounts::funded(count).unwrap();
            assert_eq!(genesis.alloc.accounts().len(), accounts.len());
            for account in accounts {
                let mut alloc = genesis.alloc.accounts().iter();
                let (_, found) = alloc.find(|(address, _)| *address == account.address).unwrap();
                assert_eq!(found.balance, U256::from(BALANCE));
            }
            let header = genesis.header(genesis.alloc.state_root());
            let spec = genesis.spec(&header).unwrap();
            assert_eq!(spec.chain_id(), CHAIN_ID);
            assert!(matches!(spec.engine(), consensus::Engine::Clique(_)));
        }
    }
}
