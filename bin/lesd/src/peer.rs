//! One connection after its handshake: frames in, replies out.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use les_engine::{Fault, PeerId};
use les_wire::{
    MessageKind, Request, RequestKind, Version, encode_resume, encode_stop, splice_reply,
};
use rlpx::{Event, Payload, Reason, Session, Workspace};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, Sleep},
};

use crate::{
    announce::{Announcement, Announcer},
    chatter::Chatter,
    driver::{Driver, Outcome, Reply},
    ended::Ended,
    inbox::{Delivery, Inbox},
    node::Shared,
    outbox::Outbox,
    scratch::{self, Scratch},
};

/// Frames that one wake-up may leave unsent before it stops reading more requests.
const SEND_AHEAD: usize = 256 * 1024;
/// Frames of one peer that are read before others have their turn.
const FRAMES_AT_ONCE: u32 = 32;
/// A peer that is silent this long is pinged; go-ethereum pings us every 15 s.
const PING_AFTER: Duration = Duration::from_secs(30);
/// A peer that stays silent after a ping is gone.
const SILENT_AFTER: Duration = Duration::from_secs(60);

/// A message that was decoded while the client had too many requests open.
#[derive(Debug)]
struct Postponed {
    code: u8,
    payload: Vec<u8>,
}

/// An open connection. Everything in it but partial frames is of fixed size.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    pub(crate) session: Session,
    /// Index of `les` among the shared capabilities.
    pub(crate) capability: usize,
    pub(crate) version: Version,
    /// Bytes received and not yet read: a partial frame, or frames behind [`SEND_AHEAD`].
    pub(crate) received: Vec<u8>,
    /// Bytes that the socket did not take.
    outbox: Outbox,
    pub(crate) id: PeerId,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) announcer: Announcer,
    postponed: Option<Box<Postponed>>,
    chatter: Chatter,
    /// Whether whole frames may be left in `received`.
    behind: bool,
    /// When the peer last sent or took something.
    heard: Instant,
    /// Whether it was pinged since.
    pinged: bool,
}

/// What a connection is woken for.
#[derive(Debug)]
enum Wake {
    /// So many bytes are in the thread's read buffer; none: the peer closed.
    Received(usize),
    /// The socket may take more.
    Writable,
    /// Others have something for this connection, or the node has for all.
    News,
    /// Others had their turn.
    Turn,
    /// The timer ran out.
    Due,
}

/// What a pass over received bytes needs besides the connection.
struct Buffers<'a> {
    workspace: &'a mut Workspace,
    items: &'a mut Vec<u8>,
    message: &'a mut Vec<u8>,
    out: &'a mut Vec<u8>,
}

impl Peer {
    #[allow(clippy::too_many_arguments, reason = "the parts of a connection, each of its own type")]
    pub(crate) fn new(
        stream: TcpStream,
        session: Session,
        capability: usize,
        version: Version,
        received: Vec<u8>,
        id: PeerId,
        inbox: Arc<Inbox>,
        announcer: Announcer,
    ) -> Box<Self> {
        let now = Instant::now();
        Box::new(Self {
            stream,
            session,
            capability,
            version,
            received,
            outbox: Outbox::new(now),
            id,
            inbox,
            announcer,
            postponed: None,
            chatter: Chatter::new(now),
            behind: false,
            heard: now,
            pinged: false,
        })
    }

