//! The state of the vote on who may sign (EIP-225, "Authorizing", "Authorization strategies").

use std::collections::{BTreeMap, BTreeSet};

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, U256};

use super::extra::{Extra, ExtraError, genesis_signers};
use super::{CliqueError, IN_TURN, OUT_OF_TURN, VOTE_IN, VOTE_OUT, is_epoch, signer};
use crate::genesis::CliqueConfig;

/// Who may sign after a certain block, who did of late, and the votes under way.
///
/// Its size follows from the headers that were applied: one vote at most per signer and
/// candidate, all dropped at each epoch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snapshot {
    config: CliqueConfig,
    number: u64,
    hash: B256,
    signers: BTreeSet<Address>,
    /// Who signed which of the last blocks.
    recent: BTreeMap<u64, Address>,
    /// Votes under way as (candidate, signer): against who is a signer, for who is not.
    votes: BTreeSet<(Address, Address)>,
}

impl Snapshot {
    /// The snapshot of block 0 or of an epoch block that is trusted: its signers are taken from
    /// its extra data, the seal is not looked at. Nobody counts as having signed of late, so a
    /// snapshot from the middle of a chain may let one block through that a full one would
    /// refuse; go-ethereum does the same.
    ///
    /// # Errors
    /// [`ExtraError`] if the header lists no signers.
    pub fn trusted(config: CliqueConfig, header: &Header) -> Result<Self, ExtraError> {
        Ok(Self {
            config,
            number: header.number,
            hash: header.hash_slow(),
            signers: genesis_signers(&header.extra_data)?.into_iter().collect(),
            recent: BTreeMap::new(),
            votes: BTreeSet::new(),
        })
    }

    /// Checks the seal of the next header and takes its vote in; gives who signed it. The fields
    /// that [`check_header`](crate::check_header) covers must have been checked. After an error
    /// the snapshot is unchanged.
    ///
    /// # Errors
    /// [`CliqueError`].
    pub fn apply(&mut self, header: &Header) -> Result<Address, CliqueError> {
        let number = self.number.saturating_add(1);
        if header.number != number || header.parent_hash != self.hash {
            return Err(CliqueError::NotNext {
                number: header.number,
                parent: header.parent_hash,
                at: self.number,
                hash: self.hash,
            });
        }
        let signer = signer(header)?;
        self.check_turn(header, signer)?;
        let vote = match header.nonce {
            VOTE_IN => true,
            VOTE_OUT => false,
            other => return Err(CliqueError::Vote(other)),
        };
        if is_epoch(self.config, number) {
            self.check_epoch_signers(header)?;
            self.votes.clear();
        }
        self.recent.insert(number, signer);
        self.number = number;
        self.hash = header.hash_slow();
        self.cast(signer, header.beneficiary, vote);
        self.forget_old_signatures();
        Ok(signer)
    }

    /// The accounts that may sign, rising.
    pub fn signers(&self) -> impl ExactSizeIterator<Item = Address> + '_ {
        self.signers.iter().copied()
    }

    /// The block after which this holds.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// That block's hash.
    #[must_use]
    pub const fn hash(&self) -> B256 {
        self.hash
    }

    /// The difficulty that the next block has if `signer` signs it: 2 in turn, 1 out of turn.
    #[must_use]
    pub fn difficulty_for(&self, signer: Address) -> U256 {
        let number = self.number.saturating_add(1);
        let count = u64::try_from(self.signers.len()).unwrap_or(u64::MAX);
        let turn = number.checked_rem(count).and_then(|turn| usize::try_from(turn).ok());
        let in_turn = turn.and_then(|turn| self.signers.iter().nth(turn));
        if in_turn == Some(&signer) { IN_TURN } else { OUT_OF_TURN }
    }

    /// The first block that `signer` may sign again, if it is after the next one.
    #[must_use]
    pub fn barred_until(&self, signer: Address) -> Option<u64> {
        let last = self.recent.iter().rev().find(|(_, recent)| **recent == signer)?.0;
        let next = last.saturating_add(self.span());
        (next > self.number.saturating_add(1)).then_some(next)
    }

    /// One signature in this many consecutive blocks is the most (EIP-225, `SIGNER_LIMIT`).
    fn span(&self) -> u64 {
        u64::try_from(self.signers.len() / 2 + 1).unwrap_or(u64::MAX)
    }

    fn check_turn(&self, header: &Header, signer: Address) -> Result<(), CliqueError> {
        if !self.signers.contains(&signer) {
            return Err(CliqueError::NotSigner { signer, number: header.number });
        }
        if let Some(next) = self.barred_until(signer) {
            let last = next.saturating_sub(self.span());
            return Err(CliqueError::SignedRecently { signer, last, next });
        }
        let (expected, found) = (self.difficulty_for(signer), header.difficulty);
        if expected == found { Ok(()) } else { Err(CliqueError::Turn { signer, expected, found }) }
    }

    fn check_epoch_signers(&self, header: &Header) -> Result<(), CliqueError> {
        let found = Extra::parse(&header.extra_data)?;
        if found.signers().eq(self.signers()) {
            return Ok(());
        }
        let (expected, found) = (self.signers().collect(), found.signers().collect());
        Err(CliqueError::EpochSigners { expected, found })
    }

    /// A signer's newest vote on a candidate replaces its older one; a vote for what already is
    /// only takes the older one back. A majority acts when its candidate is voted on, even by a
    /// vote that does not count: the majority may have formed because another signer left.
    fn cast(&mut self, signer: Address, candidate: Address, vote: bool) {
        self.votes.remove(&(candidate, signer));
        let is_signer = self.signers.contains(&candidate);
        if is_signer != vote {
            self.votes.insert((candidate, signer));
        }
        let on_candidate = (candidate, Address::ZERO)..=(candidate, Address::repeat_byte(0xff));
        if self.votes.range(on_candidate).count() <= self.signers.len() / 2 {
            return;
        }
        if is_signer {
            self.signers.remove(&candidate);
        } else {
            self.signers.insert(candidate);
        }
        // What was voted on is decided; who is out no longer votes.
        let gone = is_signer.then_some(candidate);
        self.votes.retain(|(about, by)| *about != candidate && Some(*by) != gone);
    }

    /// Signatures that no longer bar anybody. The set of signers may have shrunk by this block,
    /// then one more is forgotten, as in go-ethereum.
    fn forget_old_signatures(&mut self) {
        let next = self.number.saturating_add(1);
        let keep_from = (next + 1).saturating_sub(self.span());
        self.recent = self.recent.split_off(&keep_from);
    }
}
