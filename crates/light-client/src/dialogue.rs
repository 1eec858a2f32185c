//! What may be said when, once both sides have said Hello.

use std::collections::BTreeMap;

use flow_control::{Capacity, Cost, Mirror, Rate, Time};
use les_wire::{
    Announce, CostList, Head, MessageKind, Reply, ReplyKind, RequestKind, SIGNATURE_BYTES, Status,
    Update, Updates, Version, decode_resume,
};
use rlpx::Hello;

use crate::connection::ConnectionError;
use crate::new_request::NewRequest;

/// Requests without a reply at most. A buffer of the usual size holds fewer even of the cheapest.
pub const PENDING_LIMIT: usize = 1_024;

/// What happened on a connection.
#[derive(Debug)]
pub enum Event {
    /// Hello was exchanged.
    Connected {
        /// The server's Hello.
        hello: Hello,
        /// The version of `les` that both will speak.
        version: Version,
    },
    /// The server's Status.
    Status(Box<Status>),
    /// A reply to a request of ours. Nothing in it is verified.
    Reply(ReceivedReply),
    /// A new head.
    Announced(Announcement),
    /// The server answers nothing until [`Event::Resumed`]; the requests with these ids are lost.
    Stopped {
        /// Ids of the requests that get no reply.
        lost: Vec<u64>,
    },
    /// Requests may be sent again.
    Resumed,
}

/// A reply that is well-formed and answers a request of ours.
#[derive(Debug)]
pub struct ReceivedReply {
    /// Id of the request.
    pub id: u64,
    /// Kind of the request.
    pub kind: RequestKind,
    /// The message.
    payload: Vec<u8>,
}

impl ReceivedReply {
    /// Its content.
    ///
    /// # Errors
    /// None in practice: it was decoded when it came.
    pub fn decode(&self) -> Result<Reply<'_>, les_wire::DecodeError> {
        Reply::decode(self.kind.reply(), &self.payload)
    }

    /// Bytes of the message.
    pub const fn size(&self) -> usize {
        self.payload.len()
    }
}

/// An announced head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Announcement {
    /// The head.
    pub head: Head,
    /// Blocks between the head that was announced last and the common ancestor.
    pub reorg_depth: u64,
    /// The server's signature over [`Announce::signing_digest`], if there is one.
    pub signature: Option<[u8; SIGNATURE_BYTES]>,
}

/// How long a request has to wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wait {
    /// Not at all.
    Not,
    /// This many nanoseconds.
    Nanos(u64),
    /// Until a reply or an update comes.
    UntilReply,
    /// Until the server resumes.
    UntilResumed,
    /// Until both sides have sent Status.
    NotReady,
}

/// Why a request was not sent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SendError {
    /// Flow control does not let it go now.
    #[error("the request has to wait")]
    Wait(Wait),
    /// More items than one request may ask for, or none.
    #[error("{kind:?} takes from 1 to {limit} items, not {items}")]
    ItemCount {
        /// Kind of the request.
        kind: RequestKind,
        /// Its limit.
        limit: usize,
        /// What was asked for.
        items: u64,
    },
    /// The server announced no cost for this kind.
    #[error("the server does not serve {}", .0.name())]
    NotServed(RequestKind),
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] rlpx::WriteError),
}

/// State of the protocol on one connection.
#[derive(Debug)]
pub(crate) struct Dialogue {
    version: Version,
    status_sent: bool,
    /// `None` until the server's Status has come.
    service: Option<Service>,
    stopped: bool,
    next_id: u64,
    pending: BTreeMap<u64, RequestKind>,
}

/// What the server offers.
#[derive(Debug)]
struct Service {
    costs: CostList,
    mirror: Mirror,
}

impl Dialogue {
    pub(crate) const fn new(version: Version) -> Self {
        let pending = BTreeMap::new();
        Self { version, status_sent: false, service: None, stopped: false, next_id: 0, pending }
    }

    /// Notes that our Status is sent; `false` if it was before.
    pub(crate) const fn status_sent(&mut self) -> bool {
        !std::mem::replace(&mut self.status_sent, true)
    }

    pub(crate) fn wait(&mut self, request: &NewRequest<'_>, now: Time) -> Wait {
        let Some(service) = self.service.as_mut().filter(|_| self.status_sent) else {
            return Wait::NotReady;
        };
        if self.stopped {
            return Wait::UntilResumed;
        }
        if self.pending.len() >= PENDING_LIMIT {
            return Wait::UntilReply;
        }
        let cost = request.max_cost(&service.costs).unwrap_or(u64::MAX);
        match service.mirror.wait(Cost(cost), now) {
            Some(0) => Wait::Not,
            Some(nanos) => Wait::Nanos(nanos),
            None => Wait::UntilReply,
        }
    }

