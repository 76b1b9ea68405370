//! The client's address, as a proxy tells it.
//!
//! A proxy's word is believed, but not its spelling: what is not exactly one address means that the address is unknown.
//! It is never an error, so that nobody is let through, or locked out, by a rule that could not be read.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

/// The longest text of an address: IPv6 with an embedded IPv4 address.
const MAX_ADDRESS_LEN: usize = 45;

/// Reads a header that holds one address, such as `X-Real-IP`.
///
/// `None` for anything else: a port, brackets, an IPv6 zone, a name, several addresses. An IPv4 address in IPv6 form
/// (RFC 4291, section 2.5.5.2) is given as IPv4, so that no rule can be passed by the other spelling.
pub fn single(value: &[u8]) -> Option<IpAddr> {
    if value.len() > MAX_ADDRESS_LEN {
        return None;
    }
    if let Some(address) = dotted(value) {
        return Some(address.into());
    }
    let address: IpAddr = std::str::from_utf8(value).ok()?.parse().ok()?;
    Some(address.to_canonical())
}

/// Reads an IPv4 address as nearly all come: four decimal numbers without leading zeros.
fn dotted(value: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut rest = value;
    for (at, octet) in octets.iter_mut().enumerate() {
        if at > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let mut number = 0_u16;
        let mut len = 0;
        while let Some((digit @ b'0'..=b'9', after)) = rest.split_first() {
            number = number * 10 + u16::from(digit - b'0');
            (len, rest) = (len + 1, after);
            if len > 3 || number > 255 || (len > 1 && number < 10) {
                return None;
            }
        }
        if len == 0 {
            return None;
        }
        *octet = u8::try_from(number).ok()?;
    }
    rest.is_empty().then(|| octets.into())
}

/// Reads the right-most element of a list such as `X-Forwarded-For`: the one that the proxy itself has written.
///
/// Whatever stands further left was sent by the client, or by something that is not known here.
pub fn right_most(value: &[u8]) -> Option<IpAddr> {
    single(value.rsplit(|&byte| byte == b',').next()?.trim_ascii())
}

