//! Is a reply right?

use alloy_primitives::{Address, B256, keccak256};
use les_wire::{Items, ReplyData, TxState, UndecodedList};
use light_client::{Account, Mistrust, Proofs, ReceivedReply, SealedHeader, block};

use crate::error::Wrong;
use crate::sample::{BATCH, Question, Sample};

impl Sample {
    /// Checks a reply: its shape and the number of its items always; every hash and proof in it,
    /// down to the trusted header, if it is to be verified in `full`.
    pub(crate) fn check(
        &self,
        question: &Question,
        reply: &ReceivedReply,
        full: bool,
    ) -> Result<(), Wrong> {
        let data = reply.decode()?.data;
        match (*question, data) {
            (Question::TxStatus(_), ReplyData::TxStatus(states)) => {
                let state = block::only("states", states)?.state;
                if state == TxState::Included { Ok(()) } else { Err(Wrong::NotIncluded) }
            }
            (Question::Header(hash), ReplyData::Headers(headers)) => {
                let UndecodedList(header) = block::only("headers", headers)?;
                // One hash is cheap: a header is always verified.
                SealedHeader::with_hash(header, hash).map(drop).map_err(Wrong::from)
            }
            (Question::Headers(first), ReplyData::Headers(headers)) => {
                let batch = usize::try_from(BATCH).unwrap_or(usize::MAX);
                count("headers", headers.count(), batch)?;
                if full { linked_up(headers, first) } else { Ok(()) }
            }
            (Question::Account(_) | Question::Slot(..), ReplyData::Proofs(nodes)) if !full => {
                at_least_one("nodes", nodes.count())
            }
            (Question::Account(address), ReplyData::Proofs(_)) => {
                self.proven_account(reply, address).map(drop)
            }
            (Question::Slot(address, slot), ReplyData::Proofs(nodes)) => {
                let mut proofs = Proofs::new(nodes);
                if let Some(account) = proofs.account(self.state_root(), address)? {
                    proofs.slot(account.storage_root, slot)?;
                }
                Ok(proofs.finish()?)
            }
            (Question::Code(_, hash), ReplyData::Code(codes)) => {
                if full {
                    return block::code(hash, codes).map(drop).map_err(Wrong::from);
                }
                block::only("codes", codes).map(drop).map_err(Wrong::from)
            }
            (Question::Body(index), ReplyData::Bodies(bodies)) => {
                let body = block::only("bodies", bodies)?;
                match self.recent.get(index).filter(|_| full) {
                    Some(known) => Ok(block::body(&known.header, &body).map(drop)?),
                    None => Ok(()),
                }
            }
            (Question::Receipts(index), ReplyData::Receipts(lists)) => {
                let receipts = block::only("lists of receipts", lists)?;
                match self.recent.get(index).filter(|_| full) {
                    Some(known) => Ok(block::receipts(&known.header, receipts).map(drop)?),
                    None => Ok(()),
                }
            }
            (Question::CanonicalHeader(key), ReplyData::HelperTrieProofs { nodes, aux }) => {
                count("headers", aux.count(), 1)?;
                if !full {
                    return at_least_one("nodes", nodes.count());
                }
                self.check_canonical(reply, u64::from_be_bytes(key), None)
            }
            (Question::Bloom(bits), ReplyData::HelperTrieProofs { nodes, .. }) => {
                if !full {
                    return at_least_one("nodes", nodes.count());
                }
                let mut proofs = Proofs::new(nodes);
                for (bit, section) in bits {
                    proofs.bloom_bits(self.bloom_root, bit, section)?;
                }
                Ok(proofs.finish()?)
            }
            (_, other) => Err(Wrong::Other(name(&other))),
        }
    }

    /// The account in a reply, proven under the state root of the head.
    pub(crate) fn proven_account(
        &self,
        reply: &ReceivedReply,
        address: Address,
    ) -> Result<Option<Account>, Wrong> {
        let ReplyData::Proofs(nodes) = reply.decode()?.data else {
            return Err(Wrong::Other("no nodes"));
        };
        let mut proofs = Proofs::new(nodes);
        let account = proofs.account(self.state_root(), address)?;
        proofs.finish()?;
        Ok(account)
    }

