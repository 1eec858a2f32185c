//! A connection to a full node after Status: messages in, answers and the follower's messages out.

use std::{collections::VecDeque, future::pending, pin::Pin, sync::Arc, time::Duration};

use chain_backend::BackendError;
use eth_sync::PeerId;
use eth_wire::{MessageKind, Version};
use rlpx::{Event, Payload, Reason, Session, Workspace};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{
    capability,
    ended::NodeEnded,
    hall::Hall,
    incoming::{self, Incoming},
    line::{Command, LineEnd, Notice},
    offers::Offers,
    question::Question,
};
use crate::{
    chatter::Chatter,
    ended::{Begun, Ended},
    node::Shared,
    outbox::UNREAD_AFTER,
};

/// Requests of a node that wait for their answers; nothing more is read from it meanwhile. An
/// honest one has a few under way.
const MAX_QUESTIONS: usize = 64;
/// Bytes that the socket may leave unsent before more is made ready.
const SEND_AHEAD: usize = 256 * 1024;
/// A message that is longer is taken apart on a thread of its own: it may cost milliseconds.
const INLINE_BYTES: usize = 16 * 1024;
/// Bytes read from the socket at once.
const READ_BYTES: usize = 64 * 1024;
/// Frames that are read before other tasks have their turn.
const FRAMES_AT_ONCE: u32 = 32;
/// A node that is silent this long is pinged, as by go-ethereum.
const PING_AFTER: Duration = Duration::from_secs(15);
/// A node that stays silent for so long after a ping is gone.
const PONG_WITHIN: Duration = Duration::from_secs(45);
/// Bytes of a buffer that are kept between messages. A message may have 10 MiB.
const KEPT_BYTES: usize = 64 * 1024;
/// For the last words.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

type Answering = Pin<Box<dyn Future<Output = Result<(MessageKind, Vec<u8>), Ended>> + Send>>;

/// An open connection.
pub(super) struct Open {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    session: Session,
    /// Index of `eth` among the shared capabilities.
    eth: usize,
    version: Version,
    peer: PeerId,
    notices: Option<mpsc::Sender<Notice>>,
    received: Vec<u8>,
    out: Vec<u8>,
    reading: Workspace,
    writing: Workspace,
    questions: VecDeque<Question>,
    offers: Offers,
    /// Whether the relay may have something to tell.
    has_offers: bool,
    chatter: Chatter,
    begun: Begun,
    /// When the node last sent something, or was answered.
    heard: Instant,
    pinged: Option<Instant>,
    /// Whether a pong is owed.
    owes_pong: bool,
    /// When the socket last took something, or had nothing to take.
    sent: Instant,
}

/// What a connection is woken for.
enum Wake {
    Received(usize),
    Sent(usize),
    Answered(Result<(MessageKind, Vec<u8>), Ended>),
    Command(Command),
    Offers,
    Closing,
    Due,
}

/// A frame that was read.
enum Frame {
    Message(u8, Vec<u8>),
    /// It asks for nothing.
    Other,
    /// It is not whole yet.
    Partial,
}

impl Open {
    pub(super) fn new(
        hall: Hall,
        version: Version,
        peer: PeerId,
        notices: Option<mpsc::Sender<Notice>>,
    ) -> Self {
        let Hall { stream, session, received, workspace } = hall;
        let (reader, writer) = stream.into_split();
        let now = Instant::now();
        let eth = capability(&session, eth_wire::CAPABILITY_NAME).map_or(0, |(index, _)| index);
        Self {
            reader,
            writer,
            session,
            eth,
            version,
            peer,
            notices,
            received,
            out: Vec::new(),
            reading: workspace,
            writing: Workspace::new(),
            questions: VecDeque::new(),
            offers: Offers::default(),
            has_offers: true,
            chatter: Chatter::new(now),
            begun: Begun::default(),
            heard: now,
            pinged: None,
            owes_pong: false,
            sent: now,
        }
    }

