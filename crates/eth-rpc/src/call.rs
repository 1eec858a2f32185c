//! `eth_call`, `eth_estimateGas`.

use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256, Bytes, U256};
use chain_backend::{Call, CallError, CallResult};
use serde_json::Value;

use crate::{
    RpcError, Service,
    block_id::{BlockId, BlockTag},
    chain::View,
    hex::{bytes, quantity},
    method::Context,
    params::{Argument, Params},
};

type Answer = Result<Value, RpcError>;

/// Most gas of one call (go-ethereum's `--rpc.gascap`).
const GAS_CAP: u64 = 50_000_000;
/// Gas of a transaction that does nothing (Yellow Paper, appendix G).
const TRANSACTION_GAS: u64 = 21_000;
/// The selector of `Error(string)`, with which Solidity reverts.
const ERROR_SELECTOR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];

/// A message as callers write it; what is absent has a default.
#[derive(Default)]
pub(crate) struct Arguments {
    from: Option<Address>,
    to: Option<Address>,
    gas: Option<u64>,
    gas_price: Option<U256>,
    fee_cap: Option<U256>,
    tip: Option<U256>,
    value: Option<U256>,
    input: Option<Bytes>,
    access_list: Option<Vec<AccessItem>>,
}

struct AccessItem(AccessListItem);

/// A field of an object; absent and null are the same.
fn field<T: Argument>(object: &Value, name: &str) -> Result<Option<T>, String> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => T::decode(value).map(Some).map_err(|error| {
            let place = format!("into Go struct field TransactionArgs.{name} of type");
            error.replacen("into Go value of type", &place, 1)
        }),
    }
}

impl Argument for AccessItem {
    fn decode(value: &Value) -> Result<Self, String> {
        let address =
            field(value, "address")?.ok_or("missing required field 'address' for AccessTuple")?;
        let storage_keys = field::<Vec<B256>>(value, "storageKeys")?
            .ok_or("missing required field 'storageKeys' for AccessTuple")?;
        Ok(Self(AccessListItem { address, storage_keys }))
    }
}

impl Argument for Arguments {
    fn decode(value: &Value) -> Result<Self, String> {
        if !value.is_object() {
            return Err(
                "json: cannot unmarshal into Go value of type ethapi.TransactionArgs".to_owned()
            );
        }
        let (input, older): (Option<Bytes>, _) = (field(value, "input")?, field(value, "data")?);
        Ok(Self {
            from: field(value, "from")?,
            to: field(value, "to")?,
            gas: field(value, "gas")?,
            gas_price: field(value, "gasPrice")?,
            fee_cap: field(value, "maxFeePerGas")?,
            tip: field(value, "maxPriorityFeePerGas")?,
            value: field(value, "value")?,
            input: input.or(older),
            access_list: field(value, "accessList")?,
        })
    }
}

impl Arguments {
    fn into_call(self) -> Result<Call, RpcError> {
        let (cap, tip) = match (self.gas_price, self.fee_cap, self.tip) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                return Err(RpcError::server(
                    "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified",
                ));
            }
            (Some(price), None, None) => (price, price),
            (None, cap, tip) => (cap.unwrap_or_default(), tip.unwrap_or_default()),
        };
        let narrow = |fee: U256| {
            u128::try_from(fee).map_err(|_| RpcError::server("a fee is above 2^128-1 wei per gas"))
        };
        let items = self.access_list.unwrap_or_default();
        Ok(Call {
            from: self.from.unwrap_or_default(),
            to: self.to,
            gas: self.gas.unwrap_or(GAS_CAP).min(GAS_CAP),
            fee_cap: narrow(cap)?,
            tip: narrow(tip)?,
            value: self.value.unwrap_or_default(),
            input: self.input.unwrap_or_default(),
            access_list: AccessList(items.into_iter().map(|AccessItem(item)| item).collect()),
        })
    }
}

