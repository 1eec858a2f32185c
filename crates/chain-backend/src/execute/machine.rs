//! The interpreter, set up for one block.

use std::sync::{Arc, Once};

use alloy_consensus::crypto;
use alloy_evm::FromRecoveredTx as _;
use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256};
use consensus::Fork;
use revm::{
    Context, ExecuteEvm as _, Journal, MainBuilder as _, MainnetEvm,
    context::{BlockEnv, CfgEnv, TxEnv},
    context_interface::{
        ContextSetters as _,
        block::BlobExcessGasAndPrice,
        result::{EVMError, ExecutionResult, HaltReason},
    },
    handler::{Handler as _, MainnetContext, MainnetHandler, SYSTEM_ADDRESS},
    precompile::{Crypto, PrecompileHalt, install_crypto},
    primitives::hardfork::SpecId,
};

use super::{
    BlockToExecute, ExecutionError, ExecutionRules, RefusedTransaction, Transaction,
    database::{BlockState, ReadError},
};
use crate::senders::recover;

/// Gas of a system call (EIP-4788, EIP-2935, EIP-7002, EIP-7251).
const SYSTEM_CALL_GAS: u64 = 30_000_000;

/// The interpreter on the state of one block.
pub(super) struct Machine<'a> {
    evm: MainnetEvm<MainnetContext<BlockState<'a>>>,
}

/// What one transaction did.
pub(super) struct Executed {
    pub(super) success: bool,
    /// After refunds.
    pub(super) gas_used: u64,
    pub(super) logs: Vec<Log>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(
        rules: &ExecutionRules,
        block: &BlockToExecute<'_>,
        state: BlockState<'a>,
    ) -> Self {
        install_cryptography();
        let spec = spec_id(rules.fork);
        let mut config = CfgEnv::new_with_spec(spec).with_chain_id(rules.chain_id);
        if let Some(blobs) = &rules.blobs {
            config.max_blobs_per_tx = Some(blobs.max_blobs_per_tx);
            config.blob_base_fee_update_fraction = u64::try_from(blobs.update_fraction).ok();
        }
        let context: MainnetContext<BlockState<'a>> =
            Context::<BlockEnv, TxEnv, CfgEnv, _, Journal<_>, ()>::new(state, spec)
                .with_cfg(config)
                .with_block(block_environment(rules, block));
        Self { evm: context.build_mainnet() }
    }

    pub(super) fn state_mut(&mut self) -> &mut BlockState<'a> {
        &mut self.evm.ctx.journaled_state.database
    }

    /// Executes one transaction and keeps its changes.
    pub(super) fn transact(
        &mut self,
        transaction: &Transaction,
        sender: Address,
        index: usize,
    ) -> Result<Executed, ExecutionError> {
        let environment = TxEnv::from_recovered_tx(transaction, sender);
        let result = self.evm.transact_one(environment);
        let changed = self.evm.finalize();
        let result = result.map_err(|error| {
            or_refused(error, |reason| RefusedTransaction { index, reason }.into())
        })?;
        self.state_mut().commit(changed)?;
        Ok(Executed {
            success: result.is_success(),
            gas_used: result.tx_gas_used(),
            logs: result.into_logs(),
        })
    }

    /// For a message that nobody signed: neither nonce nor code of its sender matter, nor limits
    /// on its gas. One that `is_free` pays no base fee.
    pub(super) const fn allow_any_sender(&mut self, is_free: bool) {
        let config = &mut self.evm.ctx.cfg;
        config.tx_chain_id_check = false;
        config.disable_nonce_check = true;
        config.disable_eip3607 = true;
        config.disable_block_gas_limit = true;
        config.disable_base_fee = is_free;
        config.tx_gas_limit_cap = Some(u64::MAX);
    }

    /// Executes one message and forgets its changes.
    pub(super) fn call(&mut self, message: TxEnv) -> Result<ExecutionResult, EVMError<ReadError>> {
        self.evm.transact_one(message)
    }

    /// Calls a system contract and keeps its changes. The output, or `None` if the call failed.
    pub(super) fn system_call(
        &mut self,
        contract: Address,
        input: Bytes,
    ) -> Result<Option<Bytes>, ExecutionError> {
        let call = TxEnv {
            caller: SYSTEM_ADDRESS,
            kind: TxKind::Call(contract),
            data: input,
            gas_limit: SYSTEM_CALL_GAS,
            ..TxEnv::default()
        };
        self.evm.ctx.set_tx(call);
        let mut handler = MainnetHandler::<_, EVMError<ReadError>, _>::default();
        let result: Result<ExecutionResult<HaltReason>, _> = handler.run_system_call(&mut self.evm);
        let changed = self.evm.finalize();
        let result = result.map_err(|error| {
            or_refused(error, |reason| ExecutionError::SystemCall { contract, reason })
        })?;
        self.state_mut().commit(changed)?;
        Ok(result.is_success().then(|| result.into_output().unwrap_or_default()))
    }
}

