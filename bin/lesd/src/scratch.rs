//! Buffers of a thread. Connections own none while they are idle.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rlpx::Workspace;
use tokio::{
    io::{AsyncRead as _, ReadBuf},
    net::TcpStream,
};

/// Bytes read from a socket at once.
pub(crate) const READ_BYTES: usize = 64 * 1024;
/// A buffer that grew beyond this for one big message is given back.
const KEPT_BYTES: usize = 1 << 20;

/// What one wake-up of a connection works with.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// Bytes from the socket, always [`READ_BYTES`] long.
    pub(crate) read: Vec<u8>,
    /// Decompression of what came: requests borrow from it while replies are compressed.
    pub(crate) requests: Workspace,
    /// Compression of replies.
    pub(crate) workspace: Workspace,
    /// Items of a reply.
    pub(crate) items: Vec<u8>,
    /// A message, before compression.
    pub(crate) message: Vec<u8>,
    /// Encrypted frames, to be written in one go.
    pub(crate) out: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        read: vec![0; READ_BYTES],
        requests: Workspace::new(),
        workspace: Workspace::new(),
        items: Vec::new(),
        message: Vec::new(),
        out: Vec::new(),
    });
}

/// Lends this thread's buffers, the last three empty. Not to be nested.
pub(crate) fn with<R>(work: impl FnOnce(&mut Scratch) -> R) -> R {
    SCRATCH.with_borrow_mut(|scratch| {
        for buffer in [&mut scratch.items, &mut scratch.message, &mut scratch.out] {
            buffer.clear();
            buffer.shrink_to(KEPT_BYTES);
        }
        work(scratch)
    })
}

/// Reads once from a socket into this thread's read buffer; says how many bytes. They stay there
/// until the task waits: another one may then run on this thread.
pub(crate) fn poll_read(
    stream: &mut TcpStream,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(&mut scratch.read);
        ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    })
}
