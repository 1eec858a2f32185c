//! A data directory: the chain's rules, its store, the node key.
//!
//! ```text
//! D/genesis.json   the genesis file without its accounts: the rules of the chain
//! D/nodekey        64 hexadecimal digits, as in go-ethereum
//! D/static-nodes.json  full nodes to connect to, as in go-ethereum; written by the operator
//! D/chain/         the store, with its lock
//! D/transactions   what light clients sent and no block has yet
//! ```

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy_consensus::Header;
use alloy_rlp::Decodable as _;
use chain_backend::{Backend as _, BackendError, Store, StoreOptions};
use consensus::{ChainSpec, Genesis, GenesisError};
use rlpx::NodeKey;
use serde_json::value::RawValue;

use crate::{config::KeySource, replace::replace};

/// The file of the transactions that wait, within a data directory.
pub const TRANSACTIONS: &str = "transactions";

/// The file of full nodes to which a connection is kept up, within a data directory.
pub const STATIC_NODES: &str = "static-nodes.json";

/// A chain that is open.
#[derive(Debug)]
pub struct Chain {
    /// Blocks and states.
    pub store: Arc<Store>,
    /// Rules.
    pub spec: Arc<ChainSpec>,
}

/// A data directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is no chain in it.
    #[error(
        "{0} holds no chain; make one with `lesd init --datadir {0} GENESIS.json`, or give \
         --genesis"
    )]
    Empty(PathBuf),
    /// The genesis file cannot be used.
    #[error("genesis file {path}: {source}")]
    Genesis {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: GenesisError,
    },
    /// A file or directory cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] BackendError),
    /// The node key is none.
    #[error(
        "node key {0}: {1}; it must be 64 hexadecimal digits, as `openssl rand -hex 32` prints"
    )]
    Key(String, String),
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| DirectoryError::Io { action, path, source }
}

/// Half of the memory for trie nodes, half for the pages of the key-value store.
fn store_options(cache_bytes: usize) -> StoreOptions {
    let half = cache_bytes / 2;
    StoreOptions { node_cache: half, page_cache: half, ..StoreOptions::default() }
}

/// What happened to a directory that was to be initialised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initialised {
    /// It holds a new chain.
    New,
    /// It held this chain already.
    Already,
}

/// Whether a chain was made in a directory.
pub(crate) fn holds_chain(directory: &Path) -> bool {
    directory.join("chain").join("VERSION").exists()
}

/// Makes the chain of a genesis file, or opens it if it is there.
///
/// # Errors
/// If the file cannot be used, or the directory holds another chain.
pub fn init(
    directory: &Path,
    genesis_file: &Path,
    archive: bool,
    cache_bytes: usize,
) -> Result<(Chain, Initialised), DirectoryError> {
    let text = fs::read(genesis_file).map_err(io_error("read", genesis_file))?;
    init_from(directory, &text, genesis_file, archive, cache_bytes)
}

/// As [`init`], with the content of the file.
///
/// # Errors
/// As [`init`].
pub fn init_from(
    directory: &Path,
    text: &[u8],
    named: &Path,
    archive: bool,
    cache_bytes: usize,
) -> Result<(Chain, Initialised), DirectoryError> {
    let named_error = |source| DirectoryError::Genesis { path: named.to_owned(), source };
    let genesis = Genesis::parse(text).map_err(named_error)?;
    let header = genesis.header(genesis.alloc.state_root());
    let spec = genesis.spec(&header).map_err(GenesisError::from).map_err(named_error)?;
    let options = store_options(cache_bytes);
    let store_directory = directory.join("chain");
    let rules_file = directory.join("genesis.json");
    let write_rules =
        || replace(&rules_file, &without_accounts(text)).map_err(io_error("write", &rules_file));
    match Store::open(&store_directory, &options, Some(header.hash_slow())) {
        Ok(store) => {
            let stored = fs::read(&rules_file).ok();
            if stored.is_none_or(|text| Genesis::parse(&text).is_err()) {
                // Lost with the power; what is there stays as it is.
                write_rules()?;
            }
            let chain = Chain { store: Arc::new(store), spec: Arc::new(spec) };
            return Ok((chain, Initialised::Already));
        }
        Err(BackendError::NotInitialised(_)) => {}
        Err(error) => return Err(error.into()),
    }
    fs::create_dir_all(directory).map_err(io_error("create", directory))?;
    write_rules()?;
    let make_header = |root| Header { state_root: root, ..header };
    let store = Store::create(&store_directory, &options, archive, genesis.alloc, make_header)?;
    Ok((Chain { store: Arc::new(store), spec: Arc::new(spec) }, Initialised::New))
}

/// Opens the chain of a directory.
///
/// # Errors
/// If there is none, another process uses it, or its files are damaged.
pub fn open(directory: &Path, cache_bytes: usize) -> Result<Chain, DirectoryError> {
    open_with(directory, &store_options(cache_bytes))
}

/// As [`open`], but cuts the chain at damage.
///
/// # Errors
/// As [`open`].
pub fn repair(directory: &Path, cache_bytes: usize) -> Result<Chain, DirectoryError> {
    open_with(directory, &StoreOptions { repair: true, ..store_options(cache_bytes) })
}

