//! What service costs, and who goes first.
//!
//! The [`Tariff`] is the cost table that a server announces and the rule by which it finds what a
//! request really cost; the smallest useful capacity follows from it. A [`Tier`] and a [`Rank`]
//! decide the order in which clients are served.
//!
//! This crate does not know who is connected, how a message looks, or how many items a request
//! may ask for. It has no clock.
#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

mod rank;
mod tariff;

pub use rank::{Rank, Tier};
pub use tariff::{Price, Service, Tariff, WIRE_COST_PER_BYTE, WIRE_COST_PER_MESSAGE};
