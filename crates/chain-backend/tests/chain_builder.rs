//! Blocks that are built are blocks that an import accepts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing helper fails the test")]

use std::sync::{Arc, atomic::AtomicBool};

use alloy_consensus::{SignableTransaction as _, Transaction as _, TxLegacy};
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use chain_backend::{
    Backend as _, Block, BlockBuilder, BuildError, ChainBuilder, Draft, ExtendError, Imported,
    Importer, SealCaches, Store, StoreOptions, Transaction,
};
use consensus::{ChainSpec, Genesis};
use secp256k1::{Message, SecretKey, ecdsa::RecoverableSignature};
use tempfile::TempDir;

const KEY: B256 = B256::repeat_byte(0x11);
const PAYEE: Address = Address::repeat_byte(0x77);
const ETHER: u64 = 1_000_000_000_000_000_000;

fn key_address() -> Address {
    let key = SecretKey::from_secret_bytes(KEY.0).unwrap();
    let point = secp256k1::PublicKey::from_secret_key(&key).serialize_uncompressed();
    Address::from_raw_public_key(&point[1..])
}

/// A genesis with this `config`; its signer and rich account is [`key_address`].
fn genesis(config: &str) -> Genesis {
    genesis_with(config, "")
}

/// The same with more entries of `alloc`.
fn genesis_with(config: &str, alloc: &str) -> Genesis {
    let owner = key_address();
    let extra = format!("0x{}{:x}{}", "00".repeat(32), owner, "00".repeat(65));
    let extra = if config.contains("clique") { extra } else { "0x".into() };
    let json = format!(
        r#"{{"config": {config}, "difficulty": "0x1", "gasLimit": "0x1c9c380",
            "extraData": "{extra}",
            "alloc": {{"{owner}": {{"balance": "0x8ac7230489e80000"}}{alloc}}}}}"#
    );
    Genesis::parse(json.as_bytes()).unwrap()
}

fn store(genesis: &Genesis) -> (TempDir, Arc<Store>, Arc<ChainSpec>) {
    let accounts = genesis.alloc.accounts().iter().cloned();
    let directory = tempfile::tempdir().unwrap();
    let mut header = None;
    let data = directory.path().join("data");
    let options = StoreOptions::default();
    let store = Store::create(&data, &options, false, accounts, |root| {
        header.insert(genesis.header(root)).clone()
    });
    let spec = genesis.spec(&header.unwrap()).unwrap();
    (directory, Arc::new(store.unwrap()), Arc::new(spec))
}

fn transfer(nonce: u64) -> Transaction {
    transfer_with(nonce, 21_000, 1337)
}

fn transfer_with(nonce: u64, gas_limit: u64, chain_id: u64) -> Transaction {
    let transaction = TxLegacy {
        chain_id: Some(chain_id),
        nonce,
        gas_price: 10_000_000_000,
        gas_limit,
        to: TxKind::Call(PAYEE),
        value: U256::from(ETHER),
        input: Bytes::new(),
    };
    let key = SecretKey::from_secret_bytes(KEY.0).unwrap();
    let message = Message::from_digest(transaction.signature_hash().0);
    let (id, bytes) =
        RecoverableSignature::sign_ecdsa_recoverable(message, &key).serialize_compact();
    let signature = Signature::from_bytes_and_parity(&bytes, id.to_u8() == 1);
    transaction.into_signed(signature).into()
}

fn draft(number: u64, transactions: Vec<Transaction>) -> Draft {
    Draft {
        timestamp: number * 10,
        gas_limit: 30_000_000,
        beneficiary: Address::ZERO,
        transactions,
        withdrawals: Vec::new(),
    }
}

fn importer(store: &Arc<Store>, spec: &Arc<ChainSpec>) -> Importer {
    Importer::new(Arc::clone(store), Arc::clone(spec), SealCaches::new(true))
}

fn balance(store: &Store, address: Address) -> U256 {
    let snapshot = store.snapshot();
    let state = snapshot.state(&snapshot.head().hash).unwrap().unwrap();
    state.account(&keccak256(address)).unwrap().map_or(U256::ZERO, |account| account.balance)
}

/// Builds three blocks, and imports their export into a second store.
#[track_caller]
fn check(config: &str, withdrawn_gwei: u64) {
    let genesis = genesis(config);
    let (directory, built, spec) = store(&genesis);
    let mut builder =
        ChainBuilder::new(Arc::clone(&built), Arc::clone(&spec), importer(&built, &spec))
            .with_signer(KEY, key_address());
    for number in 1..=3 {
        let mut draft = draft(number, vec![transfer(number - 1)]);
        let amount = withdrawn_gwei;
        draft.withdrawals = vec![Withdrawal { address: PAYEE, amount, ..Withdrawal::default() }];
        builder.extend(&built.head().hash, draft).unwrap();
    }
    assert_eq!(built.head().number, 3);
    let paid = U256::from(ETHER) + U256::from(withdrawn_gwei) * U256::from(1_000_000_000_u64);
    assert_eq!(balance(&built, PAYEE), paid * U256::from(3));

    let file = directory.path().join("chain.rlp");
    built.export(&file, 1, 3, &mut |_| ()).unwrap();
    let (_directory, copy, spec) = store(&genesis);
    let stop = AtomicBool::new(false);
    importer(&copy, &spec).import_file(&file, &stop, &mut |_| ()).unwrap();
    assert_eq!(copy.head(), built.head());
    assert_eq!(balance(&copy, PAYEE), paid * U256::from(3));
}

const LONDON: &str = r#""chainId": 1337, "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0,
    "eip158Block": 0, "byzantiumBlock": 0, "constantinopleBlock": 0, "petersburgBlock": 0,
    "istanbulBlock": 0, "berlinBlock": 0, "londonBlock": 0"#;

