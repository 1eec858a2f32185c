//! One connection to a full node, from its Hello to its end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use eth_sync::Event as CoreEvent;
use rlpx::{NodeId, Reason};
use tokio::{net::TcpStream, sync::watch, time::Instant};
use tracing::{info, warn};

use super::{
    ended::NodeEnded,
    hall::{Hall, Welcomed},
    line::{Line, Notice},
    open::Open,
    slots::{Slot, Standing},
};
use crate::{
    handshake::Greeted,
    listener::Permit,
    node::Shared,
    peer_table::{Connected, ProtocolStatus, Registration},
};

/// A full node that was greeted.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
    pub(crate) greeted: Greeted,
    /// The place among handshakes under way, if it dialled us.
    pub(crate) permit: Option<Permit>,
}

/// Names a connection in log lines.
struct Names {
    address: SocketAddr,
    id: NodeId,
    client: String,
}

/// Serves and follows a full node to the end of its connection. Says how long that held after
/// Status; `None` if it never came so far.
pub(crate) async fn serve(
    guest: Guest,
    shared: &Arc<Shared>,
    mut serving: watch::Receiver<bool>,
) -> Option<Duration> {
    let names = Names {
        address: guest.address,
        id: *guest.greeted.session.remote(),
        client: guest.greeted.client.clone(),
    };
    let peer = shared.eth.new_peer();
    let (line, mut end) = Line::new();
    let (welcomed, _slot, _registration) = match enter(guest, &line, shared).await {
        Ok(entered) => entered,
        Err(ended) => {
            if shared.may_log(names.address, "refused") {
                let Names { address, id, client } = &names;
                let id = short(id);
                info!(%address, %id, %client, reason = %ended, "Full node refused");
            }
            return None;
        }
    };
    let Welcomed { hall, version, status, told } = welcomed;
    let began = Instant::now();
    if shared.may_log(names.address, "connected") {
        let Names { address, id, client } = &names;
        let (id, eth, td) = (short(id), version.number(), status.total_difficulty);
        info!(%address, %id, %client, eth, %td, "Full node connected");
    }
    let notices = shared.eth.notices.lock().clone();
    let status = eth_sync::Status { head: status.head, total_difficulty: status.total_difficulty };
    if let Some(notices) = &notices {
        // The follower ends only when the node does.
        drop(notices.send(Notice::Connected { peer, status, told, line }).await);
    }
    shared.eth.open.lock().insert(peer);
    let mut open = Open::new(hall, version, peer, notices.clone());
    let ended = open.run(shared, &mut end, &mut serving).await;
    shared.eth.open.lock().remove(&peer);
    if let Some(notices) = &notices {
        drop(notices.send(Notice::Event(Box::new(CoreEvent::Disconnected { peer }))).await);
    }
    open.farewell(ended.reason()).await;
    report(&names, &ended, shared);
    Some(began.elapsed())
}

fn report(names: &Names, ended: &NodeEnded, shared: &Shared) {
    let Names { address, id, client } = names;
    let id = short(id);
    if ended.is_fault() {
        if shared.may_log(*address, "ended") {
            warn!(%address, %id, %client, reason = %ended, "Full node dropped");
        }
    } else if shared.may_log(*address, "gone") {
        info!(%address, %id, %client, reason = %ended, "Full node gone");
    }
}

/// The first half of a node id's hash, as go-ethereum logs it.
fn short(id: &NodeId) -> String {
    id.to_string().chars().take(16).collect()
}

/// Finds a place for a full node, and exchanges Status with it.
async fn enter(
    guest: Guest,
    line: &Arc<Line>,
    shared: &Arc<Shared>,
) -> Result<(Welcomed, Slot, Registration), NodeEnded> {
    let Guest { stream, address, greeted, permit } = guest;
    let id = *greeted.session.remote();
    let dialer = &shared.eth.dialer;
    let is_static = dialer.contains(&id);
    let local = stream.local_addr().map_err(|error| NodeEnded::Plain(error.into()))?;
    let peer = Connected {
        id,
        client: greeted.client.as_str().into(),
        capabilities: greeted.session.shared().iter().map(|it| it.capability).collect(),
        remote: address,
        local,
        inbound: permit.is_some(),
        is_static,
    };
    let hall = Hall::new(stream, greeted);
    let standing = if shared.peers.is_trusted(&id) {
        Standing::Trusted
    } else if is_static {
        Standing::Named
    } else {
        Standing::Stranger
    };
    let Some(slot) = shared.eth.slots.take(standing, dialer.len()) else {
        return Err(hall.refuse(NodeEnded::Refused(Reason::TooManyPeers)).await);
    };
    let registered = shared.peers.register(peer, Arc::clone(line) as Arc<_>);
    let Some(registration) = registered else {
        return Err(hall.refuse(NodeEnded::Refused(Reason::AlreadyConnected)).await);
    };
    let welcomed = hall.exchange_status(shared).await?;
    drop(permit);
    registration.set_status(ProtocolStatus {
        protocol: eth_wire::CAPABILITY_NAME,
        version: u64::from(welcomed.version.number()),
        difficulty: welcomed.status.total_difficulty,
        head: welcomed.status.head,
    });
    Ok((welcomed, slot, registration))
}
