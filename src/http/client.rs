//! The client's address, as a proxy tells it.
//!
//! A proxy's word is believed, but not its spelling: what is not exactly one address means that the address is unknown.
//! It is never an error, so that nobody is let through, or locked out, by a rule that could not be read.

use std::net::IpAddr;

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
    let address: IpAddr = std::str::from_utf8(value).ok()?.parse().ok()?;
    Some(address.to_canonical())
}

/// Reads the right-most element of a list such as `X-Forwarded-For`: the one that the proxy itself has written.
///
/// Whatever stands further left was sent by the client, or by something that is not known here.
pub fn right_most(value: &[u8]) -> Option<IpAddr> {
    single(value.rsplit(|&byte| byte == b',').next()?.trim_ascii())
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

    proptest! {
        #[test]
        fn nothing_panics(sent in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (single(&sent), right_most(&sent));
        }
    }
}
