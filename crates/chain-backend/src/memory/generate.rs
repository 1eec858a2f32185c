//! Blocks that look like a chain's.

use std::{collections::BTreeMap, sync::Arc};

use alloy_consensus::{
    BlockBody, Header, Receipt, ReceiptEnvelope, SignableTransaction, TxEip1559, TxEip2930,
    TxEnvelope, TxLegacy, TxType, proofs,
};
use alloy_primitives::{
    Address, B256, Bloom, Bytes, Log, LogData, Signature, TxKind, U256, keccak256,
};
use consensus::GenesisAccount;

use super::plain_state::{NO_CODE, PlainState};
use crate::{AccountChange, AccountInfo, StateChanges};

/// Accounts that a generated genesis has.
const ACCOUNTS: u64 = 64;
/// Contracts among them, each with some slots.
const CONTRACTS: u64 = 4;

/// A block with everything that is stored of it.
#[derive(Clone, Debug)]
pub struct GeneratedBlock {
    /// The header.
    pub header: Header,
    /// Its hash.
    pub hash: B256,
    /// RLP of `[transactions, uncles]`.
    pub body: Vec<u8>,
    /// RLP list of the receipts as in the receipts trie.
    pub receipts: Vec<u8>,
    /// Hashes of the transactions.
    pub transactions: Vec<B256>,
    /// Sum of the difficulties from genesis.
    pub total_difficulty: U256,
    /// What each transaction changed.
    pub changes: Vec<StateChanges>,
    /// The state afterwards.
    pub state: Arc<PlainState>,
    /// Every code that exists in the chain so far, by hash.
    pub codes: Arc<BTreeMap<B256, Bytes>>,
}

/// Makes blocks from a seed.
#[derive(Clone, Debug)]
pub struct Generator {
    random: u64,
}

