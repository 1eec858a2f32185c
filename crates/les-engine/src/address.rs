//! Seats: how many connections there are, in total and from each address prefix.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::Config;
use crate::fault::Reason;

/// Why a connection was not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// All seats are taken.
    Full,
    /// This address prefix has all the seats it can have.
    PrefixFull,
    /// There are enough other servers.
    ServersFull,
    /// The server is shutting down.
    Draining,
}

impl Refusal {
    /// What the peer is told.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Full | Self::PrefixFull | Self::ServersFull | Self::Draining => {
                Reason::TooManyPeers
            }
        }
    }
}

/// Whether the limits of seats hold for a peer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Trust {
    /// They do.
    #[default]
    Stranger,
    /// They do not: the operator vouches for it by name, and bounds how many such names there are.
    Trusted,
}

/// An address as far as it identifies who is behind it: all of IPv4, a /64 of IPv6, which is what
/// one customer of a provider holds. An IPv4 address in IPv6 form is the IPv4 address.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Prefix(Network);

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Network {
    V4(Ipv4Addr),
    V6([u16; 4]),
}

impl Prefix {
    /// The prefix of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(Network::V4(address)),
            IpAddr::V6(address) => Self(Network::V6(upper_half(address))),
        }
    }
}

const fn upper_half(address: Ipv6Addr) -> [u16; 4] {
    let [a, b, c, d, ..] = address.segments();
    [a, b, c, d]
}

/// A seat that was taken, and must be given back.
#[derive(Debug)]
#[must_use = "a seat that is not given back stays taken"]
pub(crate) struct Seat(Option<Prefix>);

#[derive(Debug)]
pub(crate) struct Seats {
    /// Taken, those of trusted peers among them.
    all: u32,
    most: u32,
    per_prefix: u32,
    loopback_unlimited: bool,
    /// Seats taken by strangers of each prefix, one at least. Never more entries than seats.
    taken: BTreeMap<Prefix, u32>,
}

impl Seats {
    pub(crate) const fn new(config: &Config) -> Self {
        Self {
            all: 0,
            most: config.connections,
            per_prefix: config.connections_per_prefix,
            loopback_unlimited: config.loopback_unlimited,
            taken: BTreeMap::new(),
        }
    }

    /// A trusted peer gets a seat beyond the limits if they are reached, as in go-ethereum.
    pub(crate) fn take(&mut self, address: IpAddr, trust: Trust) -> Result<Seat, Refusal> {
        let is_trusted = trust == Trust::Trusted;
        if self.all >= self.most && !is_trusted {
            return Err(Refusal::Full);
        }
        let unlimited =
            is_trusted || (self.loopback_unlimited && address.to_canonical().is_loopback());
        let prefix = (!unlimited).then(|| Prefix::of(address));
        if let Some(prefix) = prefix {
            let taken = self.taken.get(&prefix).copied().unwrap_or_default();
            if taken >= self.per_prefix {
                return Err(Refusal::PrefixFull);
            }
            self.taken.insert(prefix, taken.saturating_add(1));
        }
        self.all = self.all.saturating_add(1);
        Ok(Seat(prefix))
    }