/// What the genesis file says under `config`.
///
/// # Errors
/// If the file cannot be read.
pub fn chain_config(directory: &Path) -> Result<serde_json::Value, DirectoryError> {
    let rules_file = directory.join("genesis.json");
    let text = fs::read(&rules_file).map_err(io_error("read", &rules_file))?;
    let whole: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    Ok(whole.get("config").cloned().unwrap_or_default())
}

fn open_with(directory: &Path, options: &StoreOptions) -> Result<Chain, DirectoryError> {
    let rules_file = directory.join("genesis.json");
    let text = match fs::read(&rules_file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(DirectoryError::Empty(directory.to_owned()));
        }
        Err(error) => return Err(io_error("read", &rules_file)(error)),
    };
    let store = match Store::open(&directory.join("chain"), options, None) {
        Err(BackendError::NotInitialised(_)) => {
            return Err(DirectoryError::Empty(directory.to_owned()));
        }
        opened => opened?,
    };
    let named_error = |source| DirectoryError::Genesis { path: rules_file.clone(), source };
    let genesis = Genesis::parse(&text).map_err(named_error)?;
    let header = genesis_header(&store)?;
    let spec = genesis.spec(&header).map_err(GenesisError::from).map_err(named_error)?;
    Ok(Chain { store: Arc::new(store), spec: Arc::new(spec) })
}

fn genesis_header(store: &Store) -> Result<Header, BackendError> {
    let mut rlp = Vec::new();
    store.snapshot().append_header(&store.genesis_hash(), &mut rlp)?;
    Header::decode(&mut rlp.as_slice())
        .map_err(|error| BackendError::Corrupt(format!("the genesis header: {error}")))
}

/// The genesis file with an empty account list: a million accounts need not be read at every start.
fn without_accounts(text: &[u8]) -> Vec<u8> {
    let Ok(mut fields) = serde_json::from_slice::<BTreeMap<String, Box<RawValue>>>(text) else {
        // It was parsed before; a text that this cannot split is kept whole.
        return text.to_vec();
    };
    if let Ok(empty) = RawValue::from_string("{}".to_owned()) {
        fields.insert("alloc".to_owned(), empty);
    }
    serde_json::to_vec_pretty(&fields).unwrap_or_else(|_| text.to_vec())
}

/// Reads the node key, or makes one in the data directory.
///
/// # Errors
/// If the file cannot be read or written, or holds no key.
pub fn node_key(source: &KeySource, directory: &Path) -> Result<NodeKey, DirectoryError> {
    let parse = |named: String, text: &str| {
        NodeKey::from_hex(text).map_err(|error| DirectoryError::Key(named, error.to_string()))
    };
    let path = match source {
        KeySource::Hex(hex) => return parse("of --nodekeyhex".to_owned(), hex),
        KeySource::File(path) => path.clone(),
        KeySource::DataDirectory => directory.join("nodekey"),
    };
    match fs::read_to_string(&path) {
        Ok(text) => parse(format!("file {}", path.display()), &text),
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && *source == KeySource::DataDirectory =>
        {
            let key = NodeKey::random(&mut rand::rng());
            write_secret(&path, &key.to_hex()).map_err(io_error("write", &path))?;
            Ok(key)
        }
        Err(error) => Err(io_error("read", &path)(error)),
    }
}

/// Writes a file that only its owner can read.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_left_out_of_the_rules_and_nothing_else() {
        let text = br#"{"config":{"chainId":1},"alloc":{"00":{"balance":"1"}},"nonce":"0x0"}"#;
        let stripped: serde_json::Value = serde_json::from_slice(&without_accounts(text)).unwrap();
        let expected = serde_json::json!({"config": {"chainId": 1}, "alloc": {}, "nonce": "0x0"});
        assert_eq!(stripped, expected);
    }

    #[test]
    fn rules_that_were_lost_are_written_again_and_others_stay() {
        let directory = tempfile::tempdir().unwrap();
        let rules = directory.path().join("genesis.json");
        let named = Path::new("of a test");
        let make = |genesis: &str| {
            init_from(directory.path(), genesis.as_bytes(), named, false, 64 << 20).unwrap().1
        };
        let genesis = crate::bundled::GENESIS;
        assert_eq!(make(genesis), Initialised::New);
        let written = fs::read(&rules).unwrap();
        fs::write(&rules, "").unwrap();
        assert!(open(directory.path(), 64 << 20).is_err());
        assert_eq!(make(genesis), Initialised::Already);
        assert_eq!(fs::read(&rules).unwrap(), written);
        let mut other: serde_json::Value = serde_json::from_str(genesis).unwrap();
        other["config"]["terminalTotalDifficulty"] = 1_000_000.into();
        assert_eq!(make(&other.to_string()), Initialised::Already, "its genesis block is the same");
        assert_eq!(fs::read(&rules).unwrap(), written);
        open(directory.path(), 64 << 20).unwrap();
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let first = node_key(&KeySource::DataDirectory, directory.path()).unwrap();
        let second = node_key(&KeySource::DataDirectory, directory.path()).unwrap();
        assert_eq!(first.id(), second.id());
        let mode = fs::metadata(directory.path().join("nodekey")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_bad_key_is_refused_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("nodekey"), "xyz").unwrap();
        let error = node_key(&KeySource::DataDirectory, directory.path()).unwrap_err();
        assert!(error.to_string().contains("nodekey"), "{error}");
        let absent = KeySource::File(directory.path().join("none"));
        assert!(node_key(&absent, directory.path()).is_err(), "a named file is never made");
    }
}
