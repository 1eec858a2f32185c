//! The cost table and what follows from it.

use flow_control::{BUFFER_MILLIS, Capacity, Cost, Rate};

/// What a server does for a client, as far as prices differ.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Service {
    /// Headers of blocks.
    Headers,
    /// Bodies of blocks.
    Bodies,
    /// Receipts of blocks.
    Receipts,
    /// Codes of contracts.
    Code,
    /// Proofs of accounts and storage.
    Proofs,
    /// Proofs of the helper tries.
    HelperTrieProofs,
    /// Relay of transactions.
    SendTx,
    /// State of transactions.
    TxStatus,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 8] = [
        Self::Headers,
        Self::Bodies,
        Self::Receipts,
        Self::Code,
        Self::Proofs,
        Self::HelperTrieProofs,
        Self::SendTx,
        Self::TxStatus,
    ];

    /// Announced price. go-ethereum's (twice its average serving time, `les/costtracker.go`),
    /// except for headers: those are at a tenth, so that a client in header sync is limited by
    /// its line and not by its credit. 192 headers cost about 0.2 ms here, their price is 1.2 ms.
    const fn default_price(self) -> Price {
        match self {
            Self::Headers => Price::new(30_000, 6_000),
            Self::Bodies => Price::new(0, 1_400_000),
            Self::Receipts | Self::HelperTrieProofs => Price::new(0, 2_000_000),
            Self::Code | Self::SendTx => Price::new(0, 900_000),
            Self::Proofs => Price::new(0, 1_200_000),
            Self::TxStatus => Price::new(0, 500_000),
        }
    }

    /// Items of one request that the smallest buffer must be able to pay for, three times over
    /// (go-ethereum `les/costtracker.go`, `minBufferReqAmount`).
    const fn must_fit(self) -> u64 {
        match self {
            Self::Headers => 192,
            Self::Bodies | Self::Receipts | Self::Code | Self::Proofs => 1,
            Self::HelperTrieProofs => 16,
            Self::SendTx => 8,
            Self::TxStatus => 64,
        }
    }
}

/// Most that a request can cost.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Price {
    /// For the request itself.
    pub base: Cost,
    /// For each item.
    pub per_item: Cost,
}

impl Price {
    /// A price from numbers of cost units.
    #[must_use]
    pub const fn new(base: u64, per_item: u64) -> Self {
        Self { base: Cost(base), per_item: Cost(per_item) }
    }
}

/// How many of its largest requests the smallest buffer can pay for (go-ethereum
/// `minBufferMultiplier`).
const BUFFERED_REQUESTS: u64 = 3;

/// Serving a message of any size outside the read itself: system calls, task switch, decoding.
/// Measured on a loopback connection.
pub const WIRE_COST_PER_MESSAGE: Cost = Cost(10_000);

/// Compressing, encrypting and authenticating one byte. Measured: 200 us for 97 KiB.
pub const WIRE_COST_PER_BYTE: Cost = Cost(2);

/// The announced cost table (`flowControl/MRC`) and the real cost of what was served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tariff([Price; Service::ALL.len()]);

impl Default for Tariff {
    fn default() -> Self {
        Self::new(Service::default_price)
    }
}

impl Tariff {
    /// A table with a price for every service.
    pub fn new(price: impl Fn(Service) -> Price) -> Self {
        Self(Service::ALL.map(price))
    }

    /// The announced price of a service.
    #[must_use]
    pub fn price(&self, service: Service) -> Price {
        self.0.get(service as usize).copied().unwrap_or_default()
    }

    /// Most that a request for this many items can cost; saturating, so that an absurd count is
    /// too expensive and never cheap.
    #[must_use]
    pub fn max_cost(&self, service: Service, items: u64) -> Cost {
        let price = self.price(service);
        price.base.saturating_add(price.per_item.times(items))
    }

    /// What a served request really cost: the measured read, and moving the bytes of request and
    /// reply. A client is charged no more than the announced cost, whatever this says.
    #[must_use]
    pub fn real_cost(&self, serving_nanos: u64, wire_bytes: u64) -> Cost {
        Cost(serving_nanos).saturating_add(self.wire_cost(wire_bytes))
    }

    /// What it costs to receive a message of this size and do nothing about it.
    #[must_use]
    pub fn wire_cost(&self, wire_bytes: u64) -> Cost {
        WIRE_COST_PER_MESSAGE.saturating_add(WIRE_COST_PER_BYTE.times(wire_bytes))
    }

    /// The smallest useful capacity: its buffer pays for three of the largest requests that
    /// clients depend on (go-ethereum `les/server.go`, `minCapacity`). It is the unit in which
    /// capacity is sold, and what a free client is told.
    #[must_use]
    pub fn unit(&self) -> Capacity {
        let costs = Service::ALL.map(|service| self.max_cost(service, service.must_fit()));
        let largest = costs.into_iter().max().unwrap_or_default();
        Capacity::of_rate(Rate(largest.times(BUFFERED_REQUESTS).0.div_ceil(BUFFER_MILLIS.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Price, Service, Tariff};
    use flow_control::{Capacity, Cost, Rate};

    fn go_ethereum() -> Tariff {
        Tariff::new(|service| {
            let headers = service == Service::Headers;
            if headers { Price::new(300_000, 60_000) } else { service.default_price() }
        })
    }

    #[test]
    fn the_unit_is_what_go_ethereum_announces() {
        let unit = Capacity { limit: Cost(96_000_000), recharge: Rate(16_000) };
        assert_eq!(go_ethereum().unit(), unit);
        assert_eq!(Tariff::default().unit(), unit, "cheap headers do not change it");
    }

    #[test]
    fn an_uneven_unit_is_rounded_up() {
        let tariff = Tariff::new(|_| Price::new(1, 0));
        assert_eq!(tariff.unit(), Capacity { limit: Cost(6_000), recharge: Rate(1) });
    }

    #[test]
    fn costs_follow_the_announced_table() {
        let cost = |service, items| Tariff::default().max_cost(service, items).0;
        assert_eq!(cost(Service::Headers, 192), 1_182_000);
        assert_eq!(go_ethereum().max_cost(Service::Headers, 192).0, 11_820_000);
        assert_eq!(cost(Service::Proofs, 64), 76_800_000);
        assert_eq!(cost(Service::TxStatus, 0), 0);
        assert_eq!(cost(Service::Receipts, u64::MAX), u64::MAX);
    }

    #[test]
    fn the_unit_pays_for_every_request_that_go_ethereums_client_sends() {
        let unit = Tariff::default().unit().limit;
        for service in Service::ALL {
            let cost = Tariff::default().max_cost(service, service.must_fit());
            assert!(cost.times(3) <= unit, "{service:?}");
        }
    }

    #[test]
    fn real_cost_counts_the_read_and_the_bytes() {
        assert_eq!(Tariff::default().real_cost(7, 100), Cost(7 + 10_000 + 200));
        assert_eq!(Tariff::default().real_cost(u64::MAX, 1), Cost(u64::MAX));
    }
}
