//! Who may ask over HTTP: names of this host, and pages of other origins.

use std::net::IpAddr;

/// What a request must satisfy besides being one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRules {
    /// Names in `Host` that are this host's; `*` is any. Addresses always pass. A page whose name
    /// was bound to this address (DNS rebinding) has a name that is not here.
    pub virtual_hosts: Vec<String>,
    /// Origins whose pages may read answers; `*` is any. None if empty.
    pub origins: Vec<String>,
}

impl HttpRules {
    /// Whether a request that names this host may be answered.
    pub fn allows_host(&self, host: &str) -> bool {
        let name = name_of(host);
        let literal = name.trim_start_matches('[').trim_end_matches(']');
        name.is_empty()
            || literal.parse::<IpAddr>().is_ok()
            || self
                .virtual_hosts
                .iter()
                .any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(name))
    }

    /// What a page of this origin is told in `Access-Control-Allow-Origin`.
    pub fn allowed_origin(&self, origin: &str) -> Option<String> {
        let is_any = self.origins.iter().any(|allowed| allowed == "*");
        if is_any {
            return Some("*".to_owned());
        }
        let known = self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin));
        known.then(|| origin.to_owned())
    }
}

/// The host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => {
            // More colons belong to an IPv6 address, which has brackets before a port.
            if name.contains(':') && !name.ends_with(']') { host } else { name }
        }
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(host: &str, origin: &str) -> HttpRules {
        let list = |text: &str| text.split(',').map(str::to_owned).collect();
        HttpRules { virtual_hosts: list(host), origins: list(origin) }
    }

    #[test]
    fn a_foreign_name_is_refused_and_an_address_is_not() {
        let local = rules("localhost", "");
        for (host, expected) in [
            ("", true),
            ("localhost", true),
            ("LocalHost:8545", true),
            ("127.0.0.1", true),
            ("127.0.0.1:8545", true),
            ("[::1]:8545", true),
            ("::1", true),
            ("rebound.example", false),
            ("rebound.example:8545", false),
            ("localhost.rebound.example", false),
            ("127.0.0.1.rebound.example", false),
        ] {
            assert_eq!(local.allows_host(host), expected, "{host}");
        }
        assert!(rules("*", "").allows_host("rebound.example"));
    }

    #[test]
    fn an_origin_is_told_its_own_name_only_if_it_is_listed() {
        let some = rules("", "https://a.example");
        let own = Some("https://a.example".to_owned());
        assert_eq!(some.allowed_origin("https://a.example"), own);
        assert_eq!(some.allowed_origin("https://b.example"), None);
        assert_eq!(rules("", "*").allowed_origin("https://b.example"), Some("*".to_owned()));
        assert_eq!(HttpRules::default().allowed_origin("https://a.example"), None);
    }
}
