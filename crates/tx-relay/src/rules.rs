//! What a transaction must satisfy whatever its sender's account is.

use alloy_consensus::Transaction as _;
use consensus::Fork;

use crate::{Refusal, RelayTransaction};

/// The longest transaction that is relayed, in bytes (go-ethereum, `txMaxSize`).
pub const MAX_TRANSACTION_BYTES: usize = 128 * 1024;

/// The least that a transaction must offer the miner unless the operator says otherwise, wei per
/// gas (go-ethereum, `PriceLimit`).
pub const DEFAULT_MIN_TIP: u64 = 1;

/// Creation code of the longest contract (EIP-3860).
const MAX_INIT_CODE_BYTES: usize = 2 * 24_576;
/// Most gas of a transaction (EIP-7825).
const MAX_TRANSACTION_GAS: u64 = 1 << 24;
/// Yellow Paper, appendix G: `G_transaction`.
const GAS: u64 = 21_000;
/// Yellow Paper, appendix G: `G_transaction` and `G_txcreate`.
const CREATION_GAS: u64 = 53_000;
/// For a zero byte of data.
const ZERO_BYTE_GAS: u64 = 4;
/// For another byte of data, before EIP-2028.
const BYTE_GAS_FRONTIER: u64 = 68;
/// For another byte of data, since EIP-2028.
const BYTE_GAS: u64 = 16;
/// For an address of the access list (EIP-2930).
const ACCESS_ADDRESS_GAS: u64 = 2_400;
/// For a storage key of the access list (EIP-2930).
const ACCESS_KEY_GAS: u64 = 1_900;
/// For 32 bytes of creation code (EIP-3860).
const INIT_CODE_WORD_GAS: u64 = 2;
/// For an authorization (EIP-7702, `PER_EMPTY_ACCOUNT_COST`).
const AUTHORIZATION_GAS: u64 = 25_000;
/// Least gas for a token of data (EIP-7623): a zero byte is one, another byte four.
const FLOOR_TOKEN_GAS: u64 = 10;

/// The rules of the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The newest fork that is active in it.
    pub fork: Fork,
    /// Gas limit of the head.
    pub gas_limit: u64,
    /// The least that a transaction must offer the miner, wei per gas.
    pub min_tip: u64,
}

impl Rules {
    /// Everything about `transaction` that needs no account but must be known before accounts are
    /// looked at; the order is go-ethereum's.
    pub(crate) fn check(&self, transaction: &RelayTransaction) -> Result<(), Refusal> {
        let inner = transaction.transaction();
        let first = match transaction.kind() {
            0 => Fork::Frontier,
            1 => Fork::Berlin,
            2 => Fork::London,
            3 => return Err(Refusal::Blob),
            4 => Fork::Prague,
            _ => return Err(Refusal::TypeNotSupported),
        };
        if self.fork < first {
            return Err(Refusal::TypeNotSupported);
        }
        if transaction.canonical().len() > MAX_TRANSACTION_BYTES {
            return Err(Refusal::Oversized);
        }
        let creates = inner.to().is_none();
        if creates && self.fork >= Fork::Shanghai && inner.input().len() > MAX_INIT_CODE_BYTES {
            return Err(Refusal::InitCodeTooLong);
        }
        if inner.gas_limit() > self.gas_limit {
            return Err(Refusal::GasLimit);
        }
        if self.fork >= Fork::Osaka && inner.gas_limit() > MAX_TRANSACTION_GAS {
            return Err(Refusal::GasCap);
        }
        if transaction.tip_cap() > transaction.fee_cap() {
            return Err(Refusal::TipAboveFeeCap);
        }
        if transaction.tip_cap() < u128::from(self.min_tip) {
            return Err(Refusal::Underpriced);
        }
        Ok(())
    }

    /// Whether `transaction` brings the gas that it costs before it runs. go-ethereum looks at it
    /// last.
    pub(crate) fn check_gas(&self, transaction: &RelayTransaction) -> Result<(), Refusal> {
        let inner = transaction.transaction();
        if inner.gas_limit() < self.intrinsic_gas(transaction) {
            return Err(Refusal::IntrinsicGas);
        }
        if self.fork >= Fork::Prague && inner.gas_limit() < floor_gas(inner.input()) {
            return Err(Refusal::FloorDataGas);
        }
        if inner.authorization_list().is_some_and(<[_]>::is_empty) {
            return Err(Refusal::NoAuthorization);
        }
        Ok(())
    }

    /// Gas that a transaction costs before it runs. No sum here can overflow: a transaction has at
    /// most [`MAX_TRANSACTION_BYTES`].
    fn intrinsic_gas(&self, transaction: &RelayTransaction) -> u64 {
        let inner = transaction.transaction();
        let input = inner.input();
        let creates = inner.to().is_none();
        let byte_gas = if self.fork >= Fork::Istanbul { BYTE_GAS } else { BYTE_GAS_FRONTIER };
        let (zeros, others) = bytes(input);
        let mut gas = if creates { CREATION_GAS } else { GAS };
        gas = gas.saturating_add(zeros.saturating_mul(ZERO_BYTE_GAS));
        gas = gas.saturating_add(others.saturating_mul(byte_gas));
        if creates && self.fork >= Fork::Shanghai {
            let words = count(input.len()).div_ceil(32);
            gas = gas.saturating_add(words.saturating_mul(INIT_CODE_WORD_GAS));
        }
        if let Some(list) = inner.access_list() {
            let keys = list.0.iter().map(|entry| count(entry.storage_keys.len())).sum::<u64>();
            gas = gas.saturating_add(count(list.0.len()).saturating_mul(ACCESS_ADDRESS_GAS));
            gas = gas.saturating_add(keys.saturating_mul(ACCESS_KEY_GAS));
        }
        let authorizations = inner.authorization_list().map_or(0, <[_]>::len);
        gas.saturating_add(count(authorizations).saturating_mul(AUTHORIZATION_GAS))
    }
}

/// The least gas for data (EIP-7623).
fn floor_gas(input: &[u8]) -> u64 {
    let (zeros, others) = bytes(input);
    let tokens = others.saturating_mul(4).saturating_add(zeros);
    GAS.saturating_add(tokens.saturating_mul(FLOOR_TOKEN_GAS))
}

/// How many bytes are zero, and how many are not.
fn bytes(input: &[u8]) -> (u64, u64) {
    let zeros = input.iter().filter(|byte| **byte == 0).count();
    (count(zeros), count(input.len().saturating_sub(zeros)))
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
