//! Export: the canonical chain as a file of blocks.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};

use crate::{Backend as _, BackendError, Block, Store};

/// Bytes written at once.
const WRITE_BUFFER: usize = 1 << 20;

impl Store {
    /// Writes the canonical blocks `first..=last` as a file that an import reads; compressed with
    /// gzip if its name ends in `.gz`. Beyond the head there is nothing to write. `report` is told
    /// each block's number. Returns how many blocks were written.
    pub fn export(
        &self,
        path: &Path,
        first: u64,
        last: u64,
        report: &mut dyn FnMut(u64),
    ) -> Result<u64, BackendError> {
        let context =
            |source| BackendError::Io { context: format!("write {}", path.display()), source };
        let file = File::create(path).map_err(context)?;
        let plain = BufWriter::with_capacity(WRITE_BUFFER, file);
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut out = GzEncoder::new(plain, Compression::default());
            let count = self.write_blocks(&mut out, first, last, path, report)?;
            let file = out.finish().and_then(|plain| Ok(plain.into_inner()?));
            file.and_then(|file| file.sync_all()).map_err(context)?;
            return Ok(count);
        }
        let mut out = plain;
        let count = self.write_blocks(&mut out, first, last, path, report)?;
        let file = out.into_inner().map_err(|error| context(error.into_error()))?;
        file.sync_all().map_err(context)?;
        Ok(count)
    }

    fn write_blocks(
        &self,
        out: &mut impl Write,
        first: u64,
        last: u64,
        path: &Path,
        report: &mut dyn FnMut(u64),
    ) -> Result<u64, BackendError> {
        let snapshot = self.snapshot();
        let last = last.min(snapshot.head().number);
        let mut count = 0;
        for number in first..=last {
            let missing = || BackendError::Corrupt(format!("canonical block {number} is missing"));
            let hash = snapshot.canonical_hash(number)?.ok_or_else(missing)?;
            let (mut header, mut body) = (Vec::new(), Vec::new());
            if !snapshot.append_header(&hash, &mut header)?
                || !snapshot.append_body(&hash, &mut body)?
            {
                return Err(missing());
            }
            let block = Block::join(&header, &body).ok_or_else(missing)?;
            out.write_all(&block).map_err(|source| BackendError::Io {
                context: format!("write {}", path.display()),
                source,
            })?;
            count += 1;
            report(number);
        }
        Ok(count)
    }
}
