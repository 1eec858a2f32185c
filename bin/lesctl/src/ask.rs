//! Requests for one thing each, with their answers checked.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use les_wire::{BlockBody, CodeQuery, ProofQuery, ReplyData, TxLookup, TxState, UndecodedList};
use light_client::{
    Account, ConnectionError, Mistrust, NewRequest, Proofs, ReceivedReply, SealedHeader, block,
};

use crate::client::Client;
use crate::error::Error;

/// Keccak-256 of no bytes: the code hash of an account without code.
const EMPTY_CODE: B256 = alloy_primitives::KECCAK256_EMPTY;

/// Root of a trie without entries.
const EMPTY_ROOT: B256 =
    alloy_primitives::b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

/// The account at an address in the state of a block; `None` if it is proven not to exist.
pub(crate) fn account(
    client: &mut Client,
    block: &SealedHeader,
    address: Address,
) -> Result<Option<Account>, Error> {
    let key = keccak256(address);
    let query =
        ProofQuery { block_hash: block.hash, account_key: &[], key: key.as_slice(), from_level: 0 };
    let root = block.header.state_root;
    let reply = client.request(&NewRequest::Proofs(&[query]))?;
    let mut proofs = nodes(&reply, root)?.ok_or_else(|| no_state(client, block))?;
    let account = proofs.account(root, address)?;
    proofs.finish()?;
    Ok(account)
}

/// The value of a storage slot; 0 if it is unset or the account does not exist.
pub(crate) fn slot(
    client: &mut Client,
    block: &SealedHeader,
    address: Address,
    account: &Account,
    slot: B256,
) -> Result<U256, Error> {
    let root = account.storage_root;
    if root == EMPTY_ROOT {
        return Ok(U256::ZERO);
    }
    let (account_hash, key) = (keccak256(address), keccak256(slot));
    for account_key in [account_hash.as_slice(), address.as_slice()] {
        let query =
            ProofQuery { block_hash: block.hash, account_key, key: key.as_slice(), from_level: 0 };
        let reply = client.request(&NewRequest::Proofs(&[query]))?;
        if let Some(mut proofs) = nodes(&reply, root)? {
            let value = proofs.slot(root, slot)?;
            proofs.finish()?;
            return Ok(value);
        }
        // Servers since go-ethereum 1.12.1 want the address instead of its hash: ask again.
    }
    Err(no_state(client, block))
}

/// The code of an account; empty if it has none.
pub(crate) fn code(
    client: &mut Client,
    block: &SealedHeader,
    address: Address,
    account: &Account,
) -> Result<Bytes, Error> {
    if account.code_hash == EMPTY_CODE {
        return Ok(Bytes::new());
    }
    let account_hash = keccak256(address);
    for account_key in [account_hash.as_slice(), address.as_slice()] {
        let query = CodeQuery { block_hash: block.hash, account_key };
        let reply = client.request(&NewRequest::Code(&[query]))?;
        let ReplyData::Code(codes) = decode(&reply)? else { return Err(other_reply()) };
        if codes.count() > 0 {
            let code = block::code(account.code_hash, codes)?;
            return Ok(Bytes::copy_from_slice(code));
        }
    }
    Err(no_state(client, block))
}

/// The transactions of a block in their canonical form.
pub(crate) fn transactions(client: &mut Client, block: &SealedHeader) -> Result<Vec<Bytes>, Error> {
    let reply = client.request(&NewRequest::Bodies(&[block.hash]))?;
    let ReplyData::Bodies(bodies) = decode(&reply)? else { return Err(other_reply()) };
    let bodies = bodies.iter().collect::<Vec<BlockBody<'_>>>();
    if bodies.is_empty() {
        return Err(no_block(client, block, "the body"));
    }
    let body = block::only("bodies", bodies)?;
    let transactions = block::body(&block.header, &body)?;
    Ok(transactions.into_iter().map(Bytes::copy_from_slice).collect())
}

/// The receipts of a block in their canonical form.
pub(crate) fn receipts(client: &mut Client, block: &SealedHeader) -> Result<Vec<Bytes>, Error> {
    let reply = client.request(&NewRequest::Receipts(&[block.hash]))?;
    let ReplyData::Receipts(lists) = decode(&reply)? else { return Err(other_reply()) };
    let lists = lists.iter().collect::<Vec<UndecodedList<'_>>>();
    if lists.is_empty() {
        return Err(no_block(client, block, "the receipts"));
    }
    let receipts = block::receipts(&block.header, block::only("lists of receipts", lists)?)?;
    Ok(receipts.into_iter().map(Bytes::copy_from_slice).collect())
}

/// Where the server says that a transaction is. Not proven yet.
pub(crate) fn transaction_place(client: &mut Client, hash: B256) -> Result<TxLookup, Error> {
    let reply = client.request(&NewRequest::TxStatus(&[hash]))?;
    let ReplyData::TxStatus(items) = decode(&reply)? else { return Err(other_reply()) };
    let status = block::only("transaction states", items)?;
    let reason = match status.state {
        TxState::Included => {
            if let Some(place) = status.lookup {
                return Ok(place);
            }
            ", although it says that it is included"
        }
        TxState::Pending => "; it waits to be included",
        TxState::Queued => "; it waits for an earlier transaction of its sender",
        TxState::Unknown | TxState::Error => "",
    };
    Err(Error::UnknownTransaction { hash, reason: reason.to_owned() })
}

fn decode(reply: &ReceivedReply) -> Result<ReplyData<'_>, Error> {
    Ok(reply.decode().map_err(ConnectionError::from)?.data)
}

/// The nodes of a reply; `None` if there are none although the trie is not empty.
fn nodes(reply: &ReceivedReply, root: B256) -> Result<Option<Proofs<'_>>, Error> {
    let ReplyData::Proofs(nodes) = decode(reply)? else { return Err(other_reply()) };
    let missing = nodes.count() == 0 && root != EMPTY_ROOT;
    Ok((!missing).then(|| Proofs::new(nodes)))
}

fn other_reply() -> Error {
    ConnectionError::Unexpected { what: "another reply" }.into()
}

fn no_state(client: &Client, block: &SealedHeader) -> Error {
    let hint = match client.status().serve_recent_state {
        Some(recent @ 1..) => format!("; it keeps the last {recent} states, ask for a newer block"),
        Some(0) | None => String::new(),
    };
    let what = format!("the state of block {} ({})", block.header.number, block.hash);
    Error::NotServed { what, hint }
}

fn no_block(client: &Client, block: &SealedHeader, what: &str) -> Error {
    let hint = match client.status().serve_recent_chain {
        Some(recent @ 1..) => format!("; it keeps the last {recent} blocks"),
        Some(0) | None => String::new(),
    };
    let what = format!("{what} of block {} ({})", block.header.number, block.hash);
    Error::NotServed { what, hint }
}

/// Asserts that a transaction is where the server said.
pub(crate) fn transaction_at(
    transactions: &[Bytes],
    place: TxLookup,
    expected: B256,
) -> Result<Bytes, Error> {
    let found = usize::try_from(place.index).ok().and_then(|index| transactions.get(index));
    let found = found.ok_or_else(|| Mistrust::WrongCount {
        what: "transactions in that block",
        expected: usize::try_from(place.index).unwrap_or(usize::MAX).saturating_add(1),
        got: transactions.len(),
    })?;
    let got = keccak256(found);
    if got == expected {
        Ok(found.clone())
    } else {
        Err(Mistrust::WrongHash { what: "transaction", expected, got }.into())
    }
}
