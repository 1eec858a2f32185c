//! Every decision of the server, as one value without I/O: who may connect, which request is
//! served and when, who is told to stop, who has to go.
//!
//! # The journey of a request, as data
//!
//! ```text
//! Asked { kind, items, bytes, warm }          what the shell decoded, no bytes of it
//!   │  Engine::requested
//!   ▼
//! Hold { worst cost, running total }          taken from the client's buffer
//!   │  + peer, kind, items to serve, slot
//!   ▼
//! Job ── ReadHere ───────────────┐            a slot is free: read now
//!  │  └─ HandToReader ───────────┤
//!  └─ Queued(JobId) ── Rank ── next Job       none is: wait, by tier and buffer
//!                                ▼
//! Spent { nanos, bytes, unknown items }       what the shell measured
//!   │  Engine::served
//!   ▼
//! Settled { buffer value, next Job }          the reply's BV, and who has the slot now
//! ```
//!
//! # How it is driven
//!
//! One lock around the engine, held for one event. [`Engine::requested`] and [`Engine::served`]
//! return what the caller does next; everything for other peers comes out of
//! [`Engine::poll_action`], which is drained under the same lock after every event, and carried
//! out after unlocking. Whoever gets [`Decision::Queued`] stores the request under its [`JobId`]
//! before unlocking: from then on, any other caller may be handed the job.
//!
//! The engine does not know sockets, keys, blocks, threads or the clock; `now` is an argument
//! and chance comes from a seed, so the same events give the same decisions.
#![forbid(unsafe_code)]

mod address;
mod config;
mod engine;
mod fault;
mod forecast;
mod job;
mod peer;
mod queue;
mod random;
mod sanctions;
mod slots;
mod tariff;

pub use address::{Prefix, Refusal, Trust};
pub use config::{Config, QueueLimits, SERVER_PEERS};
pub use engine::{Action, Asked, Decision, Engine, Greeting, Settled, Spent};
pub use fault::{Fault, INVALID_ITEMS, Reason, Sanction};
pub use job::{Job, JobId, Lane, OPEN_JOBS};
pub use peer::{PeerId, Role};
pub use sanctions::FROZEN_MESSAGES;
pub use tariff::{cost_list, service};
