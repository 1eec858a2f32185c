//! Blocks that break one rule each, sealed all the same.

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header, SignableTransaction as _, TxLegacy};
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{B256, Bytes, Signature, U256, b256};
use alloy_trie::root::ordered_trie_root_encoded;
use chain_backend::{Block, Transaction};
use consensus::clique;
use les_tests::{
    clique::{SIGNER, account},
    transfer,
};

/// The order of secp256k1.
const ORDER: B256 = b256!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");

/// A block that is being made.
pub(crate) struct Forged {
    pub(crate) header: Header,
    /// As the trie has them.
    transactions: Vec<Vec<u8>>,
    uncles: Vec<Header>,
    /// Who seals it; if nobody does, the seal stays what it is.
    pub(crate) signer: Option<B256>,
}

impl Forged {
    pub(crate) fn of(block: &Block) -> Self {
        let transactions = block.transactions.iter().map(|it| it.encoded_2718()).collect();
        let header = block.header.clone();
        Self { header, transactions, uncles: Vec::new(), signer: Some(SIGNER) }
    }

    /// A sound block on `parent`, not sealed: nobody gets to see it executed.
    pub(crate) fn child(parent: &Header) -> Self {
        let header = Header {
            parent_hash: parent.hash_slow(),
            number: parent.number + 1,
            timestamp: parent.timestamp.saturating_add(5).min(1 << 30),
            difficulty: clique::IN_TURN,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            ..parent.clone()
        };
        let mut block = Self { header, transactions: Vec::new(), uncles: Vec::new(), signer: None };
        block.hold(Vec::new());
        block
    }

    /// Holds these transactions, and commits to them.
    pub(crate) fn hold(&mut self, transactions: Vec<Vec<u8>>) {
        self.header.transactions_root = ordered_trie_root_encoded(&transactions);
        self.transactions = transactions;
    }

    /// The same with one transaction.
    pub(crate) fn hold_one(&mut self, transaction: &Transaction) {
        self.hold(vec![transaction.encoded_2718()]);
    }

    /// The same with one transfer of the account, changed before it is signed.
    pub(crate) fn transfer(&mut self, change: impl FnOnce(&mut TxLegacy)) {
        let mut plain = transfer::transfer(&account(), self.header.number - 1, 2_000_000_000);
        change(&mut plain);
        self.hold_one(&transfer::sign(&account(), plain));
    }

    /// Holds an uncle, and commits to it.
    pub(crate) fn hold_uncle(&mut self) {
        self.uncles = vec![self.header.clone()];
        self.header.ommers_hash = keccak::keccak256(&alloy_rlp::encode(&self.uncles)).into();
    }

    /// Changes extra data and leaves it as it is.
    pub(crate) fn extra(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut extra = self.header.extra_data.to_vec();
        change(&mut extra);
        self.header.extra_data = extra.into();
    }

    /// RLP of header and body.
    pub(crate) fn seal(&mut self) -> (Vec<u8>, Vec<u8>) {
        if let Some(key) = self.signer {
            clique::sign(&mut self.header, &key).unwrap();
        }
        let mut body = rlp::RlpStream::new_list(2);
        body.begin_list(self.transactions.len());
        for transaction in &self.transactions {
            match transaction[0] {
                0xc0.. => body.append_raw(transaction, 1),
                _ => body.append(transaction),
            };
        }
        body.append_raw(&alloy_rlp::encode(&self.uncles), 1);
        (alloy_rlp::encode(&self.header), body.out().to_vec())
    }
}

/// A transfer whose signature is the other one of the same key, which EIP-2 forbids.
fn malleated(number: u64) -> Transaction {
    let plain = transfer::transfer(&account(), number - 1, 2_000_000_000);
    let signed = transfer::sign(&account(), plain.clone());
    let of = signed.signature();
    let order = U256::from_be_bytes(ORDER.0);
    plain.into_signed(Signature::new(of.r(), order - of.s(), !of.v())).into()
}

