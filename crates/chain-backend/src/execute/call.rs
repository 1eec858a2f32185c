//! One message on the state after a block, whose changes are thrown away: `eth_call`.

use alloy_consensus::Header;
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use consensus::{ChainSpec, Engine, Fork, clique};
use revm::{
    context::TxEnv,
    context_interface::result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction},
};

use super::{
    BlockToExecute,
    database::{BlockState, ReadError},
    machine::Machine,
};
use crate::{
    Account, BackendError, Snapshot, StateChanges, StateSnapshot, WorkingState,
    import::{Ancestry, header, rules_at},
};

/// A message to be executed without a signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Who sends it; may have code.
    pub from: Address,
    /// The account that is called; `None` creates a contract.
    pub to: Option<Address>,
    /// Most gas that it may use.
    pub gas: u64,
    /// Wei per gas at most. Zero, together with a zero `tip`, is below no base fee.
    pub fee_cap: u128,
    /// Wei per gas above the base fee at most.
    pub tip: u128,
    /// Wei sent along.
    pub value: U256,
    /// Input, or the code that creates the contract.
    pub input: Bytes,
    /// Accounts and slots that are warm from the start (EIP-2930).
    pub access_list: AccessList,
}

/// How a message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// With this output; for a creation, the code.
    Returned(Bytes),
    /// By REVERT, with this output.
    Reverted(Bytes),
    /// It used up its gas.
    OutOfGas,
    /// By another fault, in go-ethereum's words.
    Failed(&'static str),
}

/// Why a message was not executed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The state could not be read.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The block is not stored.
    #[error("header not found")]
    UnknownBlock,
    /// The state after the block is not kept.
    #[error("the state after block {0} is not kept")]
    StateNotKept(B256),
    /// It has less gas than the first step costs.
    #[error("intrinsic gas too low: have {have}, want {want}")]
    IntrinsicGas {
        /// Its gas.
        have: u64,
        /// What it needs.
        want: u64,
    },
    /// The sender cannot pay, or a fee contradicts another or the base fee.
    #[error("{0}")]
    Refused(String),
}

/// Executes `call` on the state after a stored block, in the environment of that block.
///
/// # Errors
/// If the state is not there, or the message may not be executed at all.
pub fn call(
    snapshot: &dyn Snapshot,
    spec: &ChainSpec,
    block: &B256,
    call: &Call,
) -> Result<CallResult, CallError> {
    let header = header(snapshot, block)?.ok_or(CallError::UnknownBlock)?;
    let state = snapshot.state(block)?.ok_or(CallError::StateNotKept(*block))?;
    let rules = rules_at(spec, &header);
    if rules.fork >= Fork::London {
        check_fees(call, &header)?;
    }
    let mut state = Frozen { snapshot, state };
    let mut ancestry = Ancestry::new(snapshot, header.parent_hash);
    let mut ancestors = |number| ancestry.hash(number);
    let accounts = BlockState::new(&mut state, &mut ancestors, rules.fork);
    let environment = BlockToExecute {
        header: &header,
        beneficiary: author(spec, &header),
        transactions: &[],
        senders: &[],
        uncles: &[],
        withdrawals: &[],
    };
    let mut machine = Machine::new(&rules, &environment, accounts);
    let is_free = call.fee_cap == 0 && call.tip == 0;
    machine.allow_any_sender(is_free);
    let result = machine.call(transaction(call, rules.fork));
    result.map(outcome).map_err(|error| refusal(error, call))
}

/// Who sealed a block: on Clique whoever signed it, which for genesis is nobody.
fn author(spec: &ChainSpec, header: &Header) -> Address {
    match spec.engine() {
        Engine::Clique(_) if !spec.position(header).merged => {
            clique::signer(header).unwrap_or_default()
        }
        Engine::Ethash | Engine::Clique(_) => header.beneficiary,
    }
}

fn check_fees(call: &Call, header: &Header) -> Result<(), CallError> {
    let Call { from, fee_cap, tip, .. } = call;
    if *fee_cap == 0 && *tip == 0 {
        return Ok(());
    }
    if fee_cap < tip {
        return Err(CallError::Refused(format!(
            "max priority fee per gas higher than max fee per gas: address {from}, \
             maxPriorityFeePerGas: {tip}, maxFeePerGas: {fee_cap}"
        )));
    }
    let base_fee = header.base_fee_per_gas.unwrap_or_default();
    if *fee_cap < u128::from(base_fee) {
        return Err(CallError::Refused(format!(
            "max fee per gas less than block base fee: address {from}, maxFeePerGas: {fee_cap} \
             baseFee: {base_fee}"
        )));
    }
    Ok(())
}

