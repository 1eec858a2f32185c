//! From bytes to requests, and to those answers that are read at once.

use les_engine::Fault;
use les_wire::{MessageKind, Request, RequestKind};
use rlpx::{Event, Workspace};
use tokio::time::Instant;

use super::{Buffers, FRAMES_AT_ONCE, Peer, Postponed, SEND_AHEAD, writing::write_failed};
use crate::{
    driver::{Driver, Outcome, Reply},
    ended::Ended,
    inbox::LONG_AHEAD,
    scratch::{self, Scratch},
};

impl Peer {
    /// Goes on with bytes that this wake-up put into the thread's read buffer.
    pub(super) fn on_readable(&mut self, driver: &Driver, count: usize) -> Result<(), Ended> {
        scratch::with(|Scratch { read, requests, workspace, items, message, out }| {
            let fresh = read.get_mut(..count).unwrap_or_default();
            let mut buffers = Buffers { workspace, items, message, out };
            let result = if self.received.is_empty() {
                self.on_bytes(driver, fresh, requests, &mut buffers).map(|used| {
                    self.received.extend_from_slice(fresh.get(used..).unwrap_or_default());
                    self.note_partial(used);
                })
            } else {
                self.received.extend_from_slice(fresh);
                self.take_received(driver, requests, &mut buffers)
            };
            self.send(buffers.out)?;
            result
        })
    }

    /// Goes on with bytes that were received before.
    pub(super) fn on_received(&mut self, driver: &Driver) -> Result<(), Ended> {
        scratch::with(|Scratch { requests, workspace, items, message, out, .. }| {
            let mut buffers = Buffers { workspace, items, message, out };
            let result = self.take_received(driver, requests, &mut buffers);
            self.send(buffers.out)?;
            result
        })
    }

    pub(super) fn take_received(
        &mut self,
        driver: &Driver,
        requests: &mut Workspace,
        buffers: &mut Buffers<'_>,
    ) -> Result<(), Ended> {
        let mut bytes = std::mem::take(&mut self.received);
        let used = self.on_bytes(driver, &mut bytes, requests, buffers)?;
        bytes.drain(..used);
        // An idle connection keeps no buffer, only the partial frame.
        bytes.shrink_to(bytes.len());
        self.received = bytes;
        self.note_partial(used);
        Ok(())
    }

    /// Notes whether a message is begun, unless it is we who do not go on reading.
    fn note_partial(&mut self, used: usize) {
        let reads = self.postponed.is_none() && !self.behind && self.outbox.is_empty();
        self.begun.read(used, reads && !self.received.is_empty(), Instant::now());
    }

    /// Reads frames until they are used up or enough is to be sent; returns the bytes used.
    pub(super) fn on_bytes(
        &mut self,
        driver: &Driver,
        bytes: &mut [u8],
        requests: &mut Workspace,
        buffers: &mut Buffers<'_>,
    ) -> Result<usize, Ended> {
        self.retry_postponed(driver, buffers)?;
        let (mut used, mut frames) = (0, 0);
        self.behind = false;
        while self.postponed.is_none() && self.outbox.is_empty() {
            if frames >= FRAMES_AT_ONCE {
                self.behind = true;
                break;
            }
            if buffers.out.len() >= SEND_AHEAD {
                self.send(buffers.out)?;
                continue;
            }
            let rest = bytes.get_mut(used..).unwrap_or_default();
            let read = self.session.read(rest, requests)?;
            used = used.saturating_add(read.consumed);
            frames += 1;
            match read.event {
                Event::Need(_) => break,
                Event::Ping | Event::Pong | Event::Ignored(_)
                    if !self.chatter.allows(Instant::now()) =>
                {
                    return Err(Ended::Chatter);
                }
                Event::Ping => self.session.pong(buffers.out).map_err(write_failed)?,
                Event::Pong | Event::Ignored(_) => {}
                Event::Disconnect(reason) => return Err(Ended::ByPeer(reason)),
                Event::Message { capability: _, code, payload } => {
                    self.on_message(driver, code, payload, buffers)?;
                }
            }
        }
        Ok(used)
    }

    pub(super) fn on_message(
        &mut self,
        driver: &Driver,
        code: u64,
        payload: &[u8],
        buffers: &mut Buffers<'_>,
    ) -> Result<(), Ended> {
        let code = u8::try_from(code).unwrap_or(u8::MAX);
        let request = match Request::decode(self.version, code, payload) {
            Ok(request) => request,
            Err(error) => {
                let known = MessageKind::from_code(self.version, code)
                    .is_some_and(|kind| matches!(kind, MessageKind::Request(_)));
                let fault = if known { Fault::Undecodable } else { Fault::UnexpectedMessage };
                driver.faulted(self.id, fault, payload.len());
                return Err(error.into());
            }
        };
        if self.is_ahead(driver, request.kind()) {
            self.postpone(code, payload);
            return Ok(());
        }
        match driver.ask(self.id, self.version, code, payload, &request) {
            Outcome::ReadHere(running) => {
                buffers.items.clear();
                match running.read(&request, buffers.items) {
                    Reply::Send(value) => {
                        let items = std::mem::take(buffers.items);
                        let sent = self.reply(request.kind(), request.id, value.0, &items, buffers);
                        *buffers.items = items;
                        sent
                    }
                    Reply::Suppressed => Ok(()),
                    Reply::Failed => Err(Ended::Store),
                }
            }
            Outcome::Elsewhere => {
                self.elsewhere = self.elsewhere.saturating_add(1);
                Ok(())
            }
            Outcome::Wait => {
                self.postpone(code, payload);
                Ok(())
            }
        }
    }

    fn postpone(&mut self, code: u8, payload: &[u8]) {
        self.postponed = Some(Box::new(Postponed { code, payload: payload.to_vec() }));
    }

    /// Whether readers would be too far ahead of this connection with one more reply of this kind.
    fn is_ahead(&mut self, driver: &Driver, kind: RequestKind) -> bool {
        let may_be_long =
            matches!(kind, RequestKind::Bodies | RequestKind::Receipts | RequestKind::Code);
        if !may_be_long || self.elsewhere < LONG_AHEAD {
            return false;
        }
        self.elsewhere = driver.open_jobs(self.id).saturating_add(self.inbox.replies());
        self.elsewhere >= LONG_AHEAD
    }

    pub(super) fn retry_postponed(
        &mut self,
        driver: &Driver,
        buffers: &mut Buffers<'_>,
    ) -> Result<(), Ended> {
        match self.postponed.take() {
            Some(postponed) => {
                let Postponed { code, payload } = *postponed;
                self.on_message(driver, u64::from(code), &payload, buffers)
            }
            None => Ok(()),
        }
    }
}
