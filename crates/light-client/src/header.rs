//! A header and the hash that was computed from it.

use alloy_consensus::Header;
use alloy_primitives::B256;
use alloy_rlp::Decodable as _;

use crate::error::Mistrust;
use crate::hash;

/// A header with its hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SealedHeader {
    /// Keccak-256 of the header's RLP.
    pub hash: B256,
    /// The header.
    pub header: Header,
}

impl SealedHeader {
    /// Reads a header from its RLP and hashes it.
    ///
    /// # Errors
    /// [`Mistrust::MalformedHeader`].
    pub fn decode(encoded: &[u8]) -> Result<Self, Mistrust> {
        let hash = hash(encoded);
        let mut rest = encoded;
        match Header::decode(&mut rest) {
            Ok(header) if rest.is_empty() => Ok(Self { hash, header }),
            Ok(_) | Err(_) => Err(Mistrust::MalformedHeader { hash }),
        }
    }

    /// Reads a header that must have this hash.
    ///
    /// # Errors
    /// Also [`Mistrust::WrongHash`].
    pub fn with_hash(encoded: &[u8], expected: B256) -> Result<Self, Mistrust> {
        let got = hash(encoded);
        if got != expected {
            return Err(Mistrust::WrongHash { what: "header", expected, got });
        }
        Self::decode(encoded)
    }

    /// Asserts that it is the header of this number.
    ///
    /// # Errors
    /// [`Mistrust::WrongNumber`].
    pub fn at(self, expected: u64) -> Result<Self, Mistrust> {
        let got = self.header.number;
        if got == expected {
            Ok(self)
        } else {
            Err(Mistrust::WrongNumber { hash: self.hash, expected, got })
        }
    }
}
