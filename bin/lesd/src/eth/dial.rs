//! Connections that we open: to nodes that the operator named, again and again.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use rlpx::{Enode, Host, NodeId};
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, info};

use super::connection::{self, Guest};
use crate::{handshake, node::Shared};

/// Nodes that an operator may name: more than a server has slots for full nodes.
const MAX_NAMED: usize = 256;
/// Time to open a socket, name look-up included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Doublings of the pause: a minute at most.
const DOUBLINGS: u32 = 6;
/// A connection that held this long ends a series of failures.
const LIVED: Duration = Duration::from_secs(30);
/// How often named nodes that connected to us are looked after.
const RECHECK: Duration = Duration::from_secs(5);

/// The nodes that the operator named.
#[derive(Debug)]
pub(crate) struct Dialer {
    named: Mutex<BTreeMap<NodeId, Enode>>,
    changed: watch::Sender<()>,
}

impl Dialer {
    pub(super) fn new(enodes: Vec<Enode>) -> Self {
        let dialer = Self { named: Mutex::default(), changed: watch::Sender::new(()) };
        for enode in enodes {
            dialer.add(enode);
        }
        dialer
    }

    /// Names a node, or another address of it. `false` if there are too many.
    pub(crate) fn add(&self, enode: Enode) -> bool {
        let mut named = self.named.lock();
        if named.len() >= MAX_NAMED && !named.contains_key(&enode.id) {
            return false;
        }
        named.insert(enode.id, enode);
        drop(named);
        self.changed.send_replace(());
        true
    }

    /// Forgets a node. `false` if it was not named.
    pub(crate) fn remove(&self, id: &NodeId) -> bool {
        self.named.lock().remove(id).is_some()
    }

    pub(super) fn contains(&self, id: &NodeId) -> bool {
        self.named.lock().contains_key(id)
    }

    pub(super) fn len(&self) -> usize {
        self.named.lock().len()
    }
}

/// When a node is to be dialled next.
struct Attempt {
    failures: u32,
    due: Instant,
}

impl Attempt {
    /// After a connection that held so long, or none.
    fn ended(&mut self, held: Option<Duration>, now: Instant) {
        self.failures = match held {
            Some(held) if held >= LIVED => 0,
            Some(_) | None => self.failures.saturating_add(1),
        };
        let doublings = self.failures.saturating_sub(1).min(DOUBLINGS);
        let pause = FIRST_PAUSE.saturating_mul(1 << doublings);
        // Two nodes that dial each other at the same time refuse each other.
        self.due = now + pause + pause.mul_f64(rand::random_range(0.0..0.5));
    }
}

/// Keeps up connections to all named nodes until the node stops.
pub(crate) async fn run(
    shared: Arc<Shared>,
    mut serving: watch::Receiver<bool>,
    running: mpsc::Sender<()>,
) {
    let mut changed = shared.eth.dialer.changed.subscribe();
    let mut attempts: BTreeMap<NodeId, Attempt> = BTreeMap::new();
    let mut busy = BTreeSet::new();
    let mut tasks = JoinSet::new();
    loop {
        let named = shared.eth.dialer.named.lock().clone();
        attempts.retain(|id, _| named.contains_key(id));
        let now = Instant::now();
        let mut next = now + RECHECK;
        for (id, enode) in named {
            if busy.contains(&id) || shared.peers.contains(&id) || id == *shared.key.id() {
                continue;
            }
            let attempt = attempts.entry(id).or_insert(Attempt { failures: 0, due: now });
            if attempt.due > now {
                next = next.min(attempt.due);
                continue;
            }
            busy.insert(id);
            let is_first = attempt.failures == 0;
            let (shared, serving) = (Arc::clone(&shared), serving.clone());
            tasks.spawn(async move { (id, visit(enode, &shared, serving, is_first).await) });
        }
        tokio::select! {
            _ = serving.wait_for(|stop| *stop) => break,
            Ok(()) = changed.changed() => {}
            Some(Ok((id, held))) = tasks.join_next() => {
                busy.remove(&id);
                if let Some(attempt) = attempts.get_mut(&id) {
                    attempt.ended(held, Instant::now());
                }
            }
            () = sleep_until(next) => {}
        }
    }
    while tasks.join_next().await.is_some() {}
    drop(running);
}

/// Connects once; says how long the connection held after Status.
async fn visit(
    enode: Enode,
    shared: &Arc<Shared>,
    serving: watch::Receiver<bool>,
    is_first: bool,
) -> Option<Duration> {
    match reach(&enode, shared).await {
        Ok(guest) => connection::serve(guest, shared, serving).await,
        Err(reason) if is_first => {
            info!(%enode, %reason, "Cannot connect to a full node");
            None
        }
        Err(reason) => {
            debug!(%enode, %reason, "Cannot connect to a full node");
            None
        }
    }
}

async fn reach(enode: &Enode, shared: &Shared) -> Result<Guest, handshake::Failed> {
    let open = async {
        match &enode.host {
            Host::Ip(ip) => TcpStream::connect((*ip, enode.tcp_port)).await,
            Host::Name(name) => TcpStream::connect((name.as_str(), enode.tcp_port)).await,
        }
    };
    let timed_out = || io::Error::from(io::ErrorKind::TimedOut);
    let mut stream = timeout(CONNECT_TIMEOUT, open).await.map_err(|_| timed_out())??;
    stream.set_nodelay(true)?;
    let address: SocketAddr = stream.peer_addr()?;
    let greeted = handshake::dial(&mut stream, &shared.key, &enode.id).await?;
    Ok(Guest { stream, address, greeted, permit: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_end_with_a_long_connection() {
        let now = Instant::now();
        let mut attempt = Attempt { failures: 0, due: now };
        let mut least = FIRST_PAUSE;
        for failure in 1..20 {
            attempt.ended(Some(LIVED / 2).filter(|_| failure % 2 == 0), now);
            let pause = attempt.due - now;
            assert!(pause >= least && pause < least.mul_f64(1.5), "{failure}: {pause:?}");
            least = (least * 2).min(Duration::from_secs(64));
        }
        attempt.ended(Some(LIVED), now);
        assert!(attempt.due - now < FIRST_PAUSE * 2);
    }

    #[test]
    fn the_number_of_named_nodes_is_bounded() {
        let dialer = Dialer::new(Vec::new());
        let enode = |number: u16| {
            let mut key = [1; 32];
            key[..2].copy_from_slice(&number.to_be_bytes());
            let id = *rlpx::NodeKey::from_bytes(&key).unwrap().id();
            let host = Host::Ip([127, 0, 0, 1].into());
            Enode { id, host, tcp_port: 1, udp_port: 1 }
        };
        let taken = (0..300).filter(|&number| dialer.add(enode(number))).count();
        assert_eq!((taken, dialer.len()), (MAX_NAMED, MAX_NAMED));
        assert!(dialer.add(enode(0)), "one that is named may change its address");
        assert!(dialer.remove(&enode(0).id) && !dialer.remove(&enode(0).id));
        assert!(!dialer.contains(&enode(0).id) && dialer.add(enode(299)));
    }
}