/// A block, and what is said of it.
pub(crate) type Case = (fn(&mut Forged), &'static str);

/// Blocks that are refused in the same way however they come.
pub(crate) const CASES: &[Case] = &[
    // What execution finds.
    (|it| it.header.state_root = B256::repeat_byte(1), "stateRoot: the header has 0x0101"),
    (|it| it.header.receipts_root = B256::repeat_byte(1), "receiptsRoot: the header has 0x0101"),
    (|it| it.header.logs_bloom.0[7] = 1, "logsBloom: the header has"),
    (|it| it.header.gas_used += 1, "gasUsed: the header has 21001, computed 21000"),
    (
        |it| it.transfer(|tx| tx.nonce += 1),
        "transaction 0: transaction validation error: nonce 4 too high",
    ),
    (
        |it| it.transfer(|tx| tx.nonce -= 1),
        "transaction 0: transaction validation error: nonce 2 too low",
    ),
    (|it| it.transfer(|tx| tx.value = U256::MAX / U256::from(2)), "lack of funds"),
    (|it| it.transfer(|tx| tx.gas_limit = 20_999), "call gas cost"),
    (
        |it| it.transfer(|tx| tx.gas_limit = 30_000_001),
        "gas limit 30000001 is above the 30000000 left",
    ),
    (|it| it.transfer(|tx| tx.gas_price = 1), "gas price is less than basefee"),
    (|it| it.transfer(|tx| tx.chain_id = Some(1)), "transaction 0: "),
    (|it| it.hold_one(&malleated(it.header.number)), "transaction 0: "),
    (|it| it.hold(vec![vec![2, 0xc1, 0x80]]), "transaction: "),
    (|it| it.hold(vec![vec![0x7f, 1, 2]]), "transaction: "),
    // What the parent settles.
    (|it| it.header.gas_used = it.header.gas_limit + 1, "gasUsed: at most the gas limit"),
    (|it| it.header.gas_limit *= 2, "gasLimit: expected"),
    (|it| it.header.gas_limit = 5000, "gasLimit: expected"),
    (|it| it.header.base_fee_per_gas = Some(7), "baseFeePerGas: expected"),
    (|it| it.header.base_fee_per_gas = None, "baseFeePerGas is missing"),
    (|it| it.header.timestamp -= 1, "timestamp: expected at least"),
    (|it| it.header.timestamp -= 5, "timestamp: expected at least"),
    (|it| it.header.timestamp = 0, "timestamp: expected at least"),
    (|it| it.header.timestamp = 1 << 40, "s ahead of the clock"),
    (|it| it.header.timestamp = u64::MAX, "s ahead of the clock"),
    (|it| it.header.difficulty = U256::from(3), "difficulty: expected 1 or 2"),
    (|it| it.header.difficulty = U256::MAX / U256::from(2), "difficulty: expected 1 or 2"),
    (|it| it.header.mix_hash = B256::repeat_byte(1), "mixHash: expected"),
    (|it| it.header.nonce.0[3] = 1, "nonce: a Clique vote is"),
    (Forged::hold_uncle, "sha3Uncles: expected"),
    // Seals.
    (|it| it.header.difficulty = U256::from(1), "difficulty: expected 2 by the turn of"),
    (|it| it.signer = Some(B256::repeat_byte(0x22)), "is not a signer at block"),
    (
        |it| {
            it.signer = None;
            it.extra(|extra| extra[32..].fill(0xff));
        },
        "seal: no key can have made this signature",
    ),
    (
        |it| {
            it.signer = None;
            it.header.extra_data = Bytes::new();
        },
        "extraData: at least 97 bytes",
    ),
    (|it| it.extra(|extra| extra.resize(98, 0)), "not a multiple of 20"),
    (|it| it.extra(|extra| extra.resize(117, 0)), "signers are listed in an epoch block only"),
    (|it| it.extra(|extra| extra.resize(97 + 20 * 5000, 0)), "found 100000 bytes between"),
    // What the body settles.
    (|it| it.header.transactions_root = B256::repeat_byte(1), "a body that does not fit"),
    (|it| it.header.ommers_hash = B256::repeat_byte(1), "a body that does not fit"),
    (|it| it.header.withdrawals_root = Some(B256::ZERO), "a body that does not fit"),
];
