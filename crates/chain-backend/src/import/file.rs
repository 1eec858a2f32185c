//! Files of blocks: their RLP, one after the other, plain or compressed with gzip.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::read::MultiGzDecoder;

use super::BlockDecodeError;

/// Most bytes of one block. Far above what a block of any public network can have (a gas limit of
/// 1,000 million allows 250 MB of zeros, 36 million allows 9); it keeps a damaged length from
/// being believed.
pub const MAX_BLOCK_BYTES: u64 = 256 << 20;

/// Bytes read from the file at once.
const READ_BUFFER: usize = 1 << 20;

/// Why a file cannot be imported to its end. Offsets are those of the uncompressed content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refused a read, or the compression is damaged.
    #[error("{path}: {source} (at byte {offset} of the content)")]
    Io {
        /// The file.
        path: String,
        /// Where the block begins that could not be read.
        offset: u64,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The file ends within a block.
    #[error(
        "the last block is cut off: it begins at byte {offset} and has {expected} bytes, of which \
         {found} are there"
    )]
    Truncated {
        /// Where the block begins.
        offset: u64,
        /// Bytes that it should have.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// What stands there is not the beginning of a block.
    #[error("no block begins at byte {offset}: {what}")]
    NoBlock {
        /// Where it should begin.
        offset: u64,
        /// What stands there.
        what: &'static str,
    },
    /// A block's bytes do not decode.
    #[error("the block at byte {offset} is malformed: {error}")]
    Malformed {
        /// Where it begins.
        offset: u64,
        /// What is wrong with it.
        error: BlockDecodeError,
    },
}

/// Reads one block's bytes after the other.
pub(super) struct BlockReader {
    path: String,
    content: Box<dyn Read + Send>,
    offset: u64,
    /// Bytes of the file itself that were read: what progress is measured in.
    consumed: Arc<AtomicU64>,
    pub(super) file_bytes: u64,
}

impl BlockReader {
    /// Opens a file; a name that ends in `.gz` is decompressed.
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let name = path.display().to_string();
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (file_bytes, file) =
            opened.map_err(|source| FileError::Io { path: name.clone(), offset: 0, source })?;
        let consumed = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: file, count: Arc::clone(&consumed) };
        let content: Box<dyn Read + Send> = if path.extension().is_some_and(|ext| ext == "gz") {
            let decoder = MultiGzDecoder::new(BufReader::with_capacity(READ_BUFFER, counted));
            Box::new(BufReader::with_capacity(READ_BUFFER, decoder))
        } else {
            Box::new(BufReader::with_capacity(READ_BUFFER, counted))
        };
        Ok(Self { path: name, content, offset: 0, consumed, file_bytes })
    }

    /// Where the next block begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of the file that were read so far.
    pub(super) fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    /// The next block's bytes; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        let mut block = Vec::new();
        if self.fill(&mut block, 1)? == 0 {
            return Ok(None);
        }
        let offset = self.offset;
        let no_block = |what| Err(FileError::NoBlock { offset, what });
        let payload = match block.first() {
            Some(first @ 0xc0..=0xf7) => u64::from(first - 0xc0),
            Some(first @ 0xf8..) => {
                let size = u64::from(first - 0xf7);
                self.fill_all(&mut block, 1 + size)?;
                let digits = block.get(1..).unwrap_or_default();
                let value = digits.iter().try_fold(0_u64, |value, digit| {
                    Some(value.checked_mul(256)? + u64::from(*digit))
                });
                match value {
                    Some(length) if length <= MAX_BLOCK_BYTES => length,
                    _ => return no_block("its length is above every limit"),
                }
            }
            _ => return no_block("it does not start with an RLP list"),
        };
        let length = block.len() as u64 + payload;
        self.fill_all(&mut block, length)?;
        self.offset += length;
        Ok(Some(block))
    }

    fn fill_all(&mut self, block: &mut Vec<u8>, expected: u64) -> Result<(), FileError> {
        let found = self.fill(block, expected)?;
        if found == expected {
            return Ok(());
        }
        Err(FileError::Truncated { offset: self.offset, expected, found })
    }

    /// Reads until the block has this many bytes or the content ends; says how many it has.
    /// Memory grows with what is there, not with what a length field says.
    fn fill(&mut self, block: &mut Vec<u8>, length: u64) -> Result<u64, FileError> {
        let missing = length.saturating_sub(block.len() as u64);
        (&mut self.content).take(missing).read_to_end(block).map_err(|source| FileError::Io {
            path: self.path.clone(),
            offset: self.offset,
            source,
        })?;
        Ok(block.len() as u64)
    }
}

struct Counted {
    inner: File,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