/// A failed read stays what it is; everything else is the block's fault.
fn or_refused(
    error: EVMError<ReadError>,
    refused: impl FnOnce(String) -> ExecutionError,
) -> ExecutionError {
    if let EVMError::Database(ReadError(error)) = error {
        return ExecutionError::Backend(error);
    }
    refused(error.to_string())
}

fn block_environment(rules: &ExecutionRules, block: &BlockToExecute<'_>) -> BlockEnv {
    let header = block.header;
    let merged = rules.fork >= Fork::Paris;
    BlockEnv {
        number: U256::from(header.number),
        beneficiary: block.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee_per_gas.unwrap_or_default(),
        difficulty: if merged { U256::ZERO } else { header.difficulty },
        prevrandao: merged.then_some(header.mix_hash),
        blob_excess_gas_and_price: header.excess_blob_gas.zip(rules.blobs).map(
            |(excess_blob_gas, blobs)| BlobExcessGasAndPrice {
                excess_blob_gas,
                blob_gasprice: blobs.calc_blob_fee(excess_blob_gas),
            },
        ),
        slot_num: 0,
    }
}

/// The interpreter's name for the rules of a fork. It knows no Constantinople without Petersburg:
/// such a genesis is refused.
const fn spec_id(fork: Fork) -> SpecId {
    match fork {
        Fork::Frontier => SpecId::FRONTIER,
        Fork::Homestead | Fork::Dao => SpecId::HOMESTEAD,
        Fork::TangerineWhistle | Fork::Eip155 => SpecId::TANGERINE,
        Fork::SpuriousDragon => SpecId::SPURIOUS_DRAGON,
        Fork::Byzantium => SpecId::BYZANTIUM,
        Fork::Constantinople | Fork::Petersburg => SpecId::PETERSBURG,
        Fork::Istanbul | Fork::MuirGlacier => SpecId::ISTANBUL,
        Fork::Berlin => SpecId::BERLIN,
        Fork::London | Fork::ArrowGlacier | Fork::GrayGlacier | Fork::MergeNetsplit => {
            SpecId::LONDON
        }
        Fork::Paris => SpecId::MERGE,
        Fork::Shanghai => SpecId::SHANGHAI,
        Fork::Cancun => SpecId::CANCUN,
        Fork::Prague => SpecId::PRAGUE,
        Fork::Osaka | Fork::Bpo1 | Fork::Bpo2 | Fork::Bpo3 | Fork::Bpo4 | Fork::Bpo5 => {
            SpecId::OSAKA
        }
    }
}

/// Signature recovery by libsecp256k1, for the precompile and for EIP-7702 authorities: about four
/// times as fast as what the interpreter brings along.
#[derive(Debug)]
struct Libsecp256k1;

impl Crypto for Libsecp256k1 {
    fn secp256k1_ecrecover(
        &self,
        signature: &[u8; 64],
        parity: u8,
        message: &[u8; 32],
    ) -> Result<[u8; 32], PrecompileHalt> {
        let address = recover(signature, parity != 0, &B256::from(*message))
            .ok_or(PrecompileHalt::Secp256k1RecoverFailed)?;
        Ok(address.into_word().0)
    }
}

impl crypto::backend::CryptoProvider for Libsecp256k1 {
    fn recover_signer_unchecked(
        &self,
        signature: &[u8; 65],
        message: &[u8; 32],
    ) -> Result<Address, crypto::RecoveryError> {
        let [signature @ .., parity] = signature;
        recover(signature, *parity != 0, &B256::from(*message))
            .ok_or_else(crypto::RecoveryError::new)
    }

    fn verify_and_compute_signer_unchecked(
        &self,
        public_key: &[u8; 65],
        signature: &[u8; 64],
        message: &[u8; 32],
    ) -> Result<Address, crypto::RecoveryError> {
        let [_, point @ ..] = public_key;
        [false, true]
            .into_iter()
            .filter_map(|odd| recover(signature, odd, &B256::from(*message)))
            .find(|address| *address == Address::from_raw_public_key(point))
            .ok_or_else(crypto::RecoveryError::new)
    }
}

/// Makes [`Libsecp256k1`] the process's provider, once.
fn install_cryptography() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        install_crypto(Libsecp256k1);
        // An error means that the program chose its own provider before: that one serves as well.
        let _ = crypto::backend::install_default_provider(Arc::new(Libsecp256k1));
    });
}
