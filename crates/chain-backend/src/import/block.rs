//! A block as files and peers carry it: `[header, transactions, uncles]`, from Shanghai on with
//! `withdrawals` (Yellow Paper, section 4.3; EIP-4895).

use alloy_consensus::Header;
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::B256;
use alloy_rlp::{Decodable as _, Header as RlpHeader};

use crate::Transaction;

/// A decoded block with the bytes it came from.
#[derive(Clone, Debug)]
pub struct Block {
    /// Keccak-256 of the header.
    pub hash: B256,
    /// The header.
    pub header: Header,
    /// The header's RLP.
    pub header_rlp: Vec<u8>,
    /// The body's RLP: a list of everything but the header.
    pub body_rlp: Vec<u8>,
    /// The transactions.
    pub transactions: Vec<Transaction>,
    /// Headers of the uncles.
    pub uncles: Vec<Header>,
    /// Withdrawals, if the body has such a list.
    pub withdrawals: Option<Vec<Withdrawal>>,
    /// What the body commits to, to be compared with the header.
    pub roots: BodyRoots,
    /// Bytes of the whole block.
    pub length: usize,
}

/// Commitments to a body, as its header holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyRoots {
    /// Root of the trie of transactions.
    pub transactions: B256,
    /// Keccak-256 of the list of uncles.
    pub uncles: B256,
    /// Root of the trie of withdrawals.
    pub withdrawals: Option<B256>,
}

/// Why bytes are no block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockDecodeError {
    /// Not the RLP that the part should be.
    #[error("{part}: {error}")]
    Rlp {
        /// The part of the block.
        part: &'static str,
        /// What is wrong with it.
        error: alloy_rlp::Error,
    },
    /// The header decodes, but another encoding of it is the one with this meaning.
    #[error("the header is not in its only valid encoding")]
    HeaderEncoding,
}

impl Block {
    /// Decodes a whole block. Copies its bytes; allocates a small multiple of their number.
    pub fn decode(bytes: &[u8]) -> Result<Self, BlockDecodeError> {
        let mut rest = bytes;
        let mut fields = list("block", &mut rest)?;
        end("block", rest)?;
        let start = fields;
        let header = Header::decode(&mut fields).map_err(rlp("header"))?;
        let header_rlp = start.get(..start.len() - fields.len()).unwrap_or_default().to_vec();
        if alloy_rlp::encode(&header) != header_rlp {
            return Err(BlockDecodeError::HeaderEncoding);
        }
        let body = fields;
        let (transactions, transactions_root) = transactions(&mut fields)?;
        let uncles_start = fields;
        let uncles = Vec::<Header>::decode(&mut fields).map_err(rlp("uncles"))?;
        let uncles_rlp = uncles_start.get(..uncles_start.len() - fields.len()).unwrap_or_default();
        let (withdrawals, withdrawals_root) =
            if fields.is_empty() { (None, None) } else { withdrawals(&mut fields)? };
        end("block", fields)?;
        let mut body_rlp = Vec::with_capacity(body.len() + 9);
        RlpHeader { list: true, payload_length: body.len() }.encode(&mut body_rlp);
        body_rlp.extend_from_slice(body);
        let roots = BodyRoots {
            transactions: transactions_root,
            uncles: keccak::keccak256(uncles_rlp).into(),
            withdrawals: withdrawals_root,
        };
        let hash = keccak::keccak256(&header_rlp).into();
        let length = bytes.len();
        Ok(Self {
            hash,
            header,
            header_rlp,
            body_rlp,
            transactions,
            uncles,
            withdrawals,
            roots,
            length,
        })
    }

    /// The block's RLP, joined from its header and body.
    #[must_use]
    pub fn join(header_rlp: &[u8], body_rlp: &[u8]) -> Option<Vec<u8>> {
        let mut body = body_rlp;
        let fields = RlpHeader::decode_bytes(&mut body, true).ok()?;
        let payload_length = header_rlp.len() + fields.len();
        let mut block = Vec::with_capacity(payload_length + 9);
        RlpHeader { list: true, payload_length }.encode(&mut block);
        block.extend_from_slice(header_rlp);
        block.extend_from_slice(fields);
        Some(block)
    }
}

fn transactions(fields: &mut &[u8]) -> Result<(Vec<Transaction>, B256), BlockDecodeError> {
    let mut items = list("transactions", fields)?;
    let mut transactions = Vec::new();
    let mut leaves: Vec<&[u8]> = Vec::new();
    while !items.is_empty() {
        let start = items;
        let header = RlpHeader::decode(&mut items).map_err(rlp("transaction"))?;
        let content = items
            .get(..header.payload_length)
            .ok_or(alloy_rlp::Error::InputTooShort)
            .map_err(rlp("transaction"))?;
        items = items.get(header.payload_length..).unwrap_or_default();
        let whole = start.get(..start.len() - items.len()).unwrap_or_default();
        let mut rest = whole;
        transactions.push(Transaction::decode(&mut rest).map_err(rlp("transaction"))?);
        end("transaction", rest)?;
        // A legacy transaction is its list, a typed one the content of its string (EIP-2718).
        leaves.push(if header.list { whole } else { content });
    }
    Ok((transactions, root(&leaves)))
}

type Withdrawals = (Option<Vec<Withdrawal>>, Option<B256>);

fn withdrawals(fields: &mut &[u8]) -> Result<Withdrawals, BlockDecodeError> {
    let withdrawals = Vec::<Withdrawal>::decode(fields).map_err(rlp("withdrawals"))?;
    let leaves: Vec<_> = withdrawals.iter().map(alloy_rlp::encode).collect();
    let root = root(&leaves);
    Ok((Some(withdrawals), Some(root)))
}

/// Root of the trie of a list whose items are RLP, hence never empty.
pub(crate) fn root<V: AsRef<[u8]>>(items: &[V]) -> B256 {
    merkle_trie::build_ordered_list(items).unwrap_or_default()
}

fn list<'a>(part: &'static str, bytes: &mut &'a [u8]) -> Result<&'a [u8], BlockDecodeError> {
    RlpHeader::decode_bytes(bytes, true).map_err(rlp(part))
}

fn end(part: &'static str, rest: &[u8]) -> Result<(), BlockDecodeError> {
    if rest.is_empty() { Ok(()) } else { Err(rlp(part)(alloy_rlp::Error::UnexpectedLength)) }
}

fn rlp(part: &'static str) -> impl Fn(alloy_rlp::Error) -> BlockDecodeError {
    move |error| BlockDecodeError::Rlp { part, error }
}
