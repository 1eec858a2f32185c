//! A chain in one command: `lesd node --dev`.
//!
//! A Clique chain that this process makes and seals, with accounts whose keys everybody knows.
//!
//! ```text
//! D/dev/genesis.json    what a client initialises its data directory with
//! D/dev/password        for `geth account import` and `--unlock`
//! D/dev/account-N.key   the key of account N, for `geth account import`
//! ```

mod accounts;
mod genesis;
mod schedule;
mod sealer;

use std::{
    fs, io,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use consensus::Genesis;

pub use self::{
    accounts::{DeriveError, DevAccount, MNEMONIC},
    genesis::file as genesis_file,
    schedule::Period,
    sealer::{BlockMaker, SealError, Sealer, SealerError, Transactions},
};
use crate::{
    data_directory::{self, Chain, DirectoryError},
    replace::replace,
};

/// Funded accounts, if it is not said how many (as with Anvil).
pub const DEFAULT_ACCOUNTS: u32 = 10;
/// Most of them: each is printed at every start.
pub const MAX_ACCOUNTS: u32 = 100;
/// Seconds between blocks, if it is not said: a newcomer sees the chain grow, and a transaction is
/// in it before he looks a second time; a day of empty blocks takes 20 MB.
pub const DEFAULT_PERIOD: u64 = 5;
/// Most seconds between blocks: a day.
pub const MAX_PERIOD: u64 = 86_400;
/// Protects keys that everybody knows; go-ethereum wants one.
const PASSWORD: &str = "dev";

/// How a development chain is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevConfig {
    /// Time between blocks.
    pub period: Period,
    /// Funded accounts; `None` are as many as the data directory has, or [`DEFAULT_ACCOUNTS`].
    pub accounts: Option<NonZeroU32>,
}

/// A development chain that is open.
#[derive(Debug)]
pub struct DevChain {
    /// The chain.
    pub chain: Chain,
    /// Its funded accounts.
    pub accounts: Vec<DevAccount>,
    /// What a client needs.
    pub files: DevFiles,
}

/// A development chain that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory has a chain with another number of accounts.
    #[error(
        "{directory} holds a development chain with {found} accounts; leave --dev.accounts out, or \
         choose another --datadir"
    )]
    Accounts {
        /// The directory.
        directory: PathBuf,
        /// How many there are.
        found: u32,
    },
    /// The directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// There are no keys.
    #[error(transparent)]
    Derive(#[from] DeriveError),
    /// A file for clients cannot be written.
    #[error("cannot write {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Opens the development chain of a directory, or makes it.
///
/// # Errors
/// If the directory holds another chain, or cannot be written.
pub fn open(
    directory: &Path,
    config: &DevConfig,
    archive: bool,
    cache_bytes: usize,
) -> Result<DevChain, OpenError> {
    let files = DevFiles::of(directory);
    let found = files.account_count();
    if let (Some(found), Some(asked)) = (found, config.accounts)
        && found != asked.get()
    {
        return Err(OpenError::Accounts { directory: directory.to_owned(), found });
    }
    let count = found.unwrap_or_else(|| config.accounts.map_or(DEFAULT_ACCOUNTS, NonZeroU32::get));
    let text = genesis_file(count)?;
    let named = Path::new("of the development chain");
    let accounts = accounts::funded(count)?;
    if !data_directory::holds_chain(directory) {
        // Before the chain: without them it would not be known how many accounts that has.
        files.write(&text, &accounts)?;
    }
    let (chain, _) =
        data_directory::init_from(directory, text.as_bytes(), named, archive, cache_bytes)?;
    files.write(&text, &accounts)?;
    Ok(DevChain { chain, accounts, files })
}

/// The files of a development chain that clients are started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevFiles {
    directory: PathBuf,
}

impl DevFiles {
    fn of(directory: &Path) -> Self {
        Self { directory: directory.join("dev") }
    }

    /// The genesis file.
    pub fn genesis(&self) -> PathBuf {
        self.directory.join("genesis.json")
    }

    /// The password of the keys once they are imported.
    pub fn password(&self) -> PathBuf {
        self.directory.join("password")
    }

    /// The key of an account.
    pub fn key(&self, index: usize) -> PathBuf {
        self.directory.join(format!("account-{index}.key"))
    }

    /// How many accounts the genesis file has; `None` if there is no such file.
    fn account_count(&self) -> Option<u32> {
        let genesis = Genesis::parse(&fs::read(self.genesis()).ok()?).ok()?;
        u32::try_from(genesis.alloc.accounts().len()).ok()
    }

    fn write(&self, genesis: &str, accounts: &[DevAccount]) -> Result<(), OpenError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        fs::create_dir_all(&self.directory).map_err(failed(&self.directory))?;
        let write =
            |path: PathBuf, text: &str| replace(&path, text.as_bytes()).map_err(failed(&path));
        write(self.genesis(), genesis)?;
        write(self.password(), &format!("{PASSWORD}\n"))?;
        for (index, account) in accounts.iter().enumerate() {
            write(self.key(index), &format!("{}\n", accounts::key_file(account)))?;
        }
        Ok(())
    }
}