    /// Notes that a request is sent, and gives it an id.
    pub(crate) fn sent(&mut self, request: &NewRequest<'_>, now: Time) -> Result<u64, SendError> {
        let (kind, items) = (request.kind(), request.items());
        let limit = kind.item_limit();
        if items == 0 || usize::try_from(items).is_ok_and(|items| items > limit) {
            return Err(SendError::ItemCount { kind, limit, items });
        }
        let wait = self.wait(request, now);
        if wait != Wait::Not {
            return Err(SendError::Wait(wait));
        }
        let Some(service) = &mut self.service else {
            return Err(SendError::Wait(Wait::NotReady));
        };
        let cost = request.max_cost(&service.costs).ok_or(SendError::NotServed(kind))?;
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        service.mirror.sent(id, Cost(cost), now);
        self.pending.insert(id, kind);
        Ok(id)
    }

    /// Takes a message of the server.
    pub(crate) fn receive(
        &mut self,
        code: u64,
        payload: &[u8],
        now: Time,
    ) -> Result<Option<Event>, ConnectionError> {
        let known = u8::try_from(code).ok();
        let kind = known.and_then(|code| MessageKind::from_code(self.version, code));
        let Some(kind) = kind else { return Err(ConnectionError::UnknownCode { code }) };
        let unexpected = ConnectionError::Unexpected { what: kind.name() };
        let event = match (kind, self.service.is_some()) {
            (MessageKind::Status, false) => self.take_status(payload, now)?,
            (MessageKind::Status, true) | (MessageKind::Request(_), _) | (_, false) => {
                return Err(unexpected);
            }
            (MessageKind::Announce, true) => return self.take_announce(payload, now),
            (MessageKind::Reply(kind), true) => return self.take_reply(kind, payload, now),
            (MessageKind::Stop, true) => {
                self.stopped = true;
                Event::Stopped { lost: std::mem::take(&mut self.pending).into_keys().collect() }
            }
            (MessageKind::Resume, true) => {
                let buffer_value = decode_resume(payload)?;
                self.stopped = false;
                if let Some(service) = &mut self.service {
                    service.mirror.resumed(Cost(buffer_value), now);
                }
                Event::Resumed
            }
        };
        Ok(Some(event))
    }

    fn take_status(&mut self, payload: &[u8], now: Time) -> Result<Event, ConnectionError> {
        let status = Status::decode(payload)?;
        let negotiated = self.version.number();
        if status.protocol_version != u64::from(negotiated) {
            let announced = status.protocol_version;
            return Err(ConnectionError::WrongVersion { negotiated, announced });
        }
        let flow = status.flow_control.unwrap_or_default();
        let capacity = capacity(flow.buffer_limit, flow.recharge_per_ms);
        let mirror = Mirror::new(capacity, now);
        self.service = Some(Service { costs: flow.costs, mirror });
        Ok(Event::Status(Box::new(status)))
    }

    fn take_announce(
        &mut self,
        payload: &[u8],
        now: Time,
    ) -> Result<Option<Event>, ConnectionError> {
        let announce = Announce::decode(payload)?;
        self.update(&announce.updates, now);
        let signature = announce.updates.signature().copied();
        let (head, reorg_depth) = (announce.head, announce.reorg_depth);
        let announcement = Announcement { head, reorg_depth, signature };
        Ok((!head.hash.is_zero()).then_some(Event::Announced(announcement)))
    }

    /// Applies new parameters: the buffer's only if both are there, as in go-ethereum.
    fn update(&mut self, updates: &Updates<'_>, now: Time) {
        let Some(service) = &mut self.service else { return };
        let (mut limit, mut recharge) = (None, None);
        for update in updates.iter() {
            match update {
                Update::BufferLimit(value) => limit = Some(value),
                Update::RechargePerMs(value) => recharge = Some(value),
                Update::Costs(costs) => service.costs = service.costs.updated(&costs),
                Update::Signature(_) | Update::Other { .. } => {}
            }
        }
        if let (Some(limit), Some(recharge)) = (limit, recharge) {
            service.mirror.update(capacity(limit, recharge), now);
        }
    }

    fn take_reply(
        &mut self,
        kind: ReplyKind,
        payload: &[u8],
        now: Time,
    ) -> Result<Option<Event>, ConnectionError> {
        let reply = Reply::decode(kind, payload)?;
        let (id, buffer_value) = (reply.id, Cost(reply.buffer_value));
        let Some(asked) = self.pending.get(&id).copied() else {
            // After Stop a reply that was already on its way may still come.
            let late = id < self.next_id;
            let what = kind.name();
            return if late { Ok(None) } else { Err(ConnectionError::Unexpected { what }) };
        };
        if asked.reply() != kind {
            return Err(ConnectionError::Unexpected { what: kind.name() });
        }
        self.pending.remove(&id);
        if let Some(service) = &mut self.service {
            service.mirror.received(id, buffer_value, now);
        }
        let payload = payload.to_vec();
        Ok(Some(Event::Reply(ReceivedReply { id, kind: asked, payload })))
    }
}

fn capacity(buffer_limit: u64, recharge_per_ms: u64) -> Capacity {
    Capacity { limit: Cost(buffer_limit), recharge: Rate(recharge_per_ms) }
}