    /// Serves until the connection ends.
    pub(crate) async fn run(
        mut self: Box<Self>,
        shared: &Shared,
        shutdown: watch::Receiver<bool>,
    ) -> Ended {
        let mut head = shared.head.subscribe();
        let ended = match self.serve(shared, &mut head, &shutdown).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        };
        if let Some(reason) = ended.reason() {
            self.farewell(reason).await;
        }
        ended
    }

    async fn serve(
        &mut self,
        shared: &Shared,
        head: &mut watch::Receiver<Arc<Announcement>>,
        shutdown: &watch::Receiver<bool>,
    ) -> Result<std::convert::Infallible, Ended> {
        let driver = &shared.driver;
        // Frames may have come with the handshake, and the head may have changed since it went
        // into Status.
        self.on_received(driver)?;
        head.mark_changed();
        self.on_news(shared, head, shutdown)?;
        // One timer, set anew only when it ran out too early: traffic never touches it.
        let mut timer = pin!(tokio::time::sleep_until(self.due()));
        loop {
            if self.due() < timer.deadline() {
                timer.as_mut().reset(self.due());
            }
            match self.next(timer.as_mut()).await? {
                Wake::News => self.on_news(shared, head, shutdown)?,
                Wake::Turn => self.on_received(driver)?,
                Wake::Received(0) => return Err(Ended::Closed),
                Wake::Received(count) => {
                    self.lives();
                    self.on_readable(driver, count)?;
                }
                Wake::Writable => {
                    if self.flush()? {
                        // Whoever takes bytes lives.
                        self.lives();
                    }
                    if self.outbox.is_empty() {
                        self.on_news(shared, head, shutdown)?;
                        self.on_received(driver)?;
                    }
                }
                Wake::Due => {
                    self.on_due()?;
                    timer.as_mut().reset(self.due());
                }
            }
        }
    }

    /// Waits until there is something to do.
    async fn next(&mut self, mut timer: Pin<&mut Sleep>) -> io::Result<Wake> {
        let mut yielded = false;
        poll_fn(|context| self.poll_next(context, timer.as_mut(), &mut yielded)).await
    }

    /// Bytes that this receives lie in the thread's read buffer until the task waits again.
    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        timer: Pin<&mut Sleep>,
        yielded: &mut bool,
    ) -> Poll<io::Result<Wake>> {
        if self.inbox.poll_news(context) {
            return Poll::Ready(Ok(Wake::News));
        }
        if !self.outbox.is_empty() {
            if let Poll::Ready(writable) = self.stream.poll_write_ready(context) {
                return Poll::Ready(writable.map(|()| Wake::Writable));
            }
        } else if self.behind {
            // A socket that always has more would keep this thread to itself.
            if std::mem::replace(yielded, true) {
                return Poll::Ready(Ok(Wake::Turn));
            }
            context.waker().wake_by_ref();
        } else if self.postponed.is_none()
            && let Poll::Ready(count) = scratch::poll_read(&mut self.stream, context)
        {
            return Poll::Ready(count.map(Wake::Received));
        }
        timer.poll(context).map(|()| Ok(Wake::Due))
    }

    /// When this connection is to be looked at even if nothing happens.
    fn due(&self) -> Instant {
        if !self.outbox.is_empty() {
            self.outbox.deadline()
        } else if self.pinged {
            self.heard + SILENT_AFTER
        } else {
            self.heard + PING_AFTER
        }
    }

    fn on_due(&mut self) -> Result<(), Ended> {
        if Instant::now() < self.due() {
            return Ok(());
        }
        if !self.outbox.is_empty() {
            return Err(Ended::Unread);
        }
        if self.pinged {
            return Err(Ended::Silent);
        }
        self.pinged = true;
        self.with_out(|peer, buffers| peer.session.ping(buffers.out).map_err(write_failed))
    }

    fn lives(&mut self) {
        (self.heard, self.pinged) = (Instant::now(), false);
    }

    /// Sends what others have for this connection, and the head if it changed.
    fn on_news(
        &mut self,
        shared: &Shared,
        head: &mut watch::Receiver<Arc<Announcement>>,
        shutdown: &watch::Receiver<bool>,
    ) -> Result<(), Ended> {
        if *shutdown.borrow() {
            // What was admitted is answered, even if the peer reads slowly.
            self.deliver(usize::MAX)?;
            return Err(Ended::Shutdown);
        }
        self.on_deliveries(&shared.driver)?;
        // The sender lives as long as the node.
        if self.outbox.is_empty() && head.has_changed().is_ok_and(|changed| changed) {
            let announcement = Arc::clone(&head.borrow_and_update());
            self.on_head(shared, &announcement)?;
        }
        Ok(())
    }

    /// Lends the thread's buffers, and sends what was put into `out`.
    fn with_out(
        &mut self,
        work: impl FnOnce(&mut Self, &mut Buffers<'_>) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        scratch::with(|Scratch { workspace, items, message, out, .. }| {
            let result = work(self, &mut Buffers { workspace, items, message, out });
            self.send(out)?;
            result
        })
    }

    /// Goes on with bytes that this wake-up put into the thread's read buffer.
    fn on_readable(&mut self, driver: &Driver, count: usize) -> Result<(), Ended> {
        scratch::with(|Scratch { read, requests, workspace, items, message, out }| {
            let fresh = read.get_mut(..count).unwrap_or_default();
            let mut buffers = Buffers { workspace, items, message, out };
            let result = if self.received.is_empty() {
                self.on_bytes(driver, fresh, requests, &mut buffers).map(|used| {
                    self.received.extend_from_slice(fresh.get(used..).unwrap_or_default());
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
    fn on_received(&mut self, driver: &Driver) -> Result<(), Ended> {
        scratch::with(|Scratch { requests, workspace, items, message, out, .. }| {
            let mut buffers = Buffers { workspace, items, message, out };
            let result = self.take_received(driver, requests, &mut buffers);
            self.send(buffers.out)?;
            result
        })
    }

    fn take_received(
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
        Ok(())
    }

    /// Reads frames until they are used up or enough is to be sent; returns the bytes used.
    fn on_bytes(
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

    fn on_message(
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
            Outcome::Elsewhere => Ok(()),
            Outcome::Wait => {
                self.postponed = Some(Box::new(Postponed { code, payload: payload.to_vec() }));
                Ok(())
            }
        }
    }

    fn retry_postponed(&mut self, driver: &Driver, buffers: &mut Buffers<'_>) -> Result<(), Ended> {
        match self.postponed.take() {
            Some(postponed) => {
                let Postponed { code, payload } = *postponed;
                self.on_message(driver, u64::from(code), &payload, buffers)
            }
            None => Ok(()),
        }
    }

    /// Appends a reply around items that are already encoded.
    fn reply(
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

    fn write(
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

    fn on_deliveries(&mut self, driver: &Driver) -> Result<(), Ended> {
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
    fn deliver(&mut self, most: usize) -> Result<bool, Ended> {
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

    fn on_head(&mut self, shared: &Shared, announcement: &Announcement) -> Result<(), Ended> {
        let snapshot = shared.driver.backend().snapshot();
        self.with_out(|peer, buffers| {
            let mut message = Vec::new();
            let told = peer
                .announcer
                .announce(announcement, snapshot.as_ref(), &shared.key, &mut message)
                .map_err(|_| Ended::Store)?;
            if told {
                peer.write(MessageKind::Announce, buffers, |out| out.extend_from_slice(&message))?;
            }
            Ok(())
        })
    }

    /// Writes as much of `out` as the socket takes and keeps the rest.
    fn send(&mut self, out: &mut Vec<u8>) -> Result<(), Ended> {
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
    fn flush(&mut self) -> Result<bool, Ended> {
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
    fn write_some(&self, bytes: &[u8]) -> Result<usize, Ended> {
        match self.stream.try_write(bytes) {
            Ok(count) => Ok(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the peer why, as far as it still listens.
    async fn farewell(mut self: Box<Self>, reason: Reason) {
        let mut last = self.outbox.take_bytes();
        if self.session.disconnect(reason, &mut last).is_ok() {
            let write = tokio::io::AsyncWriteExt::write_all(&mut self.stream, &last);
            drop(tokio::time::timeout(FAREWELL, write).await);
        }
    }
}

/// A peer that takes longer than this for the last bytes does not get them. Shorter than the time
/// in which a server that stops closes its connections.
const FAREWELL: Duration = Duration::from_secs(1);

/// Messages of ours are far below the limit of a frame; one that is not closes the connection.
#[allow(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
fn write_failed(_: rlpx::WriteError) -> Ended {
    Ended::Decided(Reason::Requested)
}
