//! `lesctl get`: a question, its answer, and what that rests on.

use alloy_primitives::{B256, Bytes, U256};
use light_client::{Account, SealCheck, SealedHeader};
use serde_json::Value;

use crate::args::{AccountArguments, BlockId, Get, TrustArguments, What};
use crate::ask;
use crate::client::Client;
use crate::error::Error;
use crate::print::Report;
use crate::transaction::{describe, describe_receipt, ether};
use crate::trust::{Trust, TrustedChain};

pub(crate) fn run(get: &Get) -> Result<Report, Error> {
    let trust = trust(&get.trust)?;
    let mut client = Client::connect(&get.enode, get.output.timeout)?;
    let mut chain = TrustedChain::find(&mut client, &trust)?;
    let mut report = answer(&mut client, &mut chain, &get.what)?;
    report.add("checked", "checked", chain.checked());
    if let Some(not_checked) = chain.not_checked() {
        report.add("NOT checked", "notChecked", not_checked);
    }
    client.close();
    Ok(report)
}

fn trust(arguments: &TrustArguments) -> Result<Trust, Error> {
    if let Some(file) = &arguments.genesis {
        let seals = if arguments.no_seals { SealCheck::None } else { SealCheck::Full };
        return Ok(Trust::Genesis { file: file.clone(), seals });
    }
    if let Some(root) = arguments.cht_root {
        return Ok(Trust::CanonicalHashRoot(root));
    }
    match (arguments.trusted_hash, arguments.trust_head) {
        (Some(hash), _) => Ok(Trust::Hash(hash)),
        (None, true) => Ok(Trust::Head),
        (None, false) => Err(Error::NoTrust),
    }
}

fn answer(client: &mut Client, chain: &mut TrustedChain, what: &What) -> Result<Report, Error> {
    match what {
        What::Balance(arguments) => about_account(client, chain, arguments, |report, account| {
            let balance = account.map_or(U256::ZERO, |account| account.balance);
            report.add_as("balance", format!("{balance} wei"), "balance", balance.to_string());
            ether(balance)
        }),
        What::Nonce(arguments) => about_account(client, chain, arguments, |report, account| {
            let nonce = account.map_or(0, |account| account.nonce);
            report.add_as("", "", "nonce", nonce);
            nonce.to_string()
        }),
        What::Storage { account, slot } => storage(client, chain, account, *slot),
        What::Code(arguments) => code(client, chain, arguments),
        What::Header { block } => header(&find(client, chain, *block)?),
        What::Block { block } => {
            let block = find(client, chain, *block)?;
            let transactions = ask::transactions(client, &block)?;
            Ok(list_transactions(&block, &transactions))
        }
        What::Receipts { block } => {
            let block = find(client, chain, *block)?;
            let receipts = ask::receipts(client, &block)?;
            Ok(list_receipts(&block, &receipts))
        }
        What::Tx { hash } => transaction(client, chain, *hash),
    }
}

fn find(
    client: &mut Client,
    chain: &mut TrustedChain,
    block: BlockId,
) -> Result<SealedHeader, Error> {
    match block {
        BlockId::Head => Ok(chain.newest().clone()),
        BlockId::Number(number) => chain.header(client, number),
        BlockId::Hash(hash) => chain.header_by_hash(client, hash),
    }
}

fn add_block(report: &mut Report, block: &SealedHeader) {
    report.add_as("block", block.header.number, "blockNumber", block.header.number);
    report.add("block hash", "blockHash", block.hash);
}

fn about_account(
    client: &mut Client,
    chain: &mut TrustedChain,
    arguments: &AccountArguments,
    read: impl FnOnce(&mut Report, Option<Account>) -> String,
) -> Result<Report, Error> {
    let block = find(client, chain, arguments.block)?;
    let account = ask::account(client, &block, arguments.address)?;
    let mut fields = Report::default();
    let mut headline = read(&mut fields, account);
    if account.is_none() {
        headline.push_str(" (there is no such account)");
    }
    let mut report = Report::new(headline);
    report.append(fields);
    add_account(&mut report, arguments, account, &block);
    Ok(report)
}

fn add_account(
    report: &mut Report,
    arguments: &AccountArguments,
    account: Option<Account>,
    block: &SealedHeader,
) {
    report.add("account", "address", arguments.address);
    report.add_as("", "", "exists", account.is_some());
    add_block(report, block);
    report.add("proven under state root", "stateRoot", block.header.state_root);
}

