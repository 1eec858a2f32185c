//! Balances that change without a transaction: the DAO's, rewards, withdrawals.

use alloy_eips::eip4895::Withdrawal;
use alloy_evm::eth::dao_fork::{DAO_HARDFORK_ACCOUNTS, DAO_HARDFORK_BENEFICIARY};
use alloy_primitives::{Address, U256};

use super::{BlockToExecute, database::BlockState};
use crate::BackendError;

/// Moves all ether of the DAO and its children to the refund contract, before the block's
/// transactions (EIP-779). Accounts of the list that did not exist are empty ones afterwards.
pub(super) fn drain_dao(state: &mut BlockState<'_>) -> Result<(), BackendError> {
    for account in DAO_HARDFORK_ACCOUNTS {
        let balance = state.balance(account)?;
        add(state, DAO_HARDFORK_BENEFICIARY, balance)?;
        state.set_balance(account, U256::ZERO)?;
    }
    Ok(())
}

/// Pays for the block and its uncles (Yellow Paper, section 11.3): an uncle `d` blocks older gets
/// `(8 - d) / 8` of the reward, its includer 1/32.
pub(super) fn pay_rewards(
    state: &mut BlockState<'_>,
    reward: u128,
    block: &BlockToExecute<'_>,
) -> Result<(), BackendError> {
    if reward == 0 {
        return Ok(());
    }
    let reward = U256::from(reward);
    let mut own = reward;
    for uncle in block.uncles {
        let eighths = (uncle.number + 8).saturating_sub(block.header.number);
        add(state, uncle.beneficiary, reward * U256::from(eighths) / U256::from(8))?;
        own += reward / U256::from(32);
    }
    add(state, block.beneficiary, own)
}

/// Credits withdrawals, which are in Gwei (EIP-4895).
pub(super) fn pay_withdrawals(
    state: &mut BlockState<'_>,
    withdrawals: &[Withdrawal],
) -> Result<(), BackendError> {
    for withdrawal in withdrawals {
        add(state, withdrawal.address, withdrawal.amount_wei())?;
    }
    Ok(())
}

fn add(state: &mut BlockState<'_>, to: Address, amount: U256) -> Result<(), BackendError> {
    // Wrapping like the machine itself: 2^256 wei can only come from an absurd genesis.
    let balance = state.balance(to)?.wrapping_add(amount);
    state.set_balance(to, balance)
}
