//! `TransactionTests`: which bytes are a transaction in which fork, who sent it, and the gas that
//! it costs before its first instruction, all by the code that imports blocks.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test program: a failed look-up is a failed test"
)]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::{env, fs};

use alloy_consensus::{EthereumTxEnvelope, Header, SignableTransaction, Transaction as _};
use alloy_eips::Decodable2718;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use chain_backend::{
    Account, BackendError, BlockToExecute, ExecutionRules, StateChanges, Transaction, WorkingState,
    execute_block, recover_senders,
};
use consensus::{ChainConfig, ChainSpec, Fork, Position};
use merkle_trie::EMPTY_ROOT;
use serde_json::Value;

/// A state in which every account has the same nonce and can pay for anything.
struct Rich {
    nonce: u64,
}

impl WorkingState for Rich {
    fn account(&mut self, _: &Address) -> Result<Option<Account>, BackendError> {
        let (storage_root, code_hash) = (EMPTY_ROOT, KECCAK256_EMPTY);
        let balance = U256::MAX >> 1;
        Ok(Some(Account { nonce: self.nonce, balance, storage_root, code_hash }))
    }

    fn storage(&mut self, _: &Address, _: &U256) -> Result<U256, BackendError> {
        Ok(U256::ZERO)
    }

    fn code(&mut self, _: &B256) -> Result<Option<Bytes>, BackendError> {
        Ok(None)
    }

    fn apply(&mut self, _: &StateChanges) -> Result<(), BackendError> {
        Ok(())
    }

    fn root(&mut self) -> Result<B256, BackendError> {
        Ok(EMPTY_ROOT)
    }
}

fn newest_fork(network: &str) -> Fork {
    match network {
        "Frontier" => Fork::Frontier,
        "Homestead" => Fork::Homestead,
        "EIP150" => Fork::TangerineWhistle,
        "EIP158" => Fork::SpuriousDragon,
        "Byzantium" => Fork::Byzantium,
        // The two differ in the price of storage only.
        "Constantinople" | "ConstantinopleFix" => Fork::Petersburg,
        "Istanbul" => Fork::Istanbul,
        "Berlin" => Fork::Berlin,
        "London" => Fork::London,
        "Paris" => Fork::Paris,
        "Shanghai" => Fork::Shanghai,
        "Cancun" => Fork::Cancun,
        "Prague" => Fork::Prague,
        "Osaka" => Fork::Osaka,
        _ => panic!("unknown network {network}"),
    }
}

fn rules(fork: Fork) -> ExecutionRules {
    let config = ChainConfig::active_from_start(1, fork);
    let spec = ChainSpec::new(config, &Header::default()).unwrap();
    let position = Position { number: 1, timestamp: 1, merged: fork >= Fork::Paris };
    ExecutionRules {
        fork,
        chain_id: 1,
        dao_drain: false,
        block_reward: 0,
        blobs: spec.blob_params(position),
        deposit_contract: None,
    }
}

/// A legacy transaction is an RLP list, a later one its type and then a list (EIP-2718).
fn decode(bytes: &[u8]) -> Result<Transaction, String> {
    EthereumTxEnvelope::decode_2718_exact(bytes).map_err(|error| error.to_string())
}

fn execute(
    rules: &ExecutionRules,
    transaction: &Transaction,
    sender: Address,
) -> Result<(), String> {
    let london = rules.fork >= Fork::London;
    let header = Header {
        number: 1,
        gas_limit: u64::MAX,
        base_fee_per_gas: london.then_some(0),
        excess_blob_gas: rules.blobs.map(|_| 0),
        ..Header::default()
    };
    let block = BlockToExecute {
        header: &header,
        beneficiary: Address::ZERO,
        transactions: std::slice::from_ref(transaction),
        senders: &[sender],
        uncles: &[],
        withdrawals: &[],
    };
    let mut state = Rich { nonce: transaction.nonce() };
    let outcome = execute_block(rules, &block, &mut state, &mut |_| Ok(None));
    outcome.map(|_| ()).map_err(|error| error.to_string())
}

