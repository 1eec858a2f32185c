//! Structure of a transaction in SendTxV2. Signatures, gas and chain are somebody else's matter.

use crate::error::{DecodeError, Deed};
use crate::items::Item;
use crate::reader::Reader;
use crate::writer::write_string;

/// A transaction in its canonical form: a list, or `type ‖ payload` (EIP-2718).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transaction<'a>(&'a [u8]);

impl<'a> Transaction<'a> {
    /// Takes a canonical transaction and checks its structure.
    ///
    /// # Errors
    /// When it is not one of the types 0 to 4 with the fields that the type has. A type 3 may
    /// also be in its network form with blobs, commitments and proofs (EIP-4844).
    pub fn new(canonical: &'a [u8]) -> Result<Self, DecodeError> {
        const MESSAGE: &str = "transaction";
        let reader = Reader::new(MESSAGE, canonical);
        match canonical.split_first() {
            None => Err(reader.error(MESSAGE, Deed::Missing)),
            Some(_) if reader.is_list_next() => check_fields(reader, LEGACY),
            Some((&number, payload)) => check_typed(number, Reader::new(MESSAGE, payload)),
        }?;
        Ok(Self(canonical))
    }

    /// The bytes whose Keccak-256 is the transaction's hash. (Not for a type 3 in its network
    /// form: there the hash is that of the type and the first element of its list.)
    pub const fn canonical(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Item<'a> for Transaction<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let canonical = if list.is_list_next() {
            list.raw("transaction")?
        } else {
            list.string("transaction")?
        };
        Self::new(canonical).map_err(|error| list.error(error.field, error.deed))
    }

    fn write(&self, out: &mut Vec<u8>) {
        if Reader::new("transaction", self.0).is_list_next() {
            out.extend_from_slice(self.0);
        } else {
            write_string(self.0, out);
        }
    }
}

/// What a field of a transaction can be.
#[derive(Clone, Copy)]
enum Field {
    /// An integer of at most 8 bytes.
    Word,
    /// An integer of at most 32 bytes; larger ones no chain accepts.
    Big,
    /// No recipient, or an address.
    To,
    /// An address.
    Address,
    /// Any bytes.
    Data,
    /// `[[address, [key…]]…]` (EIP-2930).
    AccessList,
    /// List of 32-byte hashes (EIP-4844).
    Hashes,
    /// `[[chain id, address, nonce, parity, r, s]…]` (EIP-7702).
    Authorizations,
}

use Field::{AccessList, Authorizations, Big, Data, Hashes, To, Word};

const LEGACY: &[Field] = &[Word, Big, Word, To, Big, Data, Big, Big, Big];
const WITH_ACCESS_LIST: &[Field] =
    &[Big, Word, Big, Word, To, Big, Data, AccessList, Big, Big, Big];
const DYNAMIC_FEE: &[Field] =
    &[Big, Word, Big, Big, Word, To, Big, Data, AccessList, Big, Big, Big];
const BLOB: &[Field] =
    &[Big, Word, Big, Big, Word, Field::Address, Big, Data, AccessList, Big, Hashes, Big, Big, Big];
const SET_CODE: &[Field] = &[
    Big,
    Word,
    Big,
    Big,
    Word,
    Field::Address,
    Big,
    Data,
    AccessList,
    Authorizations,
    Big,
    Big,
    Big,
];

fn check_typed(number: u8, payload: Reader<'_>) -> Result<(), DecodeError> {
    match number {
        1 => check_fields(payload, WITH_ACCESS_LIST),
        2 => check_fields(payload, DYNAMIC_FEE),
        3 => check_blob(payload),
        4 => check_fields(payload, SET_CODE),
        _ => Err(payload.error("transaction", Deed::UnknownTransactionType(number))),
    }
}

/// Bare, or with its sidecar: `[[fields…], blobs, commitments, proofs]`, in the newer form with a
/// version byte behind the fields (EIP-7594).
fn check_blob(mut payload: Reader<'_>) -> Result<(), DecodeError> {
    let whole = payload;
    let mut outer = payload.list("transaction")?;
    payload.end("transaction")?;
    if !outer.is_list_next() {
        return check_fields(whole, BLOB);
    }
    let bare = Reader::new(whole.message_name(), outer.raw("transaction")?);
    check_fields(bare, BLOB)?;
    if !outer.is_list_next() {
        outer.u64("sidecar version")?;
    }
    for part in ["blobs", "commitments", "proofs"] {
        let mut strings = outer.list(part)?;
        while !strings.is_empty() {
            strings.string(part)?;
        }
    }
    outer.end("sidecar")
}

fn check_fields(mut payload: Reader<'_>, kinds: &[Field]) -> Result<(), DecodeError> {
    let mut fields = payload.list("transaction")?;
    payload.end("transaction")?;
    kinds.iter().try_for_each(|kind| check_field(*kind, &mut fields))?;
    fields.end("transaction")
}

fn check_field(kind: Field, fields: &mut Reader<'_>) -> Result<(), DecodeError> {
    match kind {
        Word => fields.u64("integer").map(drop),
        Big => fields.integer("integer", 32).map(drop),
        To => {
            let bytes = fields.string("recipient")?.len();
            match bytes {
                0 | 20 => Ok(()),
                _ => Err(fields.error("recipient", Deed::WrongLength { bytes })),
            }
        }
        Field::Address => fields.array::<20>("recipient").map(drop),
        Data => fields.string("data").map(drop),
        AccessList => each(fields, "access list", |entry| {
            entry.array::<20>("address")?;
            check_field(Hashes, entry)
        }),
        Hashes => {
            let mut hashes = fields.list("hashes")?;
            while !hashes.is_empty() {
                hashes.hash("hash")?;
            }
            Ok(())
        }
        Authorizations => each(fields, "authorizations", |entry| {
            entry.integer("chain id", 32)?;
            entry.array::<20>("address")?;
            entry.u64("nonce")?;
            entry.integer("parity", 1)?;
            entry.integer("signature", 32)?;
            entry.integer("signature", 32).map(drop)
        }),
    }
}

/// Reads a list of lists, each of them to its end.
fn each<'a>(
    fields: &mut Reader<'a>,
    field: &'static str,
    read: impl Fn(&mut Reader<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut list = fields.list(field)?;
    while !list.is_empty() {
        let mut entry = list.list(field)?;
        read(&mut entry)?;
        entry.end(field)?;
    }
    Ok(())
}
