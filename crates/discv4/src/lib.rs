//! Node Discovery v4, the answering half: pings are answered and checked, records are handed out.
//!
//! Datagrams in, datagrams out. Knows no socket and no clock, keeps no table of nodes, and looks
//! nobody up: a light client that was told our enode pings before it dials; it needs no more.
//!
//! Source: devp2p `discv4.md`.
#![forbid(unsafe_code)]

mod bucket;
mod packet;
mod responder;

pub use packet::{Endpoint, MAX_PACKET, Packet, PacketError, Ping};
pub use responder::{Datagram, Refusal, Responder};
