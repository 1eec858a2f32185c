//! [`Kv`] on redb.

use std::path::Path;

use alloy_primitives::Bytes;
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTableMetadata, TableDefinition};

use super::{
    fault,
    kv::{Batch, Kv, KvSnapshot, Table},
};
use crate::BackendError;

/// A redb file.
#[derive(Debug)]
pub struct RedbKv {
    database: Database,
}

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

const fn definition(table: Table) -> Definition {
    TableDefinition::new(table.name())
}

impl RedbKv {
    /// Opens or creates a file, with this much memory for its page cache.
    pub fn open(path: &Path, cache_bytes: usize) -> Result<Self, BackendError> {
        let database =
            Database::builder().set_cache_size(cache_bytes).create(path).map_err(failed)?;
        let kv = Self { database };
        let transaction = kv.database.begin_write().map_err(failed)?;
        for table in Table::ALL {
            transaction.open_table(definition(table)).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        Ok(kv)
    }
}

impl Kv for RedbKv {
    fn snapshot(&self) -> Result<Box<dyn KvSnapshot>, BackendError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let tables = Table::ALL
            .into_iter()
            .map(|table| transaction.open_table(definition(table)).map_err(failed))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Box::new(RedbSnapshot { tables }))
    }

    fn write(&self, mut batch: Batch) -> Result<(), BackendError> {
        // By key, so that each page is touched once; stable, so that of two writes to one key
        // the later one stays.
        batch.writes.sort_by(|(a, key, _), (b, other, _)| (a, key).cmp(&(b, other)));
        fault::before_write();
        let mut transaction = self.database.begin_write().map_err(failed)?;
        // Without it an unclean end makes the next start read the whole file.
        transaction.set_quick_repair(true);
        for group in batch.writes.chunk_by(|(a, ..), (b, ..)| a == b) {
            let Some((table, ..)) = group.first() else { continue };
            let mut table = transaction.open_table(definition(*table)).map_err(failed)?;
            for (_, key, value) in group {
                match value {
                    Some(value) => table.insert(key.as_slice(), value.as_ref()).map_err(failed)?,
                    None => table.remove(key.as_slice()).map_err(failed)?,
                };
            }
        }
        fault::before_write();
        transaction.commit().map_err(failed)
    }
}

struct RedbSnapshot {
    tables: Vec<ReadOnlyTable<&'static [u8], &'static [u8]>>,
}

impl RedbSnapshot {
    fn table(
        &self,
        table: Table,
    ) -> Result<&ReadOnlyTable<&'static [u8], &'static [u8]>, BackendError> {
        self.tables
            .get(table as usize)
            .ok_or_else(|| BackendError::KeyValue(format!("no table {}", table.name())))
    }
}

impl KvSnapshot for RedbSnapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        let found = self.table(table)?.get(key).map_err(failed)?;
        Ok(found.map(|value| Bytes::copy_from_slice(value.value())))
    }

    fn at_or_after(
        &self,
        table: Table,
        key: &[u8],
    ) -> Result<Option<(Vec<u8>, Bytes)>, BackendError> {
        let mut entries = self.table(table)?.range(key..).map_err(failed)?;
        let Some(entry) = entries.next() else { return Ok(None) };
        let (key, value) = entry.map_err(failed)?;
        Ok(Some((key.value().to_vec(), Bytes::copy_from_slice(value.value()))))
    }

    fn scan(
        &self,
        table: Table,
        key: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), BackendError> {
        for entry in self.table(table)?.range(key..).map_err(failed)? {
            let (key, value) = entry.map_err(failed)?;
            if !visit(key.value(), value.value()) {
                break;
            }
        }
        Ok(())
    }

    fn count(&self, table: Table) -> Result<u64, BackendError> {
        self.table(table)?.len().map_err(failed)
    }
}

fn failed(error: impl Into<redb::Error>) -> BackendError {
    BackendError::KeyValue(error.into().to_string())
}