    /// Checks a proof in the canonical hash trie and the header beside it; with a known hash,
    /// the header must be that one.
    pub(crate) fn check_canonical(
        &self,
        reply: &ReceivedReply,
        number: u64,
        known: Option<B256>,
    ) -> Result<(), Wrong> {
        let ReplyData::HelperTrieProofs { nodes, aux } = reply.decode()?.data else {
            return Err(Wrong::Other("no helper trie nodes"));
        };
        let header = block::only("headers", aux)?;
        let mut proofs = Proofs::new(nodes);
        let proven = proofs.canonical_header(self.canonical_root, number, header.0)?;
        proofs.finish()?;
        let Some((header, _)) = proven else { return Err(Wrong::Other("a proof of absence")) };
        match known.filter(|known| *known != header.hash) {
            None => Ok(()),
            Some(expected) => {
                Err(Mistrust::WrongHash { what: "header", expected, got: header.hash }.into())
            }
        }
    }

    fn state_root(&self) -> B256 {
        self.recent.first().map(|head| head.header.state_root).unwrap_or_default()
    }
}

/// The headers of a reply, each the parent of the one before, down from this hash.
pub(crate) fn headers_down(reply: &ReceivedReply, from: B256) -> Result<Vec<SealedHeader>, Wrong> {
    let ReplyData::Headers(headers) = reply.decode()?.data else {
        return Err(Wrong::Other("no headers"));
    };
    let mut expected = from;
    let mut chain = Vec::new();
    for UndecodedList(header) in headers {
        let header = SealedHeader::with_hash(header, expected)?;
        expected = header.header.parent_hash;
        chain.push(header);
    }
    at_least_one("headers", chain.len())?;
    Ok(chain)
}

/// The one header of a reply.
pub(crate) fn only_header(reply: &ReceivedReply) -> Result<SealedHeader, Wrong> {
    let ReplyData::Headers(headers) = reply.decode()?.data else {
        return Err(Wrong::Other("no headers"));
    };
    Ok(SealedHeader::decode(block::only("headers", headers)?.0)?)
}

/// Hash of the first node of a helper trie proof: the root that it is proven under.
pub(crate) fn first_node(reply: &ReceivedReply) -> Result<B256, Wrong> {
    let ReplyData::HelperTrieProofs { nodes, .. } = reply.decode()?.data else {
        return Err(Wrong::Other("no helper trie nodes"));
    };
    let first = nodes.first().ok_or(Wrong::Count { what: "nodes", expected: 1, got: 0 })?;
    Ok(keccak256(first.0))
}

/// Asserts that headers have rising numbers from `first`, and each is the child of the last.
fn linked_up(headers: Items<'_, UndecodedList<'_>>, first: u64) -> Result<(), Wrong> {
    let mut parent: Option<B256> = None;
    for (number, UndecodedList(header)) in (first..).zip(headers) {
        let header = SealedHeader::decode(header)?.at(number)?;
        if let Some(expected) = parent.filter(|parent| *parent != header.header.parent_hash) {
            let (what, got) = ("parent", header.header.parent_hash);
            return Err(Mistrust::WrongHash { what, expected, got }.into());
        }
        parent = Some(header.hash);
    }
    Ok(())
}

const fn count(what: &'static str, got: usize, expected: usize) -> Result<(), Wrong> {
    if got == expected { Ok(()) } else { Err(Wrong::Count { what, expected, got }) }
}

const fn at_least_one(what: &'static str, got: usize) -> Result<(), Wrong> {
    if got > 0 { Ok(()) } else { Err(Wrong::Count { what, expected: 1, got }) }
}

const fn name(data: &ReplyData<'_>) -> &'static str {
    match data {
        ReplyData::Headers(_) => "headers",
        ReplyData::Bodies(_) => "bodies",
        ReplyData::Receipts(_) => "receipts",
        ReplyData::Code(_) => "codes",
        ReplyData::Proofs(_) => "proofs",
        ReplyData::HelperTrieProofs { .. } => "helper trie proofs",
        ReplyData::TxStatus(_) => "states of transactions",
    }
}
