//! Creating a store and opening one.

use std::{fs, io::Write as _, path::Path};

use alloy_consensus::Header;
use alloy_primitives::{Address, B256};
use consensus::GenesisAccount;
use parking_lot::{Mutex, RwLock};

use super::{
    Store, StoreOptions, fault, genesis,
    insert::Writer,
    io::{io_error, sync_directory},
    key::put_location,
    kv::{Batch, Kv, Table},
    kv_redb::RedbKv,
    lock::DirectoryLock,
    record::{BlockEntry, JournalRecord, header_location, keccak},
    recover::{ARCHIVE_KEY, Position},
    segment::{Location, Segment},
    view::{Base, Segments},
};
use crate::BackendError;

/// Version of everything in the directory. A program refuses any other.
const VERSION: &str = "1";

impl Store {
    /// Creates a store in a directory that holds none, with this genesis state. `header` is given
    /// the state's root. An interrupted creation is started again by the same call.
    pub fn create(
        directory: &Path,
        options: &StoreOptions,
        archive: bool,
        accounts: impl IntoIterator<Item = (Address, GenesisAccount)>,
        header: impl FnOnce(B256) -> Header,
    ) -> Result<Self, BackendError> {
        fs::create_dir_all(directory).map_err(|error| io_error("create", directory, error))?;
        let lock = DirectoryLock::take(directory)?;
        check_version(directory)?;
        // Without a version nobody has ever opened it: its creation was interrupted.
        if directory.join("VERSION").exists()
            && let Some(position) = stored_position(directory)?
        {
            let genesis = position.base.hash;
            let text = format!("{} holds a chain already (base {genesis})", directory.display());
            return Err(BackendError::Corrupt(text));
        }
        clear(directory)?;
        let kv = RedbKv::open(&directory.join("kv.redb"), options.page_cache)?;
        let root = genesis::store_state(&kv, accounts, archive)?;
        let segments = open_segments(directory)?;
        store_genesis_block(&kv, &segments, &header(root), archive)?;
        write_version(directory)?;
        Self::start(directory, kv, segments, options, lock)
    }

    /// Opens a store. With a genesis hash given, a directory of another chain is refused.
    pub fn open(
        directory: &Path,
        options: &StoreOptions,
        genesis: Option<B256>,
    ) -> Result<Self, BackendError> {
        let absent = || BackendError::NotInitialised(directory.display().to_string());
        if !directory.join("VERSION").exists() {
            return Err(absent());
        }
        let lock = DirectoryLock::take(directory)?;
        check_version(directory)?;
        let kv = RedbKv::open(&directory.join("kv.redb"), options.page_cache)?;
        if Position::load(&*kv.snapshot()?)?.is_none() {
            return Err(absent());
        }
        let store = Self::start(directory, kv, open_segments(directory)?, options, lock)?;
        match genesis {
            Some(given) if given != store.genesis_hash() => {
                Err(BackendError::OtherGenesis { stored: store.genesis_hash(), given })
            }
            _ => Ok(store),
        }
    }

    fn start(
        directory: &Path,
        kv: RedbKv,
        segments: Segments,
        options: &StoreOptions,
        lock: DirectoryLock,
    ) -> Result<Self, BackendError> {
        let writer = Writer::recover(Box::new(kv), segments, options)?;
        Ok(Self {
            directory: directory.to_path_buf(),
            published: RwLock::new(writer.view()),
            writer: Mutex::new(writer),
            _lock: lock,
        })
    }
}

fn open_segments(directory: &Path) -> Result<Segments, BackendError> {
    Ok(Segments {
        journal: Segment::open(directory, "journal")?,
        bodies: Segment::open(directory, "bodies")?,
        receipts: Segment::open(directory, "receipts")?,
        changes: Segment::open(directory, "changes")?,
    })
}

fn store_genesis_block(
    kv: &dyn Kv,
    segments: &Segments,
    header: &Header,
    archive: bool,
) -> Result<(), BackendError> {
    let encoded = alloy_rlp::encode(header);
    let hash = keccak(&encoded);
    // No transactions, no uncles, and no withdrawals where there could be some.
    let body: &[u8] = if header.withdrawals_root.is_some() {
        &[0xc3, 0xc0, 0xc0, 0xc0]
    } else {
        &[0xc2, 0xc0, 0xc0]
    };
    let body = segments.bodies.append(&[hash.as_slice(), body])?;
    let receipts = segments.receipts.append(&[hash.as_slice(), &[0xc0]])?;
    let mut entry = BlockEntry {
        number: header.number,
        parent: header.parent_hash,
        total_difficulty: header.difficulty,
        state_root: header.state_root,
        header: body,
        body,
        receipts,
        changes: Location::default(),
    };
    let record =
        segments.journal.append(&[&JournalRecord::block_prefix(&hash, &entry), &encoded])?;
    entry.header = header_location(record, encoded.len())
        .ok_or_else(|| BackendError::Corrupt("the genesis header is too long".into()))?;
    segments.bodies.sync()?;
    segments.receipts.sync()?;
    segments.journal.sync()?;
    let mut batch = Batch::default();
    batch.put(Table::Blocks, hash.as_slice(), entry.to_index());
    let mut chunk = hash.to_vec();
    put_location(&mut chunk, entry.header);
    batch.put(Table::Canonical, 0u64.to_be_bytes(), chunk);
    if archive {
        batch.put(Table::Meta, ARCHIVE_KEY, vec![1]);
    }
    let base = Base { number: header.number, hash, state_root: header.state_root };
    Position { base, replay_from: segments.journal.end() }.put(&mut batch);
    kv.write(batch)
}

fn check_version(directory: &Path) -> Result<(), BackendError> {
    let path = directory.join("VERSION");
    match fs::read_to_string(&path) {
        Ok(found) if found.trim() == VERSION => Ok(()),
        Ok(found) => Err(BackendError::Version {
            directory: directory.display().to_string(),
            found: found.trim().to_owned(),
            expected: VERSION.to_owned(),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("read", &path, error)),
    }
}

/// Completes the creation; after a crash the file is there as a whole or not at all.
fn write_version(directory: &Path) -> Result<(), BackendError> {
    let (new, version) = (directory.join("VERSION.new"), directory.join("VERSION"));
    let write = || {
        let mut file = fs::File::create(&new)?;
        file.write_all(format!("{VERSION}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &version)
    };
    fault::before_write();
    write().map_err(|error| io_error("write", &version, error))?;
    sync_directory(directory)
}

/// The position of a store that may not exist.
fn stored_position(directory: &Path) -> Result<Option<Position>, BackendError> {
    let path = directory.join("kv.redb");
    if !path.exists() {
        return Ok(None);
    }
    /// Bytes of cache for one look at one key.
    const LITTLE: usize = 1 << 20;
    Position::load(&*RedbKv::open(&path, LITTLE)?.snapshot()?)
}

/// Deletes what an interrupted creation left.
fn clear(directory: &Path) -> Result<(), BackendError> {
    let failed = |error| io_error("clear", directory, error);
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ours =
            path.extension().is_some_and(|extension| extension == "seg" || extension == "redb");
        if ours {
            fs::remove_file(&path).map_err(failed)?;
        }
    }
    Ok(())
}
