//! Which blocks are trusted, and why.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use alloy_primitives::B256;
use consensus::{ChainSpec, Engine, Genesis};
use les_wire::{Head, HeaderOrigin, HeaderQuery, ReplyData, UndecodedList};
use light_client::{
    AncestorWalk, ConnectionError, HeaderChain, HeaderSync, Mistrust, NewRequest, Proofs,
    ReceivedReply, SECTION_BLOCKS, SealCheck, SealedHeader, block, canonical_header_query,
};

use crate::client::{Answer, Client};
use crate::clock::Clock;
use crate::error::Error;

/// How often progress is shown.
const PROGRESS_PAUSE: Duration = Duration::from_secs(1);

/// What to begin with.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The genesis of this file: every header is fetched and checked.
    Genesis {
        /// The file, as go-ethereum's `init` takes it.
        file: PathBuf,
        /// Whether seals are checked.
        seals: SealCheck,
    },
    /// The block with this hash.
    Hash(B256),
    /// A root of the canonical hash trie, which names every block up to the end of a section.
    CanonicalHashRoot(CanonicalHashRoot),
    /// The block that the server calls its newest.
    Head,
}

/// Root of the canonical hash trie at the end of a section of 32,768 blocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CanonicalHashRoot {
    /// Number of the section, from 0.
    pub section: u64,
    /// The root.
    pub root: B256,
}

impl CanonicalHashRoot {
    /// The last block that the trie names.
    const fn last_block(&self) -> u64 {
        self.section.saturating_add(1).saturating_mul(SECTION_BLOCKS).saturating_sub(1)
    }
}

/// The newest trusted block, and the hashes of older ones as far as they are known.
#[derive(Debug)]
pub struct TrustedChain {
    newest: SealedHeader,
    hashes: BTreeMap<u64, B256>,
    /// Names every older block, if it is there.
    root: Option<CanonicalHashRoot>,
    checked: String,
    not_checked: Option<String>,
}

impl TrustedChain {
    /// Finds the newest trusted block, fetching what that takes.
    ///
    /// # Errors
    /// Whatever keeps it from being found or believed.
    pub fn find(client: &mut Client, trust: &Trust) -> Result<Self, Error> {
        match trust {
            Trust::Genesis { file, seals } => Self::sync(client, file, *seals),
            Trust::Hash(hash) => {
                let newest = fetch_by_hash(client, *hash)?;
                let checked = "the block's hash is the one you gave".to_owned();
                let not_checked = Some("whether that block is on the chain you mean".to_owned());
                Ok(Self::at(newest, checked, not_checked))
            }
            Trust::CanonicalHashRoot(root) => {
                let newest = fetch_by_proof(client, *root, root.last_block())?;
                let checked = "proofs in the canonical hash trie whose root you gave".to_owned();
                let not_checked = Some("whether that root is of the chain you mean".to_owned());
                Ok(Self { root: Some(*root), ..Self::at(newest, checked, not_checked) })
            }
            Trust::Head => {
                let head = client.head().ok_or(Error::NoHead)?;
                let newest = fetch_by_hash(client, head.hash)?;
                let checked =
                    "nothing below the block: the server says it is its newest".to_owned();
                let not_checked =
                    Some("whether any network has this block; the server was believed".to_owned());
                Ok(Self::at(newest, checked, not_checked))
            }
        }
    }

    fn at(newest: SealedHeader, checked: String, not_checked: Option<String>) -> Self {
        let hashes = BTreeMap::from([(newest.header.number, newest.hash)]);
        Self { newest, hashes, root: None, checked, not_checked }
    }

    /// Fetches and checks every header from the genesis on.
    fn sync(client: &mut Client, file: &Path, seals: SealCheck) -> Result<Self, Error> {
        let (chain, mut hashes) = begin(file, seals)?;
        let ours = chain.tip().hash;
        let theirs = client.status().genesis_hash;
        if theirs != ours {
            return Err(Error::OtherGenesis { theirs, ours });
        }
        let target = client.head().ok_or(Error::NoHead)?;
        let chain = fetch_headers(client, HeaderSync::new(chain, target), target, &mut hashes)?;
        let (checked, not_checked) = describe(&chain, seals);
        let newest = chain.tip().clone();
        Ok(Self { newest, hashes, root: None, checked, not_checked })
    }

