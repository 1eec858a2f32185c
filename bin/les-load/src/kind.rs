//! What can be asked for.

use clap::ValueEnum;

use crate::random::Random;

/// A kind of request, or a mix of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Kind {
    /// State of one transaction.
    TxStatus,
    /// One header, by hash.
    Header,
    /// Proof of one account at the head.
    AccountProof,
    /// Proof of a contract's account and one slot of it.
    StorageProof,
    /// Proof in the canonical hash trie, with the header.
    ChtProof,
    /// Code of one contract.
    Code,
    /// One body.
    Body,
    /// Receipts of one block.
    Receipts,
    /// 192 headers, by number.
    #[value(name = "headers-192")]
    Headers192,
    /// 16 proofs in the bloom trie.
    #[value(name = "bloom-16")]
    Bloom16,
    /// What a wallet asks: 35 % account proofs, 25 % storage proofs, 15 % headers, 10 % states of
    /// transactions, 6 % receipts, 4 % code, 3 % bodies, 2 % 192 headers.
    Wallet,
    /// Nothing: the connections only stay open.
    Idle,
    /// Nothing, but the heads that the server announces are timed: how much later than at the first
    /// connection each arrives.
    Heads,
}

/// The wallet mix in percent.
const WALLET: [(Kind, u64); 8] = [
    (Kind::AccountProof, 35),
    (Kind::StorageProof, 25),
    (Kind::Header, 15),
    (Kind::TxStatus, 10),
    (Kind::Receipts, 6),
    (Kind::Code, 4),
    (Kind::Body, 3),
    (Kind::Headers192, 2),
];

impl Kind {
    /// A single kind out of this one.
    pub(crate) fn single(self, random: &mut Random) -> Self {
        if self != Self::Wallet {
            return self;
        }
        let mut left = random.below(100);
        for (kind, percent) in WALLET {
            if left < percent {
                return kind;
            }
            left = left.saturating_sub(percent);
        }
        Self::AccountProof
    }

    /// True if requests of this kind, or some of this mix, are of `kind`.
    pub(crate) fn includes(self, kind: Self) -> bool {
        self == kind || (self == Self::Wallet && WALLET.iter().any(|&(part, _)| part == kind))
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, WALLET};
    use crate::random::Random;

    #[test]
    fn the_wallet_mix_is_drawn_by_its_percentages() {
        assert_eq!(WALLET.iter().map(|(_, percent)| percent).sum::<u64>(), 100);
        let mut random = Random::new(5);
        let drawn: Vec<_> = (0..100_000).map(|_| Kind::Wallet.single(&mut random)).collect();
        for (kind, percent) in WALLET {
            let count = drawn.iter().filter(|drawn| **drawn == kind).count() as u64;
            let expected = percent * 1_000;
            assert!(count.abs_diff(expected) < 500, "{kind:?}: {count} instead of {expected}");
        }
    }
}