#[test]
fn a_clique_chain_is_sealed_by_its_signer() {
    check(&format!(r#"{{{LONDON}, "clique": {{"period": 0, "epoch": 2}}}}"#), 0);
}

#[test]
fn a_proof_of_work_chain_has_the_right_difficulties() {
    check(&format!(r#"{{{LONDON}, "ethash": {{}}}}"#), 0);
}

#[test]
fn a_merged_chain_has_withdrawals_and_blob_fields() {
    let merged = r#""terminalTotalDifficulty": 0, "shanghaiTime": 0, "cancunTime": 0"#;
    check(&format!("{{{LONDON}, {merged}}}"), 5);
}

#[test]
fn a_transaction_that_cannot_be_included_is_an_error_and_leaves_the_chain_as_it_is() {
    let genesis = genesis(&format!(r#"{{{LONDON}, "ethash": {{}}}}"#));
    let (_directory, store, spec) = store(&genesis);
    let mut builder =
        ChainBuilder::new(Arc::clone(&store), Arc::clone(&spec), importer(&store, &spec));
    let error = builder.extend(&store.head().hash, draft(1, vec![transfer(7)])).unwrap_err();
    assert!(matches!(error, ExtendError::Build(BuildError::Execution(_))), "{error}");
    assert_eq!(store.head().number, 0);
    builder.extend(&store.head().hash, draft(1, vec![transfer(0)])).unwrap();
    assert_eq!(store.head().number, 1);
}

#[test]
fn code_that_only_looks_like_a_delegation_is_executed_as_code() {
    for code in ["0xef01", "0xef0100", "0xef01010000000000000000000000000000000000000077"] {
        let alloc = format!(r#", "{PAYEE}": {{"balance": "0x0", "code": "{code}"}}"#);
        let genesis = genesis_with(&format!(r#"{{{LONDON}, "ethash": {{}}}}"#), &alloc);
        let (_directory, store, spec) = store(&genesis);
        let mut builder =
            ChainBuilder::new(Arc::clone(&store), Arc::clone(&spec), importer(&store, &spec));
        builder.extend(&store.head().hash, draft(1, vec![transfer(0)])).unwrap();
        // 0xef is no instruction: the call fails and takes its gas.
        assert_eq!(balance(&store, PAYEE), U256::ZERO, "{code}");
    }
}

/// Offers transfers with these nonces, whose gas limits are these, and says which are in the block.
#[track_caller]
fn candidates(gas_limit: u64, offered: &[(u64, u64)], expected: &[u64]) {
    let genesis = genesis(&format!(r#"{{{LONDON}, "clique": {{"period": 0, "epoch": 2}}}}"#));
    let (_directory, store, spec) = store(&genesis);
    let mut builder =
        BlockBuilder::new(Arc::clone(&store), Arc::clone(&spec)).with_signer(KEY, key_address());
    let offered = offered.iter().map(|(nonce, gas)| transfer_with(*nonce, *gas, 1337)).collect();
    let draft = Draft { gas_limit, ..draft(1, offered) };
    let candidates = draft.transactions.len();
    let built = builder.build_from(&store.head().hash, draft).unwrap();
    assert_eq!(built.transactions + built.left_out.len(), candidates);
    let block = Block::decode(&built.rlp).unwrap();
    let nonces: Vec<_> = block.transactions.iter().map(|taken| taken.nonce()).collect();
    assert_eq!(nonces, expected);
    assert_eq!(importer(&store, &spec).import(block).unwrap(), Imported::New);
    assert_eq!(store.head().number, 1);
}

#[test]
fn a_candidate_that_cannot_be_executed_is_left_out_and_the_block_is_valid() {
    const GAS: u64 = 21_000;
    const LIMIT: u64 = 30_000_000;
    candidates(LIMIT, &[], &[]);
    candidates(LIMIT, &[(0, GAS), (1, GAS)], &[0, 1]);
    candidates(LIMIT, &[(1, GAS), (0, GAS), (0, GAS), (2, GAS), (1, GAS)], &[0, 1]);
    candidates(LIMIT, &[(0, LIMIT + 1), (0, GAS)], &[0]);
    candidates(LIMIT, &[(0, GAS - 1), (0, GAS)], &[0]);
    // The gas that is left decides, not the limit.
    candidates(LIMIT, &[(0, GAS), (1, LIMIT), (1, LIMIT - GAS), (2, GAS)], &[0, 1, 2]);
    // 10 ether are there: ten transfers of 1 ether leave nothing for gas.
    let ten: Vec<_> = (0..10).map(|nonce| (nonce, GAS)).collect();
    candidates(LIMIT, &ten, &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_candidate_of_another_chain_or_without_a_sender_is_left_out() {
    let genesis = genesis(&format!(r#"{{{LONDON}, "ethash": {{}}}}"#));
    let (_directory, store, spec) = store(&genesis);
    let mut builder = BlockBuilder::new(Arc::clone(&store), spec);
    let foreign = transfer_with(0, 21_000, 2);
    let Transaction::Legacy(signed) = transfer(0) else { panic!("a legacy transaction") };
    let unsigned = Signature::new(U256::ZERO, signed.signature().s(), false);
    let unsigned = Transaction::new_unhashed(signed.tx().clone().into(), unsigned);
    let hashes: Vec<_> = [&foreign, &unsigned].map(|left_out| *left_out.tx_hash()).to_vec();
    let draft = draft(1, vec![foreign, transfer(0), unsigned]);
    let built = builder.build_from(&store.head().hash, draft).unwrap();
    assert_eq!(built.transactions, 1);
    assert_eq!(built.left_out.iter().map(|left_out| left_out.hash).collect::<Vec<_>>(), hashes);
}