    /// The newest trusted block.
    pub const fn newest(&self) -> &SealedHeader {
        &self.newest
    }

    /// What was checked, in words.
    pub fn checked(&self) -> &str {
        &self.checked
    }

    /// What was not checked, in words.
    pub fn not_checked(&self) -> Option<&str> {
        self.not_checked.as_deref()
    }

    /// The header of a number on the trusted chain, fetched and compared with the known hash.
    ///
    /// # Errors
    /// A block newer than the newest, or a server that has it not or lies.
    pub fn header(&mut self, client: &mut Client, number: u64) -> Result<SealedHeader, Error> {
        let newest = self.newest.header.number;
        if number == newest {
            return Ok(self.newest.clone());
        }
        if number > newest {
            return Err(Error::Beyond { number, newest });
        }
        if let Some(hash) = self.hashes.get(&number) {
            return fetch_by_hash(client, *hash);
        }
        if let Some(root) = self.root {
            return fetch_by_proof(client, root, number);
        }
        let mut walk = AncestorWalk::new(self.newest.clone(), number);
        while let Some(query) = walk.next_query() {
            let reply = client.request(&NewRequest::Headers(query))?;
            walk.deliver(headers(&reply)?, |header| {
                self.hashes.insert(header.header.number, header.hash);
            })?;
        }
        Ok(walk.oldest().clone())
    }

    /// The header with this hash, if it is on the trusted chain.
    ///
    /// # Errors
    /// Also a block of another branch.
    pub fn header_by_hash(
        &mut self,
        client: &mut Client,
        hash: B256,
    ) -> Result<SealedHeader, Error> {
        let found = fetch_by_hash(client, hash)?;
        let number = found.header.number;
        let trusted = self.header(client, number)?.hash;
        if trusted == hash { Ok(found) } else { Err(Error::OtherBranch { number, hash, trusted }) }
    }
}

/// The chain of a genesis file, and its first hash.
fn begin(file: &Path, seals: SealCheck) -> Result<(HeaderChain, BTreeMap<u64, B256>), Error> {
    let unusable = |reason: String| Error::Genesis { path: file.to_owned(), reason };
    let opened = File::open(file).map_err(|error| unusable(error.to_string()))?;
    let genesis =
        Genesis::read(BufReader::new(opened)).map_err(|error| unusable(error.to_string()))?;
    let header = genesis.header(genesis.alloc.state_root());
    let spec = genesis.spec(&header).map_err(|error| unusable(error.to_string()))?;
    let chain =
        HeaderChain::new(spec, header, seals).map_err(|error| unusable(error.to_string()))?;
    let hashes = BTreeMap::from([(chain.tip().header.number, chain.tip().hash)]);
    Ok((chain, hashes))
}

/// Runs a sync to its end, noting the hash of each header.
fn fetch_headers(
    client: &mut Client,
    mut sync: HeaderSync,
    target: Head,
    hashes: &mut BTreeMap<u64, B256>,
) -> Result<HeaderChain, Error> {
    let mut under_way: BTreeMap<u64, HeaderQuery> = BTreeMap::new();
    let mut progress = Progress::new(target.number);
    while !sync.is_done() {
        while let Some(query) = sync.next_query() {
            under_way.insert(client.send(&NewRequest::Headers(query))?, query);
        }
        match client.answer()? {
            Answer::Reply(reply) => {
                let Some(query) = under_way.remove(&reply.id) else { continue };
                sync.deliver(&query, headers(&reply)?, |header| {
                    hashes.insert(header.header.number, header.hash);
                })?;
            }
            Answer::Lost(lost) => {
                let again: Vec<_> = lost.iter().filter_map(|id| under_way.remove(id)).collect();
                for query in again {
                    under_way.insert(client.send(&NewRequest::Headers(query))?, query);
                }
            }
        }
        progress.show(sync.chain().tip().header.number);
    }
    Ok(sync.into_chain())
}