    /// Serves until the connection ends.
    pub(super) async fn run(
        &mut self,
        shared: &Arc<Shared>,
        end: &mut LineEnd,
        serving: &mut watch::Receiver<bool>,
    ) -> NodeEnded {
        match self.serve(shared, end, serving).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn serve(
        &mut self,
        shared: &Arc<Shared>,
        end: &mut LineEnd,
        serving: &mut watch::Receiver<bool>,
    ) -> Result<std::convert::Infallible, NodeEnded> {
        let mut relay = shared.relay.subscribe();
        let mut answering: Option<Answering> = None;
        loop {
            self.read_frames().await?;
            if answering.is_none() && self.out.len() < SEND_AHEAD {
                answering = self.questions.pop_front().map(|it| answer(it, Arc::clone(shared)));
            }
            self.make_ready(shared)?;
            let wake = self.next(end, serving, &mut relay, &mut answering).await?;
            match wake {
                Wake::Received(0) => return Err(Ended::Closed.into()),
                Wake::Received(_) => {
                    self.begun.received(Instant::now())?;
                    (self.heard, self.pinged) = (Instant::now(), None);
                }
                Wake::Sent(count) => {
                    self.out.drain(..count);
                    self.sent = Instant::now();
                    if self.out.is_empty() {
                        self.out.shrink_to(KEPT_BYTES);
                        self.writing.shrink_to(KEPT_BYTES);
                    }
                }
                Wake::Answered(answered) => {
                    answering = None;
                    let (kind, payload) = answered?;
                    self.write(kind, &payload)?;
                    self.heard = Instant::now();
                }
                Wake::Command(Command { kind, payload }) => self.write(kind, &payload)?,
                Wake::Offers => self.has_offers = true,
                Wake::Closing => {
                    let why = end.closing.borrow_and_update().clone();
                    return Err(why.map_or_else(|| Ended::Shutdown.into(), NodeEnded::from));
                }
                Wake::Due => self.on_due()?,
            }
        }
    }

    /// Waits until there is something to do.
    async fn next(
        &mut self,
        end: &mut LineEnd,
        serving: &mut watch::Receiver<bool>,
        relay: &mut watch::Receiver<u64>,
        answering: &mut Option<Answering>,
    ) -> Result<Wake, NodeEnded> {
        let due = self.due();
        let has_room = self.out.len() < SEND_AHEAD;
        let reads = self.questions.len() < MAX_QUESTIONS;
        let answered = async {
            match answering {
                Some(answer) => answer.await,
                None => pending().await,
            }
        };
        if reads {
            self.received.reserve(READ_BYTES);
        }
        tokio::select! {
            _ = serving.wait_for(|stop| *stop) => Err(Ended::Shutdown.into()),
            _ = end.closing.changed() => Ok(Wake::Closing),
            count = self.writer.write(&self.out), if !self.out.is_empty() => {
                Ok(Wake::Sent(count?))
            }
            answered = answered => Ok(Wake::Answered(answered)),
            Some(command) = end.commands.recv(), if has_room => Ok(Wake::Command(command)),
            count = self.reader.read_buf(&mut self.received), if reads => {
                Ok(Wake::Received(count?))
            }
            Ok(()) = relay.changed(), if !self.has_offers => Ok(Wake::Offers),
            () = sleep_until(due) => Ok(Wake::Due),
        }
    }

    /// When this connection is to be looked at even if nothing happens.
    fn due(&self) -> Instant {
        if !self.out.is_empty() {
            self.sent + UNREAD_AFTER
        } else {
            let pong = self.pinged.map(|pinged| pinged + PONG_WITHIN);
            pong.unwrap_or(self.heard + PING_AFTER)
        }
    }

    fn on_due(&mut self) -> Result<(), NodeEnded> {
        if Instant::now() < self.due() {
            return Ok(());
        }
        if !self.out.is_empty() {
            return Err(Ended::Unread.into());
        }
        if self.pinged.is_some() {
            return Err(Ended::Silent.into());
        }
        self.pinged = Some(Instant::now());
        self.begin_to_send();
        self.session.ping(&mut self.out).map_err(write_failed)
    }

    /// Reads all whole frames, and does what they ask for.
    async fn read_frames(&mut self) -> Result<(), NodeEnded> {
        let (mut used, mut frames) = (0, 0);
        while self.questions.len() < MAX_QUESTIONS {
            match self.read_frame(&mut used)? {
                Frame::Partial => break,
                Frame::Other => {}
                Frame::Message(code, payload) => self.on_message(code, payload).await?,
            }
            frames += 1;
            if frames % FRAMES_AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
        }
        // Once for all frames: each would move all that is behind it.
        self.received.drain(..used);
        let is_left = self.questions.len() < MAX_QUESTIONS && !self.received.is_empty();
        self.begun.read(used, is_left, Instant::now());
        if self.received.is_empty() {
            self.received.shrink_to(KEPT_BYTES);
            self.reading.shrink_to(KEPT_BYTES);
        }
        Ok(())
    }

    /// Reads the frame behind the first `used` bytes received, and adds its length to them.
    fn read_frame(&mut self, used: &mut usize) -> Result<Frame, NodeEnded> {
        let rest = self.received.get_mut(*used..).unwrap_or_default();
        let read = self.session.read(rest, &mut self.reading)?;
        *used = used.saturating_add(read.consumed);
        let frame = match read.event {
            Event::Need(_) => Frame::Partial,
            Event::Disconnect(reason) => return Err(Ended::ByPeer(reason).into()),
            Event::Message { capability, code, payload } if capability == self.eth => {
                Frame::Message(u8::try_from(code).unwrap_or(u8::MAX), payload.to_vec())
            }
            // A LES server wants nothing of another one; what it says is not looked at.
            event @ (Event::Ping | Event::Pong | Event::Ignored(_) | Event::Message { .. }) => {
                if !self.chatter.allows(Instant::now()) {
                    return Err(Ended::Chatter.into());
                }
                self.owes_pong |= matches!(event, Event::Ping);
                Frame::Other
            }
        };
        Ok(frame)
    }

    async fn on_message(&mut self, code: u8, payload: Vec<u8>) -> Result<(), NodeEnded> {
        let (peer, version) = (self.peer, self.version);
        let is_long = payload.len() > INLINE_BYTES;
        let read = move || incoming::read(peer, version, code, &payload);
        let incoming = if is_long {
            tokio::task::spawn_blocking(read).await.map_err(|_| Ended::Store)?
        } else {
            read()
        };
        match incoming? {
            Incoming::Question(question) => self.questions.push_back(question),
            Incoming::Transactions => {}
            Incoming::Event(event) => {
                if let Some(notices) = &self.notices {
                    // The follower ends only when the node does.
                    drop(notices.send(Notice::Event(event)).await);
                }
            }
        }
        Ok(())
    }

    /// Appends what is to be sent anyway, while the socket takes bytes.
    fn make_ready(&mut self, shared: &Shared) -> Result<(), NodeEnded> {
        if self.out.len() >= SEND_AHEAD {
            return Ok(());
        }
        if std::mem::take(&mut self.owes_pong) {
            self.begin_to_send();
            self.session.pong(&mut self.out).map_err(write_failed)?;
        }
        while self.has_offers && self.out.len() < SEND_AHEAD {
            let (messages, has_more) =
                self.offers.next(&shared.eth, self.peer, self.version, &shared.relay);
            for (kind, payload) in messages {
                self.write(kind, &payload)?;
            }
            self.has_offers = has_more;
        }
        Ok(())
    }

    fn write(&mut self, kind: MessageKind, payload: &[u8]) -> Result<(), NodeEnded> {
        self.begin_to_send();
        let (code, payload) = (u64::from(kind.code()), Payload::Plain(payload));
        self.session
            .write(self.eth, code, payload, &mut self.writing, &mut self.out)
            .map_err(write_failed)
    }

    /// The time to take bytes runs from when there are some.
    fn begin_to_send(&mut self) {
        if self.out.is_empty() {
            self.sent = Instant::now();
        }
    }

    /// Says why it ends, if there is something to say.
    pub(super) async fn farewell(mut self, reason: Option<Reason>) {
        if let Some(reason) = reason
            && self.session.disconnect(reason, &mut self.out).is_ok()
        {
            drop(timeout(FAREWELL_TIMEOUT, self.writer.write_all(&self.out)).await);
        }
    }
}

/// Reads the answer to a question, when it is its turn.
fn answer(question: Question, shared: Arc<Shared>) -> Answering {
    Box::pin(async move {
        // Never closed.
        let _turn = shared.eth.answering.acquire().await;
        let reader = Arc::clone(&shared);
        let read = move || {
            let snapshot = reader.driver.backend().snapshot();
            question.answer(snapshot.as_ref(), &reader.relay)
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failed(&error)),
            Err(_) => Err(Ended::Store),
        }
    })
}

fn failed(error: &BackendError) -> Ended {
    tracing::error!(%error, "Cannot answer a full node");
    Ended::Store
}

/// A message of ours that fits in no frame.
fn write_failed(_: rlpx::WriteError) -> NodeEnded {
    Ended::Decided(Reason::Requested).into()
}
