//! JSON-RPC over a Unix socket: one JSON value behind the other, both ways, as go-ethereum does.

use std::{io, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use eth_rpc::Namespaces;
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::timeout,
};
use tracing::{debug, warn};

use super::{MAX_REQUEST_BYTES, Methods};

/// Connections at a time; each may hold one request.
const MAX_CONNECTIONS: usize = 64;
/// A reader that takes nothing for this long is gone (go-ethereum's limit is 10 s).
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept, which is a lack of file descriptors.
const RETRY: Duration = Duration::from_millis(100);

/// Makes the socket, for its owner only. One that nobody listens on any more is replaced.
pub(super) fn bind(path: &Path) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on it"));
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) => {
            std::fs::remove_file(path)?;
        }
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is no socket")),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves connections until it is dropped.
pub(super) async fn run(listener: UnixListener, methods: Methods) {
    let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let allowed = Arc::new(Namespaces::all());
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else {
                    debug!("Too many IPC connections");
                    continue;
                };
                let (methods, allowed) = (methods.clone(), Arc::clone(&allowed));
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, &methods, &allowed).await {
                        debug!(%error, "IPC connection lost");
                    }
                    drop(seat);
                });
            }
            Err(error) => {
                warn!(%error, "Cannot accept IPC connections");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn serve(
    mut stream: UnixStream,
    methods: &Methods,
    allowed: &Arc<Namespaces>,
) -> io::Result<()> {
    let mut received = Vec::new();
    loop {
        while let Some(next) = first(&received) {
            let (request, is_json) = match next {
                Ok(length) => (received.drain(..length).collect(), true),
                Err(Unreadable) => (std::mem::take(&mut received), false),
            };
            if let Some(mut answer) = methods.answer(allowed, request).await {
                answer.push('\n');
                timeout(WRITE_TIMEOUT, stream.write_all(answer.as_bytes())).await??;
            }
            if !is_json {
                // Where the next value begins is not known.
                return Ok(());
            }
        }
        if received.len() > MAX_REQUEST_BYTES {
            return Err(io::Error::other("a request is too long"));
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
    }
}

/// The bytes are no JSON.
#[derive(Debug, PartialEq, Eq)]
struct Unreadable;

/// The length of the first JSON value, or that there is none; `None` if more bytes must come.
fn first(received: &[u8]) -> Option<Result<usize, Unreadable>> {
    // Values are read again from their start when more of them has come: only when it may be all.
    let last = received.trim_ascii_end().last()?;
    let is_line = received.last().is_some_and(|byte| *byte == b'\n');
    if !is_line && !matches!(last, b'}' | b']') {
        return None;
    }
    let mut values = serde_json::Deserializer::from_slice(received).into_iter::<&RawValue>();
    match values.next()? {
        Ok(_) => Some(Ok(values.byte_offset())),
        Err(error) if error.is_eof() => None,
        Err(_) => Some(Err(Unreadable)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_when_it_is_whole() {
        for (received, expected) in [
            ("", None),
            (" \n", None),
            ("{", None),
            (r#"{"a":[1]"#, None),
            (r#"{"a":[1]}"#, Some(Ok(9))),
            ("{}{}", Some(Ok(2))),
            ("{}\n[1]x\n", Some(Ok(2))),
            ("[1]\n[2]", Some(Ok(3))),
            ("no\n", Some(Err(Unreadable))),
            ("{]", Some(Err(Unreadable))),
        ] {
            assert_eq!(first(received.as_bytes()), expected, "{received:?}");
        }
    }
}