/// The client's address, as told by the proxies that are trusted: the hop nearest to us that is none of them.
///
/// `peer` is who connected, `None` on a Unix socket, which only a proxy is given access to. `forwarded` has the values of
/// all `X-Forwarded-For` headers, in their order; they are read only if the peer is trusted, from the right, each hop on
/// the word of the trusted one before it. If all hops are trusted, it is the one furthest away.
///
/// `None` if the address is unknown: a trusted proxy has written something other than an address, or there is neither a
/// header nor an address of the peer.
pub fn behind_proxies<'a>(
    peer: Option<IpAddr>,
    forwarded: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &[IpNet],
) -> Option<IpAddr> {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut nearest = peer.map(|peer| peer.to_canonical());
    if nearest.is_some_and(|peer| !is_trusted(&peer)) {
        return nearest;
    }
    for hop in forwarded.rev().flat_map(|value| value.rsplit(|&byte| byte == b',')) {
        let address = single(hop.trim_ascii())?;
        nearest = Some(address);
        if !is_trusted(&address) {
            break;
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn one_address_is_read() {
        for (sent, read) in [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::FFFF:c000:201", "192.0.2.1"),
            ("::1", "::1"),
        ] {
            assert_eq!(single(sent.as_bytes()), address(read), "{sent}");
        }
    }

    #[test]
    fn nonsense_is_an_unknown_address() {
        let long = "1".repeat(100_000);
        for sent in [
            "",
            "a",
            "unknown",
            "unix:",
            "_hidden",
            "localhost",
            "192.0.2.1:80",
            "192.0.2.1, 192.0.2.2",
            "192.0.2.256",
            "192.0.2.01",
            "0300.0.2.1",
            "3221225985",
            "192.0.2",
            " 192.0.2.1",
            "192.0.2.1\0",
            "[::1]",
            "[::1]:80",
            "fe80::1%eth0",
            "fe80::1%25eth0",
            ":::",
            "\u{661}92.0.2.1",
            long.as_str(),
        ] {
            assert_eq!(single(sent.as_bytes()), None, "{sent}");
            let last = sent.rsplit(',').next().unwrap_or_default().trim();
            assert_eq!(right_most(format!("192.0.2.9, {last}").as_bytes()), single(last.as_bytes()), "{sent}");
        }
    }

    #[test]
    fn only_the_right_most_element_counts() {
        for (sent, read) in [
            ("192.0.2.1", address("192.0.2.1")),
            ("127.0.0.1, 192.0.2.1", address("192.0.2.1")),
            ("garbage,,\t192.0.2.1 ", address("192.0.2.1")),
            ("127.0.0.1,::ffff:192.0.2.1", address("192.0.2.1")),
            ("192.0.2.1,", None),
            ("192.0.2.1, a", None),
            ("192.0.2.1, ", None),
            (",", None),
        ] {
            assert_eq!(right_most(sent.as_bytes()), read, "{sent}");
        }
        let hops = "10.0.0.1, ".repeat(1_000);
        assert_eq!(right_most(format!("{hops}192.0.2.1").as_bytes()), address("192.0.2.1"));
    }

    const PROXIES: [&str; 2] = ["10.0.0.0/8", "fd00::/8"];

    fn behind(peer: &str, forwarded: &[&str]) -> Option<IpAddr> {
        let trusted = PROXIES.map(|network| network.parse().unwrap());
        behind_proxies(address(peer), forwarded.iter().map(|value| value.as_bytes()), &trusted)
    }

    #[test]
    fn a_peer_that_is_no_trusted_proxy_is_the_client_whatever_it_says() {
        for forwarded in [&[][..], &["192.0.2.1"], &["10.0.0.1"], &["127.0.0.1, 10.0.0.1"], &["a", ""]] {
            assert_eq!(behind("198.51.100.7", forwarded), address("198.51.100.7"), "{forwarded:?}");
            assert_eq!(behind("::ffff:198.51.100.7", forwarded), address("198.51.100.7"), "{forwarded:?}");
        }
        assert_eq!(behind_proxies(address("10.0.0.1"), [&b"192.0.2.1"[..]].into_iter(), &[]), address("10.0.0.1"));
    }

    #[test]
    fn behind_trusted_proxies_the_nearest_hop_that_is_none_is_the_client() {
        for (forwarded, client) in [
            (&["192.0.2.1"][..], "192.0.2.1"),
            (&["127.0.0.1, 192.0.2.1"], "192.0.2.1"),
            (&["127.0.0.1, 192.0.2.1, 10.1.1.1,fd00::7"], "192.0.2.1"),
            (&["127.0.0.1", "192.0.2.1", "10.1.1.1"], "192.0.2.1"),
            (&["192.0.2.1, 10.1.1.1", "10.2.2.2"], "192.0.2.1"),
            (&["10.1.1.1, 198.51.100.7", "192.0.2.1"], "192.0.2.1"),
            (&["garbage, 192.0.2.1"], "192.0.2.1"),
            (&["", "192.0.2.1"], "192.0.2.1"),
            (&["::ffff:192.0.2.1, ::ffff:10.1.1.1"], "192.0.2.1"),
            (&["2001:db8::1"], "2001:db8::1"),
        ] {
            for peer in ["10.0.0.1", "fd00::1", "::ffff:10.0.0.1"] {
                assert_eq!(behind(peer, forwarded), address(client), "{forwarded:?}");
            }
        }
        let hops = "10.0.0.1, ".repeat(1_000);
        assert_eq!(behind("10.0.0.1", &[&format!("192.0.2.1, {hops}10.0.0.1")]), address("192.0.2.1"));
    }

    #[test]
    fn if_all_hops_are_trusted_the_furthest_is_the_client() {
        assert_eq!(behind("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), address("10.0.0.3"));
        assert_eq!(behind("10.0.0.1", &[]), address("10.0.0.1"));
    }

    #[test]
    fn what_a_trusted_proxy_writes_other_than_an_address_makes_the_client_unknown() {
        for forwarded in [
            &[""][..],
            &["a"],
            &["unknown"],
            &["192.0.2.1, "],
            &["192.0.2.1, a"],
            &["192.0.2.1, a, 10.0.0.2"],
            &["192.0.2.1", ""],
            &["192.0.2.1:80"],
            &["[2001:db8::1]"],
            &["fe80::1%eth0"],
            &["192.0.2.1;192.0.2.2"],
        ] {
            assert_eq!(behind("10.0.0.1", forwarded), None, "{forwarded:?}");
        }
    }

    #[test]
    fn whoever_connects_on_a_unix_socket_is_a_proxy() {
        let on_socket = |forwarded: &[&str]| {
            behind_proxies(None, forwarded.iter().map(|value| value.as_bytes()), &["10.0.0.0/8".parse().unwrap()])
        };
        assert_eq!(on_socket(&["127.0.0.1, 192.0.2.1"]), address("192.0.2.1"));
        assert_eq!(on_socket(&["192.0.2.1, 10.0.0.1"]), address("192.0.2.1"));
        assert_eq!(on_socket(&["a"]), None);
        assert_eq!(on_socket(&[]), None);
    }

    proptest! {
        #[test]
        fn the_client_is_never_what_an_untrusted_hop_says(
            spoofed in "[ -~]{0,60}",
            client in any::<[u8; 4]>().prop_filter("not a proxy", |client| client[0] != 10),
            hops in 0..5_usize,
        ) {
            let client = IpAddr::from(client);
            let proxies = ", 10.0.0.2".repeat(hops);
            prop_assert_eq!(behind("10.0.0.1", &[&format!("{spoofed}, {client}{proxies}")]), Some(client));
            prop_assert_eq!(behind("10.0.0.1", &[&spoofed, &format!("{client}{proxies}")]), Some(client));
        }

        #[test]
        fn a_dotted_address_is_read_as_the_standard_library_reads_it(
            octets: [u8; 4],
            odd in "([0-9]{1,3}|0|00|1|25[0-9]|[0-9.]|\\.){0,9}",
        ) {
            let address = Ipv4Addr::from(octets);
            prop_assert_eq!(dotted(address.to_string().as_bytes()), Some(address));
            prop_assert_eq!(dotted(odd.as_bytes()), odd.parse().ok(), "{}", odd);
        }

        #[test]
        fn nothing_panics(sent in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (single(&sent), right_most(&sent));
        }
    }
}