fn storage(
    client: &mut Client,
    chain: &mut TrustedChain,
    arguments: &AccountArguments,
    slot: B256,
) -> Result<Report, Error> {
    let block = find(client, chain, arguments.block)?;
    let account = ask::account(client, &block, arguments.address)?;
    let value = match &account {
        Some(account) => ask::slot(client, &block, arguments.address, account, slot)?,
        None => U256::ZERO,
    };
    let mut report = Report::new(format!("{value:#066x}"));
    report.add_as("value", value, "value", format!("{value:#066x}"));
    report.add("slot", "slot", slot);
    add_account(&mut report, arguments, account, &block);
    if let Some(account) = account {
        report.add("and storage root", "storageRoot", account.storage_root);
    }
    Ok(report)
}

fn code(
    client: &mut Client,
    chain: &mut TrustedChain,
    arguments: &AccountArguments,
) -> Result<Report, Error> {
    let block = find(client, chain, arguments.block)?;
    let account = ask::account(client, &block, arguments.address)?;
    let code = match &account {
        Some(account) => ask::code(client, &block, arguments.address, account)?,
        None => Bytes::new(),
    };
    let mut report = Report::new(code.to_string());
    report.add_as("length", format!("{} bytes", code.len()), "code", code.to_string());
    add_account(&mut report, arguments, account, &block);
    if let Some(account) = account {
        report.add("and code hash", "codeHash", account.code_hash);
    }
    Ok(report)
}

fn header(block: &SealedHeader) -> Result<Report, Error> {
    let header = &block.header;
    let mut report = Report::new(format!("block {}", header.number));
    add_block(&mut report, block);
    report.add("parent", "parentHash", header.parent_hash);
    report.add_as("time", format!("{} (Unix)", header.timestamp), "timestamp", header.timestamp);
    report.add("state root", "stateRoot", header.state_root);
    report.add("transactions root", "transactionsRoot", header.transactions_root);
    report.add("receipts root", "receiptsRoot", header.receipts_root);
    report.add("difficulty", "difficulty", header.difficulty);
    report.add("beneficiary", "miner", header.beneficiary);
    let gas = format!("{} of {}", header.gas_used, header.gas_limit);
    report.add_as("gas used", gas, "gasUsed", header.gas_used);
    report.add_as("", "", "gasLimit", header.gas_limit);
    if let Some(base_fee) = header.base_fee_per_gas {
        report.add_as("base fee", format!("{base_fee} wei"), "baseFeePerGas", base_fee);
    }
    report.add("extra data", "extraData", &header.extra_data);
    report.add_as("", "", "raw", Bytes::from(alloy_rlp::encode(header)).to_string());
    Ok(report)
}

fn list_transactions(block: &SealedHeader, transactions: &[Bytes]) -> Report {
    let (texts, values): (Vec<String>, Vec<Value>) = transactions.iter().map(describe).unzip();
    let count = transactions.len();
    let mut report = Report::new(format!("{count} transactions in block {}", block.header.number));
    report.add_as("transactions", texts.join("\n"), "transactions", values);
    add_block(&mut report, block);
    report.add("proven by transactions root", "transactionsRoot", block.header.transactions_root);
    report
}

fn list_receipts(block: &SealedHeader, receipts: &[Bytes]) -> Report {
    let described = receipts.iter().enumerate().map(|(index, raw)| describe_receipt(index, raw));
    let (texts, values): (Vec<String>, Vec<Value>) = described.unzip();
    let count = receipts.len();
    let mut report = Report::new(format!("{count} receipts in block {}", block.header.number));
    report.add_as("receipts", texts.join("\n"), "receipts", values);
    add_block(&mut report, block);
    report.add("proven by receipts root", "receiptsRoot", block.header.receipts_root);
    report
}

/// The server only says where the transaction is; the body of that block proves it.
fn transaction(client: &mut Client, chain: &mut TrustedChain, hash: B256) -> Result<Report, Error> {
    let place = ask::transaction_place(client, hash)?;
    let block = chain.header(client, place.block_number)?;
    if block.hash != place.block_hash {
        let (number, hash, trusted) = (place.block_number, place.block_hash, block.hash);
        return Err(Error::OtherBranch { number, hash, trusted });
    }
    let transactions = ask::transactions(client, &block)?;
    let found = ask::transaction_at(&transactions, place, hash)?;
    let (text, value) = describe(&found);
    let mut report = Report::new(text);
    report.add_as("", "", "transaction", value);
    add_block(&mut report, &block);
    report.add_as("position in the block", place.index, "transactionIndex", place.index);
    report.add("proven by transactions root", "transactionsRoot", block.header.transactions_root);
    Ok(report)
}