impl Generator {
    /// A generator; the same seed gives the same blocks.
    pub fn new(seed: u64) -> Self {
        // An xorshift generator must not start at zero.
        Self { random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// The accounts of block 0.
    pub fn alloc(&self) -> BTreeMap<Address, GenesisAccount> {
        let account = |n: u64| {
            let balance = U256::from(1_000_000 + n);
            let plain = GenesisAccount { balance, ..GenesisAccount::default() };
            let slot = |slot: u64| (B256::from(U256::from(slot)), U256::from(slot + n + 1));
            let account = if n < CONTRACTS {
                GenesisAccount { code: code(n), storage: (0..20).map(slot).collect(), ..plain }
            } else {
                plain
            };
            (address(n), account)
        };
        (0..ACCOUNTS).map(account).collect()
    }

    /// The header of block 0 over a state.
    pub fn genesis_header(state_root: B256) -> Header {
        Header {
            state_root,
            difficulty: U256::from(0x20000),
            gas_limit: 8_000_000,
            ..Header::default()
        }
    }

    /// Block 0.
    pub fn genesis(&self) -> Arc<GeneratedBlock> {
        let mut changes = StateChanges::new();
        let mut codes = BTreeMap::new();
        for (address, account) in self.alloc() {
            let GenesisAccount { balance, nonce, code, storage } = account;
            let code_hash = if code.is_empty() {
                NO_CODE
            } else {
                let hash = keccak256(&code);
                codes.insert(hash, code);
                hash
            };
            let storage = storage.into_iter().map(|(slot, value)| (slot.into(), value)).collect();
            let account = Some(AccountInfo { nonce, balance, code_hash });
            changes.insert(address, AccountChange { account, storage, ..AccountChange::default() });
        }
        let mut state = PlainState::default();
        state.apply(&changes);
        let header = Self::genesis_header(state.root());
        Arc::new(GeneratedBlock {
            hash: header.hash_slow(),
            body: vec![0xc2, 0xc0, 0xc0],
            receipts: vec![0xc0],
            transactions: Vec::new(),
            total_difficulty: header.difficulty,
            changes: Vec::new(),
            state: Arc::new(state),
            codes: Arc::new(codes),
            header,
        })
    }

    /// Genesis and this many blocks on top of each other.
    pub fn chain(&mut self, length: u64) -> Vec<Arc<GeneratedBlock>> {
        let mut blocks = vec![self.genesis()];
        for _ in 0..length {
            let next = blocks.last().map(|parent| self.child(parent));
            blocks.extend(next);
        }
        blocks
    }

    /// A block on top of another one. Called twice, it makes two different children.
    pub fn child(&mut self, parent: &GeneratedBlock) -> Arc<GeneratedBlock> {
        let number = parent.header.number + 1;
        let mut state = PlainState::clone(&parent.state);
        let mut codes = BTreeMap::clone(&parent.codes);
        let mut changes = Vec::new();
        let mut transactions = Vec::new();
        let mut receipts = Vec::new();
        // Every third block is empty.
        let count = if number.is_multiple_of(3) { 0 } else { 1 + self.below(4) };
        for _ in 0..count {
            let change = self.transaction_effect(&state);
            codes.extend(new_codes(&change));
            state.apply(&change);
            changes.push(change);
            let (transaction, receipt) = self.transaction(receipts.len() as u64);
            transactions.push(transaction);
            receipts.push(receipt);
        }
        let bloom =
            receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | *receipt.logs_bloom());
        let header = Header {
            parent_hash: parent.hash,
            number,
            state_root: state.root(),
            transactions_root: proofs::calculate_transaction_root(&transactions),
            receipts_root: proofs::calculate_receipt_root(&receipts),
            logs_bloom: bloom,
            difficulty: U256::from(0x20000 + self.below(8)),
            gas_limit: parent.header.gas_limit,
            gas_used: 21_000 * receipts.len() as u64,
            timestamp: parent.header.timestamp + 13,
            ..Header::default()
        };
        let hashes = transactions.iter().map(|transaction| *transaction.tx_hash()).collect();
        let body = BlockBody::<_, Header> { transactions, ommers: Vec::new(), withdrawals: None };
        Arc::new(GeneratedBlock {
            hash: header.hash_slow(),
            body: alloy_rlp::encode(body),
            receipts: alloy_rlp::encode(receipts),
            transactions: hashes,
            total_difficulty: parent.total_difficulty + header.difficulty,
            changes,
            state: Arc::new(state),
            codes: Arc::new(codes),
            header,
        })
    }

    /// A transfer, a contract that appears, writes, or disappears.
    fn transaction_effect(&mut self, state: &PlainState) -> StateChanges {
        let sender = address(CONTRACTS + self.below(ACCOUNTS - CONTRACTS));
        let mut changes = StateChanges::from([(sender, touched(state, &sender, 1))]);
        let contract = address(self.below(2 * CONTRACTS));
        let exists = state.accounts.contains_key(&keccak256(contract));
        match self.below(8) {
            0 if exists => {
                changes.insert(
                    contract,
                    AccountChange { storage_wiped: true, ..AccountChange::default() },
                );
            }
            1..=4 if exists => {
                let mut change = touched(state, &contract, 0);
                change.storage = self.slots();
                changes.insert(contract, change);
            }
            0..=4 => {
                let code = code(self.below(1000));
                let mut change = touched(state, &contract, 1);
                if let Some(account) = &mut change.account {
                    account.code_hash = keccak256(&code);
                }
                change.new_code = Some(code);
                change.storage_wiped = true;
                change.storage = self.slots();
                changes.insert(contract, change);
            }
            _ => {
                let receiver = address(self.below(4 * ACCOUNTS));
                changes.entry(receiver).or_insert_with(|| touched(state, &receiver, 0));
            }
        }
        changes
    }

    /// Slots to write; a third of the values is zero.
    fn slots(&mut self) -> BTreeMap<U256, U256> {
        let count = 1 + self.below(6);
        let mut slot =
            || (U256::from(self.below(40)), U256::from(self.below(3) * self.below(1 << 40)));
        (0..count).map(|_| slot()).collect()
    }

    fn transaction(&mut self, index: u64) -> (TxEnvelope, ReceiptEnvelope) {
        let to = TxKind::Call(address(self.below(ACCOUNTS)));
        let nonce = self.below(u64::MAX);
        let signature = Signature::test_signature();
        let legacy = TxLegacy { nonce, to, gas_limit: 21_000, ..TxLegacy::default() };
        let (transaction, kind): (TxEnvelope, _) = match self.below(3) {
            0 => (legacy.into_signed(signature).into(), TxType::Legacy),
            1 => {
                let transaction = TxEip2930 { chain_id: 1, nonce, to, ..TxEip2930::default() };
                (transaction.into_signed(signature).into(), TxType::Eip2930)
            }
            _ => {
                let transaction = TxEip1559 { chain_id: 1, nonce, to, ..TxEip1559::default() };
                (transaction.into_signed(signature).into(), TxType::Eip1559)
            }
        };
        let topics = (0..self.below(4)).map(|_| B256::from(U256::from(self.below(50)))).collect();
        let data = LogData::new_unchecked(topics, Bytes::from(nonce.to_be_bytes()));
        let logs = vec![Log { address: address(self.below(CONTRACTS)), data }];
        let status = (self.below(5) != 0).into();
        let receipt = Receipt { status, cumulative_gas_used: 21_000 * (index + 1), logs };
        (transaction, ReceiptEnvelope::from_typed(kind, receipt))
    }

    /// A number below `bound`, which is not zero (Marsaglia's xorshift64).
    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 1) % bound.max(1)
    }
}

/// The n-th address that occurs in a generated chain.
fn address(n: u64) -> Address {
    Address::from_word(keccak256(n.to_be_bytes()))
}

fn code(n: u64) -> Bytes {
    [&[0x60, 0x00][..], &n.to_be_bytes(), &[0x00; 40]].concat().into()
}

/// The account with one wei more, and a nonce that is higher by `nonce`.
fn touched(state: &PlainState, address: &Address, nonce: u64) -> AccountChange {
    let before = state.accounts.get(&keccak256(address)).cloned().unwrap_or_default();
    let code_hash = if before.code_hash == B256::ZERO { NO_CODE } else { before.code_hash };
    let balance = before.balance + U256::from(1);
    let account = Some(AccountInfo { nonce: before.nonce + nonce, balance, code_hash });
    AccountChange { account, ..AccountChange::default() }
}

fn new_codes(changes: &StateChanges) -> impl Iterator<Item = (B256, Bytes)> {
    let codes = changes.values().filter_map(|change| change.new_code.clone());
    codes.map(|code| (keccak256(&code), code))
}
