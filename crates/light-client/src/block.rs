//! What a header commits to: transactions, uncles, withdrawals, receipts, code.

use alloy_consensus::Header;
use alloy_primitives::B256;
use les_wire::{BlockBody, ByteString, Reader, UndecodedList};
use merkle_trie::build_ordered_list;

use crate::error::Mistrust;
use crate::hash;

/// The code with this hash, out of a reply to a request for one code.
///
/// # Errors
/// Other than one code, or one with another hash.
pub fn code<'a>(
    expected: B256,
    codes: impl IntoIterator<Item = ByteString<'a>>,
) -> Result<&'a [u8], Mistrust> {
    let ByteString(code) = only("codes", codes)?;
    check_hash("code", expected, hash(code))?;
    Ok(code)
}

/// The one item of a reply to a request for one.
///
/// # Errors
/// None, or more than one.
pub fn only<T>(what: &'static str, items: impl IntoIterator<Item = T>) -> Result<T, Mistrust> {
    let mut items = items.into_iter();
    match (items.next(), items.count()) {
        (Some(item), 0) => Ok(item),
        (None, _) => Err(Mistrust::WrongCount { what, expected: 1, got: 0 }),
        (Some(_), more) => Err(Mistrust::WrongCount { what, expected: 1, got: more + 1 }),
    }
}

/// Checks a body against its header and returns the transactions in their canonical form
/// (EIP-2718), in order.
///
/// # Errors
/// The root of transactions or withdrawals, or the hash of the uncles, is not the header's.
pub fn body<'a>(header: &Header, body: &BlockBody<'a>) -> Result<Vec<&'a [u8]>, Mistrust> {
    let transactions = items("transactions", body.transactions)?;
    check_root("transactions", header.transactions_root, &transactions)?;
    check_hash("list of uncles", header.ommers_hash, hash(body.uncles.0))?;
    match (header.withdrawals_root, body.withdrawals) {
        (None, None) => {}
        (Some(root), Some(list)) => {
            check_root("withdrawals", root, &items("withdrawals", list)?)?;
        }
        (None, Some(_)) | (Some(_), None) => return Err(Mistrust::Withdrawals),
    }
    Ok(transactions)
}

/// Checks the receipts of a block against its header and returns them in their canonical form
/// (EIP-2718), in order.
///
/// # Errors
/// Their root is not the header's.
pub fn receipts<'a>(
    header: &Header,
    receipts: UndecodedList<'a>,
) -> Result<Vec<&'a [u8]>, Mistrust> {
    let receipts = items("receipts", receipts)?;
    check_root("receipts", header.receipts_root, &receipts)?;
    Ok(receipts)
}

/// The items of a list: a list whole, a byte string without its header.
fn items<'a>(what: &'static str, list: UndecodedList<'a>) -> Result<Vec<&'a [u8]>, Mistrust> {
    let malformed = |error| Mistrust::Malformed { what, error };
    let mut list = Reader::message(what, list.0).map_err(malformed)?;
    let mut items = Vec::new();
    while !list.is_empty() {
        let item = if list.is_list_next() { list.raw(what) } else { list.string(what) };
        items.push(item.map_err(malformed)?);
    }
    Ok(items)
}

fn check_root(what: &'static str, expected: B256, items: &[&[u8]]) -> Result<(), Mistrust> {
    // Fails for an empty item only, which no block has: its hash is then unknown.
    let got = build_ordered_list(items).unwrap_or_default();
    check_hash(what, expected, got)
}

fn check_hash(what: &'static str, expected: B256, got: B256) -> Result<(), Mistrust> {
    if got == expected { Ok(()) } else { Err(Mistrust::WrongHash { what, expected, got }) }
}
