//! What of the chain is asked about, and the questions made of it.

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, keccak256};
use les_wire::{CodeQuery, HeaderOrigin, HeaderQuery, ProofQuery, ReplyData};
use light_client::{
    NewRequest, ReceivedReply, SECTION_BLOCKS, SealedHeader, block, bloom_bits_query, bloom_key,
    canonical_header_query,
};

use crate::check;
use crate::error::{Error, Wrong};
use crate::kind::Kind;
use crate::manifest::Manifest;
use crate::peer::Peer;
use crate::random::Random;

/// Headers of one full batch: the limit of the protocol.
pub(crate) const BATCH: u64 = 192;

/// Bits of one question to the bloom trie, as many as go-ethereum's client asks for at once.
const BITS: usize = 16;

/// Blocks that a server waits before it puts a section into its tries (go-ethereum
/// `HelperTrieProcessConfirmations`).
const CONFIRMATIONS: u64 = 256;

/// Accounts to ask for when no manifest names any. They do not exist, and that is proven.
const UNKNOWN_ACCOUNTS: u64 = 1_024;

/// Contracts and transactions taken from the chain at most.
const SAMPLES: usize = 256;

/// One question. What it is checked against is in the [`Sample`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack; a box costs more")]
pub(crate) enum Question {
    TxStatus(B256),
    Header(B256),
    Account(Address),
    Slot(Address, B256),
    CanonicalHeader([u8; 8]),
    /// The contract and the hash of its code.
    Code(Address, B256),
    /// Index among the recent headers.
    Body(usize),
    Receipts(usize),
    /// The first of a full batch.
    Headers(u64),
    Bloom([(u16, u64); BITS]),
}

/// What is known of the chain.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The newest headers, down from the server's head; each is the parent of the one before.
    pub(crate) recent: Vec<SealedHeader>,
    /// Indices of those with transactions.
    busy: Vec<usize>,
    accounts: Vec<Address>,
    codes: Vec<(Address, B256)>,
    slots: Vec<(Address, B256)>,
    transactions: Vec<B256>,
    /// Sections that the helper tries cover.
    sections: u64,
    /// Roots of the helper tries: what the server's first answer is proven under. The answer is
    /// checked against the headers, and the root must not change.
    pub(crate) canonical_root: B256,
    pub(crate) bloom_root: B256,
}

impl Sample {
    /// Looks at the chain: whatever questions of this kind will need.
    pub(crate) async fn learn(
        peer: &mut Peer,
        manifest: &Manifest,
        kind: Kind,
    ) -> Result<Self, Error> {
        let head = peer.status().head.ok_or(Error::NothingToAsk("the server names no head"))?;
        let down = HeaderQuery {
            origin: HeaderOrigin::Hash(head.hash),
            amount: BATCH,
            skip: 0,
            reverse: true,
        };
        let reply = peer.ask(&NewRequest::Headers(down)).await?;
        let recent = check::headers_down(&reply, head.hash)?;
        let number = recent.first().map_or(0, |head| head.header.number);
        let busy = |(index, block): (usize, &SealedHeader)| {
            let empty = block.header.transactions_root == alloy_consensus::EMPTY_ROOT_HASH;
            (!empty).then_some(index)
        };
        let mut sample = Self {
            busy: recent.iter().enumerate().filter_map(busy).collect(),
            recent,
            accounts: manifest.accounts.clone(),
            codes: Vec::new(),
            slots: Vec::new(),
            transactions: manifest.transactions.clone(),
            sections: number.saturating_sub(CONFIRMATIONS - 1) / SECTION_BLOCKS,
            canonical_root: B256::ZERO,
            bloom_root: B256::ZERO,
        };
        if sample.accounts.is_empty() {
            let unknown = |n: u64| Address::from_word(keccak256(n.to_be_bytes()));
            sample.accounts = (0..UNKNOWN_ACCOUNTS).map(unknown).collect();
        }
        for (address, slots) in &manifest.slots {
            sample.slots.extend(slots.iter().map(|slot| (*address, *slot)));
        }
        if kind.includes(Kind::Code) {
            sample.learn_codes(peer, manifest).await?;
        }
        if kind.includes(Kind::TxStatus) && sample.transactions.is_empty() {
            sample.learn_transactions(peer).await?;
        }
        if (kind.includes(Kind::ChtProof) || kind.includes(Kind::Bloom16)) && sample.sections > 0 {
            sample.learn_roots(peer).await?;
        }
        sample.check_kind(kind)?;
        Ok(sample)
    }

