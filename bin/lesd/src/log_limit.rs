//! One log line per address and class in ten seconds: a peer cannot fill a disk.

use std::{collections::BTreeMap, net::IpAddr};

use flow_control::Time;

/// Time between two lines of one address and class.
const INTERVAL: Time = Time(10_000_000_000);
/// Pairs remembered. When all are in use, nothing more is logged until some are 10 s old.
const MAX_ENTRIES: usize = 1024;

/// Says which lines may be written.
#[derive(Debug, Default)]
pub(crate) struct LogLimit {
    last: BTreeMap<(IpAddr, &'static str), Time>,
}

impl LogLimit {
    /// Whether a line of this class about this address may be written now.
    pub(crate) fn allows(&mut self, address: IpAddr, class: &'static str, now: Time) -> bool {
        let recent = |then: &Time| now.0.saturating_sub(then.0) < INTERVAL.0;
        if self.last.get(&(address, class)).is_some_and(recent) {
            return false;
        }
        if self.last.len() >= MAX_ENTRIES {
            self.last.retain(|_, then| recent(then));
        }
        if self.last.len() >= MAX_ENTRIES {
            return false;
        }
        self.last.insert((address, class), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_address_and_class_in_ten_seconds() {
        let mut limit = LogLimit::default();
        let (one, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        assert!(limit.allows(one, "a", Time(0)));
        assert!(!limit.allows(one, "a", Time(9_999_999_999)));
        assert!(limit.allows(one, "b", Time(0)));
        assert!(limit.allows(other, "a", Time(0)));
        assert!(limit.allows(one, "a", Time(10_000_000_000)));
    }

    #[test]
    fn a_flood_of_addresses_is_bounded() {
        let mut limit = LogLimit::default();
        let written = (0..10_000u32)
            .filter(|&n| limit.allows(std::net::Ipv4Addr::from(n).into(), "a", Time(0)))
            .count();
        assert_eq!(written, MAX_ENTRIES);
        assert!(limit.allows("10.0.0.1".parse().unwrap(), "a", INTERVAL));
    }
}
