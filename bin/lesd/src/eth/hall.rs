//! A connection to a full node while both sides say what they are.

use std::{sync::Arc, time::Duration};

use alloy_primitives::B256;
use eth_wire::{MessageKind, Status, Version};
use rlpx::{Event, Payload, Session, Workspace};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{capability, ended::NodeEnded, status};
use crate::{
    announce::Announcement, chatter::Chatter, ended::Ended, handshake::Greeted, node::Shared,
    status as les_status,
};

/// From our Status to the peer's, as in go-ethereum.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);
/// A Status of `eth` has 100 bytes, one of `les` up to 100,000.
const STATUS_LIMIT: usize = 128 * 1024;

/// A session without Status.
#[derive(Debug)]
pub(super) struct Hall {
    pub(super) stream: TcpStream,
    pub(super) session: Session,
    pub(super) received: Vec<u8>,
    pub(super) workspace: Workspace,
}

/// A full node whose chain is ours.
#[derive(Debug)]
pub(super) struct Welcomed {
    pub(super) hall: Hall,
    pub(super) version: Version,
    pub(super) status: Status,
    /// The head in our Status.
    pub(super) told: B256,
}

impl Hall {
    pub(super) fn new(stream: TcpStream, greeted: Greeted) -> Self {
        let Greeted { mut session, rest, .. } = greeted;
        session.set_message_limit(STATUS_LIMIT);
        Self { stream, session, received: rest, workspace: Workspace::new() }
    }

    /// Sends ours at once, waits for theirs, compares.
    pub(super) async fn exchange_status(mut self, shared: &Shared) -> Result<Welcomed, NodeEnded> {
        let exchange = async {
            let announcement = Arc::clone(&shared.head.borrow());
            let (index, version) = self.send_ours(shared, &announcement).await?;
            let theirs = self.read_theirs(index).await?;
            match status::mismatch(&shared.offer, version, &announcement, &theirs) {
                Some(mismatch) => Err(NodeEnded::Mismatch(mismatch)),
                None => Ok((version, theirs, announcement.head().hash)),
            }
        };
        let exchanged = timeout(STATUS_TIMEOUT, exchange).await;
        match exchanged.unwrap_or(Err(NodeEnded::NoStatus)) {
            Ok((version, status, told)) => {
                self.session.set_message_limit(eth_wire::MAX_MESSAGE_BYTES);
                Ok(Welcomed { hall: self, version, status, told })
            }
            Err(ended) => Err(self.refuse(ended).await),
        }
    }

    /// Sends our Status of `eth`, and that of `les` where it is shared: a LES server waits for it.
    async fn send_ours(
        &mut self,
        shared: &Shared,
        announcement: &Announcement,
    ) -> Result<(usize, Version), NodeEnded> {
        let eth = capability(&self.session, eth_wire::CAPABILITY_NAME)
            .and_then(|(index, number)| Some((index, Version::from_number(number)?)));
        // Whoever made this connection saw to it that there is one.
        let (index, version) = eth.ok_or(NodeEnded::NoStatus)?;
        let mut out = Vec::new();
        let mut message = Vec::new();
        status::ours(&shared.offer, version, announcement).encode(&mut message);
        self.append(index, &message, &mut out)?;
        let les = capability(&self.session, les_wire::CAPABILITY_NAME)
            .and_then(|(index, number)| Some((index, les_wire::Version::from_number(number)?)));
        if let Some((index, version)) = les {
            message.clear();
            let flow_control = shared.driver.flow_control();
            les_status::status(&shared.offer, version, announcement, flow_control)
                .encode(&mut message);
            self.append(index, &message, &mut out)?;
        }
        self.stream.write_all(&out).await?;
        Ok((index, version))
    }

    /// Appends a Status; it has the same code in both protocols.
    fn append(&mut self, index: usize, status: &[u8], out: &mut Vec<u8>) -> Result<(), NodeEnded> {
        let code = u64::from(MessageKind::Status.code());
        self.session
            .write(index, code, Payload::Plain(status), &mut self.workspace, out)
            .map_err(|_| NodeEnded::NoStatus)
    }

    async fn read_theirs(&mut self, eth: usize) -> Result<Status, NodeEnded> {
        let mut chatter = Chatter::new(Instant::now());
        loop {
            let read = self.session.read(&mut self.received, &mut self.workspace)?;
            let used = read.consumed;
            let mut needs_more = false;
            let status = match read.event {
                Event::Need(_) => {
                    needs_more = true;
                    None
                }
                Event::Disconnect(reason) => return Err(Ended::ByPeer(reason).into()),
                Event::Message { capability, code: 0, payload } if capability == eth => {
                    Some(Status::decode(payload).map_err(Ended::from)?)
                }
                Event::Message { capability, code, .. } if capability == eth => {
                    return Err(NodeEnded::AnotherMessage(code));
                }
                Event::Ping | Event::Pong | Event::Ignored(_) | Event::Message { .. } => {
                    if !chatter.allows(Instant::now()) {
                        return Err(Ended::Chatter.into());
                    }
                    None
                }
            };
            self.received.drain(..used);
            if let Some(status) = status {
                return Ok(status);
            }
            if needs_more && self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(Ended::Closed.into());
            }
        }
    }

    /// Tells the peer why it is not taken.
    pub(super) async fn refuse(mut self, ended: NodeEnded) -> NodeEnded {
        let mut out = Vec::new();
        if let Some(reason) = ended.reason()
            && self.session.disconnect(reason, &mut out).is_ok()
        {
            drop(timeout(STATUS_TIMEOUT, self.stream.write_all(&out)).await);
        }
        ended
    }
}