    /// A question of this kind.
    pub(crate) fn question(&self, kind: Kind, random: &mut Random) -> Option<Question> {
        Some(match kind.single(random) {
            Kind::TxStatus => Question::TxStatus(*random.pick(&self.transactions)?),
            Kind::Header => Question::Header(random.pick(&self.recent)?.hash),
            Kind::AccountProof => Question::Account(*random.pick(&self.accounts)?),
            Kind::StorageProof => {
                let &(address, slot) = random.pick(&self.slots)?;
                Question::Slot(address, slot)
            }
            Kind::ChtProof => {
                let blocks = self.sections.saturating_mul(SECTION_BLOCKS);
                Question::CanonicalHeader(random.below(blocks).to_be_bytes())
            }
            Kind::Code => {
                let &(address, hash) = random.pick(&self.codes)?;
                Question::Code(address, hash)
            }
            Kind::Body => Question::Body(*random.pick(&self.busy)?),
            Kind::Receipts => Question::Receipts(*random.pick(&self.busy)?),
            Kind::Headers192 => {
                let last = self.recent.first()?.header.number.checked_sub(BATCH - 1)?;
                Question::Headers(random.below(last.saturating_add(1)))
            }
            Kind::Bloom16 => {
                let bit = || u16::try_from(random.below(2_048)).unwrap_or_default();
                let bits = std::iter::repeat_with(bit).take(BITS).collect::<Vec<_>>();
                let mut bits = bits.into_iter().map(|bit| (bit, random.below(self.sections)));
                Question::Bloom(std::array::from_fn(|_| bits.next().unwrap_or_default()))
            }
            Kind::Wallet | Kind::Idle | Kind::Heads => return None,
        })
    }

