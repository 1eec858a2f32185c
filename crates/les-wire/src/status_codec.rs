//! Status from and to bytes.

use crate::cost_list::CostList;
use crate::error::{DecodeError, Deed};
use crate::items::Item;
use crate::reader::Reader;
use crate::status::{
    AnnounceType, Checkpoint, FlowControl, ForkId, Head, MAX_KEY_VALUE_BYTES, Status,
};
use crate::writer::{write_list, write_string, write_u64, write_u256};

const MESSAGE: &str = "Status";

/// Values of the known keys, still encoded. Of two entries with one key the last one counts.
#[derive(Default)]
struct Values<'a> {
    protocol_version: Option<&'a [u8]>,
    network_id: Option<&'a [u8]>,
    genesis_hash: Option<&'a [u8]>,
    head_td: Option<&'a [u8]>,
    head_hash: Option<&'a [u8]>,
    head_number: Option<&'a [u8]>,
    fork_id: Option<&'a [u8]>,
    announce_type: Option<&'a [u8]>,
    serve_headers: Option<&'a [u8]>,
    serve_chain_since: Option<&'a [u8]>,
    serve_recent_chain: Option<&'a [u8]>,
    serve_state_since: Option<&'a [u8]>,
    serve_recent_state: Option<&'a [u8]>,
    tx_relay: Option<&'a [u8]>,
    recent_tx_lookup: Option<&'a [u8]>,
    buffer_limit: Option<&'a [u8]>,
    recharge: Option<&'a [u8]>,
    costs: Option<&'a [u8]>,
    checkpoint: Option<&'a [u8]>,
    checkpoint_height: Option<&'a [u8]>,
}

impl<'a> Values<'a> {
    fn slot(&mut self, key: &[u8]) -> Option<&mut Option<&'a [u8]>> {
        Some(match key {
            b"protocolVersion" => &mut self.protocol_version,
            b"networkId" => &mut self.network_id,
            b"genesisHash" => &mut self.genesis_hash,
            b"headTd" => &mut self.head_td,
            b"headHash" => &mut self.head_hash,
            b"headNum" => &mut self.head_number,
            b"forkID" => &mut self.fork_id,
            b"announceType" => &mut self.announce_type,
            b"serveHeaders" => &mut self.serve_headers,
            b"serveChainSince" => &mut self.serve_chain_since,
            b"serveRecentChain" => &mut self.serve_recent_chain,
            b"serveStateSince" => &mut self.serve_state_since,
            b"serveRecentState" => &mut self.serve_recent_state,
            b"txRelay" => &mut self.tx_relay,
            b"recentTxLookup" => &mut self.recent_tx_lookup,
            b"flowControl/BL" => &mut self.buffer_limit,
            b"flowControl/MRR" => &mut self.recharge,
            b"flowControl/MRC" => &mut self.costs,
            b"checkpoint/value" => &mut self.checkpoint,
            b"checkpoint/registerHeight" => &mut self.checkpoint_height,
            _ => return None,
        })
    }
}

