//! A connection's life: handshake, Status, service, and one log line about its end.

mod hall;

use std::{net::SocketAddr, pin::Pin, sync::Arc};

use rlpx::NodeId;
use tokio::{net::TcpStream, sync::watch};
use tracing::{debug, info, warn};

use crate::{
    driver::Seat, eth, handshake, listener::Permit, node::Shared, peer::Peer,
    peer_table::Registration,
};

/// What becomes of an accepted socket.
pub(crate) type Entering = Pin<Box<dyn Future<Output = Option<Entered>> + Send>>;

/// Serves one connection to its end.
///
/// A thousand idle clients cost a thousand of these, so that what only the entrance needs, and
/// what only full nodes need, is boxed.
pub(crate) async fn serve(
    entering: Entering,
    address: SocketAddr,
    shared: Arc<Shared>,
    shutdown: watch::Receiver<bool>,
) {
    let mut client = match entering.await {
        Some(Entered::Client(client)) => client,
        Some(Entered::FullNode(guest)) => {
            Box::pin(eth::connection::serve(*guest, &shared, shutdown)).await;
            return;
        }
        None => return,
    };
    shared.driver.counters().connected();
    let ended = client.peer.run(&shared, shutdown).await;
    shared.driver.counters().disconnected();
    let Client { seat, name, id, may_log, .. } = *client;
    drop(seat);
    if ended.is_fault() {
        if shared.may_log(address, "ended") {
            let id = short(&id);
            warn!(%address, %id, client = %name, reason = %ended, "Light client dropped");
        }
    } else if may_log {
        info!(%address, id = %short(&id), client = %name, reason = %ended, "Light client gone");
    }
}

/// Who came.
pub(crate) enum Entered {
    Client(Box<Client>),
    FullNode(Box<eth::connection::Guest>),
}

/// A client that is served.
pub(crate) struct Client {
    peer: Peer,
    seat: Seat,
    name: String,
    id: NodeId,
    /// Whether its coming was logged.
    may_log: bool,
    _registration: Registration,
}

/// From a socket to a client that is served, or to a full node that was greeted.
pub(crate) fn enter(
    stream: TcpStream,
    address: SocketAddr,
    permit: Permit,
    shared: Arc<Shared>,
) -> Entering {
    Box::pin(entrance(stream, address, permit, shared))
}

async fn entrance(
    mut stream: TcpStream,
    address: SocketAddr,
    permit: Permit,
    shared: Arc<Shared>,
) -> Option<Entered> {
    let greeted = match handshake::greet(&mut stream, &shared.key).await {
        Ok(greeted) => greeted,
        Err(failed) => {
            drop(permit);
            shared.driver.counters().handshake_failed(failed.class());
            if shared.may_log(address, "handshake") {
                debug!(%address, reason = %failed, "Handshake failed");
            }
            return None;
        }
    };
    if eth::is_full_node(&greeted.session) {
        let permit = Some(permit);
        let guest = eth::connection::Guest { stream, address, greeted, permit };
        return Some(Entered::FullNode(Box::new(guest)));
    }
    let id = *greeted.session.remote();
    let name = greeted.client.clone();
    let welcomed = hall::welcome(stream, address, greeted, &shared).await;
    drop(permit);
    let (peer, seat, _registration, version) = match welcomed {
        Ok(welcomed) => welcomed,
        Err(refused) => {
            shared.driver.counters().handshake_failed(refused.class());
            if shared.may_log(address, "refused") {
                let id = short(&id);
                info!(%address, %id, client = %name, reason = %refused, "Light client refused");
            }
            return None;
        }
    };
    let may_log = shared.may_log(address, "connected");
    if may_log {
        let id = short(&id);
        info!(%address, %id, client = %name, les = version.number(), "Light client connected");
    }
    Some(Entered::Client(Box::new(Client { peer, seat, name, id, may_log, _registration })))
}

/// The first half of a node id's hash, as go-ethereum logs it.
fn short(id: &NodeId) -> String {
    id.to_string().chars().take(16).collect()
}