    /// Gives the request of a question to `act`.
    pub(crate) fn request<T>(
        &self,
        question: &Question,
        act: impl FnOnce(&NewRequest<'_>) -> T,
    ) -> T {
        let block_hash = self.recent.first().map(|head| head.hash).unwrap_or_default();
        let hash_of = |index: usize| self.recent.get(index).map(|block| block.hash);
        let newest = self.sections.saturating_sub(1);
        match question {
            Question::TxStatus(hash) => act(&NewRequest::TxStatus(&[*hash])),
            Question::Header(hash) => act(&headers(HeaderOrigin::Hash(*hash), 1)),
            Question::Headers(first) => act(&headers(HeaderOrigin::Number(*first), BATCH)),
            Question::Account(address) => {
                let key = keccak256(address);
                let key = key.as_slice();
                let account = ProofQuery { block_hash, account_key: &[], key, from_level: 0 };
                act(&NewRequest::Proofs(&[account]))
            }
            Question::Slot(address, slot) => {
                let (account_key, key) = (keccak256(address), keccak256(slot));
                let (account_key, key) = (account_key.as_slice(), key.as_slice());
                let account =
                    ProofQuery { block_hash, account_key: &[], key: account_key, from_level: 0 };
                let slot = ProofQuery { block_hash, account_key, key, from_level: 0 };
                act(&NewRequest::Proofs(&[account, slot]))
            }
            Question::CanonicalHeader(key) => {
                act(&NewRequest::HelperTrieProofs(&[canonical_header_query(newest, key)]))
            }
            Question::Code(address, _) => {
                let account_key = keccak256(address);
                let account_key = account_key.as_slice();
                act(&NewRequest::Code(&[CodeQuery { block_hash, account_key }]))
            }
            Question::Body(index) => {
                act(&NewRequest::Bodies(&[hash_of(*index).unwrap_or_default()]))
            }
            Question::Receipts(index) => {
                act(&NewRequest::Receipts(&[hash_of(*index).unwrap_or_default()]))
            }
            Question::Bloom(bits) => {
                let keys = bits.map(|(bit, section)| bloom_key(bit, section));
                let queries = keys.each_ref().map(|key| bloom_bits_query(newest, key));
                act(&NewRequest::HelperTrieProofs(&queries))
            }
        }
    }

    async fn learn_codes(&mut self, peer: &mut Peer, manifest: &Manifest) -> Result<(), Error> {
        // The benchmark's chain has one contract of a known size for this.
        let contracts: Vec<Address> = match manifest.contracts.get("code") {
            Some(address) => vec![*address],
            None => manifest.contracts.values().copied().take(SAMPLES).collect(),
        };
        for address in contracts {
            let question = Question::Account(address);
            let reply = self.ask(peer, &question).await?;
            if let Some(account) = self.proven_account(&reply, address)?
                && account.code_hash != KECCAK256_EMPTY
            {
                self.codes.push((address, account.code_hash));
            }
        }
        Ok(())
    }

    async fn learn_transactions(&mut self, peer: &mut Peer) -> Result<(), Error> {
        for index in self.busy.clone() {
            if self.transactions.len() >= SAMPLES {
                break;
            }
            let reply = self.ask(peer, &Question::Body(index)).await?;
            let ReplyData::Bodies(bodies) = reply.decode().map_err(Wrong::from)?.data else {
                return Err(Wrong::Other("something").into());
            };
            let Some(known) = self.recent.get(index) else { break };
            let body = block::only("bodies", bodies).map_err(Wrong::from)?;
            let transactions = block::body(&known.header, &body).map_err(Wrong::from)?;
            self.transactions.extend(transactions.into_iter().map(keccak256));
        }
        Ok(())
    }

    async fn learn_roots(&mut self, peer: &mut Peer) -> Result<(), Error> {
        let last = self.sections.saturating_mul(SECTION_BLOCKS).saturating_sub(1);
        let question = Question::CanonicalHeader(last.to_be_bytes());
        let reply = self.ask(peer, &question).await?;
        self.canonical_root = check::first_node(&reply)?;
        let by_number = headers(HeaderOrigin::Number(last), 1);
        let header = check::only_header(&peer.ask(&by_number).await?)?;
        self.check_canonical(&reply, last, Some(header.hash))?;
        let question = Question::Bloom([(0, 0); BITS]);
        let reply = self.ask(peer, &question).await?;
        self.bloom_root = check::first_node(&reply)?;
        Ok(self.check(&question, &reply, true)?)
    }

    async fn ask(&self, peer: &mut Peer, question: &Question) -> Result<ReceivedReply, Error> {
        loop {
            let wait = self.request(question, |request| peer.wait(request));
            if peer.may_send(wait).await? {
                break;
            }
        }
        let (id, _) = self.request(question, |request| peer.send(request))?;
        peer.reply(id).await
    }

    /// Asserts that there is something to ask of every kind.
    fn check_kind(&self, kind: Kind) -> Result<(), Error> {
        let lacks = [
            (Kind::TxStatus, self.transactions.is_empty(), "the recent blocks are empty"),
            (Kind::Body, self.busy.is_empty(), "the recent blocks are empty"),
            (Kind::Receipts, self.busy.is_empty(), "the recent blocks are empty"),
            (Kind::StorageProof, self.slots.is_empty(), "no slots are known; use --manifest"),
            (Kind::Code, self.codes.is_empty(), "no contracts are known; use --manifest"),
            (Kind::ChtProof, self.sections == 0, "the chain is too short for helper tries"),
            (Kind::Bloom16, self.sections == 0, "the chain is too short for helper tries"),
            (Kind::Headers192, self.recent.len() < 192, "the chain has fewer than 192 blocks"),
        ];
        for (part, lacking, why) in lacks {
            if lacking && kind.includes(part) {
                return Err(Error::NothingToAsk(why));
            }
        }
        Ok(())
    }
}

fn headers(origin: HeaderOrigin, amount: u64) -> NewRequest<'static> {
    NewRequest::Headers(HeaderQuery { origin, amount, skip: 0, reverse: false })
}