fn transaction(call: &Call, fork: Fork) -> TxEnv {
    let (tx_type, gas_priority_fee) = if fork >= Fork::London {
        (2, Some(call.tip))
    } else {
        (u8::from(fork >= Fork::Berlin), None)
    };
    TxEnv {
        tx_type,
        caller: call.from,
        gas_limit: call.gas,
        gas_price: call.fee_cap,
        kind: call.to.map_or(TxKind::Create, TxKind::Call),
        value: call.value,
        data: call.input.clone(),
        chain_id: None,
        access_list: call.access_list.clone(),
        gas_priority_fee,
        ..TxEnv::default()
    }
}

fn outcome(result: ExecutionResult) -> CallResult {
    match result {
        ExecutionResult::Success { output, .. } => CallResult::Returned(output.into_data()),
        ExecutionResult::Revert { output, .. } => CallResult::Reverted(output),
        ExecutionResult::Halt { reason: HaltReason::OutOfGas(_), .. } => CallResult::OutOfGas,
        ExecutionResult::Halt { reason, .. } => CallResult::Failed(words(&reason)),
    }
}

/// go-ethereum's words for the end of an execution.
const fn words(reason: &HaltReason) -> &'static str {
    match reason {
        HaltReason::OutOfGas(_) => "out of gas",
        HaltReason::OpcodeNotFound | HaltReason::NotActivated => "invalid opcode",
        HaltReason::InvalidFEOpcode => "invalid opcode: INVALID",
        HaltReason::InvalidJump => "invalid jump destination",
        HaltReason::StackUnderflow => "stack underflow",
        HaltReason::StackOverflow => "stack limit reached 1024 (1023)",
        HaltReason::OutOfOffset => "return data out of bounds",
        HaltReason::CreateCollision => "contract address collision",
        HaltReason::PrecompileError | HaltReason::PrecompileErrorWithContext(_) => {
            "invalid input of a precompiled contract"
        }
        HaltReason::NonceOverflow => "nonce uint64 overflow",
        HaltReason::CreateContractSizeLimit => "max code size exceeded",
        HaltReason::CreateContractStartingWithEF => "invalid code: must not begin with 0xef",
        HaltReason::CreateInitCodeSizeLimit => "max initcode size exceeded",
        HaltReason::OverflowPayment | HaltReason::OutOfFunds => "insufficient balance for transfer",
        HaltReason::StateChangeDuringStaticCall | HaltReason::CallNotAllowedInsideStatic => {
            "write protection"
        }
        HaltReason::CallTooDeep => "max call depth exceeded",
    }
}

fn refusal(error: EVMError<ReadError>, call: &Call) -> CallError {
    match error {
        EVMError::Database(ReadError(error)) => CallError::Backend(error),
        EVMError::Transaction(InvalidTransaction::CallGasCostMoreThanGasLimit {
            initial_gas,
            gas_limit,
        }) => CallError::IntrinsicGas { have: gas_limit, want: initial_gas },
        EVMError::Transaction(InvalidTransaction::GasFloorMoreThanGasLimit {
            gas_floor,
            gas_limit,
        }) => CallError::IntrinsicGas { have: gas_limit, want: gas_floor },
        EVMError::Transaction(InvalidTransaction::LackOfFundForMaxFee { fee, balance }) => {
            CallError::Refused(format!(
                "insufficient funds for gas * price + value: address {} have {balance} want {fee}",
                call.from
            ))
        }
        error @ (EVMError::Transaction(_)
        | EVMError::Header(_)
        | EVMError::Custom(_)
        | EVMError::CustomAny(_)) => CallError::Refused(error.to_string()),
    }
}

/// A state that forgets what is done to it.
struct Frozen<'a> {
    snapshot: &'a dyn Snapshot,
    state: Box<dyn StateSnapshot>,
}

impl WorkingState for Frozen<'_> {
    fn account(&mut self, address: &Address) -> Result<Option<Account>, BackendError> {
        self.state.account(&keccak::keccak256(address.as_slice()).into())
    }

    fn storage(&mut self, address: &Address, slot: &U256) -> Result<U256, BackendError> {
        let account = keccak::keccak256(address.as_slice()).into();
        self.state.storage(&account, &keccak::keccak256(&slot.to_be_bytes::<32>()).into())
    }

    fn code(&mut self, hash: &B256) -> Result<Option<Bytes>, BackendError> {
        self.snapshot.code(hash)
    }

    fn apply(&mut self, _: &StateChanges) -> Result<(), BackendError> {
        Ok(())
    }

    fn root(&mut self) -> Result<B256, BackendError> {
        Ok(self.state.root())
    }
}
