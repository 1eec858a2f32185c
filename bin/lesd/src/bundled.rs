//! A small chain that comes with the program: what `lesd node` serves if it is given no other.
//!
//! Provenance: `fixtures/README.md`, `chain/small`.

/// go-ethereum genesis file.
pub const GENESIS: &str = include_str!("../../../fixtures/chain/small/genesis.json");
/// Its blocks, RLP in gzip.
pub const BLOCKS: &[u8] = include_bytes!("../../../fixtures/chain/small/chain.rlp.gz");
