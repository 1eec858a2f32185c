//! Append-only, checksummed records in files of bounded size.
//!
//! A segment is one address space of bytes, cut into files of [`FILE_CAPACITY`] each. A file
//! starts with [`MAGIC`] and the segment's name; a record is `length (4) ‖ CRC32 of length and
//! payload (4) ‖ payload`, little-endian, and never crosses files.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::RwLock;

use super::{
    fault,
    io::{io_error, sync_directory},
    mapped::Mapped,
};
use crate::BackendError;

/// Bytes of one file. 256 MiB keeps the number of maps small (4 per GiB) and lets old state
/// changes be deleted by file.
const FILE_CAPACITY: u64 = 1 << 28;
const MAGIC: &[u8; 8] = b"lesdseg1";
/// Magic and the name, padded.
const FILE_HEADER: u64 = FILE_HEADER_LENGTH as u64;
const FILE_HEADER_LENGTH: usize = 24;
/// Length and checksum.
const RECORD_HEADER: u64 = RECORD_HEADER_LENGTH as u64;

/// More whole records than this behind a damaged one are not counted: the message is clear.
const COUNTED_BEHIND: u64 = 1000;
const RECORD_HEADER_LENGTH: usize = 8;

/// Where a payload stands in its segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) offset: u64,
    pub(super) length: u32,
}

impl Location {
    /// The first byte behind the payload.
    pub(super) fn end(self) -> u64 {
        self.offset + u64::from(self.length)
    }
}

/// One segment: one writer, any number of readers.
#[derive(Debug)]
pub(super) struct Segment {
    directory: PathBuf,
    name: &'static str,
    files: RwLock<Vec<Option<Arc<SegmentFile>>>>,
}

#[derive(Debug)]
struct SegmentFile {
    file: File,
    path: PathBuf,
    map: Mapped,
}

impl Segment {
    /// Opens all files of a segment. Everything in them can be read; what is valid is for the
    /// caller to find out, who then calls [`Self::truncate`].
    pub(super) fn open(directory: &Path, name: &'static str) -> Result<Self, BackendError> {
        let segment = Self { directory: directory.to_path_buf(), name, files: RwLock::default() };
        let mut numbers = Vec::new();
        for entry in fs::read_dir(directory).map_err(|error| io_error("list", directory, error))? {
            let entry = entry.map_err(|error| io_error("list", directory, error))?;
            let file_name = entry.file_name();
            let number = file_name
                .to_str()
                .and_then(|text| text.strip_prefix(name)?.strip_prefix('-')?.strip_suffix(".seg"))
                .and_then(|digits| digits.parse::<usize>().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        for number in numbers {
            segment.add_file(number)?;
        }
        Ok(segment)
    }

    /// Appends a record whose payload is these parts. Only one thread may append.
    pub(super) fn append(&self, parts: &[&[u8]]) -> Result<Location, BackendError> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let size = RECORD_HEADER + length as u64;
        if size > FILE_CAPACITY - FILE_HEADER {
            let text = format!("a record of {length} bytes does not fit a {} segment", self.name);
            return Err(BackendError::Corrupt(text));
        }
        let mut end = self.end();
        if end.is_multiple_of(FILE_CAPACITY) || end % FILE_CAPACITY + size > FILE_CAPACITY {
            let number = end.div_ceil(FILE_CAPACITY);
            self.add_file(to_usize(number)?)?;
            end = number * FILE_CAPACITY + FILE_HEADER;
        }
        let file = self.file_at(end).ok_or_else(|| self.missing(end))?;
        let length = u32::try_from(length).map_err(|_| self.missing(end))?;
        let mut record = Vec::with_capacity(to_usize(size)?);
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&checksum(length, parts.iter().copied()).to_le_bytes());
        parts.iter().for_each(|part| record.extend_from_slice(part));
        fault::before_write();
        file.file
            .write_all_at(&record, end % FILE_CAPACITY)
            .map_err(|error| io_error("write to", &file.path, error))?;
        file.map.publish(to_usize(end % FILE_CAPACITY + size)?);
        Ok(Location { offset: end + RECORD_HEADER, length })
    }