impl Status {
    /// Decodes the payload of a Status message.
    ///
    /// # Errors
    /// When it is no list of entries with two elements each, carries more than
    /// [`MAX_KEY_VALUE_BYTES`], or lacks a readable `protocolVersion`, `networkId` or
    /// `genesisHash`, which every side of every version sends.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut list = Reader::message(MESSAGE, payload)?;
        let mut values = Values::default();
        let mut unknown = Vec::new();
        let mut bytes = 0;
        while !list.is_empty() {
            let before = list.rest();
            let (key, value) = read_entry(&mut list)?;
            bytes += key.len() + value.len() + 8;
            if bytes > MAX_KEY_VALUE_BYTES {
                return Err(list.error("entries", Deed::TooLarge { bytes }));
            }
            match values.slot(key) {
                Some(slot) => *slot = Some(value),
                None => {
                    let entry = before.get(..before.len() - list.rest().len());
                    unknown.extend_from_slice(entry.unwrap_or_default());
                }
            }
        }
        Self::from_values(&values, unknown)
    }

    fn from_values(values: &Values<'_>, unknown: Vec<u8>) -> Result<Self, DecodeError> {
        Ok(Self {
            protocol_version: required("protocolVersion", values.protocol_version, integer)?,
            network_id: required("networkId", values.network_id, integer)?,
            genesis_hash: required("genesisHash", values.genesis_hash, |r| r.hash("hash"))?,
            head: read_head(values),
            fork_id: optional(values.fork_id, read_fork_id),
            announce_type: optional(values.announce_type, integer).map(AnnounceType::from_number),
            serve_headers: values.serve_headers.is_some(),
            serve_chain_since: optional(values.serve_chain_since, integer),
            serve_recent_chain: optional(values.serve_recent_chain, integer),
            serve_state_since: optional(values.serve_state_since, integer),
            serve_recent_state: optional(values.serve_recent_state, integer),
            tx_relay: values.tx_relay.is_some(),
            recent_tx_lookup: optional(values.recent_tx_lookup, integer),
            flow_control: read_flow_control(values),
            checkpoint: optional(values.checkpoint, read_checkpoint),
            checkpoint_height: optional(values.checkpoint_height, integer),
            is_server: values.recharge.is_some(),
            unknown,
        })
    }

    /// The entries with keys that are not known here, each value still encoded.
    pub fn unknown_entries(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut list = Reader::new(MESSAGE, &self.unknown);
        std::iter::from_fn(move || read_entry(&mut list).ok())
    }

    /// Appends the payload of a Status message: an entry for every field that has a value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_list(out, |out| {
            self.encode_identity(out);
            self.encode_service(out);
            out.extend_from_slice(&self.unknown);
        });
    }

    fn encode_identity(&self, out: &mut Vec<u8>) {
        number_entry("protocolVersion", Some(self.protocol_version), out);
        number_entry("networkId", Some(self.network_id), out);
        if let Some(head) = self.head {
            entry("headTd", out, |out| write_u256(&head.total_difficulty, out));
            entry("headHash", out, |out| head.hash.write(out));
            number_entry("headNum", Some(head.number), out);
        }
        entry("genesisHash", out, |out| self.genesis_hash.write(out));
        if let Some(fork_id) = self.fork_id {
            entry("forkID", out, |out| {
                write_list(out, |out| {
                    write_string(&fork_id.hash, out);
                    write_u64(fork_id.next, out);
                });
            });
        }
        number_entry("announceType", self.announce_type.map(AnnounceType::number), out);
    }

    fn encode_service(&self, out: &mut Vec<u8>) {
        number_entry("serveHeaders", self.serve_headers.then_some(0), out);
        number_entry("serveChainSince", self.serve_chain_since, out);
        number_entry("serveRecentChain", self.serve_recent_chain, out);
        number_entry("serveStateSince", self.serve_state_since, out);
        number_entry("serveRecentState", self.serve_recent_state, out);
        number_entry("txRelay", self.tx_relay.then_some(0), out);
        number_entry("recentTxLookup", self.recent_tx_lookup, out);
        if let Some(flow) = &self.flow_control {
            number_entry("flowControl/BL", Some(flow.buffer_limit), out);
            number_entry("flowControl/MRR", Some(flow.recharge_per_ms), out);
            entry("flowControl/MRC", out, |out| flow.costs.encode(out));
        }
        if let Some(checkpoint) = &self.checkpoint {
            entry("checkpoint/value", out, |out| {
                write_list(out, |out| {
                    write_u64(checkpoint.section, out);
                    checkpoint.section_head.write(out);
                    checkpoint.canonical_hash_root.write(out);
                    checkpoint.bloom_root.write(out);
                });
            });
        }
        number_entry("checkpoint/registerHeight", self.checkpoint_height, out);
    }
}

/// The next `[key, value]`, the value still encoded.
pub(crate) fn read_entry<'a>(list: &mut Reader<'a>) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
    let mut fields = list.list("entry")?;
    let key = fields.string("key")?;
    let value = fields.raw("value")?;
    fields.end("entry")?;
    Ok((key, value))
}

/// Appends `[key, value]`.
pub(crate) fn entry(key: &str, out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    write_list(out, |out| {
        write_string(key.as_bytes(), out);
        value(out);
    });
}

/// Appends `[key, integer]` if there is one. An entry that is only present has the integer 0.
pub(crate) fn number_entry(key: &str, number: Option<u64>, out: &mut Vec<u8>) {
    if let Some(number) = number {
        entry(key, out, |out| write_u64(number, out));
    }
}

/// Reads one value whole.
pub(crate) fn read_value<'a, T>(
    value: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut reader = Reader::new(MESSAGE, value);
    let read = read(&mut reader)?;
    reader.end("value")?;
    Ok(read)
}

fn optional<'a, T>(
    value: Option<&'a [u8]>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Option<T> {
    read_value(value?, read).ok()
}

fn required<'a, T>(
    key: &'static str,
    value: Option<&'a [u8]>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let missing = DecodeError { message: MESSAGE, field: key, deed: Deed::Missing };
    read_value(value.ok_or(missing)?, read).map_err(|error| DecodeError { field: key, ..error })
}

fn integer(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    reader.u64("integer")
}

fn read_head(values: &Values<'_>) -> Option<Head> {
    Some(Head {
        total_difficulty: optional(values.head_td, |r| r.u256("headTd"))?,
        hash: optional(values.head_hash, |r| r.hash("headHash"))?,
        number: optional(values.head_number, integer)?,
    })
}

fn read_fork_id(reader: &mut Reader<'_>) -> Result<ForkId, DecodeError> {
    let mut fields = reader.list("forkID")?;
    let fork_id = ForkId { hash: fields.array("fork hash")?, next: fields.u64("next fork")? };
    fields.end("forkID")?;
    Ok(fork_id)
}

fn read_flow_control(values: &Values<'_>) -> Option<FlowControl> {
    Some(FlowControl {
        buffer_limit: optional(values.buffer_limit, integer)?,
        recharge_per_ms: optional(values.recharge, integer)?,
        costs: optional(values.costs, CostList::read)?,
    })
}

fn read_checkpoint(reader: &mut Reader<'_>) -> Result<Checkpoint, DecodeError> {
    let mut fields = reader.list("checkpoint")?;
    let checkpoint = Checkpoint {
        section: fields.u64("section")?,
        section_head: fields.hash("section head")?,
        canonical_hash_root: fields.hash("root")?,
        bloom_root: fields.hash("root")?,
    };
    fields.end("checkpoint")?;
    Ok(checkpoint)
}
