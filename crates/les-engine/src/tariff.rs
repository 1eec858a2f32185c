//! The tariff as the wire shows it.

use les_wire::{CostList, RequestCost, RequestKind};
use service_model::{Service, Tariff};

/// The service that a request asks for.
#[must_use]
pub const fn service(kind: RequestKind) -> Service {
    match kind {
        RequestKind::Headers => Service::Headers,
        RequestKind::Bodies => Service::Bodies,
        RequestKind::Receipts => Service::Receipts,
        RequestKind::Code => Service::Code,
        RequestKind::Proofs => Service::Proofs,
        RequestKind::HelperTrieProofs => Service::HelperTrieProofs,
        RequestKind::SendTx => Service::SendTx,
        RequestKind::TxStatus => Service::TxStatus,
    }
}

/// The table as it is announced in Status (`flowControl/MRC`).
#[must_use]
pub fn cost_list(tariff: &Tariff) -> CostList {
    CostList::new(|kind| {
        let price = tariff.price(service(kind));
        RequestCost { base: price.base.0, per_item: price.per_item.0 }
    })
}

#[cfg(test)]
mod tests {
    use super::{cost_list, service};
    use les_wire::RequestKind;
    use service_model::Tariff;

    #[test]
    fn the_announced_table_charges_what_the_tariff_does() {
        let tariff = Tariff::default();
        for kind in RequestKind::ALL {
            let limit = u64::try_from(kind.item_limit()).expect("a small limit");
            for items in [0, 1, limit] {
                let announced = cost_list(&tariff).max_cost(kind, items);
                assert_eq!(announced, Some(tariff.max_cost(service(kind), items).0), "{kind:?}");
            }
        }
    }
}
