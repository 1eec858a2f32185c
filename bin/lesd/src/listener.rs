//! Accepts connections, and bounds what strangers may cost before they have proven a key.

use std::{collections::BTreeMap, io, net::IpAddr, sync::Arc};

use les_engine::Prefix;
use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tracing::{debug, warn};

/// Handshakes under way. Each costs about 0.3 ms of CPU and ends within 5 s.
const MAX_PENDING: usize = 256;
/// Handshakes under way from one address prefix.
const MAX_PENDING_PER_PREFIX: usize = 16;
/// Waits this long when the process is out of file descriptors.
const RETRY: std::time::Duration = std::time::Duration::from_millis(100);

/// Counts handshakes under way.
#[derive(Debug, Default)]
struct Pending {
    total: usize,
    prefixes: BTreeMap<Prefix, usize>,
}

/// One handshake under way; dropped when it has ended either way.
#[derive(Debug)]
pub(crate) struct Permit {
    pending: Arc<Mutex<Pending>>,
    prefix: Option<Prefix>,
}

impl Permit {
    fn take(pending: &Arc<Mutex<Pending>>, address: IpAddr) -> Option<Self> {
        // Everybody on this machine shares one loopback prefix.
        let prefix = (!address.to_canonical().is_loopback()).then(|| Prefix::of(address));
        let mut counts = pending.lock();
        if counts.total >= MAX_PENDING {
            return None;
        }
        if let Some(prefix) = prefix {
            let count = counts.prefixes.entry(prefix).or_default();
            if *count >= MAX_PENDING_PER_PREFIX {
                return None;
            }
            *count = count.saturating_add(1);
        }
        counts.total = counts.total.saturating_add(1);
        drop(counts);
        Some(Self { pending: Arc::clone(pending), prefix })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.pending.lock();
        counts.total = counts.total.saturating_sub(1);
        if let Some(prefix) = self.prefix
            && let Some(count) = counts.prefixes.get_mut(&prefix)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.prefixes.remove(&prefix);
            }
        }
    }
}

/// Hands accepted sockets to `serve` until `shutdown` turns true.
///
/// # Errors
/// If the listening socket itself is broken.
pub(crate) async fn run(
    listener: TcpListener,
    mut shutdown: watch::Receiver<bool>,
    mut serve: impl FnMut(TcpStream, std::net::SocketAddr, Permit),
) -> io::Result<()> {
    let pending = Arc::new(Mutex::new(Pending::default()));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.wait_for(|stop| *stop) => return Ok(()),
        };
        match accepted {
            Ok((stream, address)) => match Permit::take(&pending, address.ip()) {
                Some(permit) => {
                    // Replies are written whole: waiting for more bytes only delays them.
                    if let Err(error) = stream.set_nodelay(true) {
                        debug!(%address, %error, "Connection lost at once");
                    } else {
                        serve(stream, address, permit);
                    }
                }
                None => debug!(%address, "Too many handshakes under way"),
            },
            Err(error) => match AcceptError::of(&error) {
                AcceptError::Lost => debug!(%error, "Connection lost before it was accepted"),
                AcceptError::Full => {
                    warn!(%error, "Cannot accept connections; raise `ulimit -n`");
                    tokio::time::sleep(RETRY).await;
                }
                AcceptError::Broken => return Err(error),
            },
        }
    }
}

/// What went wrong with `accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AcceptError {
    /// The listening socket is none: EBADF, EFAULT, EINVAL, ENOTSOCK, EOPNOTSUPP.
    Broken,
    /// No room: ENOMEM, ENFILE, EMFILE, ENOBUFS.
    Full,
    /// Only this connection. Linux reports network errors that are pending on it, and what a
    /// firewall forbids (`man 2 accept`); a stranger can cause those, so they end nothing.
    Lost,
}

impl AcceptError {
    fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(9 | 14 | 22 | 88 | 95) => Self::Broken,
            Some(12 | 23 | 24 | 105) => Self::Full,
            _ => Self::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_can_hold_a_few_handshakes_only() {
        let pending = Arc::default();
        let (one, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let held: Vec<_> = (0..MAX_PENDING_PER_PREFIX)
            .map(|_| Permit::take(&pending, one).expect("within the limit"))
            .collect();
        assert!(Permit::take(&pending, one).is_none());
        assert!(Permit::take(&pending, other).is_some());
        drop(held);
        assert!(Permit::take(&pending, one).is_some());
        let counts = pending.lock();
        assert_eq!((counts.total, counts.prefixes.len()), (0, 0));
    }

    #[test]
    fn all_together_are_bounded() {
        let pending = Arc::default();
        let held: Vec<_> = (0..1000u32)
            .filter_map(|n| Permit::take(&pending, std::net::Ipv4Addr::from(n + 1).into()))
            .collect();
        assert_eq!(held.len(), MAX_PENDING);
    }

    #[test]
    fn what_befalls_one_connection_does_not_end_the_listener() {
        use AcceptError::{Broken, Full, Lost};
        // EPERM, ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, ETIMEDOUT
        let lost = [1, 103, 71, 100, 113, 110].map(|code| (code, Lost));
        for (code, expected) in [(24, Full), (105, Full), (9, Broken)].into_iter().chain(lost) {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(AcceptError::of(&error), expected, "{error}");
        }
    }
}
