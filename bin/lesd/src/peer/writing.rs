//! From replies and news to bytes.

use std::{io, sync::Arc, time::Duration};

use les_wire::{MessageKind, RequestKind, encode_resume, encode_stop, splice_reply};
use rlpx::{Payload, Reason};
use tokio::time::Instant;

use super::{Buffers, Peer, SEND_AHEAD};
use crate::{
    announce::Announcement,
    driver::Driver,
    ended::Ended,
    inbox::Delivery,
    node::Shared,
    scratch::{self, Scratch},
};

/// A peer that takes longer than this for the last bytes does not get them. Shorter than the time
/// in which a server that stops closes its connections.
const FAREWELL: Duration = Duration::from_secs(1);

/// Messages of ours are far below the limit of a frame; one that is not closes the connection.
#[allow(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
pub(super) fn write_failed(_: rlpx::WriteError) -> Ended {
    Ended::Decided(Reason::Requested)
}

impl Peer {
    /// Lends the thread's buffers, and sends what was put into `out`.
    pub(super) fn with_out(
        &mut self,
        work: impl FnOnce(&mut Self, &mut Buffers<'_>) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        scratch::with(|Scratch { workspace, items, message, out, .. }| {
            let result = work(self, &mut Buffers { workspace, items, message, out });
            self.send(out)?;
            result
        })
    }

    /// Appends a reply around items that are already encoded.
    pub(super) fn reply(
        &mut self,
        kind: RequestKind,
        request_id: u64,
        buffer_value: u64,
        items: &[u8],
        buffers: &mut Buffers<'_>,
    ) -> Result<(), Ended> {
        buffers.message.clear();
        splice_reply(request_id, buffer_value, items, buffers.message);
        let code = u64::from(kind.reply_code());
        let payload = match kind {
            // Hashes do not shrink: compressing them costs time and saves nothing.
            RequestKind::Proofs | RequestKind::HelperTrieProofs => {
                Payload::Literal(buffers.message)
            }
            RequestKind::Headers
            | RequestKind::Bodies
            | RequestKind::Receipts
            | RequestKind::Code
            | RequestKind::SendTx
            | RequestKind::TxStatus => Payload::Plain(buffers.message),
        };
        self.session
            .write(self.capability, code, payload, buffers.workspace, buffers.out)
            .map_err(write_failed)
    }

    pub(super) fn write(
        &mut self,
        kind: MessageKind,
        buffers: &mut Buffers<'_>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Ended> {
        buffers.message.clear();
        encode(buffers.message);
        let (code, payload) = (u64::from(kind.code()), Payload::Literal(buffers.message));
        self.session
            .write(self.capability, code, payload, buffers.workspace, buffers.out)
            .map_err(write_failed)
    }

    pub(super) fn on_deliveries(&mut self, driver: &Driver) -> Result<(), Ended> {
        // A slow reader's replies wait in the inbox, which has bounds.
        while self.outbox.is_empty() && self.deliver(SEND_AHEAD)? {}
        if let Some(reason) = self.inbox.closing() {
            return Err(Ended::Decided(reason));
        }
        if self.postponed.is_some() && self.outbox.is_empty() {
            self.on_received(driver)?;
        }
        Ok(())
    }

    /// Sends deliveries until there are so many bytes; says whether some may be left.
    pub(super) fn deliver(&mut self, most: usize) -> Result<bool, Ended> {
        let inbox = Arc::clone(&self.inbox);
        let mut left = true;
        self.with_out(|peer, buffers| {
            while buffers.out.len() < most {
                let Some(delivery) = inbox.pop() else {
                    left = false;
                    break;
                };
                match delivery {
                    Delivery::Reply { kind, request_id, buffer_value, items } => {
                        peer.reply(kind, request_id, buffer_value, &items, buffers)?;
                    }
                    Delivery::Stop => peer.write(MessageKind::Stop, buffers, encode_stop)?,
                    Delivery::Resume { buffer_value } => {
                        let encode = |out: &mut Vec<u8>| encode_resume(buffer_value, out);
                        peer.write(MessageKind::Resume, buffers, encode)?;
                    }
                    Delivery::Close(reason) => return Err(Ended::Decided(reason)),
                }
            }
            Ok(())
        })?;
        Ok(left)
    }

    pub(super) fn on_head(
        &mut self,
        shared: &Shared,
        announcement: &Announcement,
    ) -> Result<(), Ended> {
        let snapshot = shared.driver.backend().snapshot();
        self.with_out(|peer, buffers| {
            let mut message = Vec::new();
            let told = peer
                .announcer
                .announce(
                    announcement,
                    snapshot.as_ref(),
                    &shared.key,
                    Instant::now(),
                    &mut message,
                )
                .map_err(|_| Ended::Store)?;
            if told {
                peer.write(MessageKind::Announce, buffers, |out| out.extend_from_slice(&message))?;
            }
            Ok(())
        })
    }

    /// Writes as much of `out` as the socket takes and keeps the rest.
    pub(super) fn send(&mut self, out: &mut Vec<u8>) -> Result<(), Ended> {
        let mut sent = 0;
        while self.outbox.is_empty()
            && let Some(rest) = out.get(sent..).filter(|rest| !rest.is_empty())
        {
            let count = self.write_some(rest)?;
            sent = sent.saturating_add(count);
            if count == 0 {
                break;
            }
        }
        if let Some(rest) = out.get(sent..).filter(|rest| !rest.is_empty()) {
            self.outbox.keep(rest, Instant::now());
        }
        out.clear();
        Ok(())
    }

    /// Sends what was kept; says whether the socket took any of it.
    pub(super) fn flush(&mut self) -> Result<bool, Ended> {
        let mut took = false;
        while !self.outbox.is_empty() {
            let count = self.write_some(self.outbox.bytes())?;
            if count == 0 {
                break;
            }
            took = true;
            self.outbox.taken(count, Instant::now());
        }
        Ok(took)
    }

    /// Bytes that the socket takes now; zero if it is full.
    pub(super) fn write_some(&self, bytes: &[u8]) -> Result<usize, Ended> {
        match self.stream.try_write(bytes) {
            Ok(count) => Ok(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the peer why, as far as it still listens.
    pub(super) async fn farewell(&mut self, reason: Reason) {
        let mut last = self.outbox.take_bytes();
        if self.session.disconnect(reason, &mut last).is_ok() {
            let write = tokio::io::AsyncWriteExt::write_all(&mut self.stream, &last);
            drop(tokio::time::timeout(FAREWELL, write).await);
        }
    }
}