    pub(crate) fn give_back(&mut self, seat: Seat) {
        self.all = self.all.saturating_sub(1);
        let Seat(Some(prefix)) = seat else { return };
        let rest = self.taken.remove(&prefix).unwrap_or_default().saturating_sub(1);
        if rest > 0 {
            self.taken.insert(prefix, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Prefix, Refusal, Seats, Trust};
    use crate::config::Config;

    fn seats(connections: u32, per_prefix: u32, loopback_unlimited: bool) -> Seats {
        let config = Config::new(1, 1, 0);
        let per_prefix = Config { connections_per_prefix: per_prefix, ..config };
        Seats::new(&Config { connections, loopback_unlimited, ..per_prefix })
    }

    /// Takes a seat for each address, a trusted one after `!`; the first refusal must be that of
    /// the last one.
    #[track_caller]
    fn check(mut seats: Seats, addresses: &str, last: Result<(), Refusal>) {
        let taken: Vec<_> = addresses
            .split(' ')
            .map(|word| {
                let (trust, address) = match word.strip_prefix('!') {
                    Some(address) => (Trust::Trusted, address),
                    None => (Trust::Stranger, word),
                };
                seats.take(address.parse().expect(word), trust).map(drop_mark)
            })
            .collect();
        let (end, start) = taken.split_last().expect("an address");
        assert!(start.iter().all(Result::is_ok), "{addresses}: {taken:?}");
        assert_eq!(*end, last, "{addresses}");
    }

    fn drop_mark(_: super::Seat) {}

    #[test]
    fn a_prefix_has_so_many_seats_and_no_more() {
        check(seats(9, 2, true), "10.0.0.1 10.0.0.1 10.0.0.2", Ok(()));
        check(seats(9, 2, true), "10.0.0.1 10.0.0.1 10.0.0.1", Err(Refusal::PrefixFull));
        check(seats(9, 2, true), "2001:db8::1 2001:db8::2 2001:db8:0:1::1", Ok(()));
        check(seats(9, 2, true), "2001:db8::1 2001:db8::2 2001:db8::3", Err(Refusal::PrefixFull));
        check(seats(9, 1, true), "10.0.0.1 ::ffff:10.0.0.1", Err(Refusal::PrefixFull));
    }

    #[test]
    fn loopback_is_limited_only_by_the_total_if_it_is_exempt() {
        check(seats(3, 1, true), "127.0.0.1 127.0.0.1 ::1", Ok(()));
        check(seats(2, 1, true), "127.0.0.1 ::ffff:127.0.0.9 ::1", Err(Refusal::Full));
        check(seats(9, 1, false), "127.0.0.1 127.0.0.1", Err(Refusal::PrefixFull));
    }

    #[test]
    fn a_trusted_peer_has_a_seat_whatever_the_limits() {
        check(seats(1, 1, true), "10.0.0.1 !10.0.0.1 !10.0.0.2", Ok(()));
        check(seats(2, 1, true), "!10.0.0.1 10.0.0.1 !10.0.0.1", Ok(()));
        check(seats(9, 1, true), "!10.0.0.1 10.0.0.1 10.0.0.1", Err(Refusal::PrefixFull));
        // It counts: strangers get what it leaves.
        check(seats(2, 9, true), "!10.0.0.1 !10.0.0.2 10.0.0.3", Err(Refusal::Full));
        check(seats(0, 0, true), "!10.0.0.1 !10.0.0.2 10.0.0.3", Err(Refusal::Full));
    }

    #[test]
    fn seats_beyond_the_limit_are_given_back_before_strangers_get_one() {
        let mut seats = seats(1, 1, true);
        let address = "10.0.0.1".parse().expect("an address");
        let trusted = [(); 2].map(|()| seats.take(address, Trust::Trusted).expect("a seat"));
        for seat in trusted {
            assert_eq!(seats.take(address, Trust::Stranger).map(drop_mark), Err(Refusal::Full));
            seats.give_back(seat);
        }
        let seat = seats.take(address, Trust::Stranger).expect("a free seat");
        seats.give_back(seat);
        assert!(seats.taken.is_empty() && seats.all == 0);
    }

    #[test]
    fn a_seat_that_was_given_back_can_be_taken_again() {
        let mut seats = seats(1, 1, true);
        let address = "10.0.0.1".parse().expect("an address");
        for _ in 0..3 {
            let seat = seats.take(address, Trust::Stranger).expect("a free seat");
            assert_eq!(seats.take(address, Trust::Stranger).map(drop_mark), Err(Refusal::Full));
            seats.give_back(seat);
        }
        assert!(seats.taken.is_empty());
    }

    #[test]
    fn a_mapped_address_is_the_address() {
        let of = |text: &str| Prefix::of(text.parse().expect(text));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
