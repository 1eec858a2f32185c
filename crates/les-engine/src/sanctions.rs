//! Carrying out sanctions: counting, freezing, thawing, parting; and whom overload hits.

use std::cmp::Reverse;

use flow_control::{Cost, Time};
use les_wire::Version;

use crate::engine::{Action, Engine};
use crate::fault::{Fault, Reason, Sanction};
use crate::job::Job;
use crate::peer::{Frozen, PeerId, Standing};

/// Messages of a frozen client that are ignored before it is disconnected. A full buffer of the
/// cheapest requests, single headers, has 2,666 of them under way when Stop is sent.
pub const FROZEN_MESSAGES: u32 = 4_096;

/// How the queue got room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Relief {
    /// By freezing others.
    Others,
    /// The client that was asking had to be frozen, too.
    Asker,
}

impl Relief {
    pub(crate) fn is_asker_frozen(self) -> bool {
        self == Self::Asker
    }
}

impl Engine {
    /// The peer did something that has a consequence, with a message of so many bytes.
    pub fn faulted(&mut self, peer: PeerId, fault: Fault, message_bytes: u64, now: Time) {
        match fault.sanction() {
            Sanction::Charge => self.ignore(peer, message_bytes, now),
            Sanction::Count => self.count_invalid(peer, 1, now),
            Sanction::Freeze => self.freeze(peer, now),
            Sanction::Disconnect(reason) => self.leave(peer, reason),
        }
    }

    /// A time returned by [`Engine::next_timeout`] has come: clients whose pause is over and
    /// whose buffer has recovered are resumed.
    pub fn timeout(&mut self, now: Time) {
        while let Some(&(time, peer)) = self.thaws.first().filter(|(time, _)| *time <= now) {
            self.thaws.remove(&(time, peer));
            self.thaw(peer, now);
        }
    }

    pub(crate) fn count_invalid(&mut self, peer: PeerId, items: u32, now: Time) {
        let Some(client) = self.peers.client_mut(peer).filter(|_| items > 0) else { return };
        if client.invalid.add(items, now) {
            self.faulted(peer, Fault::TooManyInvalidItems, 0, now);
        }
    }

    pub(crate) fn forget_waiting(&mut self, peer: PeerId) {
        while let Some(job) = self.queue.take_from(peer) {
            self.actions.push_back(Action::Forget(job.id));
        }
    }

    /// Makes room in the queue for one more job: freezes clients, free before paid, those that
    /// can be told Stop before those that must be disconnected, the emptiest buffer first. If it is
    /// bytes that there are too many of, whoever brought most comes first.
    pub(crate) fn relieve(&mut self, job: &Job, now: Time) -> Relief {
        let mut victims = self.queue.clients();
        if !victims.contains(&job.peer) {
            victims.push(job.peer);
        }
        let counts_bytes = self.queue.is_out_of_bytes_for(job);
        victims.sort_by_cached_key(|&peer| {
            let own = if peer == job.peer { job.request_bytes } else { 0 };
            let bytes = self.queue.bytes_of(peer).saturating_add(own);
            let bytes = if counts_bytes { bytes } else { 0 };
            self.peers.client_mut(peer).map(|client| {
                let cannot_stop = client.version < Version::Les3;
                let fullness = client.buffer.fullness(now);
                (Reverse(client.tier), Reverse(bytes), cannot_stop, fullness, peer)
            })
        });
        for victim in victims {
            if self.queue.is_relieved() && !self.queue.is_full_for(job) {
                break;
            }
            self.freeze(victim, now);
            if victim == job.peer {
                return Relief::Asker;
            }
        }
        Relief::Others
    }

    /// Charges a message to a frozen client that is not answered.
    fn ignore(&mut self, peer: PeerId, message_bytes: u64, now: Time) {
        let cost = self.config.tariff.wire_cost(message_bytes);
        let Some(client) = self.peers.client_mut(peer) else { return };
        client.buffer.charge(cost, now);
        let Some(frozen) = &mut client.frozen else { return };
        frozen.ignored = frozen.ignored.saturating_add(1);
        if frozen.ignored > FROZEN_MESSAGES {
            self.faulted(peer, Fault::FloodedWhileFrozen, message_bytes, now);
        }
    }

    fn freeze(&mut self, peer: PeerId, now: Time) {
        let random = self.random.thaw_pause();
        let Some(client) = self.peers.client_mut(peer) else { return };
        if client.frozen.is_some() {
            return;
        }
        let can_stop = client.version >= Version::Les3;
        let thaw = client.buffer.thaw_time(now, random, now).filter(|_| can_stop);
        let Some(thaw) = thaw else { return self.leave(peer, Reason::UselessPeer) };
        client.frozen = Some(Frozen { since: now, random, thaw, ignored: 0 });
        client.freezes = client.freezes.wrapping_add(1);
        self.thaws.insert((thaw, peer));
        while let Some(job) = self.queue.take_from(peer) {
            self.actions.push_back(Action::Forget(job.id));
            self.settle(job, Cost(0), now);
        }
        self.actions.push_back(Action::Stop(peer));
    }

    fn thaw(&mut self, peer: PeerId, now: Time) {
        let Some(client) = self.peers.client_mut(peer) else { return };
        let Some(frozen) = &mut client.frozen else { return };
        let thaw = client.buffer.thaw_time(frozen.since, frozen.random, now).unwrap_or(now);
        if thaw > now {
            frozen.thaw = thaw;
            self.thaws.insert((thaw, peer));
            return;
        }
        client.frozen = None;
        let buffer_value = client.buffer.value(now);
        self.actions.push_back(Action::Resume { peer, buffer_value });
    }

    fn leave(&mut self, peer: PeerId, reason: Reason) {
        self.forget_waiting(peer);
        let Some(place) = self.peers.get_mut(peer) else { return };
        let standing = std::mem::replace(&mut place.standing, Standing::Leaving);
        match standing {
            Standing::Leaving => return,
            Standing::Server => self.servers = self.servers.saturating_sub(1),
            Standing::Client(client) => {
                if let Some(frozen) = client.frozen {
                    self.thaws.remove(&(frozen.thaw, peer));
                }
            }
            Standing::Greeting => {}
        }
        self.actions.push_back(Action::Disconnect { peer, reason });
    }
}
