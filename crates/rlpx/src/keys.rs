//! A node's secret key and the public key that names it.

use core::{fmt, str::FromStr};

use k256::{
    PublicKey, SecretKey,
    ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey},
    elliptic_curve::{Generate as _, sec1::ToSec1Point as _},
};
use keccak::keccak256;
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::hex;

/// Bytes of a signature with its recovery byte, `r || s || v` with `v` from 0 to 3.
pub const SIGNATURE: usize = 65;

/// Bytes of a public key without the leading tag.
const PUBLIC_KEY: usize = 64;

/// First byte of an uncompressed point (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// A node's secret key on secp256k1. Wiped on drop, never shown by `Debug`.
#[derive(Clone)]
pub struct NodeKey {
    secret: SecretKey,
    id: NodeId,
}

impl NodeKey {
    /// A new key from `rng`.
    #[must_use]
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self::from_secret(SecretKey::generate_from_rng(rng))
    }

    /// The key of 32 big-endian bytes.
    ///
    /// # Errors
    /// Zero, or not below the order of the curve.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        SecretKey::from_slice(bytes).map(Self::from_secret).map_err(|_| InvalidKey::OutOfRange)
    }

    /// The key in the text of go-ethereum's `nodekey` file: 64 hexadecimal digits, with white
    /// space around them tolerated.
    ///
    /// # Errors
    /// Not 64 digits, or no key of the curve.
    pub fn from_hex(text: &str) -> Result<Self, InvalidKey> {
        let bytes = Zeroizing::new(hex::read(text.trim()).ok_or(InvalidKey::NotHexadecimal)?);
        Self::from_bytes(&bytes)
    }

    /// The text of go-ethereum's `nodekey` file. Wiped on drop.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        struct Digits<'a>(&'a [u8]);
        impl fmt::Display for Digits<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(f, self.0)
            }
        }
        let bytes = Zeroizing::new(self.secret.to_bytes());
        // Room for all digits at once: growing would leave unwiped copies behind.
        let mut text = Zeroizing::new(String::with_capacity(64));
        for byte in bytes.iter() {
            text.push_str(&Digits(&[*byte]).to_string());
        }
        text
    }

    /// The 32 big-endian bytes. Wiped on drop.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.to_bytes().into())
    }

    /// The public key.
    #[must_use]
    pub const fn id(&self) -> &NodeId {
        &self.id
    }

    /// Signs a 32-byte digest; the signature is deterministic (RFC 6979) and its `s` low.
    #[must_use]
    pub fn sign(&self, digest: &[u8; 32]) -> [u8; SIGNATURE] {
        let (signature, recovery) = SigningKey::from(&self.secret).sign_prehash_recoverable(digest);
        let mut bytes = [recovery.to_byte(); SIGNATURE];
        for (to, from) in bytes.iter_mut().zip(signature.to_bytes()) {
            *to = from;
        }
        bytes
    }

    /// The x coordinate that this key and the owner of `id` have in common.
    pub(crate) fn agree(&self, id: &NodeId) -> Result<Zeroizing<[u8; 32]>, InvalidKey> {
        let shared = self.secret.diffie_hellman(&id.to_point()?);
        Ok(Zeroizing::new((*shared.raw_secret_bytes()).into()))
    }

    fn from_secret(secret: SecretKey) -> Self {
        let id = NodeId::from_point(&secret.public_key());
        Self { secret, id }
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A node's public key: both coordinates of a point of secp256k1, big-endian.
///
/// Every value is a point of the curve; the constructors see to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; PUBLIC_KEY]);

impl NodeId {
    /// The id of 64 bytes.
    ///
    /// # Errors
    /// A coordinate not below the prime of the field, or a point off the curve.
    pub fn from_bytes(bytes: &[u8; PUBLIC_KEY]) -> Result<Self, InvalidKey> {
        let id = Self(*bytes);
        id.to_point()?;
        Ok(id)
    }

    /// The key that signed `digest`.
    ///
    /// # Errors
    /// `r` or `s` out of range, a recovery byte above 3, or no such point.
    pub fn recover(digest: &[u8; 32], signature: &[u8; SIGNATURE]) -> Result<Self, InvalidKey> {
        let [rs @ .., v] = signature;
        let recovery = RecoveryId::from_byte(*v).ok_or(InvalidKey::BadSignature)?;
        let signature = Signature::from_slice(rs).map_err(|_| InvalidKey::BadSignature)?;
        let key = VerifyingKey::recover_from_prehash(digest, &signature, recovery)
            .map_err(|_| InvalidKey::BadSignature)?;
        Ok(Self::from_point(&key.into()))
    }

    /// The 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; PUBLIC_KEY] {
        &self.0
    }

    /// The Keccak-256 of the key: the node's address in the discovery tables, and what
    /// go-ethereum logs as its id.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        keccak256(&self.0)
    }

    fn from_point(point: &PublicKey) -> Self {
        let mut bytes = [0; PUBLIC_KEY];
        let encoded = point.to_sec1_point(false);
        for (to, from) in bytes.iter_mut().zip(encoded.as_bytes().iter().skip(1)) {
            *to = *from;
        }
        Self(bytes)
    }

    /// The point, checked to be on the curve.
    fn to_point(self) -> Result<PublicKey, InvalidKey> {
        let mut tagged = [UNCOMPRESSED; PUBLIC_KEY + 1];
        for (to, from) in tagged.iter_mut().skip(1).zip(self.0) {
            *to = from;
        }
        PublicKey::from_sec1_bytes(&tagged).map_err(|_| InvalidKey::NotOnCurve)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for NodeId {
    type Err = InvalidKey;

    /// Reads 128 hexadecimal digits, with or without `0x`.
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        Self::from_bytes(&hex::read(digits).ok_or(InvalidKey::NotHexadecimal)?)
    }
}

/// Why bytes or text are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Wrong number of digits, or a character that is none.
    #[error("a secret key is 64 hexadecimal digits, a public key 128")]
    NotHexadecimal,
    /// A secret key of zero or not below the order of the curve.
    #[error("the secret key is zero or not below the order of secp256k1")]
    OutOfRange,
    /// A public key off the curve, or with a coordinate not below the prime.
    #[error("the public key is not a point of secp256k1")]
    NotOnCurve,
    /// A signature that no key can have made.
    #[error("the signature has a value out of range")]
    BadSignature,
}
