//! The forks of Ethereum's execution layer, in one table.

use std::fmt;

/// A change of the rules, in order of appearance.
///
/// `Eip155` and `SpuriousDragon` are one upgrade on every public network; a go-ethereum
/// configuration gives them a field each. `Paris` (the merge) has no field: it begins with the
/// first block whose parent has reached the terminal total difficulty.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[allow(missing_docs, reason = "the names are the upgrades' own, each defined by its EIP")]
pub enum Fork {
    Frontier,
    Homestead,
    Dao,
    TangerineWhistle,
    Eip155,
    SpuriousDragon,
    Byzantium,
    Constantinople,
    Petersburg,
    Istanbul,
    MuirGlacier,
    Berlin,
    London,
    ArrowGlacier,
    GrayGlacier,
    MergeNetsplit,
    Paris,
    Shanghai,
    Cancun,
    Prague,
    Osaka,
    Bpo1,
    Bpo2,
    Bpo3,
    Bpo4,
    Bpo5,
}

/// When a fork begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Activation {
    /// With the block of this number.
    Block(u64),
    /// With the first block of at least this timestamp, in seconds since 1970.
    Time(u64),
}

/// What a configuration field counts in, and whether go-ethereum lets a later fork be active
/// without it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Schedule {
    /// Not configured: Frontier is always active, Paris follows total difficulty.
    Implied,
    Block {
        optional: bool,
    },
    Time {
        optional: bool,
    },
}

impl Fork {
    /// Every fork, oldest first.
    pub const ALL: [Self; 26] = [
        Self::Frontier,
        Self::Homestead,
        Self::Dao,
        Self::TangerineWhistle,
        Self::Eip155,
        Self::SpuriousDragon,
        Self::Byzantium,
        Self::Constantinople,
        Self::Petersburg,
        Self::Istanbul,
        Self::MuirGlacier,
        Self::Berlin,
        Self::London,
        Self::ArrowGlacier,
        Self::GrayGlacier,
        Self::MergeNetsplit,
        Self::Paris,
        Self::Shanghai,
        Self::Cancun,
        Self::Prague,
        Self::Osaka,
        Self::Bpo1,
        Self::Bpo2,
        Self::Bpo3,
        Self::Bpo4,
        Self::Bpo5,
    ];

    /// The fork's field in go-ethereum's chain configuration; for the two that have none, a word.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.row().0
    }

    pub(crate) const fn schedule(self) -> Schedule {
        self.row().1
    }

    /// The fork's key in `blobSchedule` (EIP-7840), for forks that may set blob parameters.
    #[must_use]
    pub const fn blob_schedule_key(self) -> Option<&'static str> {
        self.row().2
    }

    const fn row(self) -> (&'static str, Schedule, Option<&'static str>) {
        const fn block(field: &'static str) -> (&'static str, Schedule, Option<&'static str>) {
            (field, Schedule::Block { optional: false }, None)
        }
        const fn extra(field: &'static str) -> (&'static str, Schedule, Option<&'static str>) {
            (field, Schedule::Block { optional: true }, None)
        }
        const fn blobs(
            field: &'static str,
            key: &'static str,
        ) -> (&'static str, Schedule, Option<&'static str>) {
            (field, Schedule::Time { optional: false }, Some(key))
        }
        const fn blob_only(
            field: &'static str,
            key: &'static str,
        ) -> (&'static str, Schedule, Option<&'static str>) {
            (field, Schedule::Time { optional: true }, Some(key))
        }
        match self {
            Self::Frontier => ("frontier", Schedule::Implied, None),
            Self::Homestead => block("homesteadBlock"),
            Self::Dao => extra("daoForkBlock"),
            Self::TangerineWhistle => block("eip150Block"),
            Self::Eip155 => block("eip155Block"),
            Self::SpuriousDragon => block("eip158Block"),
            Self::Byzantium => block("byzantiumBlock"),
            Self::Constantinople => block("constantinopleBlock"),
            Self::Petersburg => block("petersburgBlock"),
            Self::Istanbul => block("istanbulBlock"),
            Self::MuirGlacier => extra("muirGlacierBlock"),
            Self::Berlin => block("berlinBlock"),
            Self::London => block("londonBlock"),
            Self::ArrowGlacier => extra("arrowGlacierBlock"),
            Self::GrayGlacier => extra("grayGlacierBlock"),
            Self::MergeNetsplit => extra("mergeNetsplitBlock"),
            Self::Paris => ("terminalTotalDifficulty", Schedule::Implied, None),
            Self::Shanghai => ("shanghaiTime", Schedule::Time { optional: false }, None),
            Self::Cancun => blobs("cancunTime", "cancun"),
            Self::Prague => blobs("pragueTime", "prague"),
            Self::Osaka => blobs("osakaTime", "osaka"),
            Self::Bpo1 => blob_only("bpo1Time", "bpo1"),
            Self::Bpo2 => blob_only("bpo2Time", "bpo2"),
            Self::Bpo3 => blob_only("bpo3Time", "bpo3"),
            Self::Bpo4 => blob_only("bpo4Time", "bpo4"),
            Self::Bpo5 => blob_only("bpo5Time", "bpo5"),
        }
    }
}

impl Activation {
    /// Whether the fork is active in a block of this number and timestamp.
    #[must_use]
    pub const fn reached(self, number: u64, timestamp: u64) -> bool {
        match self {
            Self::Block(at) => number >= at,
            Self::Time(at) => timestamp >= at,
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(number) => write!(f, "block {number}"),
            Self::Time(seconds) => write!(f, "time {seconds}"),
        }
    }
}
