//! Which uncles a proof-of-work block may have (Yellow Paper 11.1).

use alloy_consensus::Header;
use alloy_consensus::proofs::calculate_ommers_root;
use alloy_primitives::B256;

use crate::header::check_at;
use crate::header_error::HeaderError;
use crate::spec::{ChainSpec, Position};

/// Most uncles of a block.
pub const MAX_UNCLES: usize = 2;
/// How many generations above a block its uncles' parents may lie.
pub const UNCLE_DEPTH: usize = 7;

/// A block above the one that is checked.
#[derive(Clone, Copy, Debug)]
pub struct Ancestor<'a> {
    /// Its header.
    pub header: &'a Header,
    /// The header's hash.
    pub hash: B256,
    /// The uncles in its body.
    pub uncles: &'a [Header],
}

/// Why a block's uncles are refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each message says what the fields are")]
pub enum UncleError {
    #[error("sha3Uncles: the body's uncles hash to {expected}, found {found}")]
    Hash { expected: B256, found: B256 },
    #[error("uncles: at most 2, found {found}")]
    TooMany { found: usize },
    #[error("uncle {hash}: rewarded before, in this block or above it")]
    Twice { hash: B256 },
    #[error("uncle {hash}: is an ancestor of the block")]
    IsAncestor { hash: B256 },
    #[error("uncle {hash}: its parent {parent} is not one of the ancestors 2 to 7 above")]
    Dangling { hash: B256, parent: B256 },
    #[error("uncle {hash}: {error}")]
    Header { hash: B256, error: HeaderError },
}

/// Checks the uncles of the block with `header`, seals aside: the caller checks each uncle's.
///
/// `ancestors` are the blocks above, parent first: [`UNCLE_DEPTH`] of them, fewer near block 0.
/// After the merge and on Clique chains [`check_header`](crate::check_header) has already seen
/// that there are none.
///
/// # Errors
/// The first broken rule.
pub fn check_uncles(
    spec: &ChainSpec,
    header: &Header,
    uncles: &[Header],
    ancestors: &[Ancestor<'_>],
) -> Result<(), UncleError> {
    let (expected, found) = (calculate_ommers_root(uncles), header.ommers_hash);
    if expected != found {
        return Err(UncleError::Hash { expected, found });
    }
    if uncles.len() > MAX_UNCLES {
        return Err(UncleError::TooMany { found: uncles.len() });
    }
    if uncles.is_empty() {
        return Ok(());
    }
    let near = ancestors.get(..UNCLE_DEPTH).unwrap_or(ancestors);
    let mut rewarded: Vec<B256> =
        near.iter().flat_map(|block| block.uncles).map(Header::hash_slow).collect();
    rewarded.push(header.hash_slow());
    for uncle in uncles {
        let hash = uncle.hash_slow();
        if rewarded.contains(&hash) {
            return Err(UncleError::Twice { hash });
        }
        rewarded.push(hash);
        if near.iter().any(|block| block.hash == hash) {
            return Err(UncleError::IsAncestor { hash });
        }
        let grandparents = near.iter().skip(1);
        let mut parents = grandparents.filter(|block| block.hash == uncle.parent_hash);
        let Some(parent) = parents.next() else {
            return Err(UncleError::Dangling { hash, parent: uncle.parent_hash });
        };
        // Its nephew is a proof-of-work block, so no block above has ended proof of work.
        let (number, timestamp) = (uncle.number, uncle.timestamp);
        let position = Position { number, timestamp, merged: false };
        check_at(spec, uncle, parent.header, position)
            .map_err(|error| UncleError::Header { hash, error })?;
    }
    Ok(())
}