/// The text with which Solidity reverted, if it did so.
fn reason(output: &[u8]) -> Option<String> {
    let (selector, rest) = output.split_first_chunk::<4>()?;
    if *selector != ERROR_SELECTOR {
        return None;
    }
    let word = |at: usize| {
        let word = rest.get(at..at.checked_add(32)?)?;
        usize::try_from(U256::from_be_slice(word)).ok()
    };
    let start = word(0)?;
    let length = word(start)?;
    let start = start.checked_add(32)?;
    let text = rest.get(start..start.checked_add(length)?)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

fn reverted(output: &Bytes) -> RpcError {
    if output.is_empty() {
        return RpcError::server("execution reverted");
    }
    let message = match reason(output) {
        Some(reason) => format!("execution reverted: {reason}"),
        None => "execution reverted".to_owned(),
    };
    RpcError::reverted(message, bytes(output))
}

fn execute(view: &View<'_>, block: &B256, call: &Call) -> Result<CallResult, CallError> {
    chain_backend::call(&*view.snapshot, view.spec, block, call)
}

/// An error of a call, with the gas that it had, as go-ethereum reports it.
fn failed(error: CallError, gas: u64) -> RpcError {
    if matches!(error, CallError::IntrinsicGas { .. } | CallError::Refused(_)) {
        return RpcError::server(format!("err: {error} (supplied gas {gas})"));
    }
    error.into()
}

pub(crate) fn call(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let (arguments, block): (Arguments, BlockId) = (params.required()?, params.required()?);
    let overrides: Option<Overrides> = params.optional()?;
    params.end()?;
    if overrides.is_some() {
        return Err(RpcError::server("this server has no state overrides"));
    }
    let view = service.view();
    let hash = view.hash_for_state(block)?;
    view.state(block)?;
    let call = arguments.into_call()?;
    match execute(&view, &hash, &call).map_err(|error| failed(error, call.gas))? {
        CallResult::Returned(output) => Ok(bytes(output)),
        CallResult::Reverted(output) => Err(reverted(&output)),
        CallResult::OutOfGas => Err(RpcError::server("out of gas")),
        CallResult::Failed(reason) => Err(RpcError::server(reason)),
    }
}

/// The third argument of `eth_call`: present or not.
struct Overrides;

impl Argument for Overrides {
    fn decode(_: &Value) -> Result<Self, String> {
        Ok(Self)
    }
}

pub(crate) fn estimate_gas(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let arguments: Arguments = params.required()?;
    let block = params.optional()?.unwrap_or(BlockId::Tag(BlockTag::Pending));
    params.end()?;
    let view = service.view();
    let hash = view.hash_for_state(block)?;
    let asked = arguments.gas.filter(|gas| *gas >= TRANSACTION_GAS);
    let mut call = arguments.into_call()?;
    let limit = view.header(&hash)?.map_or(0, |header| header.gas_limit);
    let most = asked.unwrap_or(limit).min(affordable(&view, block, &call)?).min(GAS_CAP);
    let gas = search(most, |gas| {
        call.gas = gas;
        match execute(&view, &hash, &call) {
            Ok(result) => Ok(Some(result)),
            Err(CallError::IntrinsicGas { .. }) => Ok(None),
            Err(error) => Err(failed(error, gas)),
        }
    })?;
    Ok(quantity(gas))
}

/// Gas that the sender can pay for.
fn affordable(view: &View<'_>, block: BlockId, call: &Call) -> Result<u64, RpcError> {
    if call.fee_cap == 0 {
        return Ok(u64::MAX);
    }
    let key = keccak::keccak256(call.from.as_slice()).into();
    let balance = view.state(block)?.account(&key)?.map_or(U256::ZERO, |account| account.balance);
    if !call.value.is_zero() && call.value >= balance {
        return Err(RpcError::server("insufficient funds for transfer"));
    }
    let gas = (balance - call.value).checked_div(U256::from(call.fee_cap)).unwrap_or(U256::MAX);
    Ok(u64::try_from(gas).unwrap_or(u64::MAX))
}

/// The least gas up to `most` with which `execute` does not fail, by halving. `None` from
/// `execute` means less gas than any transaction needs.
fn search(
    most: u64,
    mut execute: impl FnMut(u64) -> Result<Option<CallResult>, RpcError>,
) -> Result<u64, RpcError> {
    let (mut fails, mut works) = (TRANSACTION_GAS - 1, most);
    while fails + 1 < works {
        let middle = fails + (works - fails) / 2;
        match execute(middle)? {
            Some(CallResult::Returned(_)) => works = middle,
            None | Some(CallResult::Reverted(_) | CallResult::OutOfGas | CallResult::Failed(_)) => {
                fails = middle;
            }
        }
    }
    if works < most {
        return Ok(works);
    }
    match execute(most)? {
        Some(CallResult::Returned(_)) => Ok(most),
        Some(CallResult::Reverted(output)) if !output.is_empty() => Err(reverted(&output)),
        Some(CallResult::Reverted(_)) => Err(RpcError::server("execution reverted")),
        Some(CallResult::Failed(reason)) => Err(RpcError::server(reason)),
        Some(CallResult::OutOfGas) | None => {
            Err(RpcError::server(format!("gas required exceeds allowance ({most})")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_gas_that_suffices_is_found() {
        for needed in [21_000, 21_001, 50_000, 99_999, 100_000] {
            let gas = search(100_000, |gas| {
                Ok(Some(if gas >= needed {
                    CallResult::Returned(Bytes::new())
                } else {
                    CallResult::OutOfGas
                }))
            });
            assert_eq!(gas, Ok(needed));
        }
        let never = search(100_000, |_| Ok(Some(CallResult::OutOfGas)));
        assert_eq!(never, Err(RpcError::server("gas required exceeds allowance (100000)")));
    }

    #[test]
    fn a_reason_is_read_and_a_lie_about_its_length_is_not() {
        let encoded = |length: u64, text: &[u8]| {
            let mut output = ERROR_SELECTOR.to_vec();
            output.extend_from_slice(&U256::from(32).to_be_bytes::<32>());
            output.extend_from_slice(&U256::from(length).to_be_bytes::<32>());
            output.extend_from_slice(text);
            output
        };
        assert_eq!(reason(&encoded(2, b"no\0\0")), Some("no".to_owned()));
        assert_eq!(reason(&encoded(u64::MAX, b"no\0\0")), None);
        assert_eq!(reason(&encoded(5, b"no\0\0")), None);
        assert_eq!(reason(b"no selector"), None);
        assert_eq!(reason(&[]), None);
    }
}
