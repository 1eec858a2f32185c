//! The rules of a chain that need no execution: configuration, forks, headers, seals.
//!
//! [`Genesis`] reads go-ethereum's `genesis.json`; [`ChainSpec`] says which rules hold where;
//! [`check_header`] and [`check_uncles`] check a block on its ancestors; [`clique`] and [`ethash`]
//! check seals. Everything is a value that the caller keeps: this crate knows neither files nor
//! the clock, neither peers nor accounts beyond the first block's, and it executes nothing.
#![forbid(unsafe_code)]

pub mod clique;
mod config_check;
mod difficulty;
pub mod ethash;
mod fork;
mod genesis;
mod header;
mod header_error;
mod spec;
mod uncles;

pub use fork::{Activation, Fork};
pub use genesis::{
    Alloc, BlobTarget, ChainConfig, CliqueConfig, Genesis, GenesisAccount, GenesisError,
};
pub use header::{Parent, check_header, next_base_fee};
pub use header_error::HeaderError;
pub use spec::{ChainSpec, ConfigError, Engine, Position};
pub use uncles::{Ancestor, MAX_UNCLES, UNCLE_DEPTH, UncleError, check_uncles};
