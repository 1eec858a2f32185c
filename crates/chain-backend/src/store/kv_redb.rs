//! [`Kv`] on redb.
//!
//! redb checks its pages when it repairs a file, not when it reads one, and panics at some that are
//! damaged. Here such a panic is an error like any other; what is read is checked by its users.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use alloy_primitives::Bytes;
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTableMetadata, TableDefinition};

use super::{
    fault,
    io::io_error,
    kv::{Batch, Kv, KvSnapshot, Table},
};
use crate::BackendError;

/// A redb file.
#[derive(Debug)]
pub struct RedbKv {
    database: Database,
    path: Arc<Path>,
}

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

const fn definition(table: Table) -> Definition {
    TableDefinition::new(table.name())
}

impl RedbKv {
    /// Opens or creates a file, with this much memory for its page cache.
    pub fn open(path: &Path, cache_bytes: usize) -> Result<Self, BackendError> {
        guarded(path, "open", || {
            let database = Database::builder().set_cache_size(cache_bytes).create(path)?;
            let transaction = database.begin_write()?;
            for table in Table::ALL {
                transaction.open_table(definition(table))?;
            }
            transaction.commit()?;
            Ok(Self { database, path: path.into() })
        })
    }
}

impl Kv for RedbKv {
    fn snapshot(&self) -> Result<Box<dyn KvSnapshot>, BackendError> {
        guarded(&self.path, "read", || {
            let transaction = self.database.begin_read()?;
            let tables = Table::ALL
                .into_iter()
                .map(|table| transaction.open_table(definition(table)))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Box::new(RedbSnapshot { tables, path: Arc::clone(&self.path) }) as Box<_>)
        })
    }

    fn write(&self, mut batch: Batch) -> Result<(), BackendError> {
        // By key, so that each page is touched once; stable, so that of two writes to one key
        // the later one stays.
        batch.writes.sort_by(|(a, key, _), (b, other, _)| (a, key).cmp(&(b, other)));
        fault::before_write();
        guarded(&self.path, "write to", || {
            let mut transaction = self.database.begin_write()?;
            // Without it an unclean end makes the next start read the whole file.
            transaction.set_quick_repair(true);
            for group in batch.writes.chunk_by(|(a, ..), (b, ..)| a == b) {
                let Some((table, ..)) = group.first() else { continue };
                let mut table = transaction.open_table(definition(*table))?;
                for (_, key, value) in group {
                    match value {
                        Some(value) => table.insert(key.as_slice(), value.as_ref())?,
                        None => table.remove(key.as_slice())?,
                    };
                }
            }
            fault::before_write();
            Ok(transaction.commit()?)
        })
    }
}

struct RedbSnapshot {
    tables: Vec<ReadOnlyTable<&'static [u8], &'static [u8]>>,
    path: Arc<Path>,
}

impl RedbSnapshot {
    fn read<T>(
        &self,
        table: Table,
        read: impl FnOnce(&ReadOnlyTable<&'static [u8], &'static [u8]>) -> Result<T, redb::Error>,
    ) -> Result<T, BackendError> {
        let table = self
            .tables
            .get(table as usize)
            .ok_or_else(|| BackendError::KeyValue(format!("no table {}", table.name())))?;
        guarded(&self.path, "read", || read(table))
    }
}

impl KvSnapshot for RedbSnapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        self.read(table, |table| {
            let found = table.get(key)?;
            Ok(found.map(|value| Bytes::copy_from_slice(value.value())))
        })
    }

    fn at_or_after(
        &self,
        table: Table,
        key: &[u8],
    ) -> Result<Option<(Vec<u8>, Bytes)>, BackendError> {
        self.read(table, |table| {
            let mut entries = table.range(key..)?;
            let Some(entry) = entries.next() else { return Ok(None) };
            let (key, value) = entry?;
            Ok(Some((key.value().to_vec(), Bytes::copy_from_slice(value.value()))))
        })
    }

    fn scan(
        &self,
        table: Table,
        key: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), BackendError> {
        self.read(table, |table| {
            for entry in table.range(key..)? {
                let (key, value) = entry?;
                if !visit(key.value(), value.value()) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn count(&self, table: Table) -> Result<u64, BackendError> {
        self.read(table, |table| Ok(table.len()?))
    }
}

/// Calls redb; an error or a panic of it becomes an error that names the file.
fn guarded<T>(
    path: &Path,
    deed: &str,
    call: impl FnOnce() -> Result<T, redb::Error>,
) -> Result<T, BackendError> {
    // Nothing of ours is left half-changed, and redb poisons what it had locked.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| failed(path, deed, error)),
        Err(_) => Err(damaged(path, "its pages contradict each other")),
    }
}

fn failed(path: &Path, deed: &str, error: redb::Error) -> BackendError {
    if let redb::Error::Io(source) = error {
        return io_error(deed, path, source);
    }
    if let redb::Error::Corrupted(what) = &error {
        return damaged(path, what);
    }
    let earlier = matches!(error, redb::Error::PreviousIo);
    let hint = if earlier { "; start again: nothing stored is lost" } else { "" };
    BackendError::KeyValue(format!("cannot {deed} {}: {error}{hint}", path.display()))
}

fn damaged(path: &Path, what: &str) -> BackendError {
    BackendError::KeyValue(format!(
        "{} is damaged: {what}; restore a copy, or import the chain into a new directory",
        path.display()
    ))
}
