//! What a block tells system contracts, and what it asks of the consensus layer.

use alloy_consensus::ReceiptEnvelope;
use alloy_eips::{
    eip2935::HISTORY_STORAGE_ADDRESS, eip4788::BEACON_ROOTS_ADDRESS,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, eip7685::Requests,
};
use alloy_primitives::{Address, B256, Bytes, Log, b256};

use super::{ExecutionError, machine::Machine};

/// Request types (EIP-6110, EIP-7002, EIP-7251).
const DEPOSIT: u8 = 0;
const WITHDRAWAL: u8 = 1;
const CONSOLIDATION: u8 = 2;

/// Keccak-256 of `DepositEvent(bytes,bytes,bytes,bytes,bytes)`.
const DEPOSIT_EVENT: B256 =
    b256!("649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5");

/// The fields of a deposit in the event's data: where each begins, after its length word, and its
/// length (EIP-6110, `is_valid_deposit_event_data`).
const DEPOSIT_FIELDS: [(usize, usize); 5] = [(160, 48), (256, 32), (320, 8), (384, 96), (512, 8)];

/// Length of the event's data: five offsets, then five fields padded to words.
const DEPOSIT_DATA_LENGTH: usize = 576;

/// Gives the parent's beacon root to its contract. Fails silently (EIP-4788).
pub(super) fn store_beacon_root(
    machine: &mut Machine<'_>,
    root: B256,
) -> Result<(), ExecutionError> {
    machine.system_call(BEACON_ROOTS_ADDRESS, root.into())?;
    Ok(())
}

/// Gives the parent's hash to the history contract. Fails silently (EIP-2935).
pub(super) fn store_parent_hash(
    machine: &mut Machine<'_>,
    hash: B256,
) -> Result<(), ExecutionError> {
    machine.system_call(HISTORY_STORAGE_ADDRESS, hash.into())?;
    Ok(())
}

/// Collects deposits, withdrawal and consolidation requests; returns their commitment (EIP-7685).
pub(super) fn collect(
    machine: &mut Machine<'_>,
    deposit_contract: Option<Address>,
    receipts: &[ReceiptEnvelope],
) -> Result<B256, ExecutionError> {
    let mut requests = Requests::default();
    let logs = receipts.iter().flat_map(ReceiptEnvelope::logs);
    let mut deposits = vec![DEPOSIT];
    for log in logs {
        if Some(log.address) == deposit_contract && log.topics().first() == Some(&DEPOSIT_EVENT) {
            append_deposit(log, &mut deposits)?;
        }
    }
    requests.push_request(deposits.into());
    for (kind, contract) in [
        (WITHDRAWAL, WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS),
        (CONSOLIDATION, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS),
    ] {
        let fail = |reason: &str| ExecutionError::SystemCall { contract, reason: reason.into() };
        if !machine.state_mut().has_code(contract)? {
            return Err(fail("there is no code at this address"));
        }
        let output = machine.system_call(contract, Bytes::new())?;
        let output = output.ok_or_else(|| fail("the call failed"))?;
        let mut request = vec![kind];
        request.extend_from_slice(&output);
        requests.push_request(request.into());
    }
    Ok(requests.requests_hash())
}

fn append_deposit(log: &Log, out: &mut Vec<u8>) -> Result<(), ExecutionError> {
    let data = &log.data.data;
    let refused = || ExecutionError::DepositLayout(data.len());
    if data.len() != DEPOSIT_DATA_LENGTH {
        return Err(refused());
    }
    for (index, (start, length)) in DEPOSIT_FIELDS.into_iter().enumerate() {
        let offset = word(data, index * 32);
        let announced = word(data, start);
        let field = data.get(start + 32..start + 32 + length);
        match field {
            Some(field) if offset == Some(start) && announced == Some(length) => {
                out.extend_from_slice(field);
            }
            _ => return Err(refused()),
        }
    }
    Ok(())
}

/// The 32-byte big-endian word at an offset, if it is small enough to be an offset itself.
fn word(data: &[u8], at: usize) -> Option<usize> {
    let (high, low) = data.get(at..at + 32)?.split_last_chunk::<8>()?;
    let small = high.iter().all(|byte| *byte == 0);
    usize::try_from(u64::from_be_bytes(*low)).ok().filter(|_| small)
}
