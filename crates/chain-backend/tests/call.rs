//! One message on a stored state: how it ends, and that nothing is left of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing helper fails the test")]

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U256, b256, hex, keccak256};
use chain_backend::{
    Backend as _, Call, CallError, CallResult, Snapshot, Store, StoreOptions, call,
};
use consensus::{ChainSpec, Genesis};
use tempfile::TempDir;

const RICH: Address = Address::repeat_byte(0x01);
const POOR: Address = Address::repeat_byte(0x02);
/// Returns slot 0, which is 42, after it added the length of the input to it.
const COUNTER: Address = Address::repeat_byte(0xc0);
/// Reverts with the word 0xaa.
const REFUSER: Address = Address::repeat_byte(0xc1);
/// Jumps to itself.
const LOOP: Address = Address::repeat_byte(0xc2);
/// INVALID.
const BROKEN: Address = Address::repeat_byte(0xc3);
/// Returns the block's number, its timestamp, the caller and the value.
const WITNESS: Address = Address::repeat_byte(0xc4);
/// The precompiled SHA-256.
const SHA256: Address = Address::with_last_byte(2);
const GAS: u64 = 100_000;

struct Chain {
    store: Store,
    spec: Arc<ChainSpec>,
    _directory: TempDir,
}

impl Chain {
    fn new() -> Self {
        let contract = |address, code: &str, storage: &str| {
            format!(
                r#", "{address}": {{"balance": "0x0", "code": "0x{code}", "storage": {storage}}}"#
            )
        };
        let contracts = [
            contract(
                COUNTER,
                "600054360160005560005460005260206000f3",
                &format!(r#"{{"{}": "0x2a"}}"#, B256::ZERO),
            ),
            contract(REFUSER, "60aa60005260206000fd", "{}"),
            contract(LOOP, "5b600056", "{}"),
            contract(BROKEN, "fe", "{}"),
            contract(WITNESS, "4360005242602052336040523460605260806000f3", "{}"),
        ]
        .concat();
        let json = format!(
            r#"{{"config": {{"chainId": 1337, "homesteadBlock": 0, "eip150Block": 0,
                "eip155Block": 0, "eip158Block": 0, "byzantiumBlock": 0, "constantinopleBlock": 0,
                "petersburgBlock": 0, "istanbulBlock": 0, "berlinBlock": 0, "londonBlock": 0,
                "ethash": {{}}}},
                "difficulty": "0x1", "gasLimit": "0x1c9c380", "timestamp": "0x5f5e100",
                "alloc": {{"{RICH}": {{"balance": "0xde0b6b3a7640000"}}{contracts}}}}}"#
        );
        let genesis = Genesis::parse(json.as_bytes()).unwrap();
        let accounts = genesis.alloc.accounts().iter().cloned();
        let directory = tempfile::tempdir().unwrap();
        let mut header = None;
        let data = directory.path().join("data");
        let store = Store::create(&data, &StoreOptions::default(), false, accounts, |root| {
            header.insert(genesis.header(root)).clone()
        });
        let spec = genesis.spec(&header.unwrap()).unwrap();
        Self { store: store.unwrap(), spec: Arc::new(spec), _directory: directory }
    }

    fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.store.snapshot()
    }

    fn call(&self, message: &Call) -> Result<CallResult, CallError> {
        call(&*self.snapshot(), &self.spec, &self.store.genesis_hash(), message)
    }

    #[track_caller]
    fn check(&self, message: Call, expected: CallResult) {
        assert_eq!(self.call(&message).unwrap(), expected, "{message:?}");
    }

    #[track_caller]
    fn refuses(&self, message: Call, words: &str) {
        let error = self.call(&message).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    }
}

fn to(address: Address) -> Call {
    Call { from: RICH, to: Some(address), gas: GAS, ..Call::default() }
}

fn word(number: u64) -> Bytes {
    Bytes::copy_from_slice(&B256::from(U256::from(number))[..])
}

#[test]
fn a_message_ends_as_its_code_says() {
    let chain = Chain::new();
    chain.check(to(COUNTER), CallResult::Returned(word(42)));
    chain.check(to(REFUSER), CallResult::Reverted(word(0xaa)));
    chain.check(to(BROKEN), CallResult::Failed("invalid opcode: INVALID"));
    chain.check(to(Address::repeat_byte(0xee)), CallResult::Returned(Bytes::new()));
    // Of nothing, as everybody knows it.
    let digest = b256!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    chain.check(to(SHA256), CallResult::Returned(digest.into()));
    // A creation gives the code: one byte, 0xfe.
    let creation = Bytes::from_static(&hex!("60fe60005360016000f3"));
    let creation = Call { to: None, input: creation, ..to(RICH) };
    chain.check(creation, CallResult::Returned(Bytes::from_static(&[0xfe])));
}

#[test]
fn a_message_sees_its_block_its_sender_and_its_value() {
    let chain = Chain::new();
    let seen = [word(0), word(100_000_000), B256::left_padding_from(&RICH[..]).into(), word(7)];
    let expected: Vec<u8> = seen.iter().flat_map(|word| word.iter().copied()).collect();
    let message = Call { value: U256::from(7), ..to(WITNESS) };
    chain.check(message, CallResult::Returned(expected.into()));
}

#[test]
fn nothing_is_left_of_a_message() {
    let chain = Chain::new();
    let input = Bytes::from_static(&[0; 5]);
    for _ in 0..2 {
        let message = Call { input: input.clone(), ..to(COUNTER) };
        chain.check(message, CallResult::Returned(word(47)));
    }
    let state = chain.snapshot().state(&chain.store.genesis_hash()).unwrap().unwrap();
    let slot = state.storage(&keccak256(COUNTER), &keccak256(B256::ZERO)).unwrap();
    assert_eq!(slot, U256::from(42));
    assert_eq!(state.account(&keccak256(RICH)).unwrap().unwrap().nonce, 0);
}

#[test]
fn a_loop_ends_with_its_gas() {
    let chain = Chain::new();
    for gas in [21_000, GAS, 10_000_000] {
        chain.check(Call { gas, ..to(LOOP) }, CallResult::OutOfGas);
    }
}

#[test]
fn a_message_that_may_not_be_executed_is_refused() {
    let chain = Chain::new();
    chain.refuses(
        Call { gas: 20_999, ..to(COUNTER) },
        "intrinsic gas too low: have 20999, want 21000",
    );
    let poor = Call { from: POOR, value: U256::from(1), ..to(COUNTER) };
    chain.refuses(poor, "insufficient funds for gas * price + value: address 0x0202");
    // Whoever offers nothing for gas needs no balance.
    chain.check(Call { from: POOR, ..to(COUNTER) }, CallResult::Returned(word(42)));
    let price = 10_000_000_000;
    let unpaid = Call { from: POOR, fee_cap: price, ..to(COUNTER) };
    chain.refuses(unpaid, "insufficient funds for gas * price + value: address 0x0202");
    chain.refuses(Call { fee_cap: 1, ..to(COUNTER) }, "max fee per gas less than block base fee");
    let upside_down = Call { fee_cap: price, tip: price + 1, ..to(COUNTER) };
    chain.refuses(upside_down, "max priority fee per gas higher than max fee per gas");
    let nowhere = call(&*chain.snapshot(), &chain.spec, &B256::repeat_byte(9), &to(COUNTER));
    assert!(matches!(nowhere, Err(CallError::UnknownBlock)), "{nowhere:?}");
}