/// The same transaction with another gas limit and without value. What it costs cannot then exceed
/// 256 bits, which no account could pay, but which these vectors do not ask.
fn with_gas_limit(transaction: &Transaction, limit: u64) -> Transaction {
    macro_rules! change {
        ($signed:ident) => {{
            let (mut transaction, signature, _) = $signed.clone().into_parts();
            transaction.gas_limit = limit;
            transaction.value = U256::ZERO;
            transaction.into_signed(signature).into()
        }};
    }
    match transaction {
        EthereumTxEnvelope::Legacy(signed) => change!(signed),
        EthereumTxEnvelope::Eip2930(signed) => change!(signed),
        EthereumTxEnvelope::Eip1559(signed) => change!(signed),
        EthereumTxEnvelope::Eip4844(signed) => change!(signed),
        EthereumTxEnvelope::Eip7702(signed) => change!(signed),
    }
}

/// Whom the transaction is from, if it may stand in a block of these rules.
fn judge(rules: &ExecutionRules, bytes: &[u8]) -> Result<(Transaction, Address), String> {
    let transaction = decode(bytes)?;
    let senders = recover_senders(rules, std::slice::from_ref(&transaction))
        .map_err(|(_, error)| error.to_string())?;
    execute(rules, &with_gas_limit(&transaction, transaction.gas_limit()), senders[0])?;
    Ok((transaction, senders[0]))
}

/// Valid transactions that lesd refuses: they offer 2^128 wei per gas and more, which its libraries
/// do not count to. Their sender would need 10^24 ether (`docs/deviations.md`).
const FEE_ABOVE_128_BITS: [&str; 3] =
    ["GasLimitPriceProductOverflowtMinusOne", "TransactionWithHighGasPrice", "V_equals38"];

fn check(name: &str, bytes: &[u8], network: &str, result: &Value) {
    let rules = rules(newest_fork(network));
    let judged = judge(&rules, bytes);
    if FEE_ABOVE_128_BITS.iter().any(|test| name.ends_with(test)) {
        assert!(judged.is_err(), "{name}: 2^128 wei per gas are supported now, drop the exception");
        return;
    }
    if let Some(exception) = result["exception"].as_str() {
        assert!(judged.is_err(), "{name} {network} is accepted: {exception}");
        return;
    }
    let (transaction, sender) = judged.unwrap_or_else(|error| panic!("{name} {network}: {error}"));
    assert_eq!(*transaction.hash(), parse::<B256>(&result["hash"]), "{name} {network}");
    assert_eq!(sender, parse::<Address>(&result["sender"]), "{name} {network}");
    let intrinsic: u64 = parse::<U256>(&result["intrinsicGas"]).to();
    let with = |gas_limit| execute(&rules, &with_gas_limit(&transaction, gas_limit), sender);
    assert_eq!(with(intrinsic), Ok(()), "{name} {network}");
    assert!(with(intrinsic - 1).is_err(), "{name} {network}: {intrinsic} is not the least");
}

fn parse<T: std::str::FromStr>(value: &Value) -> T {
    let text = value.as_str().unwrap();
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

/// Runs one file; gives the number of its verdicts.
fn check_file(file: &Value) -> usize {
    let mut count = 0;
    for (name, case) in file.as_object().unwrap() {
        let bytes: Bytes = parse(&case["txbytes"]);
        for (network, result) in case["result"].as_object().unwrap() {
            check(name, &bytes, network, result);
            count += 1;
        }
    }
    count
}

/// The official folder, where it is there; a word about it where it is not.
#[allow(clippy::print_stderr, reason = "a test that runs less than it could must say so")]
fn official() -> Vec<PathBuf> {
    let tests = env::var_os("ETHEREUM_TESTS")
        .map_or_else(|| root().join("../shared/vectors/ethereum-tests"), PathBuf::from);
    let mut folders = vec![tests.join("TransactionTests")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            eprintln!("{} is not there (set ETHEREUM_TESTS): fixture only", folder.display());
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
    }
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_official_transactions_are_judged_as_published() {
    let file = fs::read(root().join("fixtures/consensus/transactions.json.gz")).unwrap();
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&file[..]).read_to_end(&mut text).unwrap();
    assert_eq!(check_file(&serde_json::from_slice(&text).unwrap()), 2665);
}

#[test]
fn all_transactions_of_the_official_folder_are_judged_as_published() {
    for path in official() {
        let file = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert!(check_file(&file) > 0, "{}", path.display());
    }
}
