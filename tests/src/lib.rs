//! What suites share: a server in this process, and a client that sends whatever a test wants.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    missing_debug_implementations,
    reason = "helpers of tests: what goes wrong here fails the test that called"
)]

pub mod client;
pub mod clique;
pub mod eth_peer;
pub mod log;
pub mod server;
pub mod transfer;
