//! The rules of this crate against vectors and chains that others made.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test program: a failed look-up is a failed test"
)]

mod blockchain;
mod chains;
mod clique;
mod difficulty;
mod ethash;
mod fork_id;
mod genesis;
mod header;
mod network;
mod rlp;
mod support;
