//! Token buckets, one for everybody and one for each address prefix.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

/// Packets a prefix may send at once, and each second. A client pings a server once or twice.
const PREFIX_BURST: u32 = 20;
const PREFIX_RATE: u32 = 5;
/// Packets everybody together may send each second: each costs one signature recovery, at about
/// 0.1 ms, so a flood takes at most a fifth of one core.
const TOTAL_BURST: u32 = 2000;
const TOTAL_RATE: u32 = 2000;
/// Prefixes remembered. Beyond that the one unused for longest is forgotten.
const MAX_PREFIXES: usize = 4096;

/// IPv4 address, or the first 64 bits of an IPv6 one: what one customer of a provider holds.
pub(crate) fn prefix(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => mapped.to_ipv6_mapped().to_bits(),
            None => u128::from(address) >> 64 << 64,
        },
    }
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    micro_tokens: u64,
    at: Duration,
}

const MICRO: u64 = 1_000_000;

impl Bucket {
    const fn full(burst: u32, at: Duration) -> Self {
        Self { micro_tokens: burst as u64 * MICRO, at }
    }

    fn has_any(&mut self, burst: u32, rate: u32, now: Duration) -> bool {
        let idle = now.saturating_sub(self.at).as_micros().min(u128::from(u32::MAX));
        let refill = u64::try_from(idle).unwrap_or(u64::MAX).saturating_mul(u64::from(rate));
        let full = u64::from(burst).saturating_mul(MICRO);
        self.micro_tokens = self.micro_tokens.saturating_add(refill).min(full);
        self.at = self.at.max(now);
        self.micro_tokens >= MICRO
    }

    fn take(&mut self, burst: u32, rate: u32, now: Duration) -> bool {
        let enough = self.has_any(burst, rate, now);
        if enough {
            self.micro_tokens = self.micro_tokens.saturating_sub(MICRO);
        }
        enough
    }
}

/// Says who may be answered.
#[derive(Debug)]
pub(crate) struct Buckets {
    total: Bucket,
    prefixes: BTreeMap<u128, Bucket>,
}

impl Buckets {
    pub(crate) fn new(now: Duration) -> Self {
        Self { total: Bucket::full(TOTAL_BURST, now), prefixes: BTreeMap::new() }
    }

    pub(crate) fn take(&mut self, address: IpAddr, now: Duration) -> bool {
        // First of all: a flood that is refused anyway costs no search and displaces nobody.
        if !self.total.has_any(TOTAL_BURST, TOTAL_RATE, now) {
            return false;
        }
        let prefix = prefix(address);
        if !self.prefixes.contains_key(&prefix) && self.prefixes.len() >= MAX_PREFIXES {
            let oldest = self.prefixes.iter().min_by_key(|(_, bucket)| bucket.at);
            if let Some(oldest) = oldest.map(|(&prefix, _)| prefix) {
                self.prefixes.remove(&oldest);
            }
        }
        let bucket = self.prefixes.entry(prefix).or_insert_with(|| Bucket::full(PREFIX_BURST, now));
        bucket.take(PREFIX_BURST, PREFIX_RATE, now) && self.total.take(TOTAL_BURST, TOTAL_RATE, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_a_burst_and_a_rate_of_its_own() {
        let mut buckets = Buckets::new(Duration::ZERO);
        let (one, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for _ in 0..PREFIX_BURST {
            assert!(buckets.take(one, Duration::ZERO));
        }
        assert!(!buckets.take(one, Duration::ZERO));
        assert!(buckets.take(other, Duration::ZERO), "others are not touched");
        assert!(buckets.take(one, Duration::from_millis(200)));
        assert!(!buckets.take(one, Duration::from_millis(200)));
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_bucket() {
        let same = ["2001:db8::1", "2001:db8::ffff:1"].map(|text| prefix(text.parse().unwrap()));
        assert_eq!(same[0], same[1]);
        assert_ne!(same[0], prefix("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(
            prefix("::ffff:10.0.0.1".parse().unwrap()),
            prefix("10.0.0.1".parse().unwrap()),
            "a mapped address is the address"
        );
    }

    #[test]
    fn a_flood_from_many_prefixes_is_bounded_in_memory_and_rate() {
        let mut buckets = Buckets::new(Duration::ZERO);
        let answered = (0..100_000u32)
            .filter(|&n| buckets.take(std::net::Ipv4Addr::from(n).into(), Duration::ZERO))
            .count();
        assert_eq!(answered, usize::try_from(TOTAL_BURST).unwrap());
        assert!(buckets.prefixes.len() <= MAX_PREFIXES);
    }

    #[test]
    fn a_flood_that_is_refused_displaces_nobody() {
        let mut buckets = Buckets::new(Duration::ZERO);
        let known = "0.0.0.1".parse().unwrap();
        while buckets.take(known, Duration::ZERO) {}
        for n in 1000..100_000u32 {
            buckets.take(std::net::Ipv4Addr::from(n).into(), Duration::ZERO);
        }
        assert!(buckets.prefixes.contains_key(&prefix(known)));
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_away() {
        let mut buckets = Buckets::new(Duration::from_secs(10));
        let one = "10.0.0.1".parse().unwrap();
        while buckets.take(one, Duration::from_secs(10)) {}
        assert!(!buckets.take(one, Duration::from_secs(1)));
        assert!(!buckets.take(one, Duration::from_secs(10)));
    }
}
