//! Hello, and the capabilities that both sides share.
//!
//! Source: devp2p `rlpx.md`, "Hello (0x00)" and "Capability Messaging".

use core::fmt;

use alloy_rlp::{Decodable as _, Encodable, Header};

use crate::{error::Fault, keys::NodeId};

/// The p2p version that we speak; from this one on, bodies are compressed.
pub const P2P_VERSION: u64 = 5;

/// Message ids below this belong to the base protocol.
pub const BASE_LENGTH: u64 = 16;

/// Bytes of a capability's name at most (devp2p `rlpx.md`, "Capability Messaging").
const NAME_LIMIT: usize = 8;

/// The name of a capability: one to eight ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Padded with zeros, so that comparing arrays compares names.
    bytes: [u8; NAME_LIMIT],
    length: u8,
}

impl Name {
    /// The name of `text`; `None` if it is empty, too long or not printable ASCII.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let length = u8::try_from(text.len()).ok()?;
        let fits = (1..=NAME_LIMIT).contains(&text.len());
        if !fits || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let mut bytes = [0; NAME_LIMIT];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Some(Self { bytes, length })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A capability and its version, written `name/version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability {
    /// The protocol.
    pub name: Name,
    /// Its version.
    pub version: u64,
}

impl Capability {
    fn payload_length(&self) -> usize {
        self.name.as_str().length() + self.version.length()
    }

    /// `None` for a capability that no side of ours can have, such as one with a long name.
    fn decode(items: &mut &[u8]) -> Result<Option<Self>, alloy_rlp::Error> {
        let mut fields = Header::decode_bytes(items, true)?;
        let name = Header::decode_bytes(&mut fields, false)?;
        let Ok(version) = u64::decode(&mut fields) else { return Ok(None) };
        let name = core::str::from_utf8(name).ok().and_then(Name::new);
        Ok(name.map(|name| Self { name, version }))
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.version)
    }
}

impl Encodable for Capability {
    fn encode(&self, out: &mut dyn alloy_rlp::BufMut) {
        Header { list: true, payload_length: self.payload_length() }.encode(out);
        self.name.as_str().encode(out);
        self.version.encode(out);
    }

    fn length(&self) -> usize {
        Header { list: true, payload_length: self.payload_length() }.length_with_payload()
    }
}

/// The first message of each side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The p2p version.
    pub version: u64,
    /// What the client calls itself. A peer's is as sent, with bytes that are no UTF-8
    /// replaced: escape it before showing it.
    pub client: String,
    /// What it offers, in its order. Names that no capability can have are left out.
    pub capabilities: Vec<Capability>,
    /// The port it says to listen on; zero if it does not, and without meaning today.
    pub port: u64,
    /// Its public key, not yet known to be one.
    pub id: [u8; 64],
}

impl Hello {
    /// A Hello of ours, of version [`P2P_VERSION`].
    #[must_use]
    pub fn new(client: String, capabilities: Vec<Capability>, id: &NodeId) -> Self {
        Self { version: P2P_VERSION, client, capabilities, port: 0, id: *id.as_bytes() }
    }

    /// True if the bodies of the messages after Hello are compressed.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.version >= P2P_VERSION
    }

    /// Appends the message body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let payload_length = self.version.length()
            + self.client.length()
            + alloy_rlp::list_length(&self.capabilities)
            + self.port.length()
            + self.id.length();
        Header { list: true, payload_length }.encode(out);
        self.version.encode(out);
        self.client.encode(out);
        alloy_rlp::encode_list(&self.capabilities, out);
        self.port.encode(out);
        self.id.encode(out);
    }

    /// Reads a message body. Further items of the list, and bytes behind it, are ignored
    /// (EIP-8).
    ///
    /// # Errors
    /// [`Fault::BadHello`].
    pub fn decode(body: &[u8]) -> Result<Self, Fault> {
        Self::decode_fields(body).map_err(|_| Fault::BadHello)
    }

    fn decode_fields(mut body: &[u8]) -> Result<Self, alloy_rlp::Error> {
        let mut fields = Header::decode_bytes(&mut body, true)?;
        let version = u64::decode(&mut fields)?;
        let client = Header::decode_bytes(&mut fields, false)?;
        let client = String::from_utf8_lossy(client).into_owned();
        let mut items = Header::decode_bytes(&mut fields, true)?;
        let mut capabilities = Vec::new();
        while !items.is_empty() {
            capabilities.extend(Capability::decode(&mut items)?);
        }
        let port = u64::decode(&mut fields)?;
        let id = <[u8; 64]>::decode(&mut fields)?;
        Ok(Self { version, client, capabilities, port, id })
    }
}

/// A capability that we offer, with the number of message ids that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The capability.
    pub capability: Capability,
    /// Message ids, from zero up.
    pub length: u64,
}

/// A capability of both sides, and where its message ids lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The capability.
    pub capability: Capability,
    /// Its first message id on the connection.
    pub offset: u64,
    /// Message ids that it takes.
    pub length: u64,
}

/// What both sides share: the highest common version of each name, sorted by name, their
/// message ids in a row from [`BASE_LENGTH`] up.
#[must_use]
pub fn share(offers: &[Offer], theirs: &[Capability]) -> Vec<Shared> {
    let mut common: Vec<Offer> =
        offers.iter().filter(|offer| theirs.contains(&offer.capability)).copied().collect();
    common.sort_unstable_by_key(|offer| core::cmp::Reverse(offer.capability));
    common.dedup_by_key(|offer| offer.capability.name);
    common.reverse();
    let mut offset = BASE_LENGTH;
    let place = |Offer { capability, length }| {
        let shared = Shared { capability, offset, length };
        offset = offset.saturating_add(length);
        shared
    };
    common.into_iter().map(place).collect()
}