    /// Shows a payload to `read`.
    pub(super) fn read<T>(
        &self,
        location: Location,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, BackendError> {
        let missing = || self.missing(location.offset);
        let file = self.file_at(location.offset).ok_or_else(missing)?;
        let start = to_usize(location.offset % FILE_CAPACITY)?;
        let bytes = file.map.get(start, to_usize(location.length.into())?).ok_or_else(missing)?;
        Ok(read(bytes))
    }

    /// Like [`Self::read`], but checks the record's length and checksum first.
    pub(super) fn read_checked<T>(
        &self,
        location: Location,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, BackendError> {
        let start = location.offset.checked_sub(RECORD_HEADER).ok_or_else(|| self.missing(0))?;
        match self.record_at(start)? {
            Some(found) if found == location => self.read(location, read),
            _ => Err(BackendError::Corrupt(format!(
                "the record at {start} of segment {} does not match its checksum",
                self.name
            ))),
        }
    }

    /// The first valid record at or after `offset`, which is the start of a record or of free
    /// space; `None` if there is none, which is where the segment ends.
    pub(super) fn next(&self, offset: u64) -> Result<Option<Location>, BackendError> {
        let offset = offset.max(self.first());
        let within = offset % FILE_CAPACITY;
        let start = if within < FILE_HEADER { offset - within + FILE_HEADER } else { offset };
        if let Some(found) = self.record_at(start)? {
            return Ok(Some(found));
        }
        let next_file = (start / FILE_CAPACITY + 1) * FILE_CAPACITY;
        if self.file_at(next_file).is_none() {
            return Ok(None);
        }
        self.record_at(next_file + FILE_HEADER)
    }

    /// How many whole records there are behind the one at `offset`, whole or not: found by the
    /// length that it claims. Counts to [`COUNTED_BEHIND`] only.
    pub(super) fn whole_behind(&self, offset: u64) -> Result<u64, BackendError> {
        let Some(mut at) = self.claimed_end(offset)? else { return Ok(0) };
        let mut count = 0;
        while let Some(record) = self.next(at)?.filter(|_| count < COUNTED_BEHIND) {
            count += 1;
            at = record.end();
        }
        Ok(count)
    }

    /// Where the record at `offset` ends by its own word.
    fn claimed_end(&self, offset: u64) -> Result<Option<u64>, BackendError> {
        let within = offset % FILE_CAPACITY;
        let start = if within < FILE_HEADER { offset - within + FILE_HEADER } else { offset };
        let Some(file) = self.file_at(start) else { return Ok(None) };
        let header = file.map.get(to_usize(start % FILE_CAPACITY)?, RECORD_HEADER_LENGTH);
        let length = header.and_then(|header| header.first_chunk::<4>());
        Ok(length.map(|length| start + RECORD_HEADER + u64::from(u32::from_le_bytes(*length))))
    }

    /// Forgets everything from `end` on.
    pub(super) fn truncate(&self, end: u64) -> Result<(), BackendError> {
        let mut files = self.files.write();
        for (number, slot) in files.iter_mut().enumerate() {
            let start = number as u64 * FILE_CAPACITY;
            let Some(file) = slot else { continue };
            if start >= end {
                fs::remove_file(&file.path)
                    .map_err(|error| io_error("delete", &file.path, error))?;
                *slot = None;
            } else if end < start + FILE_CAPACITY {
                let keep = (end - start).max(FILE_HEADER);
                file.file.set_len(keep).map_err(|error| io_error("truncate", &file.path, error))?;
                file.map.publish(to_usize(keep)?);
            }
        }
        while files.last().is_some_and(Option::is_none) {
            files.pop();
        }
        Ok(())
    }

    /// Deletes the files that lie wholly before `offset`, except the last.
    pub(super) fn drop_before(&self, offset: u64) -> Result<(), BackendError> {
        let mut files = self.files.write();
        let last = files.len().saturating_sub(1);
        let dropped = to_usize(offset / FILE_CAPACITY)?.min(last);
        for slot in files.iter_mut().take(dropped) {
            if let Some(file) = slot.take() {
                fs::remove_file(&file.path)
                    .map_err(|error| io_error("delete", &file.path, error))?;
            }
        }
        Ok(())
    }

    /// Makes everything appended so far durable.
    pub(super) fn sync(&self) -> Result<(), BackendError> {
        let last = self.files.read().last().and_then(Clone::clone);
        last.map_or(Ok(()), |file| file.sync())
    }

    /// Where the next record will go, at the earliest.
    pub(super) fn end(&self) -> u64 {
        let files = self.files.read();
        match files.last() {
            Some(Some(file)) => {
                (files.len() as u64 - 1) * FILE_CAPACITY + file.map.published() as u64
            }
            _ => files.len() as u64 * FILE_CAPACITY,
        }
    }

    /// Where the first file that exists starts.
    fn first(&self) -> u64 {
        let files = self.files.read();
        let gone = files.iter().take_while(|slot| slot.is_none()).count();
        gone as u64 * FILE_CAPACITY
    }

    /// The record that starts at `start`, if it is whole and its checksum matches.
    fn record_at(&self, start: u64) -> Result<Option<Location>, BackendError> {
        let Some(file) = self.file_at(start) else { return Ok(None) };
        let within = to_usize(start % FILE_CAPACITY)?;
        let Some(header) = file.map.get(within, RECORD_HEADER_LENGTH) else { return Ok(None) };
        let Some((length, sum)) = header.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length);
        let payload = file.map.get(within + RECORD_HEADER_LENGTH, to_usize(length.into())?);
        let valid = payload.is_some_and(|payload| sum == checksum(length, [payload]).to_le_bytes());
        Ok(valid.then_some(Location { offset: start + RECORD_HEADER, length }))
    }

    fn file_at(&self, offset: u64) -> Option<Arc<SegmentFile>> {
        let number = usize::try_from(offset / FILE_CAPACITY).ok()?;
        self.files.read().get(number)?.clone()
    }

    /// Opens or creates the file with this number. Starts the previous one's way to the disk.
    fn add_file(&self, number: usize) -> Result<(), BackendError> {
        self.sync()?;
        let path = self.directory.join(format!("{}-{number:05}.seg", self.name));
        let file = SegmentFile::open(path, self.name)?;
        let mut files = self.files.write();
        let length = number.max(files.len());
        files.resize_with(length, || None);
        files.push(Some(Arc::new(file)));
        Ok(())
    }

    fn missing(&self, offset: u64) -> BackendError {
        BackendError::Corrupt(format!("segment {} has no bytes at {offset}", self.name))
    }
}

impl SegmentFile {
    fn open(path: PathBuf, name: &str) -> Result<Self, BackendError> {
        let failed = |error| io_error("open", &path, error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        let mut header = [0; FILE_HEADER_LENGTH];
        let text = MAGIC.iter().chain(name.as_bytes());
        header.iter_mut().zip(text).for_each(|(byte, from)| *byte = *from);
        let mut length = file.metadata().map_err(failed)?.len();
        if length < FILE_HEADER {
            fault::before_write();
            file.write_all_at(&header, 0).map_err(failed)?;
            // A file with a name and no header could not be opened any more.
            file.sync_data().map_err(failed)?;
            sync_directory(path.parent().unwrap_or(&path))?;
            length = FILE_HEADER;
        }
        let mut found = [0; FILE_HEADER_LENGTH];
        file.read_exact_at(&mut found, 0).map_err(failed)?;
        if found != header {
            let text = format!("{} is not a {name} segment of this version", path.display());
            return Err(BackendError::Corrupt(text));
        }
        let length = length.min(FILE_CAPACITY);
        let map =
            Mapped::new(&file, to_usize(FILE_CAPACITY)?, to_usize(length)?).map_err(failed)?;
        Ok(Self { file, path, map })
    }

    fn sync(&self) -> Result<(), BackendError> {
        self.file.sync_data().map_err(|error| io_error("sync", &self.path, error))
    }
}

fn checksum<'a>(length: u32, parts: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    parts.into_iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

fn to_usize(number: u64) -> Result<usize, BackendError> {
    usize::try_from(number).map_err(|_| BackendError::Corrupt(format!("{number} is no offset")))
}
