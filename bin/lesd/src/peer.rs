//! One connection after its handshake: frames in, replies out.

mod reading;
mod writing;

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use les_engine::PeerId;
use les_wire::Version;
use rlpx::{Session, Workspace};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, Sleep},
};

use crate::{
    announce::{Announcement, Announcer},
    chatter::Chatter,
    ended::{Begun, Ended},
    inbox::Inbox,
    node::Shared,
    outbox::Outbox,
    scratch,
};

use self::writing::write_failed;

/// Frames that one wake-up may leave unsent before it stops reading more requests.
const SEND_AHEAD: usize = 256 * 1024;
/// Frames of one peer that are read before others have their turn.
const FRAMES_AT_ONCE: u32 = 32;
/// A peer that is silent this long is pinged; go-ethereum pings us every 15 s.
const PING_AFTER: Duration = Duration::from_secs(30);
/// A peer that stays silent after a ping is gone.
const SILENT_AFTER: Duration = Duration::from_secs(60);

/// A message that was decoded while the client had too many requests open, or too much to take.
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
    /// At most so many requests are read elsewhere, or wait in the inbox with their replies.
    elsewhere: usize,
    chatter: Chatter,
    begun: Begun,
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
    ) -> Self {
        let now = Instant::now();
        Self {
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
            elsewhere: 0,
            chatter: Chatter::new(now),
            begun: Begun::default(),
            behind: false,
            heard: now,
            pinged: false,
        }
    }

    /// Serves until the connection ends.
    pub(crate) async fn run(&mut self, shared: &Shared, shutdown: watch::Receiver<bool>) -> Ended {
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
                    self.begun.received(Instant::now())?;
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
                    self.on_news(shared, head, shutdown)?;
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
        let silent = self.silent_at();
        // While the socket is full, what it takes next decides.
        let waits = self.announcer.due().filter(|_| self.outbox.is_empty());
        waits.map_or(silent, |announcement| announcement.min(silent))
    }

    /// When the peer will have been silent for too long.
    fn silent_at(&self) -> Instant {
        if !self.outbox.is_empty() {
            self.outbox.deadline()
        } else if self.pinged {
            self.heard + SILENT_AFTER
        } else {
            self.heard + PING_AFTER
        }
    }

    fn on_due(&mut self) -> Result<(), Ended> {
        if Instant::now() < self.silent_at() {
            return Ok(());
        }
        if !self.outbox.is_empty() {
            return Err(Ended::Unread);
        }
        if self.postponed.is_some() || self.behind {
            // It is we who do not listen.
            self.lives();
            return Ok(());
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
        if self.outbox.is_empty()
            && head.has_changed().is_ok_and(|changed| changed)
            && self.announcer.is_free(Instant::now())
        {
            let announcement = Arc::clone(&head.borrow_and_update());
            self.on_head(shared, &announcement)?;
        }
        Ok(())
    }
}