/// A line on standard error now and then, for syncs that take longer than a moment.
struct Progress {
    clock: Clock,
    next: Duration,
    end: u64,
}

impl Progress {
    fn new(end: u64) -> Self {
        Self { clock: Clock::start(), next: PROGRESS_PAUSE, end }
    }

    fn show(&mut self, number: u64) {
        let elapsed = self.clock.elapsed();
        if elapsed < self.next {
            return;
        }
        self.next = elapsed + PROGRESS_PAUSE;
        let (end, speed) = (self.end, number / elapsed.as_secs().max(1));
        // Progress that nobody can see is no reason to stop.
        let _ = writeln!(io::stderr().lock(), "headers: {number} of {end}, {speed}/s");
    }
}

/// What a sync from the genesis has checked and what it cannot check.
fn describe(chain: &HeaderChain, seals: SealCheck) -> (String, Option<String>) {
    let count = chain.tip().header.number;
    let seal = match (seals, sealed_by(chain.spec())) {
        (SealCheck::Full, engine) => format!("every {engine}"),
        (SealCheck::None, _) => "no seal".to_owned(),
    };
    let checked = format!("{count} headers from the genesis on: every rule and {seal}");
    let not_checked = match (seals, chain.merged_from()) {
        (_, Some(number)) => Some(format!(
            "who chose the blocks from {number} on: proof of stake signs outside of the headers"
        )),
        (SealCheck::None, None) => Some("the seals, as you asked".to_owned()),
        (SealCheck::Full, None) => None,
    };
    (checked, not_checked)
}

fn sealed_by(spec: &ChainSpec) -> &'static str {
    match spec.engine() {
        Engine::Clique(_) => "Clique signature",
        Engine::Ethash => "proof of work",
    }
}

fn fetch_by_hash(client: &mut Client, hash: B256) -> Result<SealedHeader, Error> {
    let origin = HeaderOrigin::Hash(hash);
    let query = HeaderQuery { origin, amount: 1, skip: 0, reverse: false };
    let reply = client.request(&NewRequest::Headers(query))?;
    let mut found = headers(&reply)?;
    let Some(first) = found.next() else {
        return Err(Mistrust::NotServed { what: "header", hash }.into());
    };
    block::only("headers", std::iter::once(first).chain(found))?;
    Ok(SealedHeader::with_hash(first.0, hash)?)
}

/// The header of a number, proven by the canonical hash trie.
fn fetch_by_proof(
    client: &mut Client,
    root: CanonicalHashRoot,
    number: u64,
) -> Result<SealedHeader, Error> {
    let key = number.to_be_bytes();
    let query = canonical_header_query(root.section, &key);
    let reply = client.request(&NewRequest::HelperTrieProofs(&[query]))?;
    let data = reply.decode().map_err(ConnectionError::from)?.data;
    let ReplyData::HelperTrieProofs { nodes, aux } = data else {
        return Err(ConnectionError::Unexpected { what: "another reply" }.into());
    };
    let not_served = || Error::NotServed {
        what: format!("a proof of block {number} under {}", root.root),
        hint: ": its trie is not built yet, or the root is of another chain".to_owned(),
    };
    if nodes.count() == 0 {
        return Err(not_served());
    }
    let header = block::only("headers", aux)?;
    let mut proofs = Proofs::new(nodes);
    let found = proofs.canonical_header(root.root, number, header.0)?;
    proofs.finish()?;
    found.map(|(header, _)| header).ok_or_else(not_served)
}

fn headers(reply: &ReceivedReply) -> Result<impl Iterator<Item = UndecodedList<'_>>, Error> {
    match reply.decode().map_err(ConnectionError::from)?.data {
        ReplyData::Headers(headers) => Ok(headers.iter()),
        ReplyData::Bodies(_)
        | ReplyData::Receipts(_)
        | ReplyData::Code(_)
        | ReplyData::Proofs(_)
        | ReplyData::HelperTrieProofs { .. }
        | ReplyData::TxStatus(_) => {
            Err(ConnectionError::Unexpected { what: "another reply" }.into())
        }
    }
}
