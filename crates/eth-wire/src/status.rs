//! The handshake message.

use alloy_primitives::{B256, U256};
use les_wire::{DecodeError, ForkId, Reader, write_list, write_string, write_u64, write_u256};

use crate::kind::MessageKind;

/// `[version, networkid, td, blockhash, genesis, forkid]` (devp2p `caps/eth.md`, "Status").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    /// Must equal the negotiated version.
    pub version: u64,
    /// Network id.
    pub network_id: u64,
    /// Sum of all difficulties up to the head.
    pub total_difficulty: U256,
    /// Hash of the head.
    pub head: B256,
    /// Hash of the genesis block.
    pub genesis: B256,
    /// Passed and next forks (EIP-2124).
    pub fork_id: ForkId,
}

impl Status {
    /// Decodes the payload of a Status message.
    ///
    /// # Errors
    /// Names the field and the deed.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Reader::message(MessageKind::Status.name(), payload)?;
        let version = fields.u64("version")?;
        let network_id = fields.u64("networkid")?;
        let total_difficulty = fields.u256("td")?;
        let head = fields.hash("blockhash")?;
        let genesis = fields.hash("genesis")?;
        let mut fork = fields.list("forkid")?;
        let fork_id = ForkId { hash: fork.array("fork hash")?, next: fork.u64("fork next")? };
        fork.end("forkid")?;
        fields.end("message")?;
        Ok(Self { version, network_id, total_difficulty, head, genesis, fork_id })
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_list(out, |out| {
            write_u64(self.version, out);
            write_u64(self.network_id, out);
            write_u256(&self.total_difficulty, out);
            write_string(self.head.as_slice(), out);
            write_string(self.genesis.as_slice(), out);
            write_list(out, |out| {
                write_string(&self.fork_id.hash, out);
                write_u64(self.fork_id.next, out);
            });
        });
    }
}
