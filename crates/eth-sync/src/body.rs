//! A block's body as it travels, with what it commits to.

use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes};
use alloy_rlp::Header as RlpHeader;

/// Why bytes are no body.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{part} of a block body: {error}")]
pub struct BodyError {
    /// The part.
    pub part: &'static str,
    /// What is wrong with it.
    pub error: alloy_rlp::Error,
}

/// A body: the RLP of `[transactions, uncles]`, from Shanghai on with `withdrawals` (Yellow Paper
/// 4.3, EIP-4895). What is inside its lists nobody has looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Body {
    rlp: Bytes,
    transactions_root: B256,
    uncles_hash: B256,
    withdrawals_root: Option<B256>,
}

impl Body {
    /// Takes a body apart as far as its roots need it, and copies it, so that it does not keep the
    /// message that it came with. Costs a few hashes a transaction: it belongs where peers are
    /// decoded, not where decisions are made.
    ///
    /// # Errors
    /// If it is not a list of two or three lists with nothing behind them.
    pub fn decode(rlp: &[u8]) -> Result<Self, BodyError> {
        let mut rest = rlp;
        let mut fields = payload("the list", &mut rest)?;
        end("the list", rest)?;
        let transactions = payload("transactions", &mut fields)?;
        let uncles = fields;
        payload("uncles", &mut fields)?;
        let uncles = uncles.get(..uncles.len() - fields.len()).unwrap_or_default();
        let withdrawals =
            if fields.is_empty() { None } else { Some(payload("withdrawals", &mut fields)?) };
        end("the list", fields)?;
        let transactions_root = root("a transaction", transactions, MAX_TYPE)?;
        let uncles_hash = keccak::keccak256(uncles).into();
        let withdrawals_root =
            withdrawals.map(|items| root("a withdrawal", items, None)).transpose()?;
        let rlp = Bytes::copy_from_slice(rlp);
        Ok(Self { rlp, transactions_root, uncles_hash, withdrawals_root })
    }

    /// The body of a header that commits to none: no transactions, no uncles, no withdrawals.
    pub(crate) fn empty(header: &Header) -> Option<Self> {
        let plain: &[u8] = &[0xc2, 0xc0, 0xc0];
        let withdrawals: &[u8] = &[0xc3, 0xc0, 0xc0, 0xc0];
        let rlp = if header.withdrawals_root.is_some() { withdrawals } else { plain };
        let body = Self {
            rlp: Bytes::from_static(rlp),
            transactions_root: merkle_trie::EMPTY_ROOT,
            uncles_hash: alloy_consensus::EMPTY_OMMER_ROOT_HASH,
            withdrawals_root: header.withdrawals_root.map(|_| merkle_trie::EMPTY_ROOT),
        };
        body.fits(header).then_some(body)
    }

    /// The bytes.
    #[must_use]
    pub const fn rlp(&self) -> &Bytes {
        &self.rlp
    }

    /// Whether it is the body that a header commits to.
    #[must_use]
    pub fn fits(&self, header: &Header) -> bool {
        self.transactions_root == header.transactions_root
            && self.uncles_hash == header.ommers_hash
            && self.withdrawals_root == header.withdrawals_root
    }

    /// Bytes that it keeps.
    pub(crate) fn bytes(&self) -> usize {
        self.rlp.len()
    }
}

/// The highest type of a transaction (EIP-2718): where more follows, a list begins.
const MAX_TYPE: Option<u8> = Some(0x7f);

/// Root of the trie of a list's items: a list is its own RLP, a string its content, which begins
/// with a type up to `max_type` (EIP-2718). A list wrapped in a string would have the same root as
/// the list, and is another body.
fn root(part: &'static str, mut items: &[u8], max_type: Option<u8>) -> Result<B256, BodyError> {
    let mut leaves: Vec<&[u8]> = Vec::new();
    while !items.is_empty() {
        let start = items;
        let head = RlpHeader::decode(&mut items).map_err(|error| BodyError { part, error })?;
        let content = items.get(..head.payload_length).unwrap_or_default();
        items = items.get(head.payload_length..).unwrap_or_default();
        let whole = start.get(..start.len() - items.len()).unwrap_or_default();
        let is_typed = content.first().is_some_and(|first| Some(*first) <= max_type);
        if !head.list && !is_typed {
            return Err(BodyError { part, error: alloy_rlp::Error::UnexpectedString });
        }
        leaves.push(if head.list { whole } else { content });
    }
    // Only an empty leaf is an error, and there is none.
    Ok(merkle_trie::build_ordered_list(&leaves).unwrap_or_default())
}

fn payload<'a>(part: &'static str, bytes: &mut &'a [u8]) -> Result<&'a [u8], BodyError> {
    RlpHeader::decode_bytes(bytes, true).map_err(|error| BodyError { part, error })
}

fn end(part: &'static str, rest: &[u8]) -> Result<(), BodyError> {
    if rest.is_empty() {
        return Ok(());
    }
    Err(BodyError { part, error: alloy_rlp::Error::UnexpectedLength })
}
