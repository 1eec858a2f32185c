//! A file that grows at its end and is read through a memory map.

#![expect(unsafe_code, reason = "mapping a file is unsafe by nature; argued at the one call")]

use std::{
    fs::File,
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

use memmap2::{Mmap, MmapOptions};

/// The bytes of a file that have been written so far.
#[derive(Debug)]
pub(super) struct Mapped {
    map: Mmap,
    published: AtomicUsize,
}

impl Mapped {
    /// Maps `capacity` bytes, of which the first `published` can be read. The file may be
    /// shorter than `capacity`.
    pub(super) fn new(file: &File, capacity: usize, published: usize) -> io::Result<Self> {
        // SAFETY: bytes below `published` are never written again nor cut off: this process
        // appends only, and the data directory's lock keeps other processes of ours out. Bytes
        // from `published` on, which may lie past the end of the file, are never touched:
        // `get` is the only access.
        let map = unsafe { MmapOptions::new().len(capacity).map(file)? };
        Ok(Self { map, published: AtomicUsize::new(published) })
    }

    /// Lets readers see the bytes before `end`, which must be in the file.
    pub(super) fn publish(&self, end: usize) {
        self.published.store(end, Ordering::Release);
    }

    /// How many bytes can be read.
    pub(super) fn published(&self) -> usize {
        self.published.load(Ordering::Acquire)
    }

    /// `length` bytes at `start`, if all of them have been published.
    pub(super) fn get(&self, start: usize, length: usize) -> Option<&[u8]> {
        let end = start.checked_add(length)?;
        if end > self.published() {
            return None;
        }
        self.map.get(start..end)
    }
}
