//! Client side flow control of the Light Ethereum Subprotocol (devp2p `caps/les.md`, "Client Side
//! Flow Control"; units and edge cases as go-ethereum's `les/flowcontrol` has them).
//!
//! Every client has a buffer of credit that refills at a fixed rate. A request takes its
//! worst-case cost out of it when it arrives ([`ClientBuffer::admit`]); when it has been served,
//! what it did not really cost comes back ([`ClientBuffer::settle`]), and the reply tells the
//! client how full its buffer is. The client keeps an estimate of its own ([`Mirror`]) and does
//! not ask for more than that holds. A client that keeps to it is never refused here.
//!
//! Integers only, and no clock: every method takes the time as an argument. This crate does not
//! know what a request is, who the client is, or how a message looks.
#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

mod buffer;
mod capacity;
mod mirror;
mod units;

pub use buffer::{ClientBuffer, Hold, Shortfall, THAW_DIVISOR, THAW_PAUSE, THAW_RANDOM_PAUSE};
pub use capacity::{BUFFER_MILLIS, Capacity, DECREASE_DELAY};
pub use mirror::Mirror;
pub use units::{Cost, Millis, Rate, Time};
