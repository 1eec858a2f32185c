//! One admitted request, from admission to settlement.

use flow_control::{Cost, Hold};
use les_wire::RequestKind;

use crate::peer::PeerId;

/// Requests of one client that may be open, waiting or being read. The shell reads nothing more
/// from it until one of them is served, so a deep pipeline waits in the client's socket and not
/// in our memory. Sixteen keep every slot busy that one client can get.
pub const OPEN_JOBS: u32 = 16;

/// Identifies an admitted request; never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct JobId(pub(crate) u64);

/// Where a request is read.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Lane {
    /// From memory, on the thread that has it.
    Inline,
    /// By a reader thread, which may block.
    Reader,
}

/// An admitted request. It holds a part of its client's buffer and, once started, a slot; both
/// come back with [`Engine::served`](crate::Engine::served), which every started job must reach.
#[derive(Debug)]
#[must_use = "a job that is not given to `Engine::served` keeps its slot for ever"]
pub struct Job {
    pub(crate) id: JobId,
    pub(crate) peer: PeerId,
    pub(crate) kind: RequestKind,
    pub(crate) items: u64,
    pub(crate) request_bytes: u64,
    pub(crate) lane: Lane,
    pub(crate) hold: Hold,
    /// What it will probably cost.
    pub(crate) forecast: Cost,
    /// How often its client had been frozen when it was admitted.
    pub(crate) freezes: u32,
}

impl Job {
    /// Under which the shell keeps the request if it was queued.
    #[must_use]
    pub const fn id(&self) -> JobId {
        self.id
    }

    /// Who asked.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// What for.
    #[must_use]
    pub const fn kind(&self) -> RequestKind {
        self.kind
    }

    /// How many items to serve: what was asked, up to the limit of the kind.
    #[must_use]
    pub const fn items(&self) -> u64 {
        self.items
    }

    /// Where to read it.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.lane
    }
}
