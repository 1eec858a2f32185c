//! The announced cost table, `flowControl/MRC`.

use crate::error::DecodeError;
use crate::kind::RequestKind;
use crate::reader::Reader;
use crate::writer::{write_list, write_u64};

/// Most that a request can cost: `base + per_item * items`, in cost units.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RequestCost {
    /// For the request itself.
    pub base: u64,
    /// For each item.
    pub per_item: u64,
}

/// The maximum cost of each kind of request; a kind without a row is not served.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CostList([Option<RequestCost>; RequestKind::ALL.len()]);

/// Codes of les/1 requests. Clients up to go-ethereum 1.8.25 crash without a row for them; all
/// others ignore it.
const LEGACY_ROWS: [(u8, RequestKind); 3] = [
    (0x08, RequestKind::Proofs),
    (0x0c, RequestKind::SendTx),
    (0x0d, RequestKind::HelperTrieProofs),
];

impl CostList {
    /// A table with a row for every kind.
    pub fn new(cost: impl Fn(RequestKind) -> RequestCost) -> Self {
        Self(RequestKind::ALL.map(|kind| Some(cost(kind))))
    }

    /// The row of a kind.
    pub fn get(&self, kind: RequestKind) -> Option<RequestCost> {
        self.0.get(kind as usize).copied().flatten()
    }

    /// The first kind without a row: a client that needs it cannot use this server.
    pub fn missing(&self) -> Option<RequestKind> {
        RequestKind::ALL.into_iter().find(|&kind| self.get(kind).is_none())
    }

    /// Most that a request of this kind can cost, in cost units; saturating, so that an absurd
    /// count is too expensive instead of cheap.
    pub fn max_cost(&self, kind: RequestKind, items: u64) -> Option<u64> {
        let cost = self.get(kind)?;
        Some(cost.base.saturating_add(cost.per_item.saturating_mul(items)))
    }

    /// This table with the rows of a newer one put in; what that lacks stays.
    pub fn updated(&self, newer: &Self) -> Self {
        let mut table = *self;
        for (row, newer) in table.0.iter_mut().zip(newer.0) {
            *row = newer.or(*row);
        }
        table
    }

    /// Appends the list of `[code, base, per item]`, with rows for the les/1 requests.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let legacy = LEGACY_ROWS.into_iter();
        let rows = RequestKind::ALL.into_iter().map(|kind| (kind.code(), kind)).chain(legacy);
        write_list(out, |out| {
            for (code, kind) in rows {
                let Some(cost) = self.get(kind) else { continue };
                write_list(out, |out| {
                    write_u64(u64::from(code), out);
                    write_u64(cost.base, out);
                    write_u64(cost.per_item, out);
                });
            }
        });
    }

    /// Decodes the list; rows of codes that are no request are ignored, of two rows for one code
    /// the last one counts.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut list = reader.list("flowControl/MRC")?;
        let mut table = Self::default();
        while !list.is_empty() {
            let mut row = list.list("flowControl/MRC row")?;
            let code = row.u64("code")?;
            let cost = RequestCost { base: row.u64("base")?, per_item: row.u64("per item")? };
            row.end("flowControl/MRC row")?;
            let kind = u8::try_from(code).ok().and_then(RequestKind::from_code);
            if let Some(slot) = kind.and_then(|kind| table.0.get_mut(kind as usize)) {
                *slot = Some(cost);
            }
        }
        Ok(table)
    }
}
