//! Creating a store, opening one, and finding what it held.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use alloy_consensus::Header;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256};
use parking_lot::{Mutex, RwLock};

use super::{
    Store, StoreOptions,
    body::transaction_hashes,
    cache::NodeCache,
    canonical::Canonical,
    genesis,
    helper::load_sections,
    insert::{Layer, Writer},
    key::{Fields, put_location},
    kv::{Batch, Kv, KvSnapshot, Table},
    kv_redb::RedbKv,
    lock::DirectoryLock,
    record::{BlockEntry, JournalRecord, StateCommit, header_location, keccak},
    segment::{Location, Segment, io_error, sync_directory},
    view::{Base, Segments, View},
};
use crate::{BackendError, Head};

/// Version of everything in the directory. A program refuses any other.
const VERSION: &str = "1";

/// Where a restart begins: the base state, and the first journal record that may be newer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) base: Base,
    pub(super) replay_from: u64,
}

impl Position {
    const KEY: &[u8] = b"position";

    pub(super) fn put(&self, batch: &mut Batch) {
        let mut out = Vec::new();
        out.extend_from_slice(&self.base.number.to_be_bytes());
        out.extend_from_slice(self.base.hash.as_slice());
        out.extend_from_slice(self.base.state_root.as_slice());
        out.extend_from_slice(&self.replay_from.to_be_bytes());
        batch.put(Table::Meta, Self::KEY, out);
    }

    fn load(kv: &dyn KvSnapshot) -> Result<Option<Self>, BackendError> {
        let Some(stored) = kv.get(Table::Meta, Self::KEY)? else { return Ok(None) };
        let mut fields = Fields(&stored);
        let mut decode = || {
            let base =
                Base { number: fields.u64()?, hash: fields.hash()?, state_root: fields.hash()? };
            Some(Self { base, replay_from: fields.u64()? })
        };
        decode().map(Some).ok_or_else(|| BackendError::Corrupt("the position is damaged".into()))
    }
}

const ARCHIVE_KEY: &[u8] = b"archive";

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
        if let Some(position) = stored_position(directory)? {
            let genesis = position.base.hash;
            let text = format!("{} holds a chain already (base {genesis})", directory.display());
            return Err(BackendError::Corrupt(text));
        }
        clear(directory)?;
        let kv = RedbKv::open(&directory.join("kv.redb"), options.page_cache)?;
        let root = genesis::store_state(&kv, accounts, archive)?;
        let segments = open_segments(directory)?;
        store_genesis_block(&kv, &segments, &header(root), archive)?;
        let version = directory.join("VERSION");
        fs::write(&version, format!("{VERSION}\n"))
            .map_err(|error| io_error("write", &version, error))?;
        sync_directory(directory)?;
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

impl Writer {
    /// Rebuilds everything that is newer than the checkpoint from the journal.
    fn recover(
        kv: Box<dyn Kv>,
        segments: Segments,
        options: &StoreOptions,
    ) -> Result<Self, BackendError> {
        let snapshot: Arc<dyn KvSnapshot> = Arc::from(kv.snapshot()?);
        let position = Position::load(&*snapshot)?
            .ok_or_else(|| BackendError::NotInitialised("the directory".into()))?;
        let base = position.base;
        let archive = snapshot.get(Table::Meta, ARCHIVE_KEY)?.is_some();
        let helper_sections = load_sections(&*snapshot)?;
        let canonical = Canonical::stored(base.number + 1);
        let absent = || BackendError::Corrupt("the canonical index lacks block 0".into());
        let genesis = canonical.get(0, &*snapshot)?.ok_or_else(absent)?;
        let mut view = View {
            segments: Arc::new(segments),
            cache: Arc::new(NodeCache::new(options.node_cache)),
            kv: snapshot,
            generations: Vec::new(),
            kept: Arc::default(),
            canonical,
            head: Head {
                number: base.number,
                hash: base.hash,
                total_difficulty: Default::default(),
            },
            base,
            genesis_hash: genesis.hash,
            archive,
            helper: options.helper,
            helper_sections: Arc::new(helper_sections),
        };
        let entry = view.block(&base.hash)?.ok_or(BackendError::UnknownBlock(base.hash))?;
        view.head.total_difficulty = entry.total_difficulty;
        let view = Arc::new(view);
        let layers = BTreeMap::new();
        let mut writer = Self { kv, view, layers, first_generation: 0, in_last_generation: 0 };
        writer.replay(position.replay_from)?;
        Ok(writer)
    }

    fn replay(&mut self, from: u64) -> Result<(), BackendError> {
        let segments = Arc::clone(&self.view.segments);
        let mut end = from;
        let mut interrupted = None;
        while let Some(location) = segments.journal.next(end)? {
            let record =
                segments.journal.read(location, |bytes| JournalRecord::decode(bytes, location))?;
            let whole = match record {
                Some(JournalRecord::Block { hash, entry }) => {
                    self.replay_block(hash, entry, end)?
                }
                Some(JournalRecord::Head { hash }) => self.replay_head(&hash, &mut interrupted)?,
                None => false,
            };
            if !whole {
                break;
            }
            end = location.end();
        }
        segments.journal.truncate(end)?;
        interrupted.map_or(Ok(()), |hash| self.adopt(&hash))
    }

    /// Says whether all parts of the block are there.
    fn replay_block(
        &mut self,
        hash: B256,
        entry: BlockEntry,
        journal: u64,
    ) -> Result<bool, BackendError> {
        // An index entry for this very record says that a checkpoint has dealt with the block.
        let indexed = self.view.kv.get(Table::Blocks, hash.as_slice())?;
        let indexed = indexed.and_then(|bytes| BlockEntry::from_index(&bytes));
        if indexed.is_some_and(|indexed| indexed.header == entry.header) {
            return Ok(true);
        }
        let segments = Arc::clone(&self.view.segments);
        let own = |bytes: &[u8]| bytes.get(..32) == Some(hash.as_slice());
        if !segments.receipts.read_checked(entry.receipts, own).unwrap_or(false) {
            return Ok(false);
        }
        let body =
            |bytes: &[u8]| own(bytes).then(|| transaction_hashes(bytes.get(32..)?)).flatten();
        let transactions = segments.bodies.read_checked(entry.body, body);
        let changes = |bytes: &[u8]| StateCommit::decode(bytes, &hash);
        let changes = segments.changes.read_checked(entry.changes, changes);
        let (Ok(Some(transactions)), Ok(Some(changes))) = (transactions, changes) else {
            return Ok(false);
        };
        let changes = Arc::new(changes);
        self.add_layer(hash, Layer { entry, journal, changes, transactions, generation: 0 });
        Ok(true)
    }

    /// Says whether the block is there. A head whose chain leaves the canonical one below the
    /// base is the journal's last: the process ended before the base had moved. That takes more
    /// records, so it is for the caller, when the journal has its end.
    fn replay_head(
        &mut self,
        hash: &B256,
        interrupted: &mut Option<B256>,
    ) -> Result<bool, BackendError> {
        let Some(entry) = self.view.block(hash)? else { return Ok(false) };
        let kept = self.view.state_at(hash)?.is_some();
        if !kept || entry.number < self.view.base.number {
            return Ok(true);
        }
        if self.is_below_base(hash)? {
            *interrupted = Some(*hash);
        } else {
            *interrupted = None;
            self.make_head(hash)?;
        }
        Ok(true)
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
